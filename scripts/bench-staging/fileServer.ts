/** Serves one file by ranges, for archives that are read from an address. */
import { createReadStream } from "node:fs"
import * as NodeHttp from "node:http"
import * as Effect from "effect/Effect"

/** The file's address, for as long as the scope is open. */
export const serveFile = (path: string, size: number) =>
  Effect.async<NodeHttp.Server>((resume) => {
    const server = NodeHttp.createServer(({ headers, method }, response) => {
      const [, first = "0", last = String(size - 1)] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "") ?? []
      const [start, end] = [Number(first), Number(last)]
      response.writeHead(headers.range === undefined ? 200 : 206, {
        "content-length": end - start + 1,
        etag: `"${size}"`,
        ...(headers.range === undefined ? {} : { "content-range": `bytes ${start}-${end}/${size}` })
      })
      if (method === "HEAD") response.end()
      else createReadStream(path, { start, end }).pipe(response)
    })
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }).pipe(
    Effect.acquireRelease((server) =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
    ),
    Effect.map((server) => {
      const address = server.address()
      const port = address !== null && typeof address === "object" ? address.port : address
      return `http://127.0.0.1:${port}/archive.zip`
    })
  )

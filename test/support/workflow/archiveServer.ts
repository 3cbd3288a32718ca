/** Archives by URL, as an artifact store serves them: with ranges and entity tags. */
import { createServer } from "node:http"
import { Effect, type Scope } from "effect"
import { sha256 } from "../upload/world.ts"

export interface ArchiveServer {
  /** Puts an archive up, and tells its URL. */
  readonly serve: (name: string, content: Uint8Array) => string
}

export const archiveServer: Effect.Effect<ArchiveServer, never, Scope.Scope> = Effect.acquireRelease(
  Effect.async<ArchiveServer & { readonly close: Effect.Effect<void> }>((resume) => {
    const archives = new Map<string, Uint8Array>()
    const server = createServer((request, response) => {
      const content = archives.get(request.url ?? "")
      if (content === undefined) return response.writeHead(404).end()
      const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "")
      const from = Number(range?.[1] ?? 0)
      const to = Math.min(Number(range?.[2] || content.length - 1), content.length - 1)
      response.writeHead(range === null ? 200 : 206, {
        etag: `"${sha256(content)}"`,
        "accept-ranges": "bytes",
        "content-length": to - from + 1,
        ...(range !== null && { "content-range": `bytes ${from}-${to}/${content.length}` })
      })
      return request.method === "HEAD" ? response.end() : response.end(content.subarray(from, to + 1))
    })
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      resume(
        Effect.succeed({
          serve: (name, content) => {
            archives.set(`/${name}`, content)
            return `http://127.0.0.1:${port}/${name}`
          },
          close: Effect.async<void>((done) => {
            server.closeAllConnections()
            server.close(() => done(Effect.void))
          })
        })
      )
    })
  }),
  ({ close }) => close
)

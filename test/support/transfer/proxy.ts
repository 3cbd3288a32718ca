/** A proxy that tunnels every CONNECT to one address, whatever name was asked for. */
import * as Http from "node:http"
import * as Net from "node:net"
import { Effect, type Scope } from "effect"

export interface TestProxy {
  readonly url: string
  /** Host, port and credentials of every CONNECT. */
  readonly tunnels: ReadonlyArray<{ readonly target: string; readonly authorization: string | undefined }>
}

export const proxyTo = (options: {
  readonly port: number
  /** Answered instead of 200. */
  readonly refuse?: number
  /** Never answers at all. */
  readonly silent?: boolean
}): Effect.Effect<TestProxy & { readonly sockets: ReadonlySet<Net.Socket> }, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<{ readonly server: Http.Server; readonly proxy: TestProxy & { sockets: Set<Net.Socket> } }>(
      (resume) => {
        const tunnels: Array<TestProxy["tunnels"][number]> = []
        const sockets = new Set<Net.Socket>()
        const server = Http.createServer()
        server.on("connection", (socket) => {
          sockets.add(socket)
          socket.on("close", () => sockets.delete(socket))
        })
        server.on("connect", (request, client) => {
          tunnels.push({ target: request.url ?? "", authorization: request.headers["proxy-authorization"] })
          client.on("error", () => {})
          client.on("end", () => client.end())
          if (options.silent) return void client.resume()
          if (options.refuse !== undefined) {
            client.end(`HTTP/1.1 ${options.refuse} Refused\r\ncontent-length: 0\r\n\r\n`)
            return
          }
          const upstream = Net.connect(options.port, "127.0.0.1", () => {
            client.write("HTTP/1.1 200 Connection established\r\n\r\n")
            client.pipe(upstream).pipe(client)
          })
          upstream.on("error", () => client.destroy())
          client.on("close", () => upstream.destroy())
        })
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          const port = typeof address === "object" && address !== null ? address.port : 0
          resume(Effect.succeed({ server, proxy: { url: `http://127.0.0.1:${port}`, tunnels, sockets } }))
        })
      }
    ),
    ({ proxy, server }) =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const socket of proxy.sockets) socket.destroy()
      })
  ).pipe(Effect.map(({ proxy }) => proxy))

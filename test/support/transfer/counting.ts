/** An HTTP server that tells which requests came on which connection. */
import * as Http from "node:http"
import * as Https from "node:https"
import type { AddressInfo, Socket } from "node:net"
import * as Tls from "node:tls"
import { Effect, type Scope } from "effect"
import { eventually } from "./wire.ts"

/** One connection, in the order of its requests. */
export interface Seen {
  readonly requests: Array<string>
  readonly headers: Array<Http.IncomingHttpHeaders>
  readonly socket: Socket
  /** Whether it resumed a TLS session. */
  readonly resumed: boolean
}

export interface CountingServer {
  readonly url: string
  readonly port: number
  readonly connections: ReadonlyArray<Seen>
  /** The requests of each connection that had any. */
  readonly requests: () => ReadonlyArray<ReadonlyArray<string>>
  /** By `performance.now`. */
  readonly lastRequestAt: () => number | undefined
}

export interface CountingOptions {
  readonly tls?: Https.ServerOptions
  /** In place of the answer 200 once the request is there; `nth` counts the requests of its connection from 1. */
  readonly onRequest?: (
    request: Http.IncomingMessage,
    response: Http.ServerResponse,
    nth: number
  ) => "handled" | "answer"
  readonly onConnection?: (socket: Socket) => void
}

export const countingServer = (
  options: CountingOptions = {}
): Effect.Effect<CountingServer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<{ readonly server: Http.Server; readonly counting: CountingServer }>((resume) => {
      const connections: Array<Seen> = []
      let lastRequestAt: number | undefined
      const listener = (request: Http.IncomingMessage, response: Http.ServerResponse) => {
        const seen = connections.find(({ socket }) => socket === request.socket)
        lastRequestAt = performance.now()
        seen?.requests.push(`${request.method} ${request.url}`)
        seen?.headers.push(request.headers)
        if (options.onRequest?.(request, response, seen?.requests.length ?? 0) === "handled") return
        request.resume().on("end", () => response.setHeader("content-length", 6).end("stored"))
      }
      const server =
        options.tls === undefined ? Http.createServer(listener) : Https.createServer(options.tls, listener)
      server.on(options.tls === undefined ? "connection" : "secureConnection", (socket: Socket) => {
        socket.on("error", () => {})
        const resumed = socket instanceof Tls.TLSSocket && socket.isSessionReused()
        connections.push({ requests: [], headers: [], socket, resumed })
        options.onConnection?.(socket)
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        const url = `${options.tls === undefined ? "http" : "https"}://127.0.0.1:${port}`
        const requests = () => connections.flatMap((one) => (one.requests.length > 0 ? [one.requests] : []))
        resume(
          Effect.succeed({
            server,
            counting: { url, port, connections, requests, lastRequestAt: () => lastRequestAt }
          })
        )
      })
    }),
    ({ server }) =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  ).pipe(Effect.map(({ counting }) => counting))

/** Ways in which a server has done with a connection on which nothing was asked, until it is out of the server's hands. */
export const endings = {
  closed: (socket: Socket) => new Promise<void>((done) => void socket.end(done)),
  /** Of plain connections only. */
  reset: (socket: Socket) =>
    new Promise<void>((done) => {
      socket.once("close", () => done()).resetAndDestroy()
    }),
  "answered-unasked": (socket: Socket) =>
    new Promise<void>((done) => {
      socket.write("HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n", () => done())
    })
} as const

export type Ending = keyof typeof endings

const isEnding = (name: string): name is Ending => Object.hasOwn(endings, name)

const endUnused = async ({ connections }: CountingServer, end: (typeof endings)[Ending]): Promise<void> => {
  const unused = () => connections.find(({ requests, socket }) => requests.length === 0 && !socket.destroyed)
  await Effect.runPromise(eventually(() => unused() !== undefined))
  const idle = unused()
  if (idle !== undefined) await end(idle.socket)
}

/**
 * Asked for the path of an ending, it answers when it has ended a connection on which nothing was asked. On `/again` it
 * closes every connection instead of answering a second time.
 */
export const lettingGo = (tls?: Https.ServerOptions): Effect.Effect<CountingServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const server: CountingServer = yield* countingServer({
      ...(tls === undefined ? {} : { tls }),
      onRequest: ({ method, socket, url = "" }, response, nth) => {
        const ending = url.slice(1)
        if (ending === "again" && nth > 1) {
          socket.destroy()
          return "handled"
        }
        if (method !== "GET" || !isEnding(ending)) return "answer"
        void endUnused(server, endings[ending]).then(() => {
          response.setHeader("content-length", 6).end("stored")
        })
        return "handled"
      }
    })
    return server
  })

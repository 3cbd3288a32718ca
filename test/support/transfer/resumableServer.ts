/** A server on a real socket that plays a written scene: which request is to come next, and what happens to it. */
import { EventEmitter, once } from "node:events"
import * as NodeHttp from "node:http"
import type { AddressInfo, Socket } from "node:net"
import * as Effect from "effect/Effect"

/** What the next request has to be. Of the headers only the named ones count; `undefined` means absent. */
export interface Expected {
  readonly line: string
  readonly headers?: Readonly<Record<string, string | undefined>>
  /** The bytes of the content the request carries, from and to; left out where a cut makes it a matter of luck. */
  readonly sends?: readonly [from: number, to: number]
}

export interface Exchange extends Expected {
  readonly acts: ReadonlyArray<Act>
}

/** One thing the server does; the next begins when it is over. */
export type Act = (peer: Peer) => void | Promise<void>

export interface Recorded {
  readonly line: string
  readonly headers: NodeHttp.IncomingHttpHeaders
  /** What has arrived of the body so far. */
  readonly body: () => Buffer
}

interface Peer {
  readonly socket: Socket
  readonly origin: string
  readonly method: string
  /** Waits for so many bytes of the body, or for its end. */
  readonly received: (bytes: number) => Promise<void>
}

export const exchange = (
  line: string,
  expected: Omit<Expected, "line">,
  ...acts: ReadonlyArray<Act>
): Exchange => ({ line, ...expected, acts })

export type Fields = Readonly<Record<string, string>>

/** `{origin}` and `{host}` in a field stand for the server's own. */
const head = (peer: Peer, status: number, fields: Fields) => {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} Scripted\r\n${lines.join("")}\r\n`
    .replaceAll("{origin}", peer.origin)
    .replaceAll("{host}", new URL(peer.origin).host)
}

export const interim =
  (status: number, fields: Fields = {}): Act =>
  (peer) => {
    peer.socket.write(head(peer, status, fields))
  }

/** The final response, at once and whatever has arrived; then the connection is closed. */
export const answer =
  (status: number, fields: Fields = {}, body = ""): Act =>
  (peer) => {
    const bodiless = status === 204 || peer.method === "HEAD"
    const length: Fields = bodiless ? {} : { "content-length": String(Buffer.byteLength(body)) }
    peer.socket.end(
      head(peer, status, { ...fields, ...length, connection: "close" }) + (bodiless ? "" : body)
    )
  }

/** Bytes as they are, HTTP or not. */
export const raw =
  (text: string): Act =>
  (peer) => {
    peer.socket.write(text.replaceAll("{origin}", peer.origin))
  }

export const received =
  (bytes: number): Act =>
  (peer) =>
    peer.received(bytes)

export const wholeBody: Act = received(Number.POSITIVE_INFINITY)

export const cut: Act = (peer) => {
  peer.socket.destroy()
}

/** Holds the scene until an effect is done. */
export const meanwhile =
  (effect: Effect.Effect<unknown>): Act =>
  () =>
    Effect.runPromise(Effect.asVoid(effect))

/** Reads the body as it comes, so that a client is never held back unasked. */
const collectBody = (incoming: NodeHttp.IncomingMessage) => {
  const chunks: Array<Buffer> = []
  const news = new EventEmitter()
  let count = 0
  let over = false
  incoming.on("data", (chunk: Buffer) => {
    chunks.push(chunk)
    count += chunk.length
    news.emit("news")
  })
  for (const event of ["end", "close", "error"]) {
    incoming.on(event, () => {
      over = true
      news.emit("news")
    })
  }
  return {
    body: () => Buffer.concat(chunks),
    received: async (bytes: number) => {
      while (count < bytes && !over) await once(news, "news")
    }
  }
}

const play = async (acts: ReadonlyArray<Act>, peer: Peer) => {
  for (const act of acts) await act(peer)
}

const unscripted = [answer(599, {}, "not in the script")]

export interface ResumableServer {
  readonly origin: string
  readonly requests: ReadonlyArray<Recorded>
}

/** Plays one exchange for each request, in order of arrival. A request too many is answered with 599. */
export const resumableServer = (script: ReadonlyArray<Exchange>) =>
  Effect.gen(function* () {
    const requests: Array<Recorded> = []
    let origin = ""
    const onRequest = (incoming: NodeHttp.IncomingMessage) => {
      const { headers, method = "", socket, url } = incoming
      const { body, received } = collectBody(incoming)
      const acts = script[requests.length]?.acts ?? unscripted
      requests.push({ line: `${method} ${url}`, headers, body })
      void play(acts, { socket, origin, method, received })
    }
    const server = NodeHttp.createServer(onRequest)
    server.on("checkContinue", (incoming: NodeHttp.IncomingMessage) => {
      incoming.socket.write("HTTP/1.1 100 Continue\r\n\r\n")
      onRequest(incoming)
    })
    server.on("connection", (socket) => socket.on("error", () => {}))
    yield* Effect.acquireRelease(
      Effect.async<void>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.void))
      }),
      () =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const resumable: ResumableServer = { origin, requests }
    return resumable
  })

/**
 * A TCP server that shows exactly what a client put on the wire, and answers byte by byte as a test says.
 */
import { createHash } from "node:crypto"
import * as Net from "node:net"
import * as Tls from "node:tls"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** What arrived on one connection. */
export class Received {
  head = ""
  bodyBytes = 0
  closed = false
  readonly #hash = createHash("sha256")

  get target(): string {
    return this.head.split(" ")[1] ?? ""
  }

  header(name: string): string | undefined {
    return new RegExp(`^${name}: *(.*)$`, "im").exec(this.head)?.[1]
  }

  get sha256(): string {
    return this.#hash.copy().digest("hex")
  }

  take(bytes: Buffer): void {
    this.bodyBytes += bytes.byteLength
    this.#hash.update(bytes)
  }
}

export interface Conversation {
  readonly socket: Net.Socket
  readonly received: Received
  /** Sends a response; the body's length is announced, and that this connection takes no other request. */
  readonly answer: (status: number, body?: string, headers?: Readonly<Record<string, string>>) => void
  readonly write: (text: string) => void
}

export interface Script {
  readonly onHead?: (conversation: Conversation) => void
  /** Called with every piece of the body, counted already. */
  readonly onBody?: (conversation: Conversation, bytes: Buffer) => void
}

export interface WireServer {
  readonly port: number
  readonly url: string
  readonly connections: ReadonlyArray<Received>
}

const converse = (socket: Net.Socket, received: Received): Conversation => ({
  socket,
  received,
  write: (text) => socket.write(text),
  answer: (status, body = "", headers = {}) => {
    const fields = { "content-length": String(Buffer.byteLength(body)), connection: "close", ...headers }
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.write(`HTTP/1.1 ${status} Status\r\n${lines.join("")}\r\n${body}`)
  }
})

const listenOn = (socket: Net.Socket, received: Received, script: Script): void => {
  const conversation = converse(socket, received)
  let pending = Buffer.alloc(0)
  const onData = (bytes: Buffer) => {
    if (received.head !== "") {
      received.take(bytes)
      return script.onBody?.(conversation, bytes)
    }
    pending = Buffer.concat([pending, bytes])
    const end = pending.indexOf("\r\n\r\n")
    if (end === -1) return
    received.head = pending.subarray(0, end).toString("latin1")
    const rest = pending.subarray(end + 4)
    script.onHead?.(conversation)
    if (rest.byteLength > 0) onData(rest)
  }
  socket.on("data", onData)
  socket.on("error", () => {})
  socket.on("close", () => {
    received.closed = true
  })
}

/** Serves until the scope closes. With a key and certificate it speaks TLS. */
export const serve = (
  script: Script,
  tls?: { readonly key: string; readonly cert: string }
): Effect.Effect<WireServer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<{
      readonly server: Net.Server
      readonly sockets: Set<Net.Socket>
      readonly wire: WireServer
    }>((resume) => {
      const connections: Array<Received> = []
      const sockets = new Set<Net.Socket>()
      const onConnection = (socket: Net.Socket) => {
        const received = new Received()
        connections.push(received)
        sockets.add(socket)
        listenOn(socket, received, script)
      }
      const server = tls ? Tls.createServer(tls, onConnection) : Net.createServer(onConnection)
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        const url = `${tls ? "https" : "http"}://127.0.0.1:${port}`
        resume(Effect.succeed({ server, sockets, wire: { port, url, connections } }))
      })
    }),
    ({ server, sockets }) =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
  ).pipe(Effect.map(({ wire }) => wire))

/** Answers 200 as soon as a body of its announced length is there. */
export const whenWhole = (answer: (conversation: Conversation) => void): Script => {
  const check = (conversation: Conversation) => {
    const { received } = conversation
    const length = Number(received.header("content-length") ?? 0)
    const chunkedEnd = received.header("transfer-encoding") === "chunked"
    if (!chunkedEnd && received.bodyBytes === length) answer(conversation)
  }
  return { onHead: check, onBody: check }
}

/** Reads a mebibyte, then nothing for a while, and so on: 32 MiB take 2.5 seconds at least. */
export const slowly = ({ socket }: Conversation): void => {
  let left = 1024 * 1024
  const read = (chunk: Uint8Array) => {
    left -= chunk.length
    if (left <= 0) socket.pause()
  }
  const timer = setInterval(() => {
    left = 1024 * 1024
    socket.resume()
  }, 80)
  socket.on("data", read).on("close", () => clearInterval(timer))
}

/** Waits until a condition holds, in real time; a test that waits in vain runs into its own timeout. */
export const eventually = (condition: () => boolean): Effect.Effect<void> =>
  Effect.promise(async () => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
  })

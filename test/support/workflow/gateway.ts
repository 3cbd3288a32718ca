/** A TCP gateway in front of a server, which can become a hole that swallows everything, as a lost network does. */
import * as Net from "node:net"
import { Effect, type Scope } from "effect"

export interface Gateway {
  readonly port: number
  /** From now on nothing passes, and nobody is told: connections stay open, new ones are accepted, all is silence. */
  readonly partition: Effect.Effect<void>
  /** The same, as soon as somebody has said this to the server: it hears that, and nobody hears its answer. */
  readonly partitionAfter: (saying: string) => Effect.Effect<void>
  /** What was open is reset, as by a network that comes back; new connections pass. */
  readonly heal: Effect.Effect<void>
}

export interface GatewayOptions {
  /** How late each answer of the server is: milliseconds. Default 0. */
  readonly answersLate?: number
}

interface Lines {
  readonly sockets: Set<Net.Socket>
  readonly answersLate: number
  open: boolean
  lastWords: string | undefined
}

const passOn = (lines: Lines, target: number) => (socket: Net.Socket) => {
  const track = (end: Net.Socket) => {
    lines.sockets.add(end)
    end.on("error", () => end.destroy()).on("close", () => lines.sockets.delete(end))
  }
  track(socket)
  if (!lines.open) return
  const onward = Net.connect(target, "127.0.0.1")
  track(onward)
  // A closed end is a message too, and must not pass through a hole.
  const close = (other: Net.Socket) => () => lines.open && other.destroy()
  socket.on("data", (bytes) => {
    if (lines.open) onward.write(bytes)
    if (lines.lastWords !== undefined && bytes.includes(lines.lastWords)) lines.open = false
  })
  socket.on("close", close(onward))
  const answer = (bytes: Buffer) => lines.open && socket.write(bytes)
  // Timers of one length go off in the order in which they were set.
  const late = (bytes: Buffer) => setTimeout(answer, lines.answersLate, bytes)
  onward.on("data", lines.answersLate > 0 ? late : answer).on("close", close(socket))
}

const reset = (lines: Lines) => {
  for (const socket of lines.sockets) socket.destroy()
}

/** Listens on a free port, and passes everything on to the port `target`. */
export const gateway = (
  target: number,
  { answersLate = 0 }: GatewayOptions = {}
): Effect.Effect<Gateway, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<Gateway & { readonly close: Effect.Effect<void> }>((resume) => {
      const lines: Lines = { sockets: new Set(), answersLate, open: true, lastWords: undefined }
      const server = Net.createServer(passOn(lines, target))
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(
          Effect.succeed({
            port: typeof address === "object" && address !== null ? address.port : 0,
            partition: Effect.sync(() => {
              lines.open = false
            }),
            partitionAfter: (saying) =>
              Effect.sync(() => {
                lines.lastWords = saying
              }),
            heal: Effect.sync(() => {
              lines.lastWords = undefined
              reset(lines)
              lines.open = true
            }),
            close: Effect.async<void>((done) => {
              reset(lines)
              server.close(() => done(Effect.void))
            })
          })
        )
      })
    }),
    ({ close }) => close
  )

/** A way to the server at `address` that leads through a gateway: its URL. */
export const detour = (address: string, options?: GatewayOptions) =>
  Effect.gen(function* () {
    const url = new URL(address)
    const through = yield* gateway(Number(url.port), options)
    url.port = String(through.port)
    return { ...through, url: url.href }
  })

/** A TCP gateway in front of the stand-in that lets connections die before HTTP begins. */
import * as Net from "node:net"
import { Effect, type Scope } from "effect"

/** What becomes of one connection: passed on, destroyed when accepted, or reset after so many bytes of its handshake. */
export type Fate = "pass" | "destroy" | { readonly resetAfterBytes: number }

export interface Gateway {
  readonly port: number
  /** The fates of the next connections, in order; later ones pass. */
  readonly next: (...fates: ReadonlyArray<Fate>) => Effect.Effect<void>
  readonly connections: Effect.Effect<number>
}

export const gateway = (target: number): Effect.Effect<Gateway, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<Gateway & { readonly close: Effect.Effect<void> }>((resume) => {
      const fates: Array<Fate> = []
      const sockets = new Set<Net.Socket>()
      let connections = 0
      const server = Net.createServer((socket) => {
        connections += 1
        sockets.add(socket)
        socket.on("error", () => undefined)
        const fate = fates.shift() ?? "pass"
        if (fate === "destroy") return socket.destroy()
        if (typeof fate === "object") {
          let seen = 0
          return socket.on("data", (bytes) => {
            seen += bytes.length
            if (seen >= fate.resetAfterBytes) socket.resetAndDestroy()
          })
        }
        const onward = Net.connect(target, "127.0.0.1")
        sockets.add(onward)
        onward.on("error", () => socket.destroy())
        socket.on("close", () => onward.destroy())
        return socket.pipe(onward).pipe(socket)
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(
          Effect.succeed({
            port: typeof address === "object" && address !== null ? address.port : 0,
            next: (...more) => Effect.sync(() => void fates.push(...more)),
            connections: Effect.sync(() => connections),
            close: Effect.async<void>((done) => {
              for (const socket of sockets) socket.destroy()
              server.close(() => done(Effect.void))
            })
          })
        )
      })
    }),
    ({ close }) => close
  )

import * as Http from "node:http"
import * as Https from "node:https"
import type * as Net from "node:net"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import { LocalElasticCloudError } from "../LocalElasticCloudError.ts"
import type { Expectation, Incoming } from "./handler.ts"

export interface Address {
  readonly port: number
  readonly hostname: string
  readonly tls: { readonly key: string | Buffer; readonly cert: string | Buffer } | undefined
}

/** Listens until the scope closes, then drops every connection and whatever was being done for it. Returns the port. */
export const serve = Effect.fnUntraced(function* <R>(
  address: Address,
  handle: (incoming: Incoming) => Effect.Effect<void, never, R>
) {
  const run = yield* FiberSet.makeRuntime<R>()
  const server = makeServer(address.tls)
  const sockets = trackSockets(server)
  const dispatch =
    (expectation: Expectation) => (request: Http.IncomingMessage, response: Http.ServerResponse) => {
      // A client that left is noticed by whoever waits for it; a write that comes too late is no failure.
      response.on("error", () => undefined)
      run(Effect.interruptible(handle({ request, response, expectation })))
    }
  server.on("request", dispatch("none"))
  server.on("checkContinue", dispatch("continue"))
  server.on("checkExpectation", dispatch("unknown"))
  return yield* Effect.acquireRelease(listen(server, address), () => close(server, sockets))
})

const cannotListen = ({ hostname, port }: Address, cause: NodeJS.ErrnoException): LocalElasticCloudError =>
  cause.code === "EADDRINUSE"
    ? new LocalElasticCloudError({ reason: "PortInUse", detail: `port ${port} of ${hostname}` })
    : new LocalElasticCloudError({ reason: "ListenFailed", detail: cause.message })

const listen = (server: Http.Server, address: Address): Effect.Effect<number, LocalElasticCloudError> =>
  Effect.async((resume) => {
    const onError = (cause: NodeJS.ErrnoException) => resume(Effect.fail(cannotListen(address, cause)))
    server.once("error", onError)
    server.listen(address.port, address.hostname, () => {
      server.off("error", onError)
      const bound = server.address()
      resume(Effect.succeed(bound === null || typeof bound === "string" ? address.port : bound.port))
    })
  })

const trackSockets = (server: Http.Server): ReadonlySet<Net.Socket> => {
  const sockets = new Set<Net.Socket>()
  server.on("connection", (socket: Net.Socket) => {
    sockets.add(socket)
    socket.once("close", () => sockets.delete(socket))
  })
  return sockets
}

const close = (server: Http.Server, sockets: ReadonlySet<Net.Socket>): Effect.Effect<void> =>
  Effect.async((resume) => {
    server.close(() => resume(Effect.void))
    for (const socket of sockets) socket.destroy()
  })

const makeServer = (tls: Address["tls"]): Http.Server => {
  const server: Http.Server =
    tls === undefined ? Http.createServer() : Https.createServer({ key: tls.key, cert: tls.cert })
  // Slow clients and slow reading are what is tested here: no limit of the server's own may interfere.
  server.requestTimeout = 0
  return server
}

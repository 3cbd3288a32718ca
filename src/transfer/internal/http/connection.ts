import type * as Http from "node:http"
import type { Socket } from "node:net"
import { isIP } from "node:net"
import { TLSSocket } from "node:tls"
import * as Headers from "@effect/platform/Headers"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { FiberId } from "effect/FiberId"
import type { InterimResponse } from "../../Exchange.ts"
import { ConnectionFailed } from "../../TransferError.ts"
import type { Interim } from "./interim.ts"
import { makePatient } from "./patientSocket.ts"
import type { Progress } from "./progress.ts"
import type { Tunnel } from "./proxy.ts"

/** How long an answer may still be read after the server stopped reading. */
const answerGraceMillis = 500

/**
 * One request on one connection of its own, its events turned into things an effect can wait for.
 *
 * @internal
 */
export interface Connection {
  readonly request: Http.ClientRequest
  readonly progress: Progress
  /** The connection is there, TLS included. */
  readonly ready: Effect.Effect<void>
  /** The server asked for the body: 100, or 104, which says the same and more. */
  readonly goAhead: Effect.Effect<void>
  /** The final response, whenever it comes, or what became of the connection instead. */
  readonly answer: Effect.Effect<Http.IncomingMessage, ConnectionFailed>
  /** Closes the connection at once, whatever it is doing. Of an answer, what was received stays readable. */
  readonly close: () => void
}

/** @internal */
export const connectionFailed = (progress: Progress, error: Error): ConnectionFailed => {
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined
  return new ConnectionFailed({
    ...progress.snapshot,
    ...(code === undefined ? {} : { code }),
    detail: describe(error)
  })
}

/** Trying several addresses fails with one error for each, and no message of its own. */
const describe = (error: Error): string =>
  error.message === "" && error instanceof AggregateError
    ? error.errors.map((each) => (each instanceof Error ? each.message : String(each))).join(", ")
    : error.message

const proxyRefused = (progress: Progress, status: number): ConnectionFailed =>
  new ConnectionFailed({
    ...progress.snapshot,
    phase: "connecting",
    code: `PROXY_${status}`,
    detail: `the proxy refused the tunnel with status ${status}`
  })

/** @internal */
export const make = (options: {
  readonly request: Http.ClientRequest
  readonly progress: Progress
  readonly interim: Interim
  readonly tunnel: Tunnel | undefined
  readonly signal: AbortSignal
  readonly fiberId: FiberId
}): Connection => {
  const { interim, progress, request } = options
  const ready = Deferred.unsafeMake<void>(options.fiberId)
  const goAhead = Deferred.unsafeMake<void>(options.fiberId)
  const answer = Deferred.unsafeMake<Http.IncomingMessage, ConnectionFailed>(options.fiberId)
  const fail = (error: ConnectionFailed) => Deferred.unsafeDone(answer, Effect.fail(error))

  const connected = () => {
    progress.moved()
    Deferred.unsafeDone(ready, Effect.void)
  }
  request.once("socket", (socket) => {
    makePatient(socket, answerGraceMillis)
    followSocket(socket, progress, connected)
  })
  request.once("proxyConnect", (tunnel: { readonly statusCode: number }) => {
    if (tunnel.statusCode !== 200) fail(proxyRefused(progress, tunnel.statusCode))
  })
  request.once("continue", () => Deferred.unsafeDone(goAhead, Effect.void))
  request.on("information", (information: Http.InformationEvent) => {
    progress.moved()
    if (information.statusCode === 104) Deferred.unsafeDone(goAhead, Effect.void)
    interim.offer(toInterimResponse(information))
  })
  request.once("response", (message) => {
    progress.moved()
    Deferred.unsafeDone(answer, Effect.succeed(message))
  })
  request.on("error", (error) => fail(connectionFailed(progress, error)))
  request.once("close", () => fail(connectionFailed(progress, new Error("the connection was closed"))))

  const close = () => {
    if (request.socket === null) {
      request.destroy()
      options.tunnel?.abandon()
    } else {
      request.socket.destroy()
    }
  }
  options.signal.addEventListener("abort", close, { once: true })
  if (options.signal.aborted) close()

  const resolved = options.tunnel !== undefined || isIP(request.host.replace(/^\[|\]$/g, "")) !== 0
  progress.phase = resolved ? "connecting" : "resolving"
  return {
    request,
    progress,
    ready: Deferred.await(ready),
    goAhead: Deferred.await(goAhead),
    answer: Deferred.await(answer),
    close
  }
}

const toInterimResponse = (information: Http.InformationEvent): InterimResponse => ({
  status: information.statusCode,
  headers: Headers.fromInput(information.headers)
})

const followSocket = (socket: Socket, progress: Progress, connected: () => void): void => {
  const secured = socket instanceof TLSSocket
  socket.on("lookup", (error) => {
    if (!error) progress.enter("connecting")
  })
  // Deno resolves the name before it hands out the socket, and then says only that it could not be connected.
  socket.prependOnceListener("error", (error: NodeJS.ErrnoException) => {
    if (error.syscall === "connect") progress.enter("connecting")
  })
  if (!socket.connecting) progress.enter(secured ? "securing" : "connecting")
  if (secured) {
    socket.once("connect", () => progress.enter("securing"))
    socket.once("secureConnect", connected)
  } else if (socket.connecting) {
    socket.once("connect", connected)
  } else {
    connected()
  }
}

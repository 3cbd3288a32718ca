/** One request on one connection of its own, its events turned into things an effect can wait for. */
import * as Http from "node:http"
import * as Https from "node:https"
import { isIP, type Socket } from "node:net"
import * as Tls from "node:tls"
import * as Headers from "@effect/platform/Headers"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { FiberId } from "effect/FiberId"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { InterimResponse } from "../../Exchange.ts"
import * as HttpProxy from "../../HttpProxy.ts"
import { ConnectionFailed, InvalidProxy } from "../../TransferError.ts"
import type { Interim } from "./interim.ts"
import type { Progress } from "./limits.ts"

/** How connections are made. */
export interface Network {
  readonly proxy: string | false | undefined
  /** Absent: the runtime's own certificate authorities, and nothing to set up. */
  readonly secureContext: (() => Tls.SecureContext) | undefined
  /** In milliseconds, or `Infinity`. */
  readonly connectLimit: number
}

/**
 * Setting authorities replaces the default ones, so those are named as well. Runtimes that can tell include the ones of
 * `NODE_EXTRA_CA_CERTS`. The context is made once, at the first secure connection: parsing the roots takes a while.
 */
export const secureContext = (ca: ReadonlyArray<string>): (() => Tls.SecureContext) => {
  let context: Tls.SecureContext | undefined
  return () => (context ??= Tls.createSecureContext({ ca: [...defaultAuthorities(), ...ca] }))
}

const defaultAuthorities = (): ReadonlyArray<string> => {
  const runtime: object = Tls
  return "getCACertificates" in runtime && typeof runtime.getCACertificates === "function"
    ? runtime.getCACertificates("default")
    : Tls.rootCertificates
}

interface Opened {
  readonly request: Http.ClientRequest
  readonly tunnel: Option.Option<Tunnel>
}

/**
 * A request on a fresh connection that serves no other: a connection that dies with its request half done is never a reason
 * for the runtime to send the request again by itself.
 */
export const open = Effect.fnUntraced(function* (
  network: Network,
  progress: Progress,
  target: { readonly url: URL; readonly method: string; readonly headers: Http.OutgoingHttpHeaders }
) {
  const { headers, method, url } = target
  const proxy = yield* Effect.mapError(
    HttpProxy.forUrl(url, network.proxy),
    (error) => new InvalidProxy({ ...error, ...progress.snapshot, phase: error.phase })
  )
  progress.proxy = Option.getOrUndefined(Option.map(proxy, ({ address }) => address))
  const attempts = { autoSelectFamilyAttemptTimeout: attemptMillis(network.connectLimit) }
  const tunnel = yield* Effect.transposeMapOption(proxy, ({ url }) => dig(Redacted.value(url), attempts))
  const agent = Option.getOrUndefined(Option.map(tunnel, (tunnel) => tunnel.agent))
  const request = yield* Effect.try({
    try: () => {
      const options = { method, headers, ...attempts }
      if (url.protocol !== "https:") {
        return Http.request(url, { ...options, agent: agent ?? new Http.Agent({ keepAlive: false }) })
      }
      const secureContext = network.secureContext?.()
      return Https.request(url, {
        ...options,
        agent: agent ?? new Https.Agent({ keepAlive: false }),
        ...(secureContext === undefined ? {} : { secureContext })
      })
    },
    catch: (error) => notMade(progress, error)
  })
  return { request, tunnel } satisfies Opened
})

/**
 * How long one of a host's addresses is tried before the next. Node's own 250 ms are less than a slow line needs for its
 * first answer, and an attempt that was given up is not taken up again. So each has a share of the connect limit, long
 * enough for the second time that the system asks.
 */
const attemptMillis = (connectLimit: number): number =>
  Math.round(Math.min(60_000, Math.max(250, connectLimit / 6)))

/** What HTTP or the runtime's permissions do not allow is said at once, in words that quote no value. */
const notMade = (progress: Progress, error: unknown): ConnectionFailed => {
  const { message, name } = error instanceof Error ? error : new Error(String(error))
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : name
  return new ConnectionFailed({ ...progress.snapshot, code, detail: message })
}

interface Tunnel {
  readonly agent: Http.Agent
  /** Gives up a tunnel that is still being dug: until it is there, no request knows its socket. */
  readonly abandon: () => void
}

/** The module is loaded when the first proxy is met: most processes never need it. */
const dig = (
  proxy: URL,
  options: { readonly autoSelectFamilyAttemptTimeout: number }
): Effect.Effect<Tunnel> =>
  Effect.map(
    Effect.promise(() => import("https-proxy-agent")),
    ({ HttpsProxyAgent }) => {
      const controller = new AbortController()
      const agent = new HttpsProxyAgent(proxy, { keepAlive: false, signal: controller.signal, ...options })
      return { agent, abandon: () => controller.abort() }
    }
  )

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

export const follow = (
  { request, tunnel }: Opened,
  options: {
    readonly progress: Progress
    readonly interim: Interim
    readonly signal: AbortSignal
    readonly fiberId: FiberId
  }
): Connection => {
  const { interim, progress } = options
  const ready = Deferred.unsafeMake<void>(options.fiberId)
  const goAhead = Deferred.unsafeMake<void>(options.fiberId)
  const answer = Deferred.unsafeMake<Http.IncomingMessage, ConnectionFailed>(options.fiberId)
  const fail = (error: ConnectionFailed) => Deferred.unsafeDone(answer, Effect.fail(error))

  const connected = () => {
    progress.moved()
    Deferred.unsafeDone(ready, Effect.void)
  }
  request.once("socket", (socket) => {
    makePatient(socket)
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
      if (Option.isSome(tunnel)) tunnel.value.abandon()
    } else {
      request.socket.destroy()
    }
  }
  options.signal.addEventListener("abort", close, { once: true })
  if (options.signal.aborted) close()

  const resolved = Option.isSome(tunnel) || isIP(request.host.replace(/^\[|\]$/g, "")) !== 0
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
  const secured = socket instanceof Tls.TLSSocket
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

export const connectionFailed = (progress: Progress, error: Error): ConnectionFailed => {
  const code = "code" in error && typeof error.code === "string" ? error.code : missingPermission(error)
  return new ConnectionFailed({
    ...progress.snapshot,
    ...(code === undefined ? {} : { code }),
    detail: describe(error)
  })
}

/** Deno's word for what it was not allowed, which is no code of a system. */
const missingPermission = ({ name }: Error): string | undefined => (name === "NotCapable" ? name : undefined)

/** Trying several addresses fails with one error for each, and no message of its own. */
const describe = (error: Error): string =>
  error.message === "" && error instanceof AggregateError
    ? error.errors.map((each) => (each instanceof Error ? each.message : String(each))).join(", ")
    : error.message

const proxyRefused = (progress: Progress, status: number): ConnectionFailed =>
  new ConnectionFailed({
    ...progress.snapshot,
    phase: "connecting",
    ...(Number.isInteger(status)
      ? { code: `PROXY_${status}`, detail: `it refused the tunnel with status ${status}` }
      : { code: "PROXY_INVALID", detail: "its answer is not HTTP, so it may be another kind of proxy" })
  })

type WriteCallback = (error?: Error | null) => void

const isReset = (error: Error): boolean =>
  "code" in error && (error.code === "EPIPE" || error.code === "ECONNRESET")

/** How long an answer may still be read after the server stopped reading. */
const answerGraceMillis = 500

/**
 * Lets a socket read on for a moment after the other side stopped listening.
 *
 * A server that refuses an upload early answers and closes. The next write then fails, and a stream whose write failed is
 * destroyed before the answer, already in the operating system's buffer, was read. So a reset reported to a write is
 * held back: reading goes on, and the answer usually comes out in the same turn of the event loop.
 */
const makePatient = (socket: Socket): void => {
  const patiently =
    (callback: WriteCallback): WriteCallback =>
    (error) => {
      if (!error || !isReset(error)) return callback(error)
      const timer = setTimeout(() => callback(error), answerGraceMillis)
      socket.once("close", () => clearTimeout(timer))
    }

  const write = socket._write
  socket._write = (chunk, encoding, callback) => write.call(socket, chunk, encoding, patiently(callback))
  const writev = socket._writev
  if (writev) socket._writev = (chunks, callback) => writev.call(socket, chunks, patiently(callback))
}

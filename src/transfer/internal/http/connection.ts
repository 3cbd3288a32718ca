/** One request on one connection, its events turned into things an effect can wait for. */
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
import type { Line, Lines } from "./lines.ts"

/** How connections are made. */
export interface Network {
  readonly proxy: string | false | undefined
  /** Absent: the runtime's own certificate authorities, and nothing to set up. */
  readonly secureContext: (() => Tls.SecureContext) | undefined
  /** In milliseconds, or `Infinity`. */
  readonly connectLimit: number
  readonly lines: Lines
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

/** The way to a server. */
export interface Route {
  readonly url: URL
  readonly proxy: Option.Option<HttpProxy.HttpProxy>
  /** Tells apart what must not share a connection: origins, proxies, and what a proxy knows its user by. */
  readonly place: string
}

export const routeTo = (network: Network, progress: Progress, url: URL): Effect.Effect<Route, InvalidProxy> =>
  HttpProxy.forUrl(url, network.proxy).pipe(
    Effect.mapError((error) => new InvalidProxy({ ...error, ...progress.snapshot, phase: error.phase })),
    Effect.map((proxy) => ({
      url,
      proxy,
      place: Option.match(proxy, {
        onNone: () => url.origin,
        onSome: (proxy) => `${url.origin} ${Redacted.value(proxy.url).href}`
      })
    }))
  )

interface Opened {
  readonly request: Http.ClientRequest
  readonly line: Line
  readonly isShared: boolean
}

/** What a connection is for. A shared one is kept for the next read when the answer has been read. */
export interface Purpose {
  readonly progress: Progress
  readonly method: string
  readonly headers: Http.OutgoingHttpHeaders
  readonly isShared: boolean
  /** One that was kept. */
  readonly line: Option.Option<Line>
}

/**
 * A request on a connection of its own, unless it is given one. A connection that dies with its request half done is never
 * a reason for the runtime to send the request again by itself.
 */
export const open = Effect.fnUntraced(function* (
  network: Network,
  route: Route,
  { headers, isShared, line: kept, method, progress }: Purpose
) {
  const { place, url } = route
  const attempts = { autoSelectFamilyAttemptTimeout: attemptMillis(network.connectLimit) }
  const line = Option.isSome(kept) ? kept.value : yield* makeLine(network, route, isShared, attempts)
  const request = yield* Effect.try({
    try: () => {
      const options = { method, headers, agent: line.agent, ...attempts }
      if (url.protocol !== "https:") return Http.request(url, options)
      const secureContext = network.secureContext?.()
      const { session } = network.lines.known(place)
      return Https.request(url, {
        ...options,
        ...(secureContext === undefined ? {} : { secureContext }),
        ...(session === undefined ? {} : { session })
      })
    },
    catch: (error) => notMade(progress, error)
  })
  return { request, line, isShared } satisfies Opened
})

/** The module for proxies is loaded when the first one is met: most processes never need it. */
const makeLine = (
  { lines }: Network,
  { place, proxy, url }: Route,
  isShared: boolean,
  attempts: { readonly autoSelectFamilyAttemptTimeout: number }
): Effect.Effect<Line> =>
  Option.match(proxy, {
    onNone: () =>
      Effect.sync((): Line => {
        const { Agent } = url.protocol === "https:" ? Https : Http
        return { agent: new Agent({ keepAlive: isShared }), abandon: () => {} }
      }),
    onSome: (proxy) =>
      Effect.map(
        Effect.promise(() => import("https-proxy-agent")),
        ({ HttpsProxyAgent }): Line => {
          const controller = new AbortController()
          const agent = new HttpsProxyAgent(Redacted.value(proxy.url), {
            keepAlive: isShared,
            signal: controller.signal,
            ...attempts
          })
          return { agent, abandon: () => controller.abort() }
        }
      )
  }).pipe(Effect.map((line) => (isShared ? lines.share(place, line) : line)))

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

/** Who uses a connection, and hears of it. */
export interface User {
  readonly progress: Progress
  readonly interim: Interim
  readonly signal: AbortSignal
  /** Told of the answer, or of what became of the connection instead: once, and at once where that is known already. */
  readonly settle: (answer: Answer) => void
}

type Answer = Effect.Effect<Http.IncomingMessage, ConnectionFailed>

export class Connection {
  readonly request: Http.ClientRequest
  /** The connection is there, TLS included. Fails where it will not be: a wait that cannot be interrupted ends as well. */
  readonly ready: Effect.Effect<void, ConnectionFailed>
  /** The server asked for the body: 100, or 104, which says the same and more. */
  readonly goAhead: Effect.Effect<void>
  /** The final response, whenever it comes, or what became of the connection instead. */
  readonly answer: Answer
  /** Whether others may use the connection after this request. */
  readonly isShared: boolean
  readonly #line: Line
  readonly #ready: Deferred.Deferred<void, ConnectionFailed>
  readonly #answer: Deferred.Deferred<Http.IncomingMessage, ConnectionFailed>
  #progress: Progress
  #interim: Option.Option<Interim> = Option.none()
  #signal: Option.Option<AbortSignal> = Option.none()
  #isConnected = false
  #isOver = false
  #settled: Option.Option<Answer> = Option.none()
  #tell: User["settle"] = () => {}

  constructor(
    { isShared, line, request }: Opened,
    options: {
      readonly network: Network
      readonly route: Route
      readonly progress: Progress
      readonly fiberId: FiberId
    }
  ) {
    const { fiberId, network, progress, route } = options
    const goAhead = Deferred.unsafeMake<void>(fiberId)
    this.request = request
    this.isShared = isShared
    this.#line = line
    this.#progress = progress
    this.#ready = Deferred.unsafeMake(fiberId)
    this.#answer = Deferred.unsafeMake(fiberId)
    this.ready = Deferred.await(this.#ready)
    this.goAhead = Deferred.await(goAhead)
    this.answer = Deferred.await(this.#answer)

    const connected = () => {
      this.#isConnected = true
      this.#progress.moved()
      Deferred.unsafeDone(this.#ready, Effect.void)
    }
    request.once("socket", (socket) => {
      if (request.reusedSocket) {
        // Deno sends a request again by itself as long as this is true, and never gets to its end. It is for the caller.
        request.reusedSocket = false
        return connected()
      }
      // A read has nothing that a server would stop reading.
      if (!isShared) makePatient(socket)
      if (socket instanceof Tls.TLSSocket) rememberSession(socket, network.lines, route.place)
      followSocket(socket, () => this.#progress, connected)
    })
    request.once("proxyConnect", (tunnel: { readonly statusCode: number }) => {
      if (tunnel.statusCode !== 200) this.#fail(proxyRefused(this.#progress, tunnel.statusCode))
    })
    request.once("continue", () => Deferred.unsafeDone(goAhead, Effect.void))
    request.on("information", (information: Http.InformationEvent) => {
      this.#progress.heard()
      if (information.statusCode === 104) Deferred.unsafeDone(goAhead, Effect.void)
      if (Option.isSome(this.#interim)) this.#interim.value.offer(toInterimResponse(information))
    })
    request.once("response", (message) => {
      const { movedAt, phase } = this.#progress
      this.#progress.moved()
      if (isShared && phase === "awaiting-response") {
        network.lines.learn(route.place, { answerMillis: this.#progress.movedAt - movedAt })
      }
      this.#settle(Effect.succeed(message))
    })
    request.on("error", (error) => this.#fail(connectionFailed(this.#progress, error)))
    request.once("close", () => {
      if (Option.isSome(this.#settled)) return
      this.#fail(connectionFailed(this.#progress, new Error("the connection was closed")))
    })
    const resolved = Option.isSome(route.proxy) || isIP(request.host.replace(/^\[|\]$/g, "")) !== 0
    progress.phase = resolved ? "connecting" : "resolving"
  }

  #settle(answer: Answer): void {
    if (Option.isSome(this.#settled)) return
    this.#settled = Option.some(answer)
    Deferred.unsafeDone(this.#answer, answer)
    this.#tell(answer)
  }

  #fail(error: ConnectionFailed): void {
    this.#settle(Effect.fail(error))
    Deferred.unsafeDone(this.#ready, Effect.fail(error))
  }

  get progress(): Progress {
    return this.#progress
  }

  get isConnected(): boolean {
    return this.#isConnected
  }

  /** Nothing can be sent any more: the connection has ended, or its server spoke unasked. */
  get isDead(): boolean {
    return this.#isOver || Option.isSome(this.#settled)
  }

  /** Hands the connection to whoever sends on it. */
  use({ interim, progress, settle, signal }: User): void {
    this.#tell = settle
    if (Option.isSome(this.#settled)) settle(this.#settled.value)
    this.#progress = progress
    this.#interim = Option.some(interim)
    this.#signal = Option.some(signal)
    signal.addEventListener("abort", this.close, { once: true })
    if (signal.aborted) this.close()
  }

  /** Closes the connection at once, whatever it is doing. Of an answer, what was received stays readable. */
  readonly close = (): void => {
    if (!this.#leave()) return
    const { request } = this
    if (request.socket === null) {
      request.destroy()
      this.#line.abandon()
    } else {
      request.socket.destroy()
    }
  }

  /** The answer was received to its end: a shared connection goes back to the others, any other is closed. */
  finish(): void {
    if (this.isShared) this.#leave()
    else this.close()
  }

  /** From here on the connection is not ours to close: it may serve somebody else. */
  #leave(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    if (Option.isSome(this.#signal)) this.#signal.value.removeEventListener("abort", this.close)
    return true
  }
}

/** Makes a connection's request, of which nothing was sent yet, the one that is wanted. */
export const give = (
  { progress, request }: Connection,
  wanted: { readonly method: string; readonly path: string; readonly headers: Http.OutgoingHttpHeaders }
): Effect.Effect<void, ConnectionFailed> =>
  Effect.try({
    try: () => {
      request.method = wanted.method
      request.path = wanted.path
      for (const [name, value] of Object.entries(wanted.headers)) {
        if (value !== undefined) request.setHeader(name, value)
      }
      if (request.hasHeader("expect")) flushHead(request)
    },
    catch: (error) => notMade(progress, error)
  })

/** In one write: flushing makes an empty one as well, and over TLS Deno never gets past that. */
const flushHead = (request: Http.ClientRequest): void => {
  request.cork()
  request.flushHeaders()
  request.uncork()
}

/** Only of a server that has shown who it is: the name in the certificate is not looked at again when one is resumed. */
const rememberSession = (socket: Tls.TLSSocket, lines: Lines, place: string): void => {
  let latest: Buffer | undefined
  const remember = () => {
    if (latest !== undefined && socket.authorized) lines.learn(place, { session: latest })
  }
  socket.on("session", (session: Buffer) => {
    latest = session
    remember()
  })
  socket.once("secureConnect", remember)
}

const toInterimResponse = (information: Http.InformationEvent): InterimResponse => ({
  status: information.statusCode,
  headers: Headers.fromInput(information.headers)
})

const followSocket = (socket: Socket, progress: () => Progress, connected: () => void): void => {
  const secured = socket instanceof Tls.TLSSocket
  socket.on("lookup", (error) => {
    if (!error) progress().enter("connecting")
  })
  // Deno resolves the name before it hands out the socket, and then says only that it could not be connected.
  socket.prependOnceListener("error", (error: NodeJS.ErrnoException) => {
    if (error.syscall === "connect") progress().enter("connecting")
  })
  if (!socket.connecting) progress().enter(secured ? "securing" : "connecting")
  if (secured) {
    socket.once("connect", () => progress().enter("securing"))
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

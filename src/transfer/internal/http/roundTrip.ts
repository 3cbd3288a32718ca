/** One request and its answer. */
import type * as Http from "node:http"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { Bandwidth } from "../../Bandwidth.ts"
import type { ExchangeOptions } from "../../Exchange.ts"
import {
  type BodyLengthMismatch,
  ConnectionFailed,
  type ConnectTimeout,
  RedirectRefused,
  UploadStalled
} from "../../TransferError.ts"
import * as Ahead from "./ahead.ts"
import * as Connection from "./connection.ts"
import * as Interim from "./interim.ts"
import * as Limits from "./limits.ts"
import type { Line } from "./lines.ts"
import type { FinalResponse } from "./response.ts"
import * as Sending from "./sending.ts"

/** What a client decided once, for all its requests, and the connections that outlive them. */
export interface Transport {
  readonly network: Connection.Network
  readonly waiting: Ahead.Waiting
  readonly limits: Limits.Limits
  /** Bodies of at least so many bytes ask before they are sent. None: those for which asking costs little. */
  readonly expectThreshold: Option.Option<number>
  readonly bandwidth: typeof Bandwidth.Service
}

export interface Outgoing {
  readonly request: HttpClientRequest.HttpClientRequest
  readonly url: URL
  readonly body: Sending.RequestBody
  readonly options: ExchangeOptions
  /** Closes the connection for whoever reads the answer, or no longer wants to. */
  readonly signal: AbortSignal
}

/** A request on its way: where to, and how far it has come. */
interface Trip {
  readonly route: Connection.Route
  readonly progress: Limits.Progress
  readonly expectContinue: boolean
  /** A read may go out on a connection that was kept. */
  readonly line: Option.Option<Line>
}

export const run = Effect.fnUntraced(function* (transport: Transport, outgoing: Outgoing) {
  const { limits, network } = transport
  const { body, options, request, url } = outgoing
  const clock = yield* Effect.clock
  let progress = new Limits.Progress({ clock, method: request.method, url, bytesTotal: body.length })
  const route = yield* Connection.routeTo(network, progress, url)
  const deadlineAt = progress.now() + limits.deadline
  /** Every trip begins at nothing sent. */
  const travel = (how: Pick<Trip, "expectContinue" | "line">) =>
    Effect.suspend(() => {
      progress = new Limits.Progress({ clock, method: request.method, url, bytesTotal: body.length })
      progress.proxy = Option.getOrUndefined(Option.map(route.proxy, ({ address }) => address))
      return attempt(transport, outgoing, { route, progress, ...how })
    })
  const answering = isRead(outgoing)
    ? read(transport, route, (line) => travel({ expectContinue: false, line }))
    : write(options.expectContinue ?? asksFirst(transport, route, body), (expectContinue) =>
        travel({ expectContinue, line: Option.none() })
      )
  const answered = yield* Limits.withinDeadline(() => progress, limits.deadline)(answering)
  const final: FinalResponse = { ...answered, limits, deadlineAt }
  yield* refuseRedirect(outgoing, final)
  return final
})

/** What can be asked twice without harm: it has no content, and changes nothing. */
const isRead = ({ body, request }: Outgoing): boolean =>
  body.length === 0 && ["GET", "HEAD", "OPTIONS"].includes(request.method)

/**
 * Asks on a connection that was kept, if there is one. Where the server has closed it meanwhile, or no longer hears it, the
 * answer does not come, and a connection of its own is tried at once.
 */
const read = <E, R>(
  { limits, network }: Transport,
  { place }: Connection.Route,
  travel: (line: Option.Option<Line>) => Effect.Effect<Answered, E | ConnectionFailed | UploadStalled, R>
) =>
  Effect.suspend(() => {
    const afresh = travel(Option.none())
    const kept = network.lines.take(place)
    if (Option.isNone(kept)) return afresh
    return travel(kept).pipe(
      Effect.timeoutOption(Duration.millis(limits.connect)),
      Effect.catchIf(isLost, () => Effect.succeed(Option.none<Answered>())),
      Effect.flatMap(Option.match({ onNone: () => afresh, onSome: Effect.succeed }))
    )
  })

const isLost = (error: unknown): boolean =>
  error instanceof ConnectionFailed || error instanceof UploadStalled

/** A server that cannot do `Expect` (417) is asked again without it: it has not seen a byte of the body. */
const write = <E, R>(
  asksFirst: boolean,
  travel: (expectContinue: boolean) => Effect.Effect<Answered, E, R>
) =>
  Effect.flatMap(travel(asksFirst), (first) => {
    if (!asksFirst || first.message.statusCode !== 417) return Effect.succeed(first)
    first.connection.close()
    return travel(false)
  })

/** Smaller bodies are sent without asking, in bytes. */
export const leastExpecting = 1024 * 1024

/** The rate that a line is thought to have at least, in bytes per millisecond: 100 Mbit/s. */
const supposedRate = 12_500

/** What asking first may add to the time that the body takes. */
const mostAdded = 0.05

/**
 * Whether a body waits for the server to ask for it. A refusal is heard while a body is sent as well, so the wait saves no
 * more than what a line carries in the meantime; it costs the time that a read before has taken.
 */
const asksFirst = (
  { expectThreshold, network }: Transport,
  { place }: Connection.Route,
  { length }: Sending.RequestBody
): boolean => {
  if (length === undefined) return true
  if (Option.isSome(expectThreshold)) return length >= expectThreshold.value
  const { answerMillis = 0 } = network.lines.known(place)
  return length >= leastExpecting && answerMillis <= (length / supposedRate) * mostAdded
}

type Failure = ConnectionFailed | ConnectTimeout | UploadStalled | BodyLengthMismatch | Sending.BodyFailed

interface Answered {
  readonly connection: Connection.Connection
  readonly message: Http.IncomingMessage
  readonly remoteAddress: string | undefined
}

/** Everything that goes on while the answer is awaited ends when it comes, and the other way round. */
const attempt = Effect.fnUntraced(function* (transport: Transport, outgoing: Outgoing, trip: Trip) {
  const { bandwidth, limits } = transport
  const { body, options, signal } = outgoing
  const { expectContinue, progress } = trip
  const connection = yield* connect(transport, outgoing, trip)
  const interim = Interim.make(options.onInterim, {
    pause: () => connection.request.socket?.pause(),
    resume: () => connection.request.socket?.resume()
  })
  const outcome = yield* Deferred.make<Http.IncomingMessage, Failure>()
  const settle = (answer: Effect.Effect<Http.IncomingMessage, Failure>) =>
    Deferred.unsafeDone(outcome, answer)
  connection.use({ progress, interim, signal, settle })
  const sending = connection.ready.pipe(
    Effect.zipRight(expectContinue ? Sending.awaitContinue(connection, limits.continue) : Effect.void),
    Effect.zipRight(Sending.sendBody({ connection, body, interim, bandwidth, options }))
  )
  const tasks: Array<Effect.Effect<void, Failure>> = [
    sending,
    Limits.watch(progress, limits, () => connection.isConnected)
  ]
  if (options.onInterim !== undefined) tasks.push(interim.deliver)
  const message = yield* Effect.acquireUseRelease(
    Effect.forEach(tasks, (task) =>
      Effect.fork(
        Effect.interruptible(
          Effect.catchAllCause(task, (cause) => Effect.sync(() => settle(Effect.failCause(cause))))
        )
      )
    ),
    () =>
      Deferred.await(outcome).pipe(
        Effect.tapBoth({ onSuccess: () => interim.settled, onFailure: () => interim.settled })
      ),
    Fiber.interruptAll
  ).pipe(Effect.onError(() => Effect.sync(connection.close)))
  progress.enter("receiving")
  const { remoteAddress } = message.socket
  if (message.complete && !connection.isShared) connection.close()
  return { connection, message, remoteAddress } satisfies Answered
})

/** A read has the connection it is given, or one that others may have after it; content has one that served no other. */
const connect = Effect.fnUntraced(function* (
  { limits, network, waiting }: Transport,
  outgoing: Outgoing,
  { expectContinue, line, progress, route }: Trip
) {
  const { body, request, url } = outgoing
  const { method } = request
  const headers = toHeaders(request, body, expectContinue)
  const isShared = isRead(outgoing)
  if (body.length !== 0) {
    const path = `${url.pathname}${url.search}`
    const claimed = yield* Ahead.claim(waiting, route.place, {
      method,
      path,
      headers,
      connectLimit: limits.connect
    })
    if (Option.isSome(claimed)) return claimed.value
  }
  const opened = yield* Connection.open(network, route, { progress, method, headers, isShared, line })
  return new Connection.Connection(opened, { network, route, progress, fiberId: yield* Effect.fiberId })
})

const toHeaders = (
  request: HttpClientRequest.HttpClientRequest,
  body: Sending.RequestBody,
  expectContinue: boolean
): Record<string, string | number> => {
  const headers: Record<string, string | number> = { "accept-encoding": "identity", ...request.headers }
  delete headers["content-length"]
  delete headers["transfer-encoding"]
  delete headers["expect"]
  if (body.contentType !== undefined) headers["content-type"] ??= body.contentType
  if (body.length === undefined) headers["transfer-encoding"] = "chunked"
  else if (body.length > 0 || expectsBody(request.method)) headers["content-length"] = body.length
  if (expectContinue) headers["expect"] = "100-continue"
  return headers
}

/** Methods whose empty body is a statement: it gets a `Content-Length: 0`. */
const expectsBody = (method: string): boolean => method === "PUT" || method === "POST" || method === "PATCH"

const isRedirect = (status: number): boolean => status >= 300 && status < 400 && status !== 304

const refuseRedirect = (
  { options, request, url }: Outgoing,
  { connection, message }: FinalResponse
): Effect.Effect<void, RedirectRefused> => {
  const { location } = message.headers
  const policy = options.redirect ?? (expectsBody(request.method) ? "refuse" : "return")
  const status = message.statusCode ?? 0
  if (policy === "return" || !isRedirect(status) || location === undefined) return Effect.void
  connection.close()
  const target = URL.canParse(location, url.href) ? new URL(location, url).origin : "null"
  return Effect.fail(
    new RedirectRefused({
      ...connection.progress.snapshot,
      status,
      ...(target === "null" ? {} : { targetOrigin: target })
    })
  )
}

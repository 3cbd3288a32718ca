/** One request and its answer. */
import type * as Http from "node:http"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import type { Bandwidth } from "../../Bandwidth.ts"
import type { ExchangeOptions } from "../../Exchange.ts"
import { RedirectRefused } from "../../TransferError.ts"
import * as Connection from "./connection.ts"
import * as Interim from "./interim.ts"
import * as Limits from "./limits.ts"
import type { FinalResponse } from "./response.ts"
import * as Sending from "./sending.ts"

/** What a client decided once, for all its requests. */
export interface Transport {
  readonly network: Connection.Network
  readonly limits: Limits.Limits
  /** Bodies of at least so many bytes ask before they are sent. */
  readonly expectThreshold: number
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

/** A server that cannot do `Expect` (417) is asked again without it: it has not seen a byte of the body. */
export const run = Effect.fnUntraced(function* (transport: Transport, outgoing: Outgoing) {
  const { expectThreshold, limits } = transport
  const { body, request, url } = outgoing
  const clock = yield* Effect.clock
  const newProgress = () =>
    new Limits.Progress({ clock, method: request.method, url, bytesTotal: body.length })
  const expects = body.length === undefined || body.length >= expectThreshold
  let progress = newProgress()
  const deadlineAt = progress.now() + limits.deadline

  const answering = Effect.flatMap(attempt(transport, outgoing, progress, expects), (first) => {
    if (!expects || first.message.statusCode !== 417) return Effect.succeed(first)
    first.connection.close()
    progress = newProgress()
    return attempt(transport, outgoing, progress, false)
  })
  const answered = yield* Limits.withinDeadline(() => progress, limits.deadline)(answering)
  const final: FinalResponse = { ...answered, limits, deadlineAt }
  yield* refuseRedirect(outgoing, final)
  return final
})

interface Answered {
  readonly connection: Connection.Connection
  readonly message: Http.IncomingMessage
  readonly remoteAddress: string | undefined
}

/** Everything that goes on while the answer is awaited ends when it comes, and the other way round. */
const attempt = Effect.fnUntraced(function* (
  { bandwidth, limits, network }: Transport,
  { body, options, request, signal, url }: Outgoing,
  progress: Limits.Progress,
  expectContinue: boolean
) {
  const opened = yield* Connection.open(network, progress, {
    url,
    method: request.method,
    headers: toHeaders(request, body, expectContinue)
  })
  const interim = Interim.make(options.onInterim, {
    pause: () => opened.request.socket?.pause(),
    resume: () => opened.request.socket?.resume()
  })
  const connection = Connection.follow(opened, { progress, interim, signal, fiberId: yield* Effect.fiberId })
  const sending = connection.ready.pipe(
    Limits.connectWithin(progress, limits.connect),
    Effect.zipRight(expectContinue ? Sending.awaitContinue(connection, limits.continue) : Effect.void),
    Effect.zipRight(Sending.sendBody({ connection, body, interim, bandwidth, onWritten: options.onWritten }))
  )
  const working = Effect.all([sending, interim.deliver, Limits.watchStall(progress, limits)], {
    concurrency: "unbounded",
    discard: true
  })
  const message = yield* Effect.raceFirst(
    connection.answer.pipe(
      Effect.tapBoth({ onSuccess: () => interim.settled, onFailure: () => interim.settled }),
      Effect.onInterrupt(() => Effect.sync(connection.close))
    ),
    Effect.zipRight(working, Effect.never)
  ).pipe(Effect.onError(() => Effect.sync(connection.close)))
  progress.enter("receiving")
  const { remoteAddress } = message.socket
  if (message.complete) connection.close()
  return { connection, message, remoteAddress } satisfies Answered
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

import type * as Http from "node:http"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import type { Bandwidth } from "../../Bandwidth.ts"
import type { ExchangeOptions } from "../../Exchange.ts"
import { RedirectRefused } from "../../TransferError.ts"
import * as Connection from "./connection.ts"
import * as Interim from "./interim.ts"
import * as Limits from "./limits.ts"
import type { Answer } from "./messageBody.ts"
import * as NodeRequest from "./nodeRequest.ts"
import { Progress } from "./progress.ts"
import type { RequestBody } from "./requestBody.ts"
import * as Sending from "./sending.ts"

/** What a client decided once, for all its exchanges. @internal */
export interface Settings {
  readonly network: NodeRequest.Network
  readonly limits: Limits.Limits
  /** Bodies of at least so many bytes ask before they are sent. */
  readonly expectThreshold: number
  readonly bandwidth: typeof Bandwidth.Service
}

/** @internal */
export interface Exchange {
  readonly settings: Settings
  readonly request: HttpClientRequest.HttpClientRequest
  readonly url: URL
  readonly body: RequestBody
  readonly options: ExchangeOptions
  /** Closes the connection for whoever reads the answer, or no longer wants to. */
  readonly signal: AbortSignal
}

/**
 * One request and its answer. A server that cannot do `Expect` (417) is asked again without it: it has not seen a byte of
 * the body.
 *
 * @internal
 */
export const run = Effect.fnUntraced(function* (exchange: Exchange) {
  const { limits, expectThreshold } = exchange.settings
  const clock = yield* Effect.clock
  const newProgress = () =>
    new Progress({
      clock,
      method: exchange.request.method,
      url: exchange.url,
      bytesTotal: exchange.body.length
    })
  const expects = exchange.body.length === undefined || exchange.body.length >= expectThreshold
  const deadlineAt = clock.unsafeCurrentTimeMillis() + limits.deadline
  let progress = newProgress()

  const asking = attempt(exchange, progress, expects)
  const answering = Effect.flatMap(asking, (first) => {
    if (!expects || first.message.statusCode !== 417) return Effect.succeed(first)
    first.connection.close()
    progress = newProgress()
    return attempt(exchange, progress, false)
  })
  const answered = yield* Limits.withinDeadline(() => progress, limits.deadline)(answering)
  const answer: Answer = { ...answered, limits, deadlineAt }
  yield* refuseRedirect(exchange, answer)
  return answer
})

interface Answered {
  readonly connection: Connection.Connection
  readonly message: Http.IncomingMessage
  readonly remoteAddress: string | undefined
}

/** Everything that goes on while the answer is awaited ends when it comes, and the other way round. */
const attempt = Effect.fnUntraced(function* (
  exchange: Exchange,
  progress: Progress,
  expectContinue: boolean
) {
  const { body, options, settings, signal } = exchange
  const made = yield* NodeRequest.make({ ...exchange, expectContinue, progress, network: settings.network })
  const interim = Interim.make(options.onInterim, {
    pause: () => made.request.socket?.pause(),
    resume: () => made.request.socket?.resume()
  })
  const connection = Connection.make({ ...made, progress, interim, signal, fiberId: yield* Effect.fiberId })
  const sending = Limits.connectWithin(connection, settings.limits.connect).pipe(
    Effect.zipRight(
      expectContinue ? Sending.awaitContinue(connection, settings.limits.continue) : Effect.void
    ),
    Effect.zipRight(
      Sending.sendBody({
        connection,
        body,
        interim,
        bandwidth: settings.bandwidth,
        onWritten: options.onWritten
      })
    )
  )
  const working = Effect.all([sending, interim.deliver, Limits.watchStall(progress, settings.limits)], {
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

const isRedirect = (status: number): boolean => status >= 300 && status < 400 && status !== 304

const refuseRedirect = (
  exchange: Exchange,
  { connection, message }: Answer
): Effect.Effect<void, RedirectRefused> => {
  const { location } = message.headers
  const policy =
    exchange.options.redirect ?? (NodeRequest.expectsBody(exchange.request.method) ? "refuse" : "return")
  const status = message.statusCode ?? 0
  if (policy === "return" || !isRedirect(status) || location === undefined) return Effect.void
  connection.close()
  const target = URL.canParse(location, exchange.url.href) ? new URL(location, exchange.url).origin : "null"
  return Effect.fail(
    new RedirectRefused({
      ...connection.progress.snapshot,
      status,
      ...(target === "null" ? {} : { targetOrigin: target })
    })
  )
}

import type * as Http from "node:http"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { ForcedAnswer } from "../Fault.ts"
import type * as Activity from "./activity.ts"
import * as Answer from "./answer.ts"
import type { ConnectionGone } from "./exchange.ts"
import * as Exchange from "./exchange.ts"
import type * as FaultPlan from "./faultPlan.ts"
import type { Cloud } from "./operations.ts"
import type { Recorder } from "./recorder.ts"
import { bytes, type Reply, refused, undocumented } from "./reply.ts"
import * as RequestBody from "./requestBody.ts"
import * as Router from "./router.ts"

/**
 * What the client expects before it sends its body: nothing, `100 Continue`, or something unknown to HTTP.
 *
 * @internal
 */
export type Expectation = "none" | "continue" | "unknown"

/** @internal */
export interface Incoming {
  readonly request: Http.IncomingMessage
  readonly response: Http.ServerResponse
  readonly expectation: Expectation
}

/** @internal */
export interface Desk {
  readonly cloud: Cloud
  readonly recorder: Recorder
  readonly faults: FaultPlan.FaultPlan
  readonly activity: Activity.Activity
}

const toReply = (answer: ForcedAnswer): Reply => bytes(answer.status, answer.headers ?? {}, answer.body ?? "")

const carryOut = (desk: Desk, exchange: Exchange.Exchange): Effect.Effect<Reply, ConnectionGone> =>
  Router.route(desk.cloud, exchange).pipe(
    Effect.catchTag("Refusal", (refusal) => Effect.succeed(refused(refusal))),
    Effect.scoped
  )

const insteadOf = (exchange: Exchange.Exchange, forced: ForcedAnswer): Effect.Effect<Reply, ConnectionGone> =>
  Effect.as(RequestBody.discard(exchange), toReply(forced))

const handleAsPlanned = (desk: Desk, exchange: Exchange.Exchange): Effect.Effect<void, ConnectionGone> =>
  Effect.gen(function* () {
    yield* Exchange.reach(exchange, "arrival")
    const early = Exchange.planned(exchange, "AnswerEarly")
    if (early !== undefined) return yield* Answer.sendUnread(exchange, toReply(early), early.close)
    if (exchange.awaitsContinue && Exchange.planned(exchange, "ExpectationFailed") !== undefined) {
      return yield* Answer.send(exchange, refused(undocumented.unknownExpectation))
    }
    const forced = Exchange.planned(exchange, "Answer")
    const reply = yield* forced === undefined ? carryOut(desk, exchange) : insteadOf(exchange, forced)
    yield* Exchange.reach(exchange, "applied")
    const cut = Exchange.planned(exchange, "CutAnswer")
    yield* cut === undefined ? Answer.send(exchange, reply) : Answer.sendPart(exchange, reply, cut.bytes)
  })

/** A mistake in the stand-in, or in an effect that a fault runs: told to the client and to whoever reads the log. */
const reportFailure =
  (exchange: Exchange.Exchange) =>
  (cause: Cause.Cause<never>): Effect.Effect<void, ConnectionGone> =>
    Cause.isInterruptedOnly(cause)
      ? Effect.interrupt
      : Effect.zipRight(
          Effect.logError("The local Elastic Cloud failed to handle a request", cause),
          exchange.response.headersSent
            ? Effect.sync(() => exchange.request.socket.destroy())
            : Answer.send(exchange, refused(undocumented.failure))
        )

const makeExchange = (
  desk: Desk,
  { expectation, request, response }: Incoming
): Effect.Effect<Exchange.Exchange> =>
  Effect.gen(function* () {
    const target = request.url ?? ""
    const [path = "", ...query] = target.split("?")
    const entry = desk.recorder.arrived(request)
    return {
      request,
      response,
      path,
      query: new URLSearchParams(query.join("?")),
      awaitsContinue: expectation === "continue",
      entry,
      faults: yield* desk.faults.take(request.method ?? "", target),
      leave: yield* desk.activity.enter
    }
  })

/**
 * Handles one request from its head to its answer.
 *
 * @internal
 */
export const handle = (desk: Desk, incoming: Incoming): Effect.Effect<void> =>
  Effect.gen(function* () {
    const exchange = yield* makeExchange(desk, incoming)
    const handling =
      incoming.expectation === "unknown"
        ? Answer.send(exchange, refused(undocumented.unknownExpectation))
        : handleAsPlanned(desk, exchange)
    yield* handling.pipe(
      Effect.catchTag("ConnectionGone", () => Effect.void),
      Effect.catchAllCause(reportFailure(exchange)),
      Effect.catchTag("ConnectionGone", () => Effect.void),
      Effect.ensuring(exchange.leave)
    )
  })

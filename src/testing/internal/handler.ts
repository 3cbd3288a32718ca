/** One request from its head to its answer: which operation it asks for, and where faults strike. */
import type * as Http from "node:http"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { ForcedAnswer } from "../Fault.ts"
import type { Disk } from "./disk.ts"
import { Activity, type ConnectionGone, Exchange, type ExchangeService } from "./exchange.ts"
import * as Extensions from "./extensions.ts"
import * as Faults from "./faults.ts"
import { Recorder } from "./recorder.ts"
import * as Reply from "./reply.ts"
import * as RequestBody from "./requestBody.ts"
import { Draft } from "./resumable/draft.ts"
import * as Resumable from "./resumable/operations.ts"
import type { Uploads } from "./resumable/uploads.ts"
import type { Background, Settings } from "./settings.ts"
import type { Store } from "./store.ts"

/** What the client expects before it sends its body: nothing, `100 Continue`, or something unknown to HTTP. */
export type Expectation = "none" | "continue" | "unknown"

export interface Incoming {
  readonly request: Http.IncomingMessage
  readonly response: Http.ServerResponse
  readonly expectation: Expectation
}

/** Handles one request. */
export const handle = Effect.fnUntraced(function* (incoming: Incoming) {
  const exchange = yield* makeExchange(incoming)
  const handling =
    incoming.expectation === "unknown"
      ? Reply.send(Reply.refused(Reply.undocumented.unknownExpectation))
      : handleAsPlanned
  yield* handling.pipe(
    Effect.catchTag("ConnectionGone", () => Effect.void),
    Effect.catchAllCause(reportFailure),
    Effect.catchTag("ConnectionGone", () => Effect.void),
    Effect.ensuring(exchange.leave),
    Effect.provideService(Exchange, exchange)
  )
})

const makeExchange = Effect.fnUntraced(function* ({ expectation, request, response }: Incoming) {
  const target = request.url ?? ""
  const [path = "", ...query] = target.split("?")
  const entry = (yield* Recorder).arrived(request)
  return {
    request,
    response,
    path,
    query: new URLSearchParams(query.join("?")),
    awaitsContinue: expectation === "continue",
    entry,
    faults: yield* (yield* Faults.FaultPlan).take(request.method ?? "", target),
    leave: yield* (yield* Activity).enter
  } satisfies ExchangeService
})

const handleAsPlanned = Effect.gen(function* () {
  const { awaitsContinue } = yield* Exchange
  yield* Faults.reach("arrival")
  const early = yield* Faults.planned("AnswerEarly")
  if (Option.isSome(early)) return yield* Reply.sendUnread(toReply(early.value), early.value.close)
  if (awaitsContinue && Option.isSome(yield* Faults.planned("ExpectationFailed"))) {
    return yield* Reply.send(Reply.refused(Reply.undocumented.unknownExpectation))
  }
  const forced = yield* Faults.planned("Answer")
  const reply = yield* Option.match(forced, {
    onNone: () => carryOut,
    onSome: (answer) => Effect.as(RequestBody.discard, toReply(answer))
  })
  yield* Faults.reach("applied")
  yield* answerWith(yield* altered(reply))
})

/** The answer as it leaves, after whatever is planned to become of it. */
const altered = Effect.fnUntraced(function* (reply: Reply.Reply) {
  const fault = yield* Faults.planned("AlterAnswer")
  if (Option.isNone(fault)) return reply
  const { headers, status } = reply
  return toReply(fault.value.alter({ status, headers, body: yield* Reply.content(reply) }))
})

const answerWith = Effect.fnUntraced(function* (reply: Reply.Reply) {
  const cut = yield* Faults.planned("CutAnswer")
  yield* Option.match(cut, {
    onNone: () => Reply.send(reply),
    onSome: ({ bytes }) => Reply.sendPart(reply, Option.fromNullable(bytes))
  })
})

const toReply = ({ body = "", headers = {}, status }: ForcedAnswer): Reply.Reply =>
  Reply.bytes(status, headers, body)

/** A mistake in the stand-in, or in an effect that a fault runs: told to the client and to whoever reads the log. */
const reportFailure = Effect.fnUntraced(function* (cause: Cause.Cause<never>) {
  if (Cause.isInterruptedOnly(cause)) return yield* Effect.interrupt
  const { request, response } = yield* Exchange
  yield* Effect.logError("The local Elastic Cloud failed to handle a request", cause)
  if (response.headersSent) request.socket.destroy()
  else yield* Reply.send(Reply.refused(Reply.undocumented.failure))
})

/** One operation on the path parameter, or on the collection. */
type Operation = (
  id: string
) => Effect.Effect<
  Reply.Reply,
  Reply.Refusal | ConnectionGone,
  Exchange | Settings | Background | Activity | Disk | Store | Draft | Uploads | Scope.Scope
>

interface Route {
  readonly path: RegExp
  readonly methods: Readonly<Record<string, Operation>>
}

const extensions: Route = {
  path: /^\/api\/v1\/deployments\/extensions$/,
  methods: { GET: Extensions.list, POST: Extensions.create }
}

const extension: Route = {
  path: /^\/api\/v1\/deployments\/extensions\/([^/]+)$/,
  methods: {
    GET: Extensions.get,
    POST: Extensions.update,
    PUT: Extensions.upload,
    DELETE: Extensions.remove
  }
}

const resumableExtension: Route = {
  path: extension.path,
  methods: { ...extension.methods, PUT: Resumable.upload, OPTIONS: Resumable.options }
}

const files: Route = { path: /^\/files\/([^/]+)$/, methods: { GET: Extensions.download } }

const uploads: Route = {
  path: /^\/uploads\/([^/]+)$/,
  methods: {
    HEAD: Resumable.retrieve,
    GET: Resumable.retrieve,
    PATCH: Resumable.append,
    DELETE: Resumable.cancel
  }
}

/** Paths are matched as sent: nothing is decoded, folded or resolved before. */
const routes = Effect.map(Draft, ({ interopVersions }) =>
  interopVersions.length === 0
    ? [extensions, extension, files]
    : [extensions, resumableExtension, files, uploads]
)

const decodeSegment = (segment: string): Effect.Effect<string, Reply.Refusal> =>
  Effect.try({ try: () => decodeURIComponent(segment), catch: () => Reply.undocumented.unknownPath })

const carryOut = Effect.gen(function* () {
  const { path, request } = yield* Exchange
  const found = (yield* routes).find((route) => route.path.test(path))
  if (found === undefined) return yield* Reply.undocumented.unknownPath
  const methods = new Map(Object.entries(found.methods))
  const operation = methods.get(request.method ?? "")
  if (operation === undefined) return yield* Reply.undocumented.wrongMethod([...methods.keys()])
  return yield* operation(yield* decodeSegment(found.path.exec(path)?.[1] ?? ""))
}).pipe(
  Effect.catchTag("Refusal", (refusal) => Effect.succeed(Reply.refused(refusal))),
  Effect.scoped
)

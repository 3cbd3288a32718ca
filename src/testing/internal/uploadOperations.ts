import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Access from "./access.ts"
import type { Exchange } from "./exchange.ts"
import type { Cloud, Operation } from "./operations.ts"
import * as Problem from "./problem.ts"
import { bytes, type Refusal, type Reply, undocumented } from "./reply.ts"
import * as RequestBody from "./requestBody.ts"
import * as Checks from "./resumableChecks.ts"
import * as Completion from "./resumableCompletion.ts"
import * as Fields from "./resumableFields.ts"
import type { Resumable } from "./resumableSettings.ts"
import * as Transfer from "./resumableTransfer.ts"
import * as Support from "./resumptionSupport.ts"
import * as Uploads from "./uploads.ts"

/** The upload, for the owner of the key alone: to anybody else there is none. */
const find = (
  cloud: Cloud,
  { uploads }: Resumable,
  exchange: Exchange,
  token: string
): Effect.Effect<Uploads.Upload, Refusal> =>
  Effect.gen(function* () {
    const account = yield* Access.authenticate(exchange, cloud.accounts)
    const upload = yield* uploads.find(token)
    return yield* Option.match(
      Option.filter(upload, ({ owner }) => owner === account.owner),
      { onNone: () => Effect.fail(undocumented.unknownPath), onSome: Effect.succeed }
    )
  })

/**
 * How far an upload is.
 *
 * @internal
 */
export const retrieve =
  (resumable: Resumable): Operation =>
  (cloud, exchange, token) =>
    Effect.gen(function* () {
      yield* find(cloud, resumable, exchange, token)
      yield* RequestBody.discard(exchange)
      return yield* resumable.uploads.turns.exclusively(
        token,
        Effect.gen(function* () {
          const upload = yield* find(cloud, resumable, exchange, token)
          return bytes(
            204,
            {
              "upload-offset": String(upload.offset),
              "upload-complete": Fields.boolean(upload.answer !== null),
              ...(upload.length === null ? {} : { "upload-length": String(upload.length) }),
              "upload-limit": yield* Support.uploadLimitOf(resumable, exchange, upload),
              "cache-control": "no-store"
            },
            ""
          )
        })
      )
    })

/**
 * Forgets an upload and all that was received of it.
 *
 * @internal
 */
export const cancel =
  (resumable: Resumable): Operation =>
  (cloud, exchange, token) =>
    Effect.gen(function* () {
      yield* find(cloud, resumable, exchange, token)
      yield* RequestBody.discard(exchange)
      yield* resumable.uploads.turns.exclusively(token, resumable.uploads.remove(token))
      return bytes(204, {}, "")
    })

/** What a request says that appends to an upload. */
interface Append {
  readonly offset: number
  readonly complete: boolean
}

const appendOf = ({ request }: Exchange): Effect.Effect<Append, Problem.Problem> =>
  Effect.gen(function* () {
    const contentType = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase()
    if (contentType !== "application/partial-upload") return yield* Problem.wrongMediaType
    const offset = Fields.uploadOffset(request)
    if (Option.isNone(offset)) return yield* Problem.badRequest("Upload-Offset is missing or not an Integer.")
    const complete = Fields.uploadComplete(request)
    if (Option.isNone(complete)) {
      return yield* Problem.badRequest("Upload-Complete is missing or not a Boolean.")
    }
    return { offset: offset.value, complete: complete.value }
  })

/** All that can be appended to a complete upload is nothing, by a client that lost the answer. */
const appendToComplete = (
  { settings }: Resumable,
  exchange: Exchange,
  answer: NonNullable<Uploads.Upload["answer"]>,
  { complete }: Append
): Effect.Effect<Reply, Problem.Problem> =>
  settings.replayFinalAnswer && complete && exchange.entry.isComplete()
    ? Effect.succeed(Uploads.replay(answer))
    : Effect.fail(Problem.alreadyComplete)

const appendInTurn = (
  cloud: Cloud,
  resumable: Resumable,
  exchange: Exchange,
  token: string,
  append: Append
) =>
  Effect.gen(function* () {
    const upload = yield* find(cloud, resumable, exchange, token)
    if (append.offset !== upload.offset) {
      return yield* Problem.mismatchingOffset(upload.offset, append.offset)
    }
    if (upload.answer !== null) return yield* appendToComplete(resumable, exchange, upload.answer, append)
    const length = yield* Checks.length(exchange, { ...upload, completes: append.complete })
    const limit = yield* Support.uploadLimitOf(resumable, exchange, upload)
    yield* Checks.contentSize(resumable.settings, exchange, limit, append.complete)
    const known = { ...upload, length: Option.getOrNull(length) }
    yield* resumable.uploads.update(known)
    const offset = yield* Transfer.receive({ cloud, resumable, exchange, upload: known })
    if (append.complete) return yield* Completion.complete(cloud, resumable, exchange, known, offset)
    return bytes(
      204,
      { "upload-complete": Fields.boolean(false), "upload-offset": String(offset), "upload-limit": limit },
      ""
    )
  })

/**
 * Appends to an upload, and finishes it with what the request says is its end.
 *
 * @internal
 */
export const append =
  (resumable: Resumable): Operation =>
  (cloud, exchange, token) =>
    Effect.gen(function* () {
      yield* find(cloud, resumable, exchange, token)
      const asked = yield* appendOf(exchange)
      return yield* resumable.uploads.turns.transferring(
        token,
        exchange,
        appendInTurn(cloud, resumable, exchange, token, asked)
      )
    }).pipe(Effect.catchTag("Problem", (problem) => Effect.succeed(Problem.toReply(problem))))

import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Access from "./access.ts"
import * as ArchiveBody from "./archiveBody.ts"
import type { Exchange } from "./exchange.ts"
import * as Operations from "./operations.ts"
import * as Problem from "./problem.ts"
import { bytes, refused, undocumented } from "./reply.ts"
import * as Checks from "./resumableChecks.ts"
import * as Completion from "./resumableCompletion.ts"
import * as Fields from "./resumableFields.ts"
import * as Settings from "./resumableSettings.ts"
import * as Transfer from "./resumableTransfer.ts"
import * as Support from "./resumptionSupport.ts"
import { addressOf, type Upload } from "./uploads.ts"

/** What a request says that asks for an upload to be created. */
interface Wish {
  readonly complete: boolean
  readonly interopVersion: number
}

/** A creation speaks of completeness, and in an iteration of the draft that is known here. */
const wishOf = (resumable: Settings.Resumable, exchange: Exchange): Option.Option<Wish> =>
  Option.all({
    complete: Fields.uploadComplete(exchange.request),
    interopVersion: Support.spoken(resumable, exchange)
  })

/** Nothing is gained by an upload that the client could never learn the address of, or that is not worth the effort. */
const staysOrdinary = (
  { limits, interimResponses }: Settings.Settings,
  { complete }: Wish,
  length: Option.Option<number>
): boolean => complete && (!interimResponses || Option.getOrElse(length, () => 0) < (limits.minSize ?? 0))

const checkLimits = (
  { settings }: Settings.Resumable,
  exchange: Exchange,
  { complete, interopVersion }: Wish,
  length: Option.Option<number>
): Effect.Effect<void, Problem.Problem> =>
  Effect.gen(function* () {
    const { limits } = settings
    const { maxSize = Number.POSITIVE_INFINITY, minSize = 0 } = limits
    const limit = Settings.uploadLimit(limits, interopVersion, limits.maxAgeSeconds)
    if (Option.exists(length, (size) => size > maxSize)) {
      return yield* Problem.tooLarge(`The upload is larger than ${maxSize} bytes.`, limit)
    }
    if (Option.getOrElse(length, () => 0) < minSize) {
      return yield* Problem.tooSmall(`The upload is smaller than ${minSize} bytes.`, limit)
    }
    const isEmpty = exchange.entry.isComplete()
    yield* Checks.contentSize(settings, exchange, limit, complete || isEmpty)
  })

/** Receives what there is of the representation, into an upload that the client is told of first. */
const receive = (
  cloud: Operations.Cloud,
  resumable: Settings.Resumable,
  exchange: Exchange,
  upload: Upload,
  complete: boolean
) =>
  Effect.gen(function* () {
    const location = addressOf(upload)
    const limit = yield* Support.uploadLimitOf(resumable, exchange, upload)
    yield* Support.announce(resumable, exchange, { Location: location, "Upload-Limit": limit })
    const offset = yield* Transfer.receive({ cloud, resumable, exchange, upload })
    if (complete) return yield* Completion.complete(cloud, resumable, exchange, upload, offset)
    return bytes(
      201,
      {
        location,
        "upload-complete": Fields.boolean(false),
        "upload-offset": String(offset),
        "upload-limit": yield* Support.uploadLimitOf(resumable, exchange, upload)
      },
      ""
    )
  })

const create =
  (resumable: Settings.Resumable, wish: Wish): Operations.Operation =>
  (cloud, exchange, extensionId) =>
    Effect.gen(function* () {
      const account = yield* Access.authenticate(exchange, cloud.accounts)
      const { owner } = yield* Access.owned(cloud.store, account, extensionId)
      const contentType = ArchiveBody.contentTypeOf(exchange)
      yield* ArchiveBody.checkType(contentType)
      const length = yield* Checks.length(exchange, { offset: 0, length: null, completes: wish.complete })
      if (staysOrdinary(resumable.settings, wish, length)) {
        return Completion.fromTarget(yield* Operations.upload(cloud, exchange, extensionId))
      }
      if (Option.exists(length, (size) => size > cloud.maxArchiveBytes)) {
        return yield* undocumented.tooLarge(cloud.maxArchiveBytes)
      }
      yield* checkLimits(resumable, exchange, wish, length)
      const upload = yield* resumable.uploads.create({
        extensionId,
        owner,
        contentType,
        interopVersion: wish.interopVersion,
        length: Option.getOrNull(length),
        reprDigest: Option.getOrNull(Fields.field(exchange.request, "repr-digest"))
      })
      return yield* resumable.uploads.turns.transferring(
        upload.token,
        exchange,
        receive(cloud, resumable, exchange, upload, wish.complete)
      )
    }).pipe(
      Effect.catchTags({
        Problem: (problem) => Effect.succeed(Problem.toReply(problem)),
        Refusal: (refusal) => Effect.succeed(Completion.fromTarget(refused(refusal)))
      })
    )

/**
 * The upload of an archive, which a client that asks for it can resume.
 *
 * @internal
 */
export const upload =
  (resumable: Settings.Resumable): Operations.Operation =>
  (cloud, exchange, id) =>
    Option.match(wishOf(resumable, exchange), {
      onNone: () => Operations.upload(cloud, exchange, id),
      onSome: (wish) => create(resumable, wish)(cloud, exchange, id)
    })

/**
 * What can be asked for at an extension, and the limits an upload to it would have.
 *
 * @internal
 */
export const options =
  (resumable: Settings.Resumable): Operations.Operation =>
  (cloud, exchange, id) =>
    Effect.gen(function* () {
      const account = yield* Access.authenticate(exchange, cloud.accounts)
      yield* Access.owned(cloud.store, account, id)
      const { interopVersions, limits } = resumable.settings
      const version = Option.getOrElse(Support.spoken(resumable, exchange), () =>
        Math.max(...interopVersions)
      )
      return bytes(
        204,
        {
          allow: "GET, POST, PUT, DELETE, OPTIONS",
          "upload-limit": Settings.uploadLimit(limits, version, limits.maxAgeSeconds)
        },
        ""
      )
    })

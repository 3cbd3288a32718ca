/**
 * What a release is about, small enough to be stored and sent to whichever machine does the work: the archive is named,
 * never carried.
 *
 * A payload holds no key. The address of an archive is stored as it is; see `ArchiveLocator` before it holds a signature.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as ArchiveDigest from "../archive/ArchiveDigest.ts"
import type { ArchiveError } from "../archive/ArchiveError.ts"
import { ArchiveLocator, toArchive } from "../archive/ArchiveLocator.ts"
import { ProblemCode } from "../archive/ArchiveProblem.ts"
import { InvalidPayload } from "./ReleaseError.ts"
import { ReleaseTarget } from "./ReleaseTarget.ts"

/**
 * The version of the payloads that this library makes, and the newest that it can run.
 *
 * @since 0.1.0
 * @category constants
 */
export const currentVersion = 1

const withDefault = <A, I>(schema: Schema.Schema<A, I>, value: A) =>
  Schema.optionalWith(schema, { exact: true, default: () => value })

/**
 * What a release does when another one of the same extension is ahead of it: waits for its turn (`queue`), takes the place of
 * all that have not begun (`supersede`), or ends with `ReleaseBlocked` (`fail`).
 *
 * @since 0.1.0
 * @category schemas
 */
export const ReleasePolicy = Schema.Literal("queue", "supersede", "fail")

/**
 * What a release does when another one of the same extension is ahead of it.
 *
 * @since 0.1.0
 * @category models
 */
export type ReleasePolicy = typeof ReleasePolicy.Type

/**
 * The engine stores these fields one by one, so what an older payload lacks is filled in field by field: a field that is
 * added needs a default.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ReleasePayload = Schema.Struct({
  /** Of this schema. A release made by a newer library is refused, not half understood. */
  version: withDefault(Schema.Positive.pipe(Schema.int()), currentVersion),
  /** Names the release among all releases, for instance `analysis-acme-2.1.0`. */
  releaseId: Schema.NonEmptyString,
  /** Counts from 1. The same release with the next attempt is run anew, whatever became of the one before. */
  attempt: withDefault(Schema.Positive.pipe(Schema.int()), 1),
  extension: ReleaseTarget,
  archive: ArchiveLocator,
  /** Of the archive, 64 lower-case hex digits. Only an archive with this content is released. */
  sha256: ArchiveDigest.Sha256,
  /** Errors of the archive's content that do not stop the release. */
  allow: withDefault(Schema.Array(ProblemCode), []),
  /** Whether someone has to approve before the release is announced. */
  holdForApproval: withDefault(Schema.Boolean, false),
  /** What to do when another release of the same extension is ahead. */
  policy: withDefault(ReleasePolicy, "queue"),
  /** Whether an extension that this release created is deleted again when it ends before the archive was stored. */
  deleteUnfilledOnCancel: withDefault(Schema.Boolean, false)
}).annotations({ identifier: "ReleasePayload" })

/**
 * A release to be made, as it is stored.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReleasePayload extends Schema.Schema.Type<typeof ReleasePayload> {}

/**
 * A release to be made, before its archive was digested.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReleaseRequest {
  /** Names the release among all releases, for instance `analysis-acme-2.1.0`. */
  readonly releaseId: string
  /** `ReleaseTarget.named(…)` or `ReleaseTarget.id(…)`. */
  readonly extension: typeof ReleaseTarget.Encoded
  readonly archive: ArchiveLocator
  /** Default 1. */
  readonly attempt?: number | undefined
  /** Default none. */
  readonly allow?: ReadonlyArray<ProblemCode> | undefined
  /** Default `false`. */
  readonly holdForApproval?: boolean | undefined
  /** Default `queue`. */
  readonly policy?: ReleasePolicy | undefined
  /** Default `false`. */
  readonly deleteUnfilledOnCancel?: boolean | undefined
}

/**
 * Digests the archive and makes the payload of its release. Whoever knows the SHA-256 already can write the payload down
 * without touching the archive: see `decode`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const prepare: (
  request: ReleaseRequest
) => Effect.Effect<
  ReleasePayload,
  ArchiveError | InvalidPayload,
  FileSystem.FileSystem | HttpClient.HttpClient
> = Effect.fn("ReleasePayload.prepare")(function* (request) {
  const { sha256 } = yield* ArchiveDigest.compute(toArchive(request.archive))
  const given = Object.entries(request).filter(([, value]) => value !== undefined)
  return yield* decode({ ...Object.fromEntries(given), sha256 })
})

/**
 * Reads a payload from JSON, also one of an older library.
 *
 * @since 0.1.0
 * @category constructors
 */
export const decode = (input: unknown): Effect.Effect<ReleasePayload, InvalidPayload> =>
  Effect.mapError(decodeFields(input), refused)

/**
 * The same release once more. An engine gives the result of a release that has ended, failures included, to whoever asks
 * for the same one again; the next attempt is another one.
 *
 * @since 0.1.0
 * @category combinators
 */
export const nextAttempt = (payload: ReleasePayload): ReleasePayload => ({
  ...payload,
  attempt: payload.attempt + 1
})

const decodeFields = Schema.decodeUnknown(ReleasePayload, { errors: "all" })

/** Names the fields, never what they hold: an archive's address may carry a signature. */
const refused = (error: ParseResult.ParseError): InvalidPayload => {
  const issues = ParseResult.ArrayFormatter.formatErrorSync(error)
  return new InvalidPayload({
    fields: [...new Set(issues.map(({ path }) => path.map(String).join(".") || "the payload itself"))]
  })
}

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
import { ExtensionType } from "../cloud/Extension.ts"
import { ExtensionId } from "../cloud/ExtensionId.ts"
import { InvalidPayload, UnsupportedPayload } from "./ReleaseError.ts"

/**
 * The extension that gets the archive: one that exists, by its id, or the one of this name and type, which is created
 * where there is none.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ReleaseTarget = Schema.Union(
  Schema.TaggedStruct("Id", { id: ExtensionId }),
  Schema.TaggedStruct("Named", {
    name: Schema.NonEmptyString,
    type: ExtensionType,
    /** The version of Elasticsearch; for a bundle possibly a pattern such as `8.*`. */
    version: Schema.NonEmptyString,
    description: Schema.optionalWith(Schema.String, { exact: true })
  })
)

/**
 * The extension a release is for: by its id, or by name and type.
 *
 * @since 0.1.0
 * @category models
 */
export type ReleaseTarget = typeof ReleaseTarget.Type

const currentVersion = 1

const withDefault = <A, I>(schema: Schema.Schema<A, I>, value: A) =>
  Schema.optionalWith(schema, { exact: true, default: () => value })

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
  readonly releaseId: string
  readonly extension: ReleaseTarget
  readonly archive: ArchiveLocator
  /** Default 1. */
  readonly attempt?: number | undefined
  /** Default none. */
  readonly allow?: ReadonlyArray<ProblemCode> | undefined
  /** Default `false`. */
  readonly holdForApproval?: boolean | undefined
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
export const prepare = (
  request: ReleaseRequest
): Effect.Effect<
  ReleasePayload,
  ArchiveError | InvalidPayload,
  FileSystem.FileSystem | HttpClient.HttpClient
> =>
  Effect.gen(function* () {
    const { sha256 } = yield* ArchiveDigest.compute(toArchive(request.archive))
    const given = Object.entries(request).filter(([, value]) => value !== undefined)
    return yield* decode({ ...Object.fromEntries(given), sha256 })
  })

const decodeFields = Schema.decodeUnknown(ReleasePayload, { errors: "all" })

/** Names the fields, never what they hold: an archive's address may carry a signature. */
const refused = (error: ParseResult.ParseError): InvalidPayload => {
  const issues = ParseResult.ArrayFormatter.formatErrorSync(error)
  return new InvalidPayload({
    fields: [...new Set(issues.map(({ path }) => path.map(String).join(".") || "the payload itself"))]
  })
}

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

/**
 * What makes two releases the same one: target, content, name and attempt. A rebuilt archive is another release.
 *
 * @internal
 */
export const idempotencyKey = ({ attempt, extension, releaseId, sha256 }: ReleasePayload): string => {
  const target = extension._tag === "Id" ? ["id", extension.id] : [extension.type, extension.name]
  return JSON.stringify([...target, sha256, releaseId, attempt])
}

/** @internal */
export const requireSupported = ({ version }: ReleasePayload): Effect.Effect<void, UnsupportedPayload> =>
  version <= currentVersion ? Effect.void : new UnsupportedPayload({ version, newestKnown: currentVersion })

/**
 * What is remembered of one upload: enough to go on after the process that began it is gone, and to tell afterwards
 * whether the archive arrived.
 *
 * No record holds an API key or a temporary download link. The URL of a resumable upload is a capability and has to be
 * kept to be of use: it is `Redacted` in memory, and in files only their owner may read.
 *
 * @since 0.1.0
 */
import { createHash } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import { Millis, optional } from "./internal/schema.ts"

/** Lowercase hexadecimal SHA-256. */
const Sha256 = Schema.String.pipe(Schema.pattern(/^[0-9a-f]{64}$/))

/**
 * The stable name of an upload, safe in any file system and as a key.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JournalId = Schema.String.pipe(
  Schema.pattern(/^[0-9a-f]{32}$/),
  Schema.brand("JournalId"),
  Schema.annotations({ title: "JournalId", description: "32 lowercase hexadecimal digits" })
)

/**
 * The stable name of an upload.
 *
 * @since 0.1.0
 * @category models
 */
export type JournalId = typeof JournalId.Type

const keyFields = {
  /** Scheme, host, port and base path of the API; never credentials or a query. */
  origin: Schema.String.pipe(Schema.pattern(/^https?:\/\/[^/?#@\s]+(\/[^?#\s]*)?$/)),
  extensionId: Schema.NonEmptyString
}

/**
 * What there is at most one upload for at a time: an extension of one API.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JournalKey = Schema.Struct(keyFields)

/**
 * An extension of one API.
 *
 * @since 0.1.0
 * @category models
 */
export interface JournalKey extends Schema.Schema.Type<typeof JournalKey> {}

/**
 * The id of the upload to an extension: the first 128 bits of the SHA-256 of origin and extension id.
 *
 * @since 0.1.0
 * @category constructors
 */
export const journalId = (key: JournalKey): JournalId =>
  JournalId.make(createHash("sha256").update(`${key.origin}\n${key.extensionId}`).digest("hex").slice(0, 32))

/**
 * The archive as it was when the upload began. Size in bytes, modification in milliseconds since the epoch. The SHA-256 is
 * absent as long as the archive is hashed while it is sent: it is noted before the last bytes leave, so what may have been
 * applied always has one.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JournalArchive = Schema.Struct({
  path: Schema.String,
  name: Schema.String,
  size: Schema.NonNegativeInt,
  modifiedMillis: optional(Schema.JsonNumber),
  sha256: optional(Sha256)
})

/**
 * The archive as it was when the upload began.
 *
 * @since 0.1.0
 * @category models
 */
export interface JournalArchive extends Schema.Schema.Type<typeof JournalArchive> {}

/**
 * What the server said of the extension before the first byte was sent. Without `file` it had none.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JournalBaseline = Schema.Struct({
  resourceVersion: optional(Schema.String),
  lastModified: optional(Schema.DateTimeUtc),
  file: optional(
    Schema.Struct({ size: optional(Schema.NonNegativeInt), modified: optional(Schema.DateTimeUtc) })
  )
})

/**
 * The extension as it was before the first byte.
 *
 * @since 0.1.0
 * @category models
 */
export interface JournalBaseline extends Schema.Schema.Type<typeof JournalBaseline> {}

/**
 * The limits a server announced with `Upload-Limit`, sizes in bytes.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JournalUploadLimits = Schema.Struct({
  maxSize: optional(Schema.NonNegativeInt),
  minSize: optional(Schema.NonNegativeInt),
  maxAppendSize: optional(Schema.NonNegativeInt),
  minAppendSize: optional(Schema.NonNegativeInt),
  maxAgeSeconds: optional(Schema.NonNegativeInt)
})

/**
 * The upload resource a server made, and how many bytes of the representation it has acknowledged.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JournalUpload = Schema.Struct({
  url: Schema.Redacted(Schema.String),
  offset: Schema.NonNegativeInt,
  interopVersion: Schema.NonNegativeInt,
  limits: optional(JournalUploadLimits),
  /** When the server may forget the upload, from its `max-age`. */
  expiresAtMillis: optional(Millis)
})

/**
 * An upload resource on the server.
 *
 * @since 0.1.0
 * @category models
 */
export interface JournalUpload extends Schema.Schema.Type<typeof JournalUpload> {}

/**
 * The SHA-256 of the archive's bytes from 0 up to `offset`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JournalCheckpoint = Schema.Struct({ offset: Schema.NonNegativeInt, sha256: Sha256 })

/**
 * The digest of the archive up to an offset.
 *
 * @since 0.1.0
 * @category models
 */
export interface JournalCheckpoint extends Schema.Schema.Type<typeof JournalCheckpoint> {}

/**
 * How far it got: nothing sent (`Prepared`), body bytes under way (`Sending`), or all of them handed over and the
 * outcome not known (`Sent`).
 *
 * @since 0.1.0
 * @category schemas
 */
export const JournalPhase = Schema.Literal("Prepared", "Sending", "Sent")

/**
 * How far an upload got.
 *
 * @since 0.1.0
 * @category models
 */
export type JournalPhase = typeof JournalPhase.Type

/**
 * That the extension holds the archive: how that is known, and what the extension told of it. As long as it still tells the
 * same, there is nothing left to do.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JournalDelivery = Schema.Struct({
  proof: Schema.Literal("hash", "size", "response"),
  told: JournalBaseline
})

/**
 * How an upload was delivered.
 *
 * @since 0.1.0
 * @category models
 */
export interface JournalDelivery extends Schema.Schema.Type<typeof JournalDelivery> {}

/**
 * One upload. Stored as JSON with a `schemaVersion` beside these fields, which older releases' records are migrated by.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JournalRecord = Schema.Struct({
  id: JournalId,
  ...keyFields,
  archive: JournalArchive,
  contentType: Schema.String,
  /** The multipart boundary: offsets count bytes of the representation, which it is part of. */
  multipartBoundary: optional(Schema.String),
  /** Bytes of the request body, multipart framing included. */
  representationSize: Schema.NonNegativeInt,
  baseline: JournalBaseline,
  upload: optional(JournalUpload),
  /** Where the archive is staged for the service to fetch, such as `s3://bucket/prefix`. How far it is, the store knows. */
  staging: optional(Schema.String),
  /**
   * Of the archive. As long as its own SHA-256 is not known, the last of them covers every byte that an upload resource may
   * have: none leaves before it is noted.
   */
  checkpoints: Schema.Array(JournalCheckpoint),
  attempts: Schema.NonNegativeInt,
  /** Body bytes sent by all attempts together. */
  bytesSent: Schema.NonNegativeInt,
  phase: JournalPhase,
  /** In a journal that keeps what was delivered until somebody else has noted it. */
  delivered: optional(JournalDelivery),
  createdAtMillis: Millis,
  updatedAtMillis: Millis
})

/**
 * One upload, as it is remembered.
 *
 * @since 0.1.0
 * @category models
 */
export interface JournalRecord extends Schema.Schema.Type<typeof JournalRecord> {}

/**
 * What is known before the first byte leaves.
 *
 * @since 0.1.0
 * @category models
 */
export interface JournalIntent
  extends JournalKey,
    Pick<
      JournalRecord,
      "archive" | "contentType" | "multipartBoundary" | "representationSize" | "baseline" | "staging"
    > {}

/**
 * The record of an upload that is about to begin.
 *
 * @since 0.1.0
 * @category constructors
 */
export const prepare = (intent: JournalIntent): Effect.Effect<JournalRecord> =>
  Effect.map(Clock.currentTimeMillis, (now) => ({
    ...intent,
    id: journalId(intent),
    checkpoints: [],
    attempts: 0,
    bytesSent: 0,
    phase: "Prepared",
    createdAtMillis: now,
    updatedAtMillis: now
  }))

/**
 * Whether the server may have forgotten the upload resource at a time in milliseconds since the epoch. One without a
 * `max-age` never expires.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isUploadExpired = (record: JournalRecord, nowMillis: number): boolean =>
  record.upload?.expiresAtMillis !== undefined && record.upload.expiresAtMillis <= nowMillis

/**
 * The record without its upload resource if that has expired. The rest stays: what was sent still has to be reconciled.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withoutExpiredUpload = (record: JournalRecord, nowMillis: number): JournalRecord =>
  isUploadExpired(record, nowMillis) ? Struct.omit(record, "upload") : record

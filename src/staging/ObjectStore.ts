/**
 * What staging needs of an object store: uploads in parts that outlive the process, and links that anyone can read for a
 * while. `S3ObjectStore` is one; implement the service for a store of another kind.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type * as Stream from "effect/Stream"
import type { StagingError } from "./StagingError.ts"

/**
 * An upload in parts that was begun and not finished. Several of one key can exist beside each other.
 *
 * @since 0.1.0
 * @category models
 */
export interface UnfinishedUpload {
  /** Below the store's prefix: `<sha256>/<name>`. */
  readonly key: string
  readonly uploadId: string
  /** Where the store tells it. */
  readonly initiated: Option.Option<DateTime.Utc>
}

/**
 * A part that the store has.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoredPart {
  /** 1 for the first. */
  readonly number: number
  /** In bytes. */
  readonly size: number
  /** Without quotes. The MD5 of the bytes in hex, unless the store encrypts in a way that makes it something else. */
  readonly etag: string
}

/**
 * A part to send.
 *
 * @since 0.1.0
 * @category models
 */
export interface PartToSend<out E = never, out R = never> {
  /** 1 for the first. */
  readonly number: number
  /** In bytes. */
  readonly size: number
  /**
   * The bytes, from the first to the last. It may be run more than once, one run after the other, and each gives the same bytes
   * or fails. A chunk may be overwritten once `UploadHttpClient.chunksInUse` further ones were pulled.
   */
  readonly body: Stream.Stream<Uint8Array, E, R>
  /** Of the bytes, 64 lower-case hex digits: the store has to refuse other ones. */
  readonly sha256: string
  /** Runs while the part is sent, with its bytes written so far. */
  readonly onWritten?: ((bytes: number) => Effect.Effect<void>) | undefined
}

/**
 * What parts the store takes.
 *
 * @since 0.1.0
 * @category models
 */
export interface PartLimits {
  /** Every part but the last has at least so many bytes. */
  readonly minPartBytes: number
  readonly maxPartBytes: number
  readonly maxParts: number
}

/**
 * How long a link lives.
 *
 * @since 0.1.0
 * @category models
 */
export interface LinkOptions {
  readonly lifetime: Duration.DurationInput
  /**
   * What it has to live at least, where the credentials that sign it expire before its lifetime is over. Default: the whole
   * lifetime.
   */
  readonly atLeast?: Duration.DurationInput | undefined
}

/**
 * An address from which anyone who has it can read the archive, until it expires.
 *
 * @since 0.1.0
 * @category models
 */
export interface Link {
  readonly url: Redacted.Redacted<string>
  readonly expires: DateTime.Utc
}

/**
 * The operations of a store. Keys are relative to the prefix that it was made for. None of them retries, and none of them
 * minds being asked again: what is gone already is removed.
 *
 * @since 0.1.0
 * @category models
 */
export interface ObjectStoreService {
  /** Where archives are kept, such as `s3://bucket/prefix`, for people: nothing in it is secret. */
  readonly location: string
  readonly limits: PartLimits
  /** The same for one key: `s3://bucket/prefix/<key>`. */
  readonly locationOf: (key: string) => string
  /** The unfinished uploads of exactly this key. */
  readonly unfinishedOf: (key: string) => Effect.Effect<ReadonlyArray<UnfinishedUpload>, StagingError>
  /** All unfinished uploads below the prefix. A store that lists by exact key only (MinIO) tells none. */
  readonly unfinished: Effect.Effect<ReadonlyArray<UnfinishedUpload>, StagingError>
  /** All parts that the store has of an upload, by number. Fails with `StoreUploadLost` where it is gone. */
  readonly parts: (upload: UnfinishedUpload) => Effect.Effect<ReadonlyArray<StoredPart>, StagingError>
  /** One part, if the store has it. Fails with `StoreUploadLost` where the upload is gone. */
  readonly part: (
    upload: UnfinishedUpload,
    number: number
  ) => Effect.Effect<Option.Option<StoredPart>, StagingError>
  /** Begins an upload. */
  readonly create: (key: string) => Effect.Effect<UnfinishedUpload, StagingError>
  /**
   * Sends one part; it takes the place of an earlier one of its number. Fails with `StoreUploadLost` where the upload is gone, and
   * with the body's own failure, as it is, where that fails.
   */
  readonly putPart: <E, R>(
    upload: UnfinishedUpload,
    part: PartToSend<E, R>
  ) => Effect.Effect<StoredPart, StagingError | E, R>
  /**
   * Makes the object of these parts, in ascending order; others are dropped. Fails with `StoreUploadLost` where the upload or
   * one of the parts is gone, which is so after it succeeded as well.
   */
  readonly complete: (
    upload: UnfinishedUpload,
    parts: ReadonlyArray<StoredPart>
  ) => Effect.Effect<void, StagingError>
  /** Drops the upload and its parts, if they are there. */
  readonly abort: (upload: UnfinishedUpload) => Effect.Effect<void, StagingError>
  /** The size of the object in bytes, if there is one. */
  readonly head: (key: string) => Effect.Effect<Option.Option<{ readonly size: number }>, StagingError>
  /** Removes the object, if it is there. */
  readonly remove: (key: string) => Effect.Effect<void, StagingError>
  /** A link to the object. Nothing is asked of the store: whether it is there is not known. */
  readonly link: (key: string, options: LinkOptions) => Effect.Effect<Link, StagingError>
}

/**
 * The object store that archives are staged in.
 *
 * @since 0.1.0
 * @category tags
 */
export class ObjectStore extends Context.Tag("effect-elastic-extensions/staging/ObjectStore")<
  ObjectStore,
  ObjectStoreService
>() {}

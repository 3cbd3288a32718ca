/**
 * What an upload is going to do, decided from the journal and the server by reading alone. The run carries out the very
 * plan that a dry run shows.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type * as Option from "effect/Option"
import type { ExtensionId } from "../cloud/ExtensionId.ts"
import type { JournalRecord } from "../journal/JournalRecord.ts"
import type { Content, StoredArchive } from "./StoredArchive.ts"
import type { Proof } from "./UploadReceipt.ts"

/**
 * What is uploaded where, and who uses it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Planned {
  readonly extensionId: ExtensionId
  readonly archive: { readonly name: string; readonly size: number }
  /** Ids of the deployments that use the extension. They take a new file when their nodes next start. */
  readonly deployments: ReadonlyArray<string>
}

/**
 * When the archive is hashed, and the content of its entries checked.
 *
 * - `BeforeSending`: in a reading of its own. The extension may hold this very archive, or an earlier run has sent a part of
 *   it, or all of it is read at once.
 * - `WhileSending`: in the same reading. The extension does not hold this archive: it has none, or one of another size.
 *   The digest is known only to `plan`, which reads the archive all the same.
 *
 * @since 0.1.0
 * @category models
 */
export type PlannedDigest = Data.TaggedEnum<{
  BeforeSending: { readonly sha256: string }
  WhileSending: { readonly sha256: Option.Option<string> }
}>

/**
 * Constructors, and `$match` and `$is`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const PlannedDigest = Data.taggedEnum<PlannedDigest>()

/**
 * What every plan of an archive that was hashed says.
 *
 * @since 0.1.0
 * @category models
 */
export interface PlannedHashed extends Planned {
  readonly archive: Content & { readonly name: string }
}

/**
 * What an upload is going to do.
 *
 * - `AlreadyCurrent`: nothing, the extension holds this very archive.
 * - `AlreadyApplied`: nothing, an earlier run was cut off, and its archive arrived all the same.
 * - `Continue`: go on with the upload resource that an earlier run has left on the server.
 * - `SendAgain`: send the archive again, an earlier run was cut off and left nothing to go on with.
 * - `Send`: send the archive. What the journal held of another upload is discarded first.
 *
 * @since 0.1.0
 * @category models
 */
export type UploadPlan = Data.TaggedEnum<{
  AlreadyCurrent: PlannedHashed & { readonly stored: StoredArchive }
  AlreadyApplied: PlannedHashed & {
    readonly record: JournalRecord
    readonly proof: Proof
    readonly stored: StoredArchive
  }
  Continue: PlannedHashed & {
    readonly record: JournalRecord
    /** Bytes of the representation that the server had when it last told. */
    readonly acknowledged: number
  }
  SendAgain: PlannedHashed & { readonly record: JournalRecord }
  Send: Planned & {
    readonly digest: PlannedDigest
    readonly record: JournalRecord
    readonly discards: Option.Option<JournalRecord>
    /** What the extension holds now, to be replaced. */
    readonly stored: StoredArchive
  }
}>

/**
 * Constructors, and `$match` and `$is`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const UploadPlan = Data.taggedEnum<UploadPlan>()

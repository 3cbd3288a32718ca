/**
 * What publishing is going to do, decided by reading alone. The run carries out the very plan that a dry run shows.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type * as Option from "effect/Option"
import type { CreateExtensionRequest, Extension, VersionedExtension } from "../cloud/Extension.ts"
import type { JournalRecord } from "../journal/JournalRecord.ts"
import type * as ArchiveStaging from "../staging/ArchiveStaging.ts"
import type { PlannedHashed, UploadPlan } from "../upload/UploadPlan.ts"
import type { Proof } from "../upload/UploadReceipt.ts"
import type { MetadataField } from "./PublishReceipt.ts"

/**
 * What is going to happen to the extension itself.
 *
 * - `Create`: there is none of this name and type.
 * - `Update`: there is one, and these fields of it differ.
 * - `Keep`: there is one, as it is wanted.
 *
 * @since 0.1.0
 * @category models
 */
export type ExtensionPlan = Data.TaggedEnum<{
  Create: {
    readonly request: CreateExtensionRequest
    /** Extensions of the name, but of the other type. */
    readonly namesakes: ReadonlyArray<Extension>
  }
  Update: { readonly extension: Extension; readonly fields: ReadonlyArray<MetadataField> }
  Keep: { readonly extension: Extension }
}>

/**
 * Constructors, and `$match` and `$is`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ExtensionPlan = Data.taggedEnum<ExtensionPlan>()

/**
 * What is going to happen to an archive that goes by way of an object store.
 *
 * - `AlreadyCurrent`: nothing, the extension holds this very archive.
 * - `Stage`: what the store lacks of it is sent there, and the service is told to fetch it.
 *
 * @since 0.1.0
 * @category models
 */
export type StagePlan = Data.TaggedEnum<{
  AlreadyCurrent: PlannedHashed & { readonly found: VersionedExtension; readonly proof: Proof }
  Stage: PlannedHashed & {
    /** How far it is in the store already. */
    readonly standing: ArchiveStaging.Standing
    readonly record: JournalRecord
  }
}>

/**
 * Constructors, and `$match` and `$is`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const StagePlan = Data.taggedEnum<StagePlan>()

/**
 * How an archive that is here is going to get to an extension that exists: sent to the service, or by way of the store at this
 * location, such as `s3://bucket/prefix`.
 *
 * @since 0.1.0
 * @category models
 */
export type LocalPlan = Data.TaggedEnum<{
  Upload: { readonly upload: UploadPlan }
  Stage: { readonly location: string; readonly stage: StagePlan }
}>

/**
 * Constructors, and `$match` and `$is`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const LocalPlan = Data.taggedEnum<LocalPlan>()

/**
 * How the archive is going to get there.
 *
 * - `Upload`: it is sent, by the upload's own plan. `None` where the extension has yet to be created.
 * - `Stage`: it goes by way of the store at this location, such as `s3://bucket/prefix`. `None` as above.
 * - `Fetch`: the service is told to fetch it from this origin.
 * - `AlreadyFetched`: not at all, the extension holds what the URL stands for.
 *
 * @since 0.1.0
 * @category models
 */
export type DeliveryPlan = Data.TaggedEnum<{
  Upload: { readonly upload: Option.Option<UploadPlan> }
  Stage: { readonly location: string; readonly stage: Option.Option<StagePlan> }
  Fetch: {
    /** Scheme, host and port of the download URL; the rest of it may carry a signature. */
    readonly origin: string
  }
  AlreadyFetched: { readonly proof: Proof }
}>

/**
 * Constructors, and `$match` and `$is`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const DeliveryPlan = Data.taggedEnum<DeliveryPlan>()

/**
 * What publishing is going to do.
 *
 * @since 0.1.0
 * @category models
 */
export interface PublishPlan {
  readonly extension: ExtensionPlan
  readonly delivery: DeliveryPlan
}

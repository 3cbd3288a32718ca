/**
 * What happens while an extension is published: the events of its upload, and the steps around it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ExtensionId } from "../cloud/ExtensionId.ts"
import { StagingEvent, StagingEvents } from "../staging/StagingEvent.ts"
import { UploadEvent, UploadEvents } from "../upload/UploadEvent.ts"
import { MetadataField } from "./PublishReceipt.ts"

/** An extension of this name and type exists. @since 0.1.0 @category schemas */
export const ExtensionFound = Schema.TaggedStruct("ExtensionFound", { extensionId: ExtensionId })

/** There was none; it exists now, without a file. @since 0.1.0 @category schemas */
export const ExtensionCreated = Schema.TaggedStruct("ExtensionCreated", { extensionId: ExtensionId })

/** These fields of the extension were brought up to date. @since 0.1.0 @category schemas */
export const MetadataUpdated = Schema.TaggedStruct("MetadataUpdated", {
  extensionId: ExtensionId,
  fields: Schema.Array(MetadataField)
})

/** The service is being told to fetch the archive itself. @since 0.1.0 @category schemas */
export const DownloadStarted = Schema.TaggedStruct("DownloadStarted", {
  extensionId: ExtensionId,
  /** Scheme, host and port of the download URL; the rest of it may carry a signature. */
  origin: Schema.String
})

/** The service was asked whether the archive has arrived. @since 0.1.0 @category schemas */
export const DownloadPolled = Schema.TaggedStruct("DownloadPolled", {
  extensionId: ExtensionId,
  /** Since the service was told to fetch. */
  elapsedMillis: Schema.NonNegativeInt,
  hasArrived: Schema.Boolean
})

/**
 * All events of a publishing, as one schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const PublishEvent = Schema.Union(
  UploadEvent,
  StagingEvent,
  ExtensionFound,
  ExtensionCreated,
  MetadataUpdated,
  DownloadStarted,
  DownloadPolled
)

/**
 * Something that happened while an extension was published.
 *
 * @since 0.1.0
 * @category models
 */
export type PublishEvent = typeof PublishEvent.Type

/**
 * What to do with each event of a publishing.
 *
 * @since 0.1.0
 * @category models
 */
export interface PublishObserver {
  /** Runs for every event, in order; publishing waits for it. */
  readonly onEvent: (event: PublishEvent) => Effect.Effect<void>
}

/**
 * Whoever watches; by default nobody. The `onEvent` of a request takes its place for that publishing.
 *
 * @since 0.1.0
 * @category references
 */
export class PublishEvents extends Context.Reference<PublishEvents>()(
  "effect-elastic-extensions/publish/PublishEvents",
  { defaultValue: (): PublishObserver => ({ onEvent: () => Effect.void }) }
) {}

/**
 * Tells whoever watches.
 *
 * @since 0.1.0
 * @category events
 */
export const emit = (event: PublishEvent): Effect.Effect<void> =>
  Effect.flatMap(PublishEvents, ({ onEvent }) => onEvent(event))

/**
 * Runs an effect under this observer, its uploads and stagings included.
 *
 * @since 0.1.0
 * @category combinators
 */
export const observedBy =
  (observer: PublishObserver) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    self.pipe(
      Effect.provideService(PublishEvents, observer),
      Effect.provideService(UploadEvents, observer),
      Effect.provideService(StagingEvents, observer)
    )

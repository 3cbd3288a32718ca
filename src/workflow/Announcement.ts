/**
 * What happens when a release is done, or waits for somebody: a message, a deployment, a line in a changelog.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { AnnouncementFailed } from "./ReleaseError.ts"
import type { ReleaseReceipt } from "./ReleaseReceipt.ts"

/**
 * What a hook is told.
 *
 * @since 0.1.0
 * @category models
 */
export interface Notice {
  readonly receipt: ReleaseReceipt
  /** The same each time this hook is called for this release: let the receiver drop what it has seen. */
  readonly idempotencyKey: string
}

/**
 * Each hook is a step of the release: called again until it has succeeded once, and then no more. A process that dies
 * between a hook's success and its being stored makes it run twice.
 *
 * @since 0.1.0
 * @category models
 */
export interface AnnouncementHooks {
  /** The archive is in place, and approved where that was asked for. */
  readonly released: (notice: Notice) => Effect.Effect<void, AnnouncementFailed>
  /** The archive is in place and waits: `ExtensionRelease.approve` with the receipt's `executionId` lets it go on. */
  readonly approvalRequested: (notice: Notice) => Effect.Effect<void, AnnouncementFailed>
}

/**
 * Fills in hooks that do nothing.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (hooks: Partial<AnnouncementHooks>): AnnouncementHooks => ({
  released: () => Effect.void,
  approvalRequested: () => Effect.void,
  ...hooks
})

/**
 * The hooks in force: a reference, by default to hooks that do nothing.
 *
 * @since 0.1.0
 * @category references
 */
export class Announcement extends Context.Reference<Announcement>()(
  "effect-elastic-extensions/workflow/Announcement",
  { defaultValue: () => make({}) }
) {}

/**
 * These hooks, in place of none.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (hooks: Partial<AnnouncementHooks>): Layer.Layer<Announcement> =>
  Layer.succeed(Announcement, make(hooks))

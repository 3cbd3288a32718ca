/**
 * What happens when a release is done, or waits for somebody: a message, a deployment, a line in a changelog.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
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
 * Each hook is a step of the release: called again until it has succeeded once, and then no more. That is *at least* once: a
 * process or a database that dies between a hook's success and its being stored makes it run twice, with the same
 * `idempotencyKey`. A cancellation interrupts it.
 *
 * @since 0.1.0
 * @category models
 */
export interface AnnouncementHooks {
  /** The archive is in place, and approved where that was asked for. */
  readonly released: (notice: Notice) => Effect.Effect<void, AnnouncementFailed>
  /**
   * The extension holds other content than the release that is done put there, `watchFor` after it was announced: whoever wrote
   * it, it was no release, since those wait for each other.
   */
  readonly contentChanged: (notice: Notice) => Effect.Effect<void, AnnouncementFailed>
  /** How long a hook may take. Then it fails, and is called again later. Default 1 minute. */
  readonly limit: Duration.DurationInput
  /** How long after the announcement the extension is looked at once more. Default 0: not at all. */
  readonly watchFor: Duration.DurationInput
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
  contentChanged: () => Effect.void,
  limit: "1 minute",
  watchFor: 0,
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

/**
 * Watching releases from inside the process that runs them: for logs, metrics and progress.
 *
 * What is seen here is what this process does, not what the release went through: a step that another runner had completed
 * is not done again, and so not seen. For what must happen once per release, use `Announcement`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type { PublishEvent } from "../publish/PublishEvent.ts"

/**
 * The steps of a release, in their order.
 *
 * @since 0.1.0
 * @category models
 */
export type ReleaseStep =
  | "inspect"
  | "digest"
  | "ensure"
  | "transfer"
  | "verify"
  | "request-approval"
  | "announce"

/**
 * A step's work begins and ends in this process, or its upload moves. `attempt` counts from 1. A step that ended without
 * failing is stored by the engine right after its event.
 *
 * @since 0.1.0
 * @category models
 */
export type ReleaseEvent =
  | {
      readonly _tag: "StepStarted"
      readonly executionId: string
      readonly step: ReleaseStep
      readonly attempt: number
    }
  | {
      readonly _tag: "StepEnded"
      readonly executionId: string
      readonly step: ReleaseStep
      readonly attempt: number
      /** The `_tag` of the error it failed with, or `Defect`. */
      readonly failure: Option.Option<string>
    }
  | { readonly _tag: "Uploading"; readonly executionId: string; readonly event: PublishEvent }

/**
 * What to do with each event of each release in this process.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReleaseObserver {
  /** Runs for every event, in order; the release waits for it. */
  readonly onEvent: (event: ReleaseEvent) => Effect.Effect<void>
}

/**
 * Whoever watches; by default nobody.
 *
 * @since 0.1.0
 * @category references
 */
export class ReleaseEvents extends Context.Reference<ReleaseEvents>()(
  "effect-elastic-extensions/workflow/ReleaseEvents",
  { defaultValue: (): ReleaseObserver => ({ onEvent: () => Effect.void }) }
) {}

/**
 * Shows every event of every release to this observer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (onEvent: ReleaseObserver["onEvent"]): Layer.Layer<ReleaseEvents> =>
  Layer.succeed(ReleaseEvents, { onEvent })

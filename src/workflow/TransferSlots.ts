/**
 * How many archives one process sends at a time. An engine starts every release that is waiting; the line would be
 * shared by all of them, and none would be done early.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const defaultSlots = 4

/**
 * The semaphore that transfers take a permit of: a reference, by default with 4 permits for the whole process.
 *
 * @since 0.1.0
 * @category references
 */
export class TransferSlots extends Context.Reference<TransferSlots>()(
  "effect-elastic-extensions/workflow/TransferSlots",
  { defaultValue: (): Effect.Semaphore => Effect.unsafeMakeSemaphore(defaultSlots) }
) {}

/**
 * So many archives at a time, in place of four.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (slots: number): Layer.Layer<TransferSlots> =>
  Layer.effect(TransferSlots, Effect.makeSemaphore(slots))

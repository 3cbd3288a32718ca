/**
 * How many releases one process prepares at a time: inspects, digests, and finds or creates the extension of. An engine starts every
 * release that is waiting, and each of these steps keeps something in memory.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const defaultSlots = 8

/**
 * The semaphore that these steps take a permit of: a reference, by default with 8 permits for the whole process.
 *
 * @since 0.1.0
 * @category references
 */
export class PreparationSlots extends Context.Reference<PreparationSlots>()(
  "effect-elastic-extensions/workflow/PreparationSlots",
  { defaultValue: (): Effect.Semaphore => Effect.unsafeMakeSemaphore(defaultSlots) }
) {}

/**
 * So many releases at a time, in place of eight.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (slots: number): Layer.Layer<PreparationSlots> =>
  Layer.effect(PreparationSlots, Effect.makeSemaphore(slots))

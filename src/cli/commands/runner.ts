/**
 * `runner`: runs releases until it is told to stop.
 *
 * @since 0.1.0
 */
import type { Run } from "../internal/command.ts"
import type * as definitions from "../internal/definitions.ts"
import { running } from "../internal/releases/running.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const run: Run<typeof definitions.runner> = () => running

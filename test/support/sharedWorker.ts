/**
 * Runs before each test file. Files share their worker, and so the modules that are loaded in it: loading them anew for
 * each file took as long as all tests. `layer` of `@effect/vitest` replaces the methods of a worker's one `it`, for good,
 * so they are put back for the next file.
 */
import { it } from "@effect/vitest"
import { GlobalValue } from "effect"

const methods = GlobalValue.globalValue("effect-elastic-extensions/test/it", () => ({ ...it }))
Object.assign(it, methods)

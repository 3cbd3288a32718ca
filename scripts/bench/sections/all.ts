/** The sections in the order of `docs/performance.md`. */
import { compare } from "./compare.ts"
import { concurrency } from "./concurrency.ts"
import { memory } from "./memory.ts"
import { runtimes } from "./runtimes.ts"
import type { Section } from "./section.ts"
import { startup } from "./startup.ts"

export const sections: ReadonlyArray<Section> = [compare, memory, concurrency, runtimes, startup]

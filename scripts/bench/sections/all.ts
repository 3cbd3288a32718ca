/** The sections in the order of `docs/performance.md`. */
import { compare } from "./compare.ts"
import { line } from "./line.ts"
import { many } from "./many.ts"
import { memory } from "./memory.ts"
import { runtimes } from "./runtimes.ts"
import type { Section } from "./section.ts"
import { startup } from "./startup.ts"

export const sections: ReadonlyArray<Section> = [compare, line, many, memory, runtimes, startup]

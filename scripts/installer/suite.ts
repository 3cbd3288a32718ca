/** The archives that the tests make. */
import type { Sample } from "./sample.ts"

export const suite: ReadonlyArray<Sample> = []

/** The command with archives of very different sizes: its memory should stay the same. */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { contest, medians } from "../contest.ts"
import { cell, formatMemory, formatRate, formatSeconds, formatSize, markdownTable } from "../format.ts"
import { Workbench } from "../workbench.ts"
import type { Section } from "./section.ts"

const row = (payloadBytes: number) =>
  Effect.gen(function* () {
    const { archive, contenders } = yield* Workbench
    const results = yield* contest([{ contender: contenders.command, archive: yield* archive(payloadBytes) }])
    return yield* Effect.forEach(results, ({ outcome }) => Either.map(outcome, medians))
  }).pipe(
    Effect.match({
      onFailure: (reason) => [
        [formatSize(payloadBytes), typeof reason === "string" ? reason : reason.message, "–", "–"]
      ],
      onSuccess: Arr.map(({ peakBytes, wallMillis }) => [
        formatSize(payloadBytes),
        formatSeconds(wallMillis),
        formatRate(payloadBytes / wallMillis),
        cell(peakBytes, formatMemory)
      ])
    })
  )

export const memory: Section = {
  name: "memory",
  run: Effect.gen(function* () {
    const { size } = yield* Workbench
    const rows = yield* Effect.forEach([size / 16, size, size * 4], row)
    return { markdown: markdownTable(["archive", "wall", "throughput", "peak memory"], rows.flat()) }
  })
}

/** Many uploads in one process, each to an extension of its own. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { contest, medians, type Result } from "../contest.ts"
import { cell, formatMemory, formatRate, formatSeconds, formatSize, markdownTable } from "../format.ts"
import { Workbench } from "../workbench.ts"
import type { Section } from "./section.ts"

const row = ({ entry, outcome }: Result): ReadonlyArray<string> => {
  const { archive, uploads = 1 } = entry
  const what = `${uploads} × ${formatSize(archive.size)}`
  return Either.match(Either.map(outcome, medians), {
    onLeft: (reason) => [what, reason, "–", "–", "–"],
    onRight: ({ cpuMillis, peakBytes, wallMillis }) => [
      what,
      formatSeconds(wallMillis),
      formatRate((uploads * archive.size) / wallMillis),
      cell(cpuMillis, formatSeconds),
      cell(peakBytes, formatMemory)
    ]
  })
}

export const concurrency: Section = {
  name: "concurrency",
  run: Effect.gen(function* () {
    const { archive, contenders, size } = yield* Workbench
    const each = yield* archive(size / 64)
    const entries = [1, 16, 128].map((uploads) => ({ contender: contenders.library, archive: each, uploads }))
    const results = yield* contest(entries)
    return {
      markdown: markdownTable(["uploads", "wall", "throughput", "processor", "peak memory"], results.map(row))
    }
  })
}

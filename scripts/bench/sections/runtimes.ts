/** The same bundle on each runtime. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { contest, medians, type Result } from "../contest.ts"
import { cell, formatMemory, formatSeconds, markdownTable } from "../format.ts"
import { Workbench } from "../workbench.ts"
import type { Section } from "./section.ts"

const row = (runtime: string, { outcome }: Result): ReadonlyArray<string> =>
  Either.match(Either.map(outcome, medians), {
    onLeft: (reason) => [runtime, reason, "–", "–"],
    onRight: ({ cpuMillis, peakBytes, wallMillis }) => [
      runtime,
      formatSeconds(wallMillis),
      cell(cpuMillis, formatSeconds),
      cell(peakBytes, formatMemory)
    ]
  })

export const runtimes: Section = {
  name: "runtimes",
  run: Effect.gen(function* () {
    const { archive, contenders, size } = yield* Workbench
    const entered = yield* archive(size)
    const { library, libraryOnBun, libraryOnDeno, libraryOnNewestNode } = contenders
    const results = yield* contest(
      [library, libraryOnNewestNode, libraryOnBun, libraryOnDeno].map((contender) => ({
        contender,
        archive: entered
      }))
    )
    const names = [`Node ${process.versions.node}`, "Node, newest", "Bun", "Deno"]
    const rows = results.map((result, index) => row(names[index] ?? "", result))
    return { markdown: markdownTable(["runtime", "wall", "processor", "peak memory"], rows) }
  })
}

/** Many uploads in one process, each to an extension of its own. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { contest, medians, type Result } from "../contest.ts"
import {
  cell,
  formatMemory,
  formatRate,
  formatRatio,
  formatSeconds,
  formatSize,
  markdownTable
} from "../format.ts"
import { Workbench } from "../workbench.ts"
import type { Section } from "./section.ts"

const smallBytes = 64 * 1024

const row =
  (reference: Either.Either<{ readonly wallMillis: number }, string>) =>
  ({ entry, outcome }: Result): ReadonlyArray<string> => {
    const { archive, contender, uploads = 1 } = entry
    const what = [`${uploads} × ${formatSize(archive.size)}`, `\`${contender.name}\``]
    return Either.match(Either.map(outcome, medians), {
      onLeft: (reason) => [...what, reason, "–", "–", "–", "–"],
      onRight: ({ cpuMillis, peakBytes, wallMillis }) => [
        ...what,
        formatSeconds(wallMillis),
        archive.size > 2 * smallBytes
          ? "–"
          : Either.match(reference, {
              onLeft: () => "–",
              onRight: (it) => formatRatio(wallMillis / it.wallMillis)
            }),
        formatRate((uploads * archive.size) / wallMillis),
        cell(cpuMillis, formatSeconds),
        cell(peakBytes, formatMemory)
      ]
    })
  }

export const many: Section = {
  name: "many",
  run: Effect.gen(function* () {
    const { archive, contenders, size } = yield* Workbench
    const { curls, library, libraryBy64 } = contenders
    const small = yield* archive(smallBytes)
    const each = yield* archive(size / 64)
    const entries = [
      { contender: curls, archive: small, uploads: 1000 },
      { contender: libraryBy64, archive: small, uploads: 1000 },
      ...[1, 16, 128].map((uploads) => ({ contender: library, archive: each, uploads }))
    ]
    const results = yield* contest(entries, 3)
    const reference = Either.flatMap(
      Either.fromNullable(results[0], () => "it was not run"),
      ({ outcome }) => Either.map(outcome, medians)
    )
    return {
      markdown: markdownTable(
        ["uploads", "by", "wall", "ratio", "throughput", "processor", "peak memory"],
        results.map(row(reference))
      )
    }
  })
}

/** From the start of a process to its first connection, and to the first byte of the archive. */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { contest, medians, type Result, type Run } from "../contest.ts"
import { formatSeconds, markdownTable, median } from "../format.ts"
import { Workbench } from "../workbench.ts"
import type { Section } from "./section.ts"

const mebibyte = 1024 * 1024

/** Milliseconds from the start of the process. */
const since = (runs: Arr.NonEmptyReadonlyArray<Run>, moment: "connectedAt" | "firstByteAt"): number =>
  median(Arr.map(runs, ({ received, startedAt }) => (received[0]?.[moment] ?? Number.NaN) - startedAt))

const row = ({ entry, outcome }: Result): ReadonlyArray<string> => {
  const name = `\`${entry.contender.name}\``
  return Either.match(outcome, {
    onLeft: (reason) => [name, reason, "–", "–"],
    onRight: (runs) => [
      name,
      formatSeconds(since(runs, "connectedAt")),
      formatSeconds(since(runs, "firstByteAt")),
      formatSeconds(medians(runs).wallMillis)
    ]
  })
}

export const startup: Section = {
  name: "startup",
  run: Effect.gen(function* () {
    const { archive, contenders } = yield* Workbench
    const entered = yield* archive(mebibyte)
    const { command, curl, library, libraryUnbuilt, nodeHttp } = contenders
    const results = yield* contest(
      [curl, nodeHttp, command, library, libraryUnbuilt].map((contender) => ({ contender, archive: entered }))
    )
    return {
      markdown: markdownTable(["", "first connection", "first byte of the archive", "exit"], results.map(row))
    }
  })
}

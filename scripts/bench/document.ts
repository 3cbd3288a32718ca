/** Puts figures between the marks in `docs/performance.md`. */
import { cpus, totalmem } from "node:os"
import { join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import { fillMarks } from "../support/docs/marks.ts"
import { formatSize } from "./format.ts"
import type { Figures } from "./sections/section.ts"

/** The machine and settings that the figures depend on. */
export const describeMachine = (options: { readonly runs: number; readonly size: number }): string => {
  const model = cpus()[0]?.model.trim() ?? "unknown processor"
  const system = `${process.platform} ${process.arch}, Node ${process.versions.node}`
  return [
    `${cpus().length} × ${model}, ${formatSize(totalmem())} of memory, ${system}.`,
    `Medians of ${options.runs} run(s); the archive is ${formatSize(options.size)}.`
  ].join("\n")
}

/** Writes the tables of the sections that ran into `performance.md`, and their chart beside it. */
export const write = (folder: string, figures: ReadonlyArray<readonly [section: string, Figures]>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    yield* fillMarks(
      join(folder, "performance.md"),
      figures.map(([section, { markdown }]) => [section, markdown] as const)
    )
    yield* Effect.forEach(figures, ([, { svg }]) =>
      svg === undefined ? Effect.void : fs.writeFileString(join(folder, "performance.svg"), svg)
    )
  })

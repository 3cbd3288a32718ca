/** Puts figures between the marks that `docs/performance.md` has for them, and leaves the prose around them alone. */
import { cpus, totalmem } from "node:os"
import { join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { formatSize } from "./format.ts"
import type { Figures } from "./sections/section.ts"

/** A document without a place for these figures. */
export class MarksMissing extends Schema.TaggedError<MarksMissing>()("MarksMissing", {
  path: Schema.String,
  section: Schema.String
}) {
  override get message(): string {
    return `${this.path} has no <!-- figures ${this.section} --> and <!-- /figures ${this.section} -->`
  }
}

/** What the figures depend on and the document could not know. */
export const describeMachine = (options: { readonly runs: number; readonly size: number }): string => {
  const model = cpus()[0]?.model.trim() ?? "unknown processor"
  const system = `${process.platform} ${process.arch}, Node ${process.versions.node}`
  return [
    `${cpus().length} × ${model}, ${formatSize(totalmem())} of memory, ${system}.`,
    `Medians of ${options.runs} run(s); the archive is ${formatSize(options.size)}.`
  ].join("\n")
}

const replace = (path: string, text: string, section: string, markdown: string) =>
  Effect.suspend(() => {
    const [opening, closing] = [`<!-- figures ${section} -->`, `<!-- /figures ${section} -->`]
    const [start, end] = [text.indexOf(opening), text.indexOf(closing)]
    return start < 0 || end < start
      ? new MarksMissing({ path, section })
      : Effect.succeed(`${text.slice(0, start + opening.length)}\n\n${markdown}\n\n${text.slice(end)}`)
  })

/** Writes the tables of the sections that ran into `performance.md`, and their chart beside it. */
export const write = (folder: string, figures: ReadonlyArray<readonly [section: string, Figures]>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = join(folder, "performance.md")
    const before = yield* fs.readFileString(path)
    const after = yield* Effect.reduce(figures, before, (text, [section, { markdown }]) =>
      replace(path, text, section, markdown)
    )
    yield* fs.writeFileString(path, after)
    yield* Effect.forEach(figures, ([, { svg }]) =>
      svg === undefined ? Effect.void : fs.writeFileString(join(folder, "performance.svg"), svg)
    )
  })

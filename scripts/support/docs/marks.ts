/** Replaces the generated parts of a document, each between marks that name it. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** A document without a place for these figures. */
export class MarksMissing extends Schema.TaggedError<MarksMissing>()("MarksMissing", {
  path: Schema.String,
  section: Schema.String
}) {
  override get message(): string {
    return `${this.path} has no <!-- figures ${this.section} --> and <!-- /figures ${this.section} -->`
  }
}

const replace = (path: string, text: string, section: string, markdown: string) =>
  Effect.suspend(() => {
    const [opening, closing] = [`<!-- figures ${section} -->`, `<!-- /figures ${section} -->`]
    const [start, end] = [text.indexOf(opening), text.indexOf(closing)]
    return start < 0 || end < start
      ? new MarksMissing({ path, section })
      : Effect.succeed(`${text.slice(0, start + opening.length)}\n\n${markdown}\n\n${text.slice(end)}`)
  })

/** Puts Markdown into the sections of a document, by their names. */
export const fillMarks = (path: string, sections: Iterable<readonly [section: string, markdown: string]>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const before = yield* fs.readFileString(path)
    const after = yield* Effect.reduce(sections, before, (text, [section, markdown]) =>
      replace(path, text, section, markdown)
    )
    yield* fs.writeFileString(path, after)
  })

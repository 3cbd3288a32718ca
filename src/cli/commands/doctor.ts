/**
 * `doctor`: what works on the way to Elastic Cloud, what does not, and what to do.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as UploadHttpClient from "../../transfer/UploadHttpClient.ts"
import { byTag, exitCodes } from "../ExitCode.ts"
import * as Command from "../internal/command.ts"
import { diagnosis } from "../internal/doctor/diagnosis.ts"
import type { Finding } from "../internal/doctor/finding.ts"
import { examineStore } from "../internal/doctor/store.ts"
import { Exited, Output } from "../internal/output.ts"
import type { Style } from "../internal/terminal.ts"
import { indent, pageWidth, wrap } from "../internal/text.ts"
import * as Variables from "../internal/variables.ts"

const Found = Schema.TaggedStruct("Finding", {
  check: Schema.String,
  verdict: Schema.Literal("ok", "warning", "problem"),
  says: Schema.String,
  remedy: Schema.optional(Schema.String)
})

const Diagnosis = Schema.TaggedStruct("Diagnosis", {
  ok: Schema.Number,
  warnings: Schema.Number,
  problems: Schema.Number
})

/** Settings that cannot be used are a finding of their own; the rest is examined with the defaults. */
const transport = Layer.orElse(UploadHttpClient.layerConfig, () => UploadHttpClient.layer())

/**
 * @since 0.1.0
 * @category commands
 */
export const doctor = Command.define({
  name: "doctor",
  summary: "Check everything an upload needs: settings, network, key, clock, server and journal.",
  details: [
    "Sends no archive and changes no extension. It announces two uploads to extensions that do not exist, to learn what the key may do and whether the server answers before it has the whole archive. The exit code is that of the first problem, or 0 if there is none.",
    "With --stage it also tries, one by one, what staging needs to be allowed in the object store: on an object of a few bytes, which it removes again."
  ],
  examples: [
    ["doctor", "Before the first upload, and whenever one fails."],
    ["doctor --stage s3://builds/elastic", "Before the first upload by way of an object store."],
    ["doctor --json", "The same for a program, one finding per line."]
  ],
  takes: {},
  variables: Variables.unfinished,
  run: Effect.fnUntraced(function* (_taken, givens) {
    const output = yield* Output
    const tryStore = givens.some(({ option }) => option === "--stage")
    const findings = yield* diagnosis.pipe(
      Stream.concat(Stream.fromIterableEffect(examineStore(tryStore))),
      Stream.tap((finding) => {
        const lines = linesOf(finding, output.style)
        const { check, remedy, says, verdict } = finding
        return output.part({
          schema: Found,
          value: { _tag: "Finding", check, verdict, says, remedy: Option.getOrUndefined(remedy) },
          lines,
          quietLines: verdict === "problem" ? lines : []
        })
      }),
      Stream.runCollect,
      Effect.map(Chunk.toReadonlyArray),
      Effect.provide(transport)
    )
    const count = (verdict: Finding["verdict"]) =>
      findings.filter((finding) => finding.verdict === verdict).length
    const counts = { ok: count("ok"), warnings: count("warning"), problems: count("problem") }
    yield* output.result({
      schema: Diagnosis,
      value: Diagnosis.make(counts),
      lines: ["", verdictOf(counts)]
    })
    const code = codeOf(findings)
    if (code !== exitCodes.done) return yield* new Exited({ code })
  })
})

/** Where what was found begins, after the mark and the name of the check. */
const margin = 14

const marks = { ok: "✓", warning: "!", problem: "✗" } as const

const linesOf = ({ check, remedy, says, verdict }: Finding, style: Style): ReadonlyArray<string> => {
  const colour = { ok: style.green, warning: style.yellow, problem: style.red }[verdict]
  const [first = "", ...rest] = [says, ...Option.toArray(remedy)].flatMap((text) =>
    wrap(text, pageWidth - margin)
  )
  return [`${colour(marks[verdict])} ${check.padEnd(margin - 2)}${first}`, ...indent(rest, margin)]
}

const verdictOf = ({ problems, warnings }: Omit<typeof Diagnosis.Type, "_tag">): string => {
  if (problems > 0) return problems === 1 ? "There is 1 problem." : `There are ${problems} problems.`
  if (warnings > 0) return `Uploads will work; see the ${warnings === 1 ? "warning" : "warnings"} above.`
  return "Everything is fine."
}

/** Later problems often follow from the first. */
const codeOf = (findings: ReadonlyArray<Finding>): number =>
  Option.match(
    Arr.findFirst(findings, ({ failure }) => failure),
    { onNone: () => exitCodes.done, onSome: ({ _tag }) => exitCodes[byTag[_tag]] }
  )

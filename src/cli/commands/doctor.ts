/**
 * `doctor`: what works on the way to Elastic Cloud, what does not, and what to do.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Chunk from "effect/Chunk"
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as UploadHttpClient from "../../transfer/UploadHttpClient.ts"
import { byTag, exitCodes } from "../ExitCode.ts"
import { diagnosis } from "../internal/doctor/diagnosis.ts"
import type { Finding } from "../internal/doctor/finding.ts"
import { Exited, framed } from "../internal/frame.ts"
import { indent, wrap } from "../internal/layout.ts"
import * as options from "../internal/options.ts"
import { Output } from "../internal/output.ts"
import * as Settings from "../internal/settings.ts"
import type { Style } from "../internal/style.ts"

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
export const doctor = Command.make(
  "doctor",
  { output: options.output, settings: Settings.all(options.connection, options.journal) },
  () =>
    Effect.gen(function* () {
      const output = yield* Output
      const findings = yield* diagnosis.pipe(
        Stream.tap(({ check, remedy, says, verdict }) =>
          output.event(Found, { _tag: "Finding", check, verdict, says, remedy })
        ),
        Stream.runCollect,
        Effect.map(Chunk.toReadonlyArray),
        Effect.provide(transport)
      )
      const count = (verdict: Finding["verdict"]) =>
        findings.filter((finding) => finding.verdict === verdict).length
      const counts = { ok: count("ok"), warnings: count("warning"), problems: count("problem") }
      const linesOf = (some: ReadonlyArray<Finding>) => some.flatMap((one) => lines(one, output.style))
      yield* output.result({
        schema: Diagnosis,
        value: Diagnosis.make(counts),
        lines: [...linesOf(findings), "", verdict(counts)],
        quietLines: linesOf(findings.filter((finding) => finding.verdict === "problem"))
      })
      const code = codeOf(findings)
      if (code !== exitCodes.done) yield* new Exited({ code })
    })
).pipe(
  framed({
    summary: "Examine the way to Elastic Cloud: settings, network, key, clock, server and journal.",
    details: [
      "Sends no archive and changes nothing. Two uploads are announced, to extensions that do not exist, to learn what the key may do and whether the server answers before it has the whole archive. The exit code is that of the first problem, 0 if there is none."
    ],
    examples: [
      ["doctor", "Before the first upload, and whenever one fails."],
      ["doctor --json", "The same for a program, one finding a line."]
    ]
  })
)

/** Where what was looked at begins, behind a mark; a page is 80 columns wide. */
const margin = 14
const pageWidth = 80

const marks = { ok: "✓", warning: "!", problem: "✗" } as const

const lines = ({ check, remedy, says, verdict }: Finding, style: Style): ReadonlyArray<string> => {
  const colour = { ok: style.green, warning: style.yellow, problem: style.red }[verdict]
  const text = [says, ...(remedy === undefined ? [] : [remedy])].flatMap((part) =>
    wrap(part, pageWidth - margin)
  )
  return [`${colour(marks[verdict])} ${check.padEnd(margin - 2)}${text[0]}`, ...indent(text.slice(1), margin)]
}

const verdict = ({
  problems,
  warnings
}: {
  readonly problems: number
  readonly warnings: number
}): string => {
  if (problems > 0) return problems === 1 ? "There is a problem." : `There are ${problems} problems.`
  return warnings === 0 ? "Everything is well." : "Uploads will work, with what is said above."
}

/** Later problems often follow from the first. */
const codeOf = (findings: ReadonlyArray<Finding>): number => {
  const error = findings.find(({ verdict }) => verdict === "problem")?.error
  if (error === undefined) return exitCodes.done
  return ConfigError.isConfigError(error) ? exitCodes.usage : exitCodes[byTag[error._tag]]
}

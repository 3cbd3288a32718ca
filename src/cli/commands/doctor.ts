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
import * as Stream from "effect/Stream"
import * as UploadHttpClient from "../../transfer/UploadHttpClient.ts"
import { byTag, exitCodes } from "../ExitCode.ts"
import type { Run } from "../internal/command.ts"
import type * as definitions from "../internal/definitions.ts"
import { diagnosis } from "../internal/doctor/diagnosis.ts"
import type { Finding } from "../internal/doctor/finding.ts"
import { examineStore } from "../internal/doctor/store.ts"
import { waiting } from "../internal/live.ts"
import { Exited, Output } from "../internal/output.ts"
import * as Results from "../internal/results.ts"
import type { Style } from "../internal/style.ts"
import { indent, wrap } from "../internal/text.ts"

/** Settings that cannot be used are a finding of their own; the rest is examined with the defaults. */
const transport = Layer.unwrapEffect(
  UploadHttpClient.config.pipe(
    // It sends nothing that takes a server long.
    Effect.map(({ readTimeout, ...options }) => ({ ...options, readTimeout, responseTimeout: readTimeout })),
    Effect.orElseSucceed(() => ({ responseTimeout: "30 seconds" as const })),
    Effect.map((options) => UploadHttpClient.layer(options))
  )
)

/**
 * @since 0.1.0
 * @category commands
 */
export const run: Run<typeof definitions.doctor> = Effect.fnUntraced(function* (_taken, givens) {
  const output = yield* Output
  const tryStore = givens.some(({ option }) => option === "--stage")
  const live = yield* waiting(Effect.succeed("checking what an upload needs"))
  const findings = yield* diagnosis.pipe(
    Stream.concat(Stream.fromIterableEffect(examineStore(tryStore))),
    Stream.tap((finding) => {
      const lines = linesOf(finding, output)
      const { check, remedy, says, verdict } = finding
      return live.above(
        output.part({
          schema: Results.Found,
          value: { _tag: "Finding", check, verdict, says, remedy: Option.getOrUndefined(remedy) },
          lines,
          quietLines: verdict === "problem" ? lines : []
        })
      )
    }),
    Stream.runCollect,
    Effect.map(Chunk.toReadonlyArray),
    Effect.provide(transport)
  )
  const count = (verdict: Finding["verdict"]) =>
    findings.filter((finding) => finding.verdict === verdict).length
  const counts = { ok: count("ok"), warnings: count("warning"), problems: count("problem") }
  yield* output.result({
    schema: Results.Diagnosis,
    value: Results.Diagnosis.make(counts),
    lines: ["", verdictOf(counts)]
  })
  const code = codeOf(findings)
  if (code !== exitCodes.done) return yield* new Exited({ code })
}, Effect.scoped)

/** Where what was found begins, after the mark and the name of the check. */
const margin = 14

const marks = { ok: "✓", warning: "!", problem: "✗" } as const

const linesOf = (
  { check, remedy, says, verdict }: Finding,
  { style, width }: { readonly style: Style; readonly width: number }
): ReadonlyArray<string> => {
  const colour = { ok: style.green, warning: style.yellow, problem: style.red }[verdict]
  const [first = "", ...rest] = [says, ...Option.toArray(remedy)].flatMap((text) =>
    wrap(text, width - margin)
  )
  return [`${colour(marks[verdict])} ${check.padEnd(margin - 2)}${first}`, ...indent(rest, margin)]
}

const verdictOf = ({ problems, warnings }: Omit<typeof Results.Diagnosis.Type, "_tag">): string => {
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

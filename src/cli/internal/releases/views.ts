/** Releases for people: in a list, and one by itself. */
import { printable } from "../../../outsideText.ts"
import type { ReleaseDetails, ReleasePage } from "../../../workflow/ReleaseList.ts"
import type { ReleaseSummary, StepRecord, WaitsFor } from "../../../workflow/ReleaseRecord.ts"
import { commandLine, duration, type Fact, facts, indent, table } from "../text.ts"

export const listReleases = ({ next, releases }: ReleasePage, now: number): ReadonlyArray<string> => [
  ...table(
    ["EXECUTION", "STATE", "AGE", "EXTENSION", "RELEASE", ""],
    releases.map((release) => [
      release.executionId,
      release.state,
      duration(Math.max(0, now - release.submittedAtMillis)),
      extensionOf(release),
      release.attempt === 1
        ? printable(release.releaseId)
        : `${printable(release.releaseId)}, attempt ${release.attempt}`,
      because(release, now)
    ]),
    "There are no such releases."
  ),
  ...(next === null ? [] : [`There are more: list again with --after ${next}.`])
]

const extensionOf = ({ extension }: ReleaseSummary): string =>
  extension._tag === "Id" ? extension.id : `${extension.type} ${printable(extension.name)}`

const because = ({ failure, waitsFor }: ReleaseSummary, now: number): string => {
  if (waitsFor !== null) return `waits for ${waitingFor(waitsFor, now)}`
  return failure === null ? "" : failure.tag
}

const waitingFor = (waitsFor: WaitsFor, now: number): string => {
  const until = (atMillis: number) => `in ${duration(Math.max(0, atMillis - now))}`
  switch (waitsFor._tag) {
    case "Turn":
      return `its turn, behind ${waitsFor.of}`
    case "Approval":
      return "an approval"
    case "Retry":
      return `attempt ${waitsFor.attempt} of ${waitsFor.step}, ${until(waitsFor.atMillis)}`
    case "Runner":
      return "a runner that can read it"
    case "SecondLook":
      return `its second look, ${until(waitsFor.atMillis)}`
  }
}

/** `short` for somebody who follows it: where it is, and what it does now. */
export const describeRelease = (
  { receipt, steps, summary }: ReleaseDetails,
  now: number,
  length: "short" | "full"
): ReadonlyArray<string> => {
  const current = steps.findLast(({ state }) => state === "running")
  const doing = current === undefined || summary.state !== "running" ? "" : `, ${current.step}`
  const heading = `${printable(summary.releaseId)}: ${summary.state}${doing}`
  if (length === "short") {
    return [
      summary.waitsFor === null ? heading : `${heading}, waits for ${waitingFor(summary.waitsFor, now)}`
    ]
  }
  const more: ReadonlyArray<Fact> = [
    ["execution", summary.executionId],
    ["attempt", String(summary.attempt)],
    ["extension", extensionOf(summary)],
    ...(summary.extensionId === null ? [] : [["extension id", printable(summary.extensionId)] as const]),
    ["SHA-256", summary.sha256],
    ["submitted", new Date(summary.submittedAtMillis).toISOString()],
    ...(summary.runner === null ? [] : [["runner", printable(summary.runner)] as const]),
    ...(summary.waitsFor === null ? [] : [["waits for", waitingFor(summary.waitsFor, now)] as const]),
    ...(summary.decision === null ? [] : [[summary.decision.verdict, decided(summary.decision)] as const]),
    ...(receipt === null ? [] : [["proved by", receipt.proof] as const])
  ]
  return [
    heading,
    "",
    ...facts(more),
    "",
    ...indent(
      table(
        ["STEP", "ATTEMPT", "STATE", "TOOK", "RUNNER"],
        steps.map((step) => [
          step.step,
          String(step.attempt),
          step.state,
          took(step, now),
          printable(step.runner)
        ]),
        "No step has begun yet."
      ),
      2
    ),
    ...steps.flatMap(({ attempt, failure, step }) =>
      failure === null ? [] : ["", `${step}, attempt ${attempt}: ${failure.tag}`, `  ${failure.message}`]
    ),
    ...(summary.failure === null
      ? []
      : ["", `It ended as ${summary.failure.tag}.`, `  ${summary.failure.message}`]),
    ...(summary.state === "held"
      ? ["", `To let it go on: ${commandLine("releases", "approve", summary.executionId)}`]
      : [])
  ]
}

const decided = ({ by, note }: NonNullable<ReleaseSummary["decision"]>): string =>
  note === undefined ? `by ${printable(by)}` : `by ${printable(by)}: ${printable(note)}`

const took = ({ endedAtMillis, startedAtMillis }: StepRecord, now: number): string =>
  duration(Math.max(0, (endedAtMillis ?? now) - startedAtMillis))

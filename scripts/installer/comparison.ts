/** Our verdict beside the oracle's. */
import type { ArchiveInspection } from "../../src/archive/ArchiveInspection.ts"
import { covers, type Reason } from "./harsher.ts"
import type { Verdict } from "./oracle.ts"
import type { Sample } from "./sample.ts"

/** An archive, as both saw it. */
export interface Judged {
  readonly sample: Sample
  readonly verdict: Verdict
  readonly inspection: ArchiveInspection
}

export type Disagreement =
  | { readonly _tag: "Milder"; readonly sample: Sample; readonly reason: string }
  | { readonly _tag: "Harsher"; readonly sample: Sample; readonly errors: ReadonlyArray<string> }
  | { readonly _tag: "ReadOtherwise"; readonly sample: Sample; readonly key: string; readonly values: Values }

interface Values {
  readonly ours: string | undefined
  readonly theirs: string | undefined
}

/** What the two do not agree on, harsher verdicts with a reason for each error aside. */
export const disagreements = (
  { inspection, sample, verdict }: Judged,
  reasons: ReadonlyArray<Reason>
): ReadonlyArray<Disagreement> => {
  const { errors } = inspection
  if (verdict._tag === "Refused") {
    return errors.length > 0 ? [] : [{ _tag: "Milder", sample, reason: `${verdict.step}: ${verdict.reason}` }]
  }
  const unexplained = errors.filter((problem) => !reasons.some((reason) => covers(reason, problem)))
  if (unexplained.length > 0) {
    return [
      { _tag: "Harsher", sample, errors: unexplained.map(({ code, message }) => `${code}: ${message}`) }
    ]
  }
  if (errors.length > 0) return []
  const keys = new Set([...Object.keys(verdict.descriptor), ...Object.keys(inspection.descriptor)])
  return [...keys].flatMap((key) => {
    const values: Values = { ours: inspection.descriptor[key], theirs: verdict.descriptor[key] }
    return values.ours === values.theirs ? [] : [{ _tag: "ReadOtherwise" as const, sample, key, values }]
  })
}

/** The reasons whose witness does not need them any more: the oracle refuses it, or we do not, or for something else. */
export const unused = (
  judged: ReadonlyArray<Judged>,
  reasons: ReadonlyArray<Reason>
): ReadonlyArray<Reason> =>
  reasons.filter(
    (reason) =>
      !judged.some(
        ({ inspection, sample, verdict }) =>
          sample.bytes === reason.witness &&
          verdict._tag === "Installed" &&
          inspection.errors.some((problem) => covers(reason, problem))
      )
  )

export const describe = (disagreement: Disagreement): string => {
  switch (disagreement._tag) {
    case "Milder":
      return `milder than the oracle, which refuses it (${disagreement.reason})`
    case "Harsher":
      return `harsher than the oracle, for no reason listed (${disagreement.errors.join("; ")})`
    case "ReadOtherwise": {
      const { ours, theirs } = disagreement.values
      return `reads "${disagreement.key}" as ${JSON.stringify(ours)}, the oracle as ${JSON.stringify(theirs)}`
    }
  }
}

/** What a runtime tells of its part of the soak, and the verdict on it. */
import * as Schema from "effect/Schema"

export const Ended = Schema.TaggedStruct("Ended", {
  extensionId: Schema.String,
  sha256: Schema.String,
  /** The tag of the receipt or of the error. */
  result: Schema.String,
  proof: Schema.NullOr(Schema.String)
})
export type Ended = typeof Ended.Type

export const Usage = Schema.Struct({
  _tag: Schema.Literal("Before", "After"),
  descriptors: Schema.Number,
  sockets: Schema.Number,
  listeners: Schema.Number,
  heapBytes: Schema.Number,
  residentBytes: Schema.Number
})
export type Usage = typeof Usage.Type

export const Line = Schema.parseJson(Schema.Union(Ended, Usage))

export interface Soaked {
  readonly name: string
  readonly ended: ReadonlyArray<Ended>
  readonly before: Usage
  readonly after: Usage
  /** Extensions that hold something else than what was proved to be there last. */
  readonly mixedUp: ReadonlyArray<string>
}

const isRight = ({ proof, result }: Ended): boolean =>
  (result === "Uploaded" || result === "AlreadyCurrent") && proof === "hash"

/** Names of errors; a defect is told with its text. */
const isTyped = ({ result }: Ended): boolean => /^[A-Z]\w+$/.test(result)

/** What must not be, in words; empty when all is well. */
export const complaintsOf = ({ after, before, ended, mixedUp, name }: Soaked): ReadonlyArray<string> => {
  const wrong = ended.filter((one) => !isRight(one) && !isTyped(one)).map(({ result }) => result)
  const grown = (["descriptors", "sockets", "listeners"] as const).filter(
    (what) => after[what] > before[what] + (what === "descriptors" ? 2 : 0)
  )
  return [
    ...(ended.some(isRight) ? [] : ["nothing was uploaded"]),
    ...wrong,
    ...mixedUp.map((id) => `extension ${id} holds another archive than the one that was proved to be there`),
    ...grown.map((what) => `${what}: ${before[what]} before, ${after[what]} after`),
    ...(after.heapBytes > before.heapBytes + 64_000_000
      ? [`heap: ${megabytes(before.heapBytes)} before, ${megabytes(after.heapBytes)} after`]
      : [])
  ].map((complaint) => `${name}: ${complaint}`)
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`

const failuresOf = (ended: ReadonlyArray<Ended>): string => {
  const failed = ended.filter((one) => !isRight(one)).map(({ result }) => result)
  const counts = [...new Set(failed)]
    .sort()
    .map((tag) => `${failed.filter((one) => one === tag).length} ${tag}`)
  return counts.length === 0 ? "none" : counts.join(", ")
}

/** As Markdown. */
export const tableOf = (all: ReadonlyArray<Soaked>): string => {
  const headings = [
    "runtime",
    "uploads",
    "proved by hash",
    "errors, all typed",
    "descriptors",
    "sockets",
    "listeners",
    "heap",
    "resident at the end"
  ]
  const rows = all.map(({ after, before, ended, name }) => [
    name,
    String(ended.length),
    String(ended.filter(isRight).length),
    failuresOf(ended),
    ...(["descriptors", "sockets", "listeners"] as const).map((what) => `${before[what]} → ${after[what]}`),
    `${megabytes(before.heapBytes)} → ${megabytes(after.heapBytes)}`,
    megabytes(after.residentBytes)
  ])
  return [headings, headings.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n")
}

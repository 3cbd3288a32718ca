/** What a runner in a process of its own tells the test, a line of JSON each, on its standard output. */
import { Schema } from "effect"

/** That the engine runs. */
const Ready = Schema.TaggedStruct("Ready", {})

/** What `ReleaseEvents` say, `moment` being the tag of the event, or of the upload's event. */
const Moment = Schema.TaggedStruct("Moment", {
  moment: Schema.String,
  step: Schema.String,
  executionId: Schema.String,
  attempt: Schema.Number
})

/** The one effect on the outside that a release has besides the server. */
const Announced = Schema.TaggedStruct("Announced", {
  executionId: Schema.String,
  idempotencyKey: Schema.String
})

/** How a release, or what else the process was told to do, ended. */
const Result = Schema.TaggedStruct("Result", { outcome: Schema.String, sha256: Schema.String })

export const Report = Schema.Union(Ready, Moment, Announced, Result)
export type Report = typeof Report.Type

/** A report, and when it reached the test, in milliseconds. */
export type Heard = Report & { readonly at: number }

const mark = "report: "
const json = Schema.parseJson(Report)

/** A line of its own among whatever else a process may write. */
export const encodeReport = (report: Report) => `${mark}${Schema.encodeSync(json)(report)}`
export const isReport = (line: string) => line.startsWith(mark)
export const decodeReport = (line: string) => Schema.decodeSync(json)(line.slice(mark.length))

export const momentName = (moment: string, step: string) => `${moment} ${step}`

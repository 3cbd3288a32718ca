/** What every error that came out of an answer carries, and how it speaks. */
import * as Schema from "effect/Schema"
import { ApiError } from "../Extension.ts"
import { ExtensionId } from "../ExtensionId.ts"

export const Operation = Schema.Literal("list", "get", "create", "update", "upload", "delete", "download")

/** Where a value did not fit: a path such as `body.file_metadata.size`, and what was expected there. */
export const Problem = Schema.Struct({ path: Schema.String, message: Schema.String })

export const callFields = {
  operation: Operation,
  /** Absent for operations that are not about one existing extension. */
  extensionId: Schema.optionalWith(ExtensionId, { exact: true })
}

export const answerFields = {
  ...callFields,
  status: Schema.Number,
  /** Response headers that let the service's support find the request, and its rate limits. */
  requestContext: Schema.Record({ key: Schema.String, value: Schema.String }),
  /** What the service itself listed. */
  errors: Schema.Array(ApiError),
  /** The service's `Retry-After`, in milliseconds from the moment the answer was read. */
  retryAfterMillis: Schema.optionalWith(Schema.Number, { exact: true })
}

export const undocumentedFields = {
  ...answerFields,
  /** At most the first 4 KiB of the body, without secrets. */
  body: Schema.String
}

type CallContext = Schema.Struct.Type<typeof callFields>
type AnswerContext = Schema.Struct.Type<typeof answerFields>

const attempts: Record<typeof Operation.Type, string> = {
  list: "Listing the extensions",
  get: "Reading the extension",
  create: "Creating the extension",
  update: "Updating the extension",
  upload: "Uploading to the extension",
  delete: "Deleting the extension",
  download: "Downloading the stored archive"
}

// Quoted as JSON: what a server or a caller wrote must not move the reader's cursor.
const quote = (text: string) => JSON.stringify(text)

export const attempt = (call: CallContext): string =>
  call.extensionId === undefined
    ? attempts[call.operation]
    : `${attempts[call.operation]} ${quote(call.extensionId)}`

const said = (errors: ReadonlyArray<ApiError>): string =>
  errors.length === 0
    ? ""
    : ` The service says: ${errors.map((error) => `${quote(error.message)} (${error.code})`).join(", ")}.`

export const describe = (answer: AnswerContext, what: string, remedy: string): string =>
  `${attempt(answer)} failed: ${what} (status ${answer.status}).${said(answer.errors)} ${remedy}`

export const waitHint = (answer: AnswerContext): string =>
  answer.retryAfterMillis === undefined
    ? "Try again later"
    : `Try again in ${Math.ceil(answer.retryAfterMillis / 1000)} s`

export const listProblems = (problems: ReadonlyArray<typeof Problem.Type>): string =>
  problems.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; ")

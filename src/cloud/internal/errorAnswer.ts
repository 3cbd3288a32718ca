/** From an answer that is no success to the one error it stands for. */
import type * as Headers from "@effect/platform/Headers"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type ApiError, ApiErrorBody } from "../Extension.ts"
import type { ExtensionId } from "../ExtensionId.ts"
import * as Errors from "../ExtensionsError.ts"
import { readErrorBody } from "./responseBody.ts"
import { parseRetryAfter } from "./retryAfter.ts"

/** One call of an operation, and how to take its secrets out of what comes back. */
export interface Call {
  readonly operation: Errors.Operation
  readonly extensionId?: ExtensionId
  readonly scrub: (text: string) => string
}

const scrubbedLength = 64 * 1024
const keptBodyBytes = 4096
const keptErrors = 20
const supportHeaders = /^(x-(request-id|correlation-id|cloud-request-id|found-.+|ratelimit-.+)|cf-ray)$/
const secretHeaders = /^((set-)?cookie|(proxy-)?authorization|.*(token|secret|api-?key|signature).*)$/

const keepHeaders = (call: Call, headers: Headers.Headers, keep: (name: string) => boolean) =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (keep(name) ? [[name, call.scrub(value)]] : []))
  )

const retryAfterMillis = (headers: Headers.Headers): Effect.Effect<{ readonly retryAfterMillis?: number }> =>
  Effect.map(Clock.currentTimeMillis, (now) =>
    Option.match(
      Option.flatMap(Option.fromNullable(headers["retry-after"]), (value) => parseRetryAfter(value, now)),
      {
        onNone: () => ({}),
        onSome: (retryAfterMillis) => ({ retryAfterMillis })
      }
    )
  )

/** What every error of one answer carries. */
export const answerContext = (
  call: Call,
  response: HttpClientResponse,
  errors: ReadonlyArray<ApiError> = []
) =>
  Effect.map(retryAfterMillis(response.headers), (hint) => ({
    operation: call.operation,
    ...(call.extensionId === undefined ? {} : { extensionId: call.extensionId }),
    status: response.status,
    requestContext: keepHeaders(call, response.headers, (name) => supportHeaders.test(name)),
    errors,
    ...hint
  }))

type AnswerContext = Effect.Effect.Success<ReturnType<typeof answerContext>>

const documented = {
  "extensions.request_execution_failed": (context: AnswerContext) =>
    new Errors.RequestExecutionFailed(context),
  "extensions.unauthorised": (context: AnswerContext) => new Errors.Unauthorised(context),
  "extensions.no_user_id": (context: AnswerContext) => new Errors.NoUserId(context),
  "extensions.not_found": (context: AnswerContext) => new Errors.ExtensionNotFound(context),
  "extensions.version_conflict": (context: AnswerContext) => new Errors.VersionConflict(context),
  "extensions.id_already_exists": (context: AnswerContext) => new Errors.IdAlreadyExists(context),
  "extensions.extension_in_use": (context: AnswerContext) => new Errors.ExtensionInUse(context)
}

const isDocumented = (code: string): code is keyof typeof documented => Object.hasOwn(documented, code)

const headerCodes = (headers: Headers.Headers): ReadonlyArray<string> =>
  (headers["x-cloud-error-codes"] ?? "").split(",").map((code) => code.trim())

const decodeErrors = Schema.decodeOption(Schema.parseJson(ApiErrorBody))

const scrubError = (call: Call, error: ApiError): ApiError => ({
  code: call.scrub(error.code),
  message: call.scrub(error.message),
  fields: Option.map(error.fields, Arr.map(call.scrub))
})

const listedErrors = (call: Call, body: string): ReadonlyArray<ApiError> =>
  Option.match(decodeErrors(body), {
    onNone: () => [],
    onSome: ({ errors }) => Arr.take(errors, keptErrors).map((error) => scrubError(call, error))
  })

// Scrubbed before it is cut to size: half a key would not be recognised.
const keepBody = (call: Call, body: string): string =>
  new TextDecoder().decode(
    new TextEncoder().encode(call.scrub(body.slice(0, scrubbedLength))).subarray(0, keptBodyBytes),
    {
      stream: true
    }
  )

const isHtml = (response: HttpClientResponse, body: string): boolean =>
  /^text\/html\b/i.test(response.headers["content-type"] ?? "") || /^\s*<(!doctype\s+html|html)\b/i.test(body)

const byStatus = (
  context: AnswerContext & { readonly body: string },
  call: Call,
  response: HttpClientResponse
): Errors.ExtensionsError => {
  switch (context.status) {
    case 401:
      return new Errors.AuthenticationFailed(context)
    case 403:
      return new Errors.Forbidden({
        ...context,
        reason: isHtml(response, context.body) ? "Firewall" : "Refused"
      })
    case 408:
      return new Errors.RequestTimeout(context)
    case 409:
      return new Errors.Conflict(context)
    case 413:
      return new Errors.PayloadTooLarge(context)
    case 429:
      return new Errors.RateLimited(context)
    case 449:
      return new Errors.ElevatedPermissionsRequired(context)
  }
  if (context.status >= 500) return new Errors.ServiceUnavailable(context)
  return new Errors.UnexpectedResponse({
    ...context,
    headers: keepHeaders(call, response.headers, (name) => !secretHeaders.test(name))
  })
}

/** The error by its status alone, for answers that can hold no code. */
export const statusError = (
  call: Call,
  response: HttpClientResponse,
  body: string
): Effect.Effect<Errors.ExtensionsError> =>
  Effect.map(answerContext(call, response), (context) =>
    byStatus({ ...context, body: keepBody(call, body) }, call, response)
  )

/** The first documented code in the body, else in the header, else what the status means. */
export const errorOf = (call: Call, response: HttpClientResponse): Effect.Effect<Errors.ExtensionsError> =>
  Effect.gen(function* () {
    const body = yield* readErrorBody(response)
    const errors = listedErrors(call, body)
    const context = yield* answerContext(call, response, errors)
    const code = [...errors.map((error) => error.code), ...headerCodes(response.headers)].find(isDocumented)
    return code === undefined
      ? byStatus({ ...context, body: keepBody(call, body) }, call, response)
      : documented[code](context)
  })

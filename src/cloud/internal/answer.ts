/** From an answer to the value it holds, or to the error it stands for. */
import type * as Headers from "@effect/platform/Headers"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as AnswerBody from "../../transfer/AnswerBody.ts"
import { retryAfterMillis } from "../../transfer/RetryPolicy.ts"
import { fromHttpClientError, type TransferError } from "../../transfer/TransferError.ts"
import { type ApiError, ApiErrorBody } from "../Extension.ts"
import type { ExtensionId } from "../ExtensionId.ts"
import * as Errors from "../ExtensionsError.ts"

/** One call of an operation, and how to take its secrets out of what comes back. */
export interface Call {
  readonly operation: Errors.Operation
  readonly extensionId?: ExtensionId
  readonly scrub: (text: string) => string
}

/** How the answer to one operation is read: status, headers and body in one schema. */
export interface Expected<A, I> {
  readonly status: number
  readonly schema: Schema.Schema<A, I>
  /** Stands in for a body that is not there, where the operation has nothing to say. */
  readonly emptyBody?: string
}

/** Why a success is not taken for one. */
export type Refusal = Pick<Errors.InvalidResponse, "reason" | "problems">

/** Another 2xx than the expected one is good enough when everything that was expected is in it. */
export const read =
  <A, I>(
    call: Call,
    expected: Expected<A, I>,
    /** Looks at what was read: it can be well formed, and still not the answer to this request. */
    check: (value: A) => Option.Option<Refusal> = Option.none
  ) =>
  (response: HttpClientResponse): Effect.Effect<A, Errors.ExtensionsError | TransferError> =>
    response.status >= 200 && response.status < 300
      ? readSuccess(call, expected, check, response)
      : Effect.flip(errorOf(call, response))

const readSuccess = Effect.fnUntraced(function* <A, I>(
  call: Call,
  expected: Expected<A, I>,
  check: (value: A) => Option.Option<Refusal>,
  response: HttpClientResponse
): Effect.fn.Return<A, Errors.ExtensionsError | TransferError> {
  const { end, text } = yield* Effect.mapError(
    AnswerBody.collect(response, { maxBytes: maxAnswerBytes, maxMillis: maxAnswerMillis }),
    fromHttpClientError
  )
  const decoded =
    end === "Whole"
      ? decodeBody(call, expected, response, text)
      : Either.left<Refusal>({ reason: end, problems: [] })
  const accepted = Either.flatMap(decoded, (value) =>
    Option.match(check(value), {
      onNone: () => Either.right(value),
      onSome: (refusal) => Either.left(refusal)
    })
  )
  if (Either.isRight(accepted)) return accepted.right
  if (response.status !== expected.status) return yield* Effect.flip(statusError(call, response, text))
  return yield* new Errors.InvalidResponse({
    ...(yield* answerContext(call, response)),
    reason: accepted.left.reason,
    problems: accepted.left.problems.map(({ message, path }) => ({ path, message: call.scrub(message) }))
  })
})

const parseJson = Schema.decodeEither(Schema.parseJson())

/** Far above any documented answer, and far below what a parser's stack can take. */
const maxDepth = 100
/** A larger answer of the wrong shape is refused for its first problem: listing them all takes minutes. */
const maxExplainedLength = 64 * 1024

const decodeBody = <A, I>(
  call: Call,
  expected: Expected<A, I>,
  response: HttpClientResponse,
  text: string
): Either.Either<A, Refusal> => {
  const body = text.trim() === "" ? expected.emptyBody : text
  if (body === undefined) return Either.left({ reason: "Empty", problems: [] })
  if (depthOf(body) > maxDepth) {
    return Either.left({
      reason: "WrongShape",
      problems: [{ path: "body", message: `it is nested more than ${maxDepth} levels deep` }]
    })
  }
  return parseJson(body).pipe(
    Either.mapLeft((): Refusal => ({ reason: "NotJson", problems: [] })),
    Either.flatMap((json) =>
      Schema.decodeUnknownEither(expected.schema, {
        errors: body.length > maxExplainedLength ? "first" : "all"
      })({ headers: response.headers, body: json }).pipe(
        Either.mapLeft(
          (error): Refusal => ({ reason: "WrongShape", problems: Errors.problemsOf(error, call.scrub) })
        )
      )
    )
  )
}

/** How deep arrays and objects are nested, without a stack that could overflow. Text counts too: too deep is no harm. */
const depthOf = (json: string): number => {
  let depth = 0
  let deepest = 0
  for (let index = 0; index < json.length; index++) {
    const character = json[index]
    if (character === "[" || character === "{") deepest = Math.max(deepest, ++depth)
    else if (character === "]" || character === "}") depth--
  }
  return deepest
}

const keptErrors = 20
const supportHeaders = /^(x-(request-id|correlation-id|cloud-request-id|found-.+|ratelimit-.+)|cf-ray)$/
/** Links are secrets: whoever holds the address of an upload or of a stored archive can use it. */
const secretHeaders =
  /^((set-)?cookie|(proxy-)?authorization|(content-)?location|link|refresh|.*(token|secret|api-?key|signature).*)$/

const keepHeaders = (call: Call, headers: Headers.Headers, keep: (name: string) => boolean) =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      keep(name) && call.scrub(name) === name ? [[name, call.scrub(value)]] : []
    )
  )

/** What every error of one answer carries. */
const answerContext = (call: Call, response: HttpClientResponse, errors: ReadonlyArray<ApiError> = []) =>
  Effect.map(retryAfterMillis(response.headers), (retryAfter) => ({
    operation: call.operation,
    ...(call.extensionId === undefined ? {} : { extensionId: call.extensionId }),
    status: response.status,
    requestContext: keepHeaders(call, response.headers, (name) => supportHeaders.test(name)),
    errors,
    ...Option.match(retryAfter, { onNone: () => ({}), onSome: (millis) => ({ retryAfterMillis: millis }) })
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

/** The first documented code in the body, else in the header, else what the status means. */
const errorOf = Effect.fnUntraced(function* (call: Call, response: HttpClientResponse) {
  const body = yield* AnswerBody.collectError(response)
  const errors = listedErrors(call, body)
  const code = [...errors.map((error) => error.code), ...headerCodes(response.headers)].find(isDocumented)
  if (code === undefined) return yield* statusError(call, response, body, errors)
  return documented[code](yield* answerContext(call, response, errors))
})

const headerCodes = (headers: Headers.Headers): ReadonlyArray<string> =>
  (headers["x-cloud-error-codes"] ?? "").split(",").map((code) => code.trim())

const decodeErrors = Schema.decodeOption(Schema.parseJson(ApiErrorBody))

const listedErrors = (call: Call, body: string): ReadonlyArray<ApiError> =>
  Option.match(depthOf(body) > maxDepth ? Option.none() : decodeErrors(body), {
    onNone: () => [],
    onSome: ({ errors }) =>
      Arr.take(errors, keptErrors).map((error) => ({
        code: call.scrub(error.code),
        message: call.scrub(error.message),
        fields: Option.map(error.fields, Arr.map(call.scrub))
      }))
  })

/** The error by its status alone, for answers that can hold no code. */
export const statusError = (
  call: Call,
  response: HttpClientResponse,
  body: string,
  errors: ReadonlyArray<ApiError> = []
): Effect.Effect<Errors.ExtensionsError> =>
  Effect.map(answerContext(call, response, errors), (context) =>
    byStatus({ ...context, body: keepBody(call, body) }, call, response)
  )

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
        reason: isHtml(response, context.body) ? "Firewall" : "Refused",
        ...(call.operation === "upload" ? { contentType: contentTypeOf(response) } : {})
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

const isHtml = (response: HttpClientResponse, body: string): boolean =>
  /^text\/html\b/i.test(response.headers["content-type"] ?? "") || /^\s*<(!doctype\s+html|html)\b/i.test(body)

const contentTypeOf = ({ request }: HttpClientResponse): "raw" | "multipart" =>
  request.body._tag === "FormData" || /^multipart\//i.test(request.headers["content-type"] ?? "")
    ? "multipart"
    : "raw"

const scrubbedLength = 64 * 1024
const keptBodyBytes = 4096

// Scrubbed before it is cut to size: half a key would not be recognised.
const keepBody = (call: Call, body: string): string =>
  new TextDecoder().decode(
    new TextEncoder().encode(call.scrub(body.slice(0, scrubbedLength))).subarray(0, keptBodyBytes),
    { stream: true }
  )

/** Far above any documented answer: 10000 deployment ids of 32 digits are 350 KB. */
const maxAnswerBytes = 4 * 1024 * 1024
/** A server that sends a byte now and then is never silent for long, and never done. */
const maxAnswerMillis = 60_000

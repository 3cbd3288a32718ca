/** From an answer to the value it holds, or to the error it stands for. */
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { fromHttpClientError, type TransferError } from "../../transfer/TransferError.ts"
import { type ExtensionsError, InvalidResponse } from "../ExtensionsError.ts"
import { answerContext, type Call, errorOf, statusError } from "./errorAnswer.ts"
import { problemsOf } from "./problems.ts"
import { readAnswer } from "./responseBody.ts"

/** How the answer to one operation is read: status, headers and body in one schema. */
export interface Expected<A, I> {
  readonly status: number
  readonly schema: Schema.Schema<A, I>
  /** Stands in for a body that is not there, where the operation has nothing to say. */
  readonly emptyBody?: string
}

type Refusal = Pick<InvalidResponse, "reason" | "problems">

const parseJson = Schema.decodeEither(Schema.parseJson())

const decodeBody = <A, I>(
  call: Call,
  expected: Expected<A, I>,
  response: HttpClientResponse,
  text: string | undefined
): Either.Either<A, Refusal> => {
  if (text === undefined) return Either.left({ reason: "TooLarge", problems: [] })
  const body = text.trim() === "" ? expected.emptyBody : text
  if (body === undefined) return Either.left({ reason: "Empty", problems: [] })
  return parseJson(body).pipe(
    Either.mapLeft((): Refusal => ({ reason: "NotJson", problems: [] })),
    Either.flatMap((json) =>
      Schema.decodeUnknownEither(expected.schema, { errors: "all" })({
        headers: response.headers,
        body: json
      }).pipe(
        Either.mapLeft(
          (error): Refusal => ({ reason: "WrongShape", problems: problemsOf(error, call.scrub) })
        )
      )
    )
  )
}

const readSuccess = <A, I>(
  call: Call,
  expected: Expected<A, I>,
  response: HttpClientResponse
): Effect.Effect<A, ExtensionsError | TransferError> =>
  Effect.gen(function* () {
    const text = yield* Effect.mapError(readAnswer(response), fromHttpClientError)
    const decoded = decodeBody(call, expected, response, text)
    if (Either.isRight(decoded)) return decoded.right
    if (response.status !== expected.status)
      return yield* Effect.flip(statusError(call, response, text ?? ""))
    const context = yield* answerContext(call, response)
    return yield* new InvalidResponse({ ...context, ...decoded.left })
  })

/** Another 2xx than the expected one is good enough when everything that was expected is in it. */
export const read =
  <A, I>(call: Call, expected: Expected<A, I>) =>
  (response: HttpClientResponse): Effect.Effect<A, ExtensionsError | TransferError> =>
    Effect.zipRight(
      Effect.annotateCurrentSpan("http.response.status_code", response.status),
      response.status >= 200 && response.status < 300
        ? readSuccess(call, expected, response)
        : Effect.flip(errorOf(call, response))
    )

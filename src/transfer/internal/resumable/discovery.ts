/** Asking a server whether it can resume uploads, before any is begun. */
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { fromHttpClientError, type TransferError } from "../../TransferError.ts"
import * as Fields from "../../UploadFields.ts"
import { interopHeader } from "./address.ts"
import { isSuccess } from "./answers.ts"
import type { SendOptions } from "./models.ts"

/** The interop versions of the drafts -05 to -13, from the newest down. */
export const interopVersions = [10, 9, 8, 7, 6] as const

/** What a server says of itself. */
export interface Support {
  /** The newest interop version that it answers to. */
  readonly interopVersion: number
  readonly limits: Fields.UploadLimits
}

type Question = Pick<SendOptions<never>, "client" | "request">

/** `Upload-Limit` in the answer to OPTIONS is the one sign of support. */
export const supportOf = (
  question: Question,
  interopVersion: number
): Effect.Effect<Option.Option<Support>, TransferError> =>
  Effect.map(ask(question, interopVersion), ({ headers, status }) =>
    isSuccess(status) &&
    Option.getOrElse(Fields.interopVersion(headers), () => interopVersion) === interopVersion
      ? Option.map(Fields.uploadLimits(headers), (limits) => ({ interopVersion, limits }))
      : Option.none()
  )

/** The newest of `interopVersions` with a sign of support. A server that refuses the question is asked once. */
export const discover = (question: Question): Effect.Effect<Option.Option<Support>, TransferError> =>
  Effect.gen(function* () {
    for (const asked of interopVersions) {
      const { headers, status } = yield* ask(question, asked)
      if (!isSuccess(status)) return Option.none()
      const limits = Fields.uploadLimits(headers)
      if (Option.isNone(limits)) continue
      const interopVersion = Option.getOrElse(Fields.interopVersion(headers), () => asked)
      return Option.some({ interopVersion, limits: limits.value })
    }
    return Option.none()
  })

const ask = ({ client, request }: Question, version: number) =>
  client
    .execute(
      HttpClientRequest.options(request.url, { headers: request.headers }).pipe(
        HttpClientRequest.setHeaders(interopHeader(version))
      )
    )
    .pipe(Effect.mapError(fromHttpClientError))

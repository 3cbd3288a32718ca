/** From an answer of the S3 protocol to the value it holds, or to the error it stands for. */
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as ByteStream from "../../../byteStream.ts"
import * as AnswerBody from "../../../transfer/AnswerBody.ts"
import { retryAfterMillis } from "../../../transfer/RetryPolicy.ts"
import { fromHttpClientError, type TransferError } from "../../../transfer/TransferError.ts"
import * as Errors from "../../StagingError.ts"
import type { Settings } from "./settings.ts"
import * as Xml from "./xml.ts"

/** What was asked, and how to take its secrets out of what comes back. */
export interface Asked {
  readonly operation: Errors.Operation
  readonly settings: Settings
  readonly store: string
  readonly isRenewable: boolean
  readonly partNumber?: number | undefined
  readonly scrub: (text: string) => string
}

type Answered<A> = Effect.Effect<A, Errors.StoreError | TransferError>

export const isSuccess = ({ status }: HttpClientResponse): boolean => status >= 200 && status < 300

/** A success whose body says nothing. One with a page is somebody else's. */
export const readNothing = (asked: Asked, response: HttpClientResponse): Answered<void> =>
  readHeaders(() => Option.some(undefined))(asked, response)

/** A success with an XML document. One that holds an error is no success, whatever its status is. */
export const readXml =
  <A, I>(root: string, schema: Schema.Schema<A, I>) =>
  (asked: Asked, response: HttpClientResponse): Answered<A> =>
    Effect.gen(function* () {
      if (!isSuccess(response)) return yield* Effect.flip(errorOf(asked, response))
      const maxMillis = asked.operation === "complete" ? maxCompleteMillis : maxAnswerMillis
      const { end, text } = yield* Effect.mapError(
        AnswerBody.collect(response, { maxBytes: maxAnswerBytes, maxMillis }),
        fromHttpClientError
      )
      const strange = (reason: Errors.StoreAnswerInvalid["reason"]) => answerInvalid(asked, response, reason)
      if (end !== "Whole") return yield* strange(end)
      const parsed = Xml.parseDocument(text)
      if (Either.isLeft(parsed)) return yield* strange(parsed.left)
      const { children, root: found } = parsed.right
      if (found === "Error") return yield* Effect.flip(errorFrom(asked, response, parsed.right))
      const decoded = Schema.decodeUnknownOption(schema)(children)
      return found === root && Option.isSome(decoded) ? decoded.value : yield* strange("WrongShape")
    })

/** Releases the connection: nobody reads what may follow. */
export const close = (response: HttpClientResponse): Effect.Effect<void> =>
  Effect.ignore(
    response.headers["content-length"] === "0"
      ? response.arrayBuffer
      : ByteStream.runWhile(response.stream, () => false)
  )

/** Read from the headers alone. */
export const readHeaders =
  <A>(read: (headers: HttpClientResponse["headers"]) => Option.Option<A>) =>
  (asked: Asked, response: HttpClientResponse): Answered<A> => {
    if (!isSuccess(response)) return Effect.flip(errorOf(asked, response))
    const found = isHtml(response.headers)
      ? Either.left("Html" as const)
      : Either.fromOption(read(response.headers), () => "WrongShape" as const)
    return Effect.zipRight(
      close(response),
      Either.mapLeft(found, (reason) => answerInvalid(asked, response, reason))
    )
  }

const isHtml = (headers: HttpClientResponse["headers"]): boolean =>
  /^text\/html\b/i.test(headers["content-type"] ?? "")

/** The error that an answer without success stands for. */
export const errorOf = Effect.fnUntraced(function* (asked: Asked, response: HttpClientResponse) {
  const text = yield* AnswerBody.collectError(response)
  const parsed = Xml.parseDocument(text)
  return Either.isRight(parsed) && parsed.right.root === "Error"
    ? yield* errorFrom(asked, response, parsed.right)
    : yield* byStatus(
        asked,
        response,
        Either.isLeft(parsed) && (parsed.left === "Html" || isHtml(response.headers)) ? "Html" : "NotXml"
      )
})

const decodeError = Schema.decodeUnknownOption(Xml.ErrorAnswer)

const errorFrom = (asked: Asked, response: HttpClientResponse, document: Xml.Document) =>
  Option.match(decodeError(document.children), {
    onNone: () => byStatus(asked, response, "WrongShape"),
    onSome: (told) =>
      byCode(asked, response, {
        code: told.Code[0],
        message: told.Message?.[0] ?? "",
        region: told.Region?.[0],
        serverTime: told.ServerTime?.[0]
      })
  })

interface Told {
  readonly code: string
  readonly message: string
  readonly region: string | undefined
  readonly serverTime: string | undefined
}

const maxDetailLength = 300

const contextOf = (
  asked: Asked,
  response: HttpClientResponse,
  told: Pick<Told, "code" | "message"> | undefined
) => {
  const requestId = response.headers["x-amz-request-id"] ?? ""
  return {
    operation: asked.operation,
    store: asked.store,
    status: response.status,
    // Scrubbed before it is cut: half a key would not be recognised.
    detail: asked.scrub((told?.message ?? "").slice(0, 16 * 1024)).slice(0, maxDetailLength),
    ...(told === undefined ? {} : { code: asked.scrub(told.code).slice(0, 100) }),
    ...(/^[\w.:+/=-]{1,100}$/.test(requestId) ? { requestId: asked.scrub(requestId) } : {})
  }
}

const answerInvalid = (
  asked: Asked,
  response: HttpClientResponse,
  reason: Errors.StoreAnswerInvalid["reason"]
) =>
  new Errors.StoreAnswerInvalid({
    ...contextOf(asked, response, undefined),
    origin: asked.settings.origin,
    reason
  })

const unavailable = (asked: Asked, response: HttpClientResponse, told: Told | undefined) =>
  Effect.map(
    retryAfterMillis(response.headers),
    (retryAfter) =>
      new Errors.StoreUnavailable({
        ...contextOf(asked, response, told),
        ...Option.match(retryAfter, {
          onNone: () => ({}),
          onSome: (millis) => ({ retryAfterMillis: millis })
        })
      })
  )

const isPassing = (status: number): boolean => status >= 500 || status === 408 || status === 429

/** Without a code, the status has to say it. */
const byStatus = (
  asked: Asked,
  response: HttpClientResponse,
  reason: "Html" | "NotXml" | "WrongShape"
): Effect.Effect<Errors.StoreError> => {
  const { headers, status } = response
  if (status !== 501 && isPassing(status)) return unavailable(asked, response, undefined)
  const region = headers["x-amz-bucket-region"]
  if (status >= 300 && status < 400) {
    return Effect.succeed(
      region === undefined
        ? answerInvalid(asked, response, "Redirect")
        : regionMismatch(asked, response, undefined, region)
    )
  }
  return Effect.succeed(answerInvalid(asked, response, reason))
}

const regionMismatch = (
  asked: Asked,
  response: HttpClientResponse,
  told: Told | undefined,
  region: string | undefined
) => {
  const { bucket, region: configured } = asked.settings
  return new Errors.StoreRegionMismatch({
    ...contextOf(asked, response, told),
    bucket,
    configured,
    ...(region !== undefined && /^[A-Za-z0-9-]{1,64}$/.test(region) ? { region } : {})
  })
}

/** What each operation needs, in the words of IAM. */
const permissions: Record<Errors.Operation, string> = {
  unfinished: "s3:ListBucketMultipartUploads",
  parts: "s3:ListMultipartUploadParts",
  create: "s3:PutObject",
  putPart: "s3:PutObject",
  complete: "s3:PutObject",
  abort: "s3:AbortMultipartUpload",
  head: "s3:GetObject",
  remove: "s3:DeleteObject",
  link: "s3:GetObject"
}

/** AWS names the very one, which may be that of the key that encrypts. */
const permissionOf = ({ operation }: Asked, { message }: Told): string =>
  /not authorized to perform: ([a-z0-9-]{1,30}:[A-Za-z]{1,60})/.exec(message)?.[1] ?? permissions[operation]

const byCode = (asked: Asked, response: HttpClientResponse, told: Told): Effect.Effect<Errors.StoreError> => {
  const context = contextOf(asked, response, told)
  const { bucket, origin } = asked.settings
  switch (told.code) {
    case "NoSuchBucket":
      return Effect.succeed(new Errors.BucketNotFound({ ...context, bucket, origin }))
    case "AccessDenied":
    case "AllAccessDisabled":
      return Effect.succeed(
        new Errors.StoreAccessDenied({ ...context, permission: permissionOf(asked, told) })
      )
    case "InvalidAccessKeyId":
    case "Unauthorized":
      return Effect.succeed(new Errors.StoreCredentialsRefused({ ...context, reason: "UnknownKey" }))
    case "SignatureDoesNotMatch":
      return Effect.succeed(new Errors.StoreCredentialsRefused({ ...context, reason: "WrongSecret" }))
    case "InvalidToken":
    case "InvalidTokenId":
      return Effect.succeed(new Errors.StoreCredentialsRefused({ ...context, reason: "InvalidToken" }))
    case "ExpiredToken":
    case "TokenRefreshRequired": {
      const { operation, store } = context
      return Effect.succeed(
        new Errors.StoreCredentialsExpired({ operation, store, isRenewable: asked.isRenewable })
      )
    }
    case "RequestTimeTooSkewed":
      return Effect.map(
        aheadMillis(response, told),
        (ahead) => new Errors.StoreClockSkewed({ ...context, ...ahead })
      )
    case "PermanentRedirect":
    case "TemporaryRedirect":
    case "AuthorizationHeaderMalformed":
    case "IllegalLocationConstraintException":
      return Effect.succeed(
        regionMismatch(asked, response, told, told.region ?? response.headers["x-amz-bucket-region"])
      )
    case "XAmzContentSHA256Mismatch":
    case "BadDigest":
    case "IncompleteBody":
      return Effect.succeed(partRefused(asked, context, "WrongBytes"))
    case "EntityTooSmall":
      return Effect.succeed(partRefused(asked, context, "TooSmall"))
    case "EntityTooLarge":
      return Effect.succeed(partRefused(asked, context, "TooLarge"))
    case "NoSuchUpload":
    // Ceph says so of an upload that was finished.
    case "NoSuchKey":
      return Effect.succeed(new Errors.StoreUploadLost({ ...context, reason: "Upload" }))
    case "InvalidPart":
      return Effect.succeed(new Errors.StoreUploadLost({ ...context, reason: "Parts" }))
    case "InternalError":
    case "OperationAborted":
    case "RequestTimeout":
    case "ServiceUnavailable":
    case "SlowDown":
      return unavailable(asked, response, told)
    default:
      return response.status !== 501 && isPassing(response.status)
        ? unavailable(asked, response, told)
        : Effect.succeed(new Errors.StoreRefused(context))
  }
}

const partRefused = (
  { partNumber }: Asked,
  context: ReturnType<typeof contextOf>,
  reason: Errors.StorePartRefused["reason"]
) => new Errors.StorePartRefused({ ...context, reason, ...(partNumber === undefined ? {} : { partNumber }) })

const aheadMillis = ({ headers }: HttpClientResponse, { serverTime }: Told) =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const told = Arr.findFirst(
      [serverTime, headers["date"]].map((text) => Date.parse(text ?? "")),
      (millis) => !Number.isNaN(millis)
    )
    return Option.match(told, { onNone: () => ({}), onSome: (millis) => ({ aheadMillis: now - millis }) })
  })

/** Far above a list of a thousand uploads with the longest of keys. */
const maxAnswerBytes = 8 * 1024 * 1024

const maxAnswerMillis = 60_000

/** S3 puts parts together for minutes, and sends spaces all the while. */
const maxCompleteMillis = 15 * 60_000

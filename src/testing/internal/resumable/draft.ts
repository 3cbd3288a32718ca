/**
 * What is said about an upload on the wire: the fields of the draft, their differences between its iterations, the
 * limits, the interim responses and the problems.
 */
import * as Http from "node:http"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { type BareItem, parseItem, serializeDictionary } from "structured-headers"
import type { ResumableLimits, ResumableOptions } from "../../ResumableUploads.ts"
import { Exchange, interim } from "../exchange.ts"
import { bytes, type Reply } from "../reply.ts"
import type { Upload } from "./uploads.ts"

/** Which iterations of the draft are spoken, and how. None is spoken where uploads cannot be resumed. */
export class Draft extends Context.Tag("effect-elastic-extensions/testing/Draft")<
  Draft,
  {
    readonly interopVersions: ReadonlyArray<number>
    readonly limits: ResumableLimits
    readonly progressEveryBytes: number
    readonly interimResponses: boolean
    readonly replayFinalAnswer: boolean
  }
>() {}

export const layer = (options: ResumableOptions | undefined): Layer.Layer<Draft> =>
  Layer.succeed(Draft, {
    interopVersions: options === undefined ? [] : (options.interopVersions ?? [6, 7, 8, 9, 10]),
    limits: options?.limits ?? {},
    progressEveryBytes: options?.progressEveryBytes ?? 4 * 1024 * 1024,
    interimResponses: options?.interimResponses ?? true,
    replayFinalAnswer: options?.replayFinalAnswer ?? true
  })

/** What one iteration of the draft demands that another does not. */
interface Iteration {
  /** The key of the lifetime in `Upload-Limit`. */
  readonly lifetime: "expires" | "max-age"
  /** The status of an append that does not complete the upload. */
  readonly appended: 201 | 204
  /** Every answer about an upload that is there tells its offset, and the one that completes its creation its address. */
  readonly tellsWhereItStands: boolean
  /** `HEAD` and `DELETE` may not speak of offset, completeness or length. */
  readonly refusesStrayFields: boolean
  /** Content beyond the length is cut off and refused; later, it makes the upload invalid. */
  readonly keepsUpToLength: boolean
  /** An append to a completed upload may be given the final answer once more; before, it must be refused. */
  readonly replays: boolean
  /** `OPTIONS` names the media type of an append. */
  readonly namesPatchType: boolean
}

/**
 * Interop version 6 is draft -05, 7 is -06 to -08, 8 is -09 to -11, 9 is -12 and 10 is -13. The last two differ from the
 * text of July 2026 in their numbers, and in what it says about retries, which is for clients to follow.
 */
export const iteration = (interopVersion: number): Iteration => ({
  lifetime: interopVersion <= 6 ? "expires" : "max-age",
  appended: interopVersion <= 6 ? 201 : 204,
  tellsWhereItStands: interopVersion <= 6,
  refusesStrayFields: interopVersion <= 6,
  keepsUpToLength: interopVersion <= 6,
  replays: interopVersion >= 8,
  namesPatchType: interopVersion === 8
})

/** The iteration of the draft the request speaks, if it is one the stand-in speaks too. */
export const spoken: Effect.Effect<Option.Option<number>, never, Exchange | Draft> = Effect.gen(function* () {
  const { request } = yield* Exchange
  const { interopVersions } = yield* Draft
  return Option.filter(interopVersion(request), (version) => interopVersions.includes(version))
})

/** The iteration in which the request is answered: its own, or the one in which the upload was created. */
export const versionFor = (upload: Upload): Effect.Effect<number, never, Exchange | Draft> =>
  Effect.map(
    spoken,
    Option.getOrElse(() => upload.interopVersion)
  )

/** Sends `104 (Upload Resumption Supported)`, but only to who said to understand it. */
export const announce = Effect.fnUntraced(function* (headers: Readonly<Record<string, string>>) {
  const { interimResponses } = yield* Draft
  const version = yield* spoken
  if (Option.isNone(version) || !interimResponses) return
  yield* interim([
    {
      status: 104,
      reason: "Upload Resumption Supported",
      headers: { "Upload-Draft-Interop-Version": String(version.value), ...headers }
    }
  ])
})

// Fields of requests. A field of any other type counts as absent.

type Field<A> = (request: Http.IncomingMessage) => Option.Option<A>

/** A field's value as sent. */
export const field = (request: Http.IncomingMessage, name: string): Option.Option<string> => {
  const value = request.headers[name]
  return typeof value === "string" ? Option.some(value) : Option.none()
}

const item = Option.liftThrowable((text: string): BareItem => parseItem(text)[0])

/** The parser reads the Decimal `1.0` as the number 1; only the text tells it from an Integer. */
const isInteger = (text: string): boolean => /^ *\d+ *(;|$)/.test(text)

const nonNegativeInteger =
  (name: string): Field<number> =>
  (request) =>
    field(request, name).pipe(
      Option.filter(isInteger),
      Option.flatMap(item),
      Option.filter((value) => typeof value === "number")
    )

export const uploadOffset = nonNegativeInteger("upload-offset")

export const uploadLength = nonNegativeInteger("upload-length")

const interopVersion = nonNegativeInteger("upload-draft-interop-version")

export const uploadComplete: Field<boolean> = (request) =>
  field(request, "upload-complete").pipe(
    Option.flatMap(item),
    Option.filter((value) => typeof value === "boolean")
  )

/** Bytes of the request's content, as far as its head tells. */
export const contentLength: Field<number> = (request) => Option.map(field(request, "content-length"), Number)

export const boolean = (value: boolean): string => (value ? "?1" : "?0")

// Limits.

/**
 * The value of `Upload-Limit`, with so many seconds left to live. Never empty: a limit that limits nothing stands for
 * none.
 */
export const uploadLimit = (
  { maxAppendSize, maxSize, minAppendSize, minSize }: ResumableLimits,
  interopVersion: number,
  secondsLeft: number | undefined
): string => {
  const members = Object.entries({
    "max-size": maxSize,
    "min-size": minSize,
    "max-append-size": maxAppendSize,
    "min-append-size": minAppendSize,
    [iteration(interopVersion).lifetime]: secondsLeft
  }).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]))
  return serializeDictionary(members.length === 0 ? { "min-size": 0 } : Object.fromEntries(members))
}

/** `Upload-Limit` of an upload, as the request understands it. */
export const uploadLimitOf = Effect.fnUntraced(function* (upload: Upload, limits: ResumableLimits) {
  const now = yield* Clock.currentTimeMillis
  const secondsLeft =
    upload.expiresAtMillis === null
      ? undefined
      : Math.max(0, Math.floor((upload.expiresAtMillis - now) / 1000))
  return uploadLimit(limits, yield* versionFor(upload), secondsLeft)
})

// Problems.

/**
 * What is wrong with a request as far as resumable uploads go (RFC 9457): said by the upload resource, not by the
 * extension behind it.
 */
export class Problem extends Data.TaggedError("Problem")<{
  readonly status: number
  readonly detail: string
  readonly type?: string
  readonly members?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, string>>
}> {}

const REGISTRY = "https://iana.org/assignments/http-problem-types"

export const problemReply = ({ detail, headers, members, status, type }: Problem): Reply =>
  bytes(
    status,
    { "content-type": "application/problem+json", "upload-complete": boolean(false), ...headers },
    JSON.stringify({
      title: Http.STATUS_CODES[status],
      ...(type === undefined ? {} : { type }),
      ...members,
      detail
    })
  )

export const badRequest = (detail: string) => new Problem({ status: 400, detail })

export const mismatchingOffset = (expected: number, provided: number) =>
  new Problem({
    status: 409,
    type: `${REGISTRY}#mismatching-upload-offset`,
    detail: "The content does not begin where the upload ends.",
    members: {
      title: "offset from request does not match offset of resource",
      "expected-offset": expected,
      "provided-offset": provided
    },
    headers: { "upload-offset": String(expected) }
  })

export const inconsistentLength = (detail: string) =>
  new Problem({
    status: 400,
    type: `${REGISTRY}#inconsistent-upload-length`,
    detail,
    members: { title: "inconsistent length values for upload" }
  })

/** Said of a completed upload, in the iterations that have no other answer for it. */
export const completed = new Problem({
  status: 400,
  type: `${REGISTRY}#completed-upload`,
  detail: "Nothing can be appended any more.",
  members: { title: "upload is already completed" }
})

export const tooLarge = (detail: string, uploadLimit: string) =>
  new Problem({ status: 413, detail, headers: { "upload-limit": uploadLimit } })

export const tooSmall = (detail: string, uploadLimit: string) =>
  new Problem({ status: 400, detail, headers: { "upload-limit": uploadLimit } })

export const wrongMediaType = new Problem({
  status: 415,
  detail: "An upload is appended to with application/partial-upload.",
  headers: { "accept-patch": "application/partial-upload" }
})

export const wrongDigest = (offset: number) =>
  new Problem({
    status: 400,
    detail: "The content is not what Content-Digest says. Nothing of it was kept.",
    headers: { "upload-offset": String(offset) }
  })

/** Creating an upload: optimistically where 104 can be seen, carefully where it cannot or a limit demands it. */
import * as Headers from "@effect/platform/Headers"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import type { InterimResponse } from "../Exchange.ts"
import type { UploadResource } from "../ResumableUpload.ts"
import {
  type ResumableUploadError,
  ResumptionUnsupported,
  UploadLimitExceeded,
  UploadProtocolViolation
} from "../ResumableUploadError.ts"
import { fromHttpClientError, type TransferError } from "../TransferError.ts"
import * as Fields from "../UploadFields.ts"
import { resume } from "./resumableAppend.ts"
import * as Session from "./resumableSession.ts"

/** @internal */
export const create = <E>(session: Session.Session<E>): Session.Answer<E> => {
  const { mode, interimResponses } = session.options
  if (mode === "never") return plain(session)
  if (mode === "auto" && interimResponses) return optimistic(session)
  return Effect.flatMap(
    discover(session),
    Option.match({
      onNone: () =>
        mode === "required"
          ? Effect.fail(new ResumptionUnsupported({ origin: session.origin }))
          : plain(session),
      onSome: (limits) =>
        Effect.zipRight(
          Session.withinLimits(session, limits),
          interimResponses && fitsOneRequest(session, limits) ? optimistic(session) : careful(session)
        )
    })
  )
}

const fitsOneRequest = (session: Session.Session<unknown>, limits: Fields.UploadLimits): boolean =>
  limits.maxAppendSize === undefined || limits.maxAppendSize >= session.size

/** The ordinary request, without a word about resumption. */
const plain = <E>(session: Session.Session<E>): Session.Answer<E> =>
  Session.exchange(session, session.options.request, whole(session), () => Effect.void)

const whole = (session: Session.Session<unknown>): Session.Part => ({
  offset: 0,
  length: session.size,
  contentType: session.options.representation.contentType
})

/** `Upload-Limit` in the answer to OPTIONS is the one sign of support; any other answer means there is none. */
const discover = (
  session: Session.Session<unknown>
): Effect.Effect<Option.Option<Fields.UploadLimits>, TransferError> =>
  session.options.client
    .execute(
      HttpClientRequest.options(session.options.request.url, {
        headers: session.options.request.headers
      }).pipe(HttpClientRequest.setHeaders(Session.interopHeader(session.options.interopVersion)))
    )
    .pipe(
      Effect.mapError(fromHttpClientError),
      Effect.map((response) =>
        response.status >= 200 && response.status < 300
          ? Fields.uploadLimits(response.headers)
          : Option.none()
      )
    )

const creationRequest = (
  session: Session.Session<unknown>,
  complete: boolean
): HttpClientRequest.HttpClientRequest => {
  const { request, interopVersion, reprDigest } = session.options
  return request.pipe(
    HttpClientRequest.setHeaders({
      ...Session.interopHeader(interopVersion),
      "upload-complete": complete ? "?1" : "?0",
      "upload-length": String(session.size)
    }),
    reprDigest === undefined ? (same) => same : HttpClientRequest.setHeader("repr-digest", reprDigest)
  )
}

/** A limit learnt on the way forbids going on in this request; smaller appends can. */
class AppendInstead extends Data.TaggedError("AppendInstead") {}

/** The whole content in one request, watching for the 104 that makes it resumable. */
const optimistic = <E>(session: Session.Session<E>): Session.Answer<E> =>
  Effect.gen(function* () {
    const stop = yield* Deferred.make<never, AppendInstead | ResumableUploadError | E>()
    // The transport sends nothing while an interim response is being handled, so a stop leaves no byte behind it.
    const onInterim = (interim: InterimResponse) =>
      Effect.catchAllCause(onCreationInterim(session, interim), (cause) =>
        Effect.zipRight(Deferred.failCause(stop, cause), Effect.never)
      )
    const request = creationRequest(session, true)
    return yield* Session.exchange(session, request, whole(session), onInterim).pipe(
      Effect.raceFirst(Deferred.await(stop)),
      Effect.matchEffect({
        onSuccess: (response) => afterCreation(session, response),
        onFailure: (error) => {
          if (error instanceof AppendInstead) return resumeKnown(session)
          if (isDeadEnd(error)) return Session.abandon(session, error)
          return Effect.fail(error)
        }
      })
    )
  })

const isDeadEnd = (error: unknown): error is UploadProtocolViolation | UploadLimitExceeded =>
  error instanceof UploadProtocolViolation || error instanceof UploadLimitExceeded

const onCreationInterim = <E>(
  session: Session.Session<E>,
  { status, headers }: InterimResponse
): Effect.Effect<void, AppendInstead | ResumableUploadError | E> =>
  Effect.gen(function* () {
    if (status !== 104) return
    if (!Option.contains(Fields.interopVersion(headers), session.options.interopVersion)) return
    yield* learnResource(session, headers)
    const offset = Fields.uploadOffset(headers)
    if (Option.isSome(offset)) yield* Session.acknowledge(session, offset.value)
    const limits = Option.getOrElse(Fields.uploadLimits(headers), () => ({}))
    yield* Session.withinLimits(session, limits)
    if (!fitsOneRequest(session, limits) && Option.isSome(yield* Ref.get(session.resource))) {
      return yield* new AppendInstead()
    }
  })

/** The first `Location` is the upload resource, and every later one of the same request has to be the same. */
const learnResource = <E>(
  session: Session.Session<E>,
  headers: Headers.Headers
): Effect.Effect<void, UploadProtocolViolation | E> =>
  Effect.gen(function* () {
    const location = locationOf(session, headers)
    if (Option.isNone(location)) return
    const known = yield* Ref.get(session.resource)
    if (Option.isNone(known)) {
      return yield* Session.remember(session, yield* resourceAt(session, location.value, headers))
    }
    if (Redacted.value(known.value.url) !== location.value) {
      return yield* Session.violation(
        session,
        "LocationChanged",
        "two different Location values in one upload"
      )
    }
  })

/**
 * The absolute address in `Location`. One on another origin is as good as none: credentials and archives are not sent
 * where nobody asked for, so such an upload goes on without resumption.
 */
const locationOf = (session: Session.Session<unknown>, headers: Headers.Headers): Option.Option<string> =>
  Headers.get(headers, "location").pipe(
    Option.filter((location) => URL.canParse(location, session.options.request.url)),
    Option.map((location) => new URL(location, session.options.request.url)),
    Option.filter((url) => url.origin === session.origin && url.username === "" && url.href.length <= 8192),
    Option.map((url) => url.href)
  )

const resourceAt = (
  session: Session.Session<unknown>,
  location: string,
  headers: Headers.Headers
): Effect.Effect<UploadResource> => {
  const limits = Option.getOrElse(Fields.uploadLimits(headers), (): Fields.UploadLimits => ({}))
  return Effect.map(Session.lifetime(limits), (lifetime) => ({
    url: Redacted.make(location),
    offset: 0,
    interopVersion: session.options.interopVersion,
    ...lifetime
  }))
}

const afterCreation = <E>(
  session: Session.Session<E>,
  response: HttpClientResponse.HttpClientResponse
): Session.Answer<E> =>
  Effect.gen(function* () {
    const complete = Fields.uploadComplete(response.headers)
    if (Option.contains(complete, true)) return yield* Effect.as(Session.forget(session), response)
    if (response.status === 413) return yield* inSmallerPieces(session, response)
    if (isSuccess(response.status) && Option.contains(complete, false)) {
      yield* learnResource(session, response.headers)
      return yield* resumeKnown(session)
    }
    if (isSuccess(response.status) || isFinalRefusal(response.status)) yield* Session.forget(session)
    return response
  })

const isSuccess = (status: number): boolean => status >= 200 && status < 300

/** The client errors after which trying again may help; all others end the upload, and its resource with it. */
const isFinalRefusal = (status: number): boolean =>
  status >= 400 && status < 500 && status !== 408 && status !== 425 && status !== 429

const resumeKnown = <E>(session: Session.Session<E>): Session.Answer<E> =>
  Effect.flatMap(
    Ref.get(session.resource),
    Option.match({
      onNone: () =>
        Effect.fail(Session.violation(session, "LocationMissing", "an incomplete upload without an address")),
      onSome: (resource) => resume(session, resource)
    })
  )

/** 413 to the whole: go on in appends if the server's limits say how, else the refusal stands. */
const inSmallerPieces = <E>(
  session: Session.Session<E>,
  refusal: HttpClientResponse.HttpClientResponse
): Session.Answer<E> =>
  Effect.gen(function* () {
    const announced = Fields.uploadLimits(refusal.headers)
    const limits = Option.isSome(announced) ? announced : yield* discover(session)
    yield* Session.forget(session)
    if (Option.isNone(limits) || fitsOneRequest(session, limits.value)) return refusal
    yield* Session.withinLimits(session, limits.value)
    return yield* careful(session)
  })

/** An empty creation that only asks for the upload resource; the content follows in appends. */
const careful = <E>(session: Session.Session<E>): Session.Answer<E> =>
  Effect.gen(function* () {
    const contentType = session.options.representation.contentType
    const empty: Session.Part = { offset: 0, length: 0, contentType }
    const response = yield* Session.exchange(
      session,
      creationRequest(session, false),
      empty,
      () => Effect.void
    )
    if (!isSuccess(response.status) || Option.contains(Fields.uploadComplete(response.headers), true))
      return response
    yield* learnResource(session, response.headers)
    return yield* resumeKnown(session)
  })

/** Creating an upload: optimistically where 104 can be seen, carefully where it cannot or a limit demands it. */
import type * as Headers from "@effect/platform/Headers"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import type { InterimResponse } from "../../Exchange.ts"
import {
  type ResumableUploadError,
  ResumptionUnsupported,
  UploadLimitExceeded,
  UploadProtocolViolation
} from "../../ResumableUploadError.ts"
import { fromHttpClientError, type TransferError } from "../../TransferError.ts"
import * as Fields from "../../UploadFields.ts"
import { resume } from "./append.ts"
import * as Session from "./session.ts"

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

/**
 * `Upload-Limit` in the answer to OPTIONS is the one sign of support; any other answer means there is none, as does a
 * minimum that this upload does not reach.
 */
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
        isSuccess(response.status) ? Fields.uploadLimits(response.headers) : Option.none()
      ),
      Effect.map(Option.filter(({ minSize = 0 }) => session.size >= minSize))
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
const optimistic = <E>(session: Session.Session<E>): Session.Answer<E> => creation(session, true)

/** An empty creation that only asks for the upload resource; the content follows in appends. */
const careful = <E>(session: Session.Session<E>): Session.Answer<E> => creation(session, false)

const creation = <E>(session: Session.Session<E>, complete: boolean): Session.Answer<E> =>
  Effect.gen(function* () {
    const stop = yield* Deferred.make<never, AppendInstead | ResumableUploadError | E>()
    // The transport sends nothing while an interim response is being handled, so a stop leaves no byte behind it.
    const onInterim = (interim: InterimResponse) =>
      Effect.catchAllCause(onCreationInterim(session, complete, interim), (cause) =>
        Effect.zipRight(Deferred.failCause(stop, cause), Effect.never)
      )
    const part = complete ? whole(session) : { ...whole(session), length: 0 }
    return yield* Session.exchange(session, creationRequest(session, complete), part, onInterim).pipe(
      Effect.raceFirst(Deferred.await(stop)),
      Effect.flatMap((response) => afterCreation(session, complete, response)),
      Effect.catchAll((error) => {
        if (error instanceof AppendInstead) return resumeKnown(session)
        if (isDeadEnd(error)) return Session.abandon(session, error)
        return Effect.fail(error)
      })
    )
  })

const isDeadEnd = (error: unknown): error is UploadProtocolViolation | UploadLimitExceeded =>
  error instanceof UploadProtocolViolation || error instanceof UploadLimitExceeded

const onCreationInterim = <E>(
  session: Session.Session<E>,
  complete: boolean,
  { status, headers }: InterimResponse
): Effect.Effect<void, AppendInstead | ResumableUploadError | E> =>
  Effect.gen(function* () {
    if (status !== 104) return
    if (!Option.contains(Fields.interopVersion(headers), session.options.interopVersion)) return
    yield* learnResource(session, headers)
    const offset = Fields.uploadOffset(headers)
    if (Option.isSome(offset)) yield* Session.acknowledge(session, offset.value)
    const known = yield* Ref.get(session.resource)
    if (complete && Option.exists(known, ({ limits = {} }) => !fitsOneRequest(session, limits))) {
      return yield* new AppendInstead()
    }
  })

/**
 * The first `Location` is the upload resource, and every later one of the same request has to be the same. Limits hold
 * from when they are announced.
 */
const learnResource = <E>(
  session: Session.Session<E>,
  headers: Headers.Headers
): Effect.Effect<void, UploadProtocolViolation | UploadLimitExceeded | E> =>
  Effect.gen(function* () {
    const location = Session.locationOf(session, headers)
    const limits = Option.getOrElse(Fields.uploadLimits(headers), (): Fields.UploadLimits => ({}))
    const known = yield* Ref.get(session.resource)
    if (Option.isSome(known)) {
      yield* Ref.set(session.resource, Option.some(yield* Session.withLimits(known.value, limits)))
      if (Option.exists(location, (url) => url !== Redacted.value(known.value.url))) {
        const detail = "two different Location values in one upload"
        return yield* Session.violation(session, "LocationChanged", detail)
      }
    } else if (Option.isSome(location)) {
      const { interopVersion } = session.options
      const resource = { url: Redacted.make(location.value), offset: 0, interopVersion }
      yield* Session.remember(session, yield* Session.withLimits(resource, limits))
    }
    yield* Session.withinLimits(session, limits)
  })

const afterCreation = <E>(
  session: Session.Session<E>,
  complete: boolean,
  response: HttpClientResponse.HttpClientResponse
): Session.Answer<E> =>
  Effect.gen(function* () {
    const { headers, status } = response
    const answered = Fields.uploadComplete(headers)
    if (Option.contains(answered, true)) return yield* Effect.as(Session.forget(session), response)
    if (complete && status === 413) return yield* inSmallerPieces(session, response)
    if (isSuccess(status) && (!complete || Option.contains(answered, false))) {
      yield* learnResource(session, headers)
      return yield* resumeKnown(session)
    }
    if (!Session.keepsUpload(status)) yield* Session.forget(session)
    return response
  })

const isSuccess = (status: number): boolean => status >= 200 && status < 300

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

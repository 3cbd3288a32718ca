/** Creating an upload: optimistically where 104 can be seen, carefully where it cannot or a limit demands it. */
import type * as Headers from "@effect/platform/Headers"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Stream from "effect/Stream"
import * as ByteStream from "../../../byteStream.ts"
import type { InterimResponse } from "../../Exchange.ts"
import { ResumptionUnsupported } from "../../ResumableUploadError.ts"
import type { TransferError } from "../../TransferError.ts"
import * as Fields from "../../UploadFields.ts"
import { interopHeader } from "./address.ts"
import { isSuccess, keepsUpload } from "./answers.ts"
import { resume } from "./append.ts"
import { type Support, supportOf } from "./discovery.ts"
import { type Answer, type DeadEnd, type Part, type Session, withLimits } from "./session.ts"

export const create = <E>(session: Session<E>): Answer<E> => {
  const { afterFailure = false, interimResponses, mode } = session.options
  if (mode === "never") return session.ordinary
  if (mode === "auto" && interimResponses && !afterFailure) return creation(session, "Whole")
  return Effect.flatMap(
    support(session),
    Option.match({
      onNone: () => withoutPromise(session),
      onSome: ({ limits }) =>
        Effect.zipRight(
          session.requireWithin(limits),
          // After a failure without an upload resource, a 104 does not seem to come through.
          creation(
            session,
            interimResponses && !afterFailure && session.fitsOneRequest(limits) ? "Promised" : "Empty"
          )
        )
    })
  )
}

const withoutPromise = <E>(session: Session<E>): Answer<E> => {
  const { interimResponses, mode } = session.options
  if (mode === "required") return Effect.fail(new ResumptionUnsupported({ origin: session.origin }))
  return interimResponses ? creation(session, "Whole") : session.ordinary
}

/** How long an unanswered question may hold up an upload that works without its answer. */
const patience = "10 seconds"

/** What the server can do for this upload; nothing, where its minimum size is not reached. */
const support = (session: Session<unknown>): Effect.Effect<Option.Option<Support>, TransferError> => {
  const { interopVersion, mode } = session.options
  const asked = Effect.map(
    supportOf(session.options, interopVersion),
    Option.filter(({ limits: { minSize = 0 } }) => session.size >= minSize)
  )
  if (mode === "required") return asked
  return asked.pipe(
    Effect.timeoutOption(patience),
    Effect.map(Option.flatten),
    Effect.orElseSucceed(Option.none)
  )
}

/**
 * What the request that creates the upload carries: the `Whole` content, watching for the 104 that makes it resumable;
 * the same, but not before the 104 that was `Promised`; or nothing (`Empty`), and the content follows in appends.
 */
type Strategy = "Whole" | "Promised" | "Empty"

/** How long the rest of the content waits for the 104 that was promised. */
const promiseLimit = "1 second"

/** What a creation comes to: an answer, or a reason to leave it without one. */
type Creation =
  | { readonly _tag: "Answered"; readonly response: HttpClientResponse.HttpClientResponse }
  /** A limit learnt on the way forbids going on in this request; smaller appends can. */
  | { readonly _tag: "AppendInstead" }
  /** The 104 that was promised has not come: something on the way does not let it through. */
  | { readonly _tag: "PromiseBroken" }

const creation = <E>(session: Session<E>, strategy: Strategy): Answer<E> =>
  Effect.gen(function* () {
    const left = yield* Deferred.make<Creation>()
    const offered = yield* Deferred.make<void>()
    const leave = (why: Creation) => Effect.zipRight(Deferred.succeed(left, why), Effect.never)
    const onInterim = (interim: InterimResponse) =>
      Effect.gen(function* () {
        const mustAppend = yield* heed(session, interim)
        if (mustAppend && strategy !== "Empty") return yield* leave({ _tag: "AppendInstead" })
        if (Option.isSome(session.resource)) yield* Deferred.succeed(offered, undefined)
      })
    const promiseKept = Deferred.await(offered).pipe(
      Effect.raceFirst(Effect.zipRight(Effect.sleep(promiseLimit), leave({ _tag: "PromiseBroken" })))
    )
    const part = contentOf(session, strategy, promiseKept)
    const creation = yield* session.send(requestOf(session, strategy), part, onInterim).pipe(
      Effect.map((response): Creation => ({ _tag: "Answered", response })),
      Effect.raceFirst(Deferred.await(left))
    )
    switch (creation._tag) {
      case "AppendInstead":
        return yield* resumeKnown(session)
      case "PromiseBroken":
        return yield* careful(session)
      case "Answered":
        return yield* afterCreation(session, strategy, creation.response)
    }
  })

/** An empty creation that only asks for the upload resource. */
const careful = <E>(session: Session<E>): Answer<E> => creation(session, "Empty")

const contentOf = <E>(session: Session<E>, strategy: Strategy, promiseKept: Effect.Effect<void>): Part<E> => {
  const { whole } = session
  switch (strategy) {
    case "Whole":
      return whole
    case "Promised":
      return { ...whole, bytes: afterFirst(whole.bytes, promiseKept) }
    case "Empty":
      return { ...whole, length: 0, completes: false }
  }
}

/** The first chunk takes the head of the request with it; what follows waits for what comes back. */
const afterFirst = <E>(
  stream: Stream.Stream<Uint8Array, E>,
  wait: Effect.Effect<void>
): Stream.Stream<Uint8Array, E> =>
  ByteStream.suspend(() => {
    let isFirst = true
    return ByteStream.tap(stream, () => {
      if (!isFirst) return wait
      isFirst = false
      return Effect.void
    })
  })

const requestOf = (session: Session<unknown>, strategy: Strategy): HttpClientRequest.HttpClientRequest => {
  const { request, interopVersion, reprDigest } = session.options
  return request.pipe(
    HttpClientRequest.setHeaders({
      ...interopHeader(interopVersion),
      "upload-complete": strategy === "Empty" ? "?0" : "?1",
      "upload-length": String(session.size)
    }),
    reprDigest === undefined ? (same) => same : HttpClientRequest.setHeader("repr-digest", reprDigest)
  )
}

/** Takes what a 104 tells, and says whether its limits are too narrow for the whole. */
const heed = <E>(
  session: Session<E>,
  { status, headers }: InterimResponse
): Effect.Effect<boolean, DeadEnd | E> =>
  Effect.gen(function* () {
    if (status !== 104) return false
    if (!Option.contains(Fields.interopVersion(headers), session.options.interopVersion)) return false
    yield* learnResource(session, headers)
    const offset = Fields.uploadOffset(headers)
    if (Option.isSome(offset)) yield* session.acknowledge(offset.value)
    return Option.exists(session.resource, ({ limits = {} }) => !session.fitsOneRequest(limits))
  })

/**
 * The first `Location` is the upload resource, and every later one of the same request has to be the same. Limits hold
 * from when they are announced.
 */
const learnResource = <E>(session: Session<E>, headers: Headers.Headers): Effect.Effect<void, DeadEnd | E> =>
  Effect.gen(function* () {
    const location = yield* session.locate(headers)
    const limits = Option.getOrElse(Fields.uploadLimits(headers), (): Fields.UploadLimits => ({}))
    if (Option.isSome(session.resource)) {
      const known = yield* withLimits(session.resource.value, limits)
      session.revise(() => known)
      if (Option.exists(location, (url) => url !== Redacted.value(known.url))) {
        return yield* session.violation("LocationChanged", "two different Location values in one upload")
      }
    } else if (Option.isSome(location)) {
      const { interopVersion } = session.options
      const resource = { url: Redacted.make(location.value), offset: 0, interopVersion }
      yield* session.remember(yield* withLimits(resource, limits))
    }
    yield* session.requireWithin(limits)
  })

const afterCreation = <E>(
  session: Session<E>,
  strategy: Strategy,
  response: HttpClientResponse.HttpClientResponse
): Answer<E> =>
  Effect.gen(function* () {
    const { headers, status } = response
    const complete = Fields.uploadComplete(headers)
    const canBeOrdinary = strategy === "Empty" && session.options.mode === "auto"
    if (Option.contains(complete, true)) return yield* Effect.as(session.forget, response)
    if (strategy !== "Empty" && status === 413) return yield* inSmallerPieces(session, response)
    if (isSuccess(status) && (strategy === "Empty" || Option.isSome(complete))) {
      // An empty creation that is not answered as one may have been taken for an empty upload.
      if (Option.isNone(complete)) yield* session.suspectCompletion
      else yield* session.denyCompletion
      yield* learnResource(session, headers)
      if (canBeOrdinary && Option.isNone(session.resource)) return yield* session.ordinary
      return yield* resumeKnown(session)
    }
    if (canBeOrdinary && isMisunderstood(status)) {
      return yield* Effect.zipRight(session.giveUp, session.ordinary)
    }
    const isKnown = Option.isSome(session.resource)
    if (isKnown && status === 423) return yield* session.busy(response)
    if (isKnown && status === 409 && Option.isSome(complete)) return yield* resumeKnown(session)
    if (!keepsUpload(status)) yield* session.forget
    return response
  })

/**
 * How an empty creation is refused by those who take it for an upload of nothing: servers that answer OPTIONS but speak
 * another interop version, and proxies.
 */
const isMisunderstood = (status: number): boolean => [400, 405, 411, 415, 422, 501].includes(status)

const resumeKnown = <E>(session: Session<E>): Answer<E> =>
  Option.match(session.resource, {
    onNone: () => session.violation("LocationMissing", "an incomplete upload without an address"),
    onSome: (resource) => resume(session, resource)
  })

/** 413 to the whole: go on in appends if the server's limits say how, else the refusal stands. */
const inSmallerPieces = <E>(session: Session<E>, refusal: HttpClientResponse.HttpClientResponse): Answer<E> =>
  Effect.gen(function* () {
    const announced = Fields.uploadLimits(refusal.headers)
    const limits = Option.isSome(announced)
      ? announced
      : Option.map(yield* support(session), (told) => told.limits)
    yield* session.forget
    if (Option.isNone(limits) || session.fitsOneRequest(limits.value)) return refusal
    yield* session.requireWithin(limits.value)
    return yield* careful(session)
  })

/** Continuing an upload: ask for the offset, append the rest, collect the targeted resource's own answer. */
import { createHash } from "node:crypto"
import type * as Headers from "@effect/platform/Headers"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { InterimResponse } from "../../Exchange.ts"
import { ResumptionUnsupported } from "../../ResumableUploadError.ts"
import * as Fields from "../../UploadFields.ts"
import { locationOf, resourceRequest } from "./address.ts"
import * as Answers from "./answers.ts"
import type { UploadResource } from "./models.ts"
import {
  type Answer,
  type Failure,
  isDeadEnd,
  type Part,
  type Session,
  type Settled,
  withLimits
} from "./session.ts"

/** Answers in a row that move nothing (409, 413, an unmoved offset) before the server counts as broken. */
const maxSetbacks = 5
const maxRedirects = 5

/** One append after another, until the targeted resource has answered. */
export const resume = <E>(session: Session<E>, known: UploadResource): Answer<E> =>
  Effect.gen(function* () {
    yield* session.suspectCompletion
    let position = yield* retrieveOffset(session, known)
    let setbacks = 0
    let furthest = 0
    /** Going back and forth is no progress: only what goes further than ever makes up for setbacks. */
    const countMove = (from: UploadResource, to: number) => {
      if (to > Math.max(furthest, from.offset)) {
        furthest = to
        setbacks = 0
      } else if (to <= from.offset) setbacks += 1
    }
    for (;;) {
      if (position._tag === "Answered") return position.response
      if (position._tag === "Complete") return yield* collectAnswer(session, position.resource)
      const { resource } = position
      if (setbacks > maxSetbacks) {
        const detail = `${setbacks} answers in a row at offset ${resource.offset} without progress`
        return yield* session.violation("NoProgress", detail)
      }
      const part = nextPart(session, resource)
      const response = yield* sendPart(session, resource, part)
      const { completes } = part
      switch (Answers.toAppend(response, { completes, interopVersion: resource.interopVersion })) {
        case "Final":
          return yield* Effect.as(session.forget, response)
        case "Appended": {
          const offset = yield* offsetAfter(session, response.headers, part)
          countMove(resource, offset)
          position = { _tag: "Incomplete", resource: { ...resource, offset } }
          break
        }
        case "Unclear":
          position = yield* retrieveOffset(session, resource)
          if (position._tag === "Incomplete") countMove(resource, position.resource.offset)
          break
        case "WrongOffset":
          position = yield* correctOffset(session, response.headers, resource)
          setbacks += 1
          break
        case "TooLarge": {
          const smaller = yield* smallerAppends(session, resource, response.headers, part.length)
          if (Option.isNone(smaller)) return yield* refuse(session, Effect.succeed(response))
          // Halving comes to an end by itself; what a server announces may not.
          if (Option.isSome(Fields.uploadLimits(response.headers))) setbacks += 1
          position = { _tag: "Incomplete", resource: smaller.value }
          break
        }
        case "Locked":
          return yield* session.busy(response)
        case "Gone":
          return yield* session.lose("Gone", Option.some(response.status))
        case "Later":
          return response
        case "Unsupported":
          return yield* refuse(session, withoutAppends(session, response))
        case "Refused":
          return yield* refuse(session, Effect.succeed(response))
      }
    }
  })

/** Where to go on, or an answer that ends this attempt. */
type Position =
  | { readonly _tag: "Incomplete"; readonly resource: UploadResource }
  /** The targeted resource has answered before; only that answer was lost. */
  | { readonly _tag: "Complete"; readonly resource: UploadResource }
  | { readonly _tag: "Answered"; readonly response: HttpClientResponse.HttpClientResponse }

const retrieveOffset = <E>(
  session: Session<E>,
  resource: UploadResource
): Effect.Effect<Position, Failure<E>> =>
  Effect.gen(function* () {
    const response = yield* atResource(session, resource, "HEAD", (request) => session.ask(request))
    switch (Answers.toOffsetRequest(response)) {
      case "Told":
        return yield* readPosition(session, resource, response.headers)
      case "Gone":
        return yield* session.lose(yield* goneBecause(resource), Option.some(response.status))
      case "Locked":
        return yield* session.busy(response)
      case "Later":
        return { _tag: "Answered", response } satisfies Position
      case "Refused":
        return yield* session.lose("Refused", Option.some(response.status))
    }
    // Who asks in vain has nobody left to ask.
  }).pipe(Effect.catchIf(isDeadEnd, (deadEnd) => session.abandon(deadEnd)))

/** The server knows whether an upload has expired: a clock that was set here does not. */
const goneBecause = ({ expiresAtMillis }: UploadResource) =>
  Effect.map(Clock.currentTimeMillis, (now) =>
    expiresAtMillis !== undefined && expiresAtMillis <= now ? ("Expired" as const) : ("Gone" as const)
  )

const readPosition = <E>(session: Session<E>, resource: UploadResource, headers: Headers.Headers) =>
  Effect.gen(function* () {
    const complete = Fields.uploadComplete(headers)
    const offset = Fields.uploadOffset(headers)
    const length = Fields.uploadLength(headers)
    const bytesAreMissing = Option.exists(offset, (told) => told < session.size)
    if (Option.contains(complete, false) || (Option.isNone(complete) && bytesAreMissing)) {
      yield* session.denyCompletion
    }
    if (Option.isNone(offset)) {
      const detail = "no valid Upload-Offset in the answer to HEAD"
      return yield* session.violation("OffsetMissing", detail)
    }
    if (Option.isSome(length) && length.value !== session.size) {
      const detail = `the server expects ${length.value} bytes, this upload has ${session.size}`
      return yield* session.violation("LengthMismatch", detail)
    }
    yield* session.acknowledge(offset.value)
    const told: UploadResource = { ...resource, offset: offset.value }
    if (Option.contains(complete, true)) return { _tag: "Complete", resource: told } satisfies Position
    const limited = yield* withAnnouncedLimits(session, told, headers)
    return { _tag: "Incomplete", resource: limited } satisfies Position
  })

const withAnnouncedLimits = <E>(session: Session<E>, resource: UploadResource, headers: Headers.Headers) =>
  Option.match(Fields.uploadLimits(headers), {
    onNone: () => Effect.succeed(resource),
    onSome: (limits) =>
      Effect.gen(function* () {
        yield* session.requireWithin(limits)
        const known = yield* withLimits(resource, limits)
        yield* session.remember(known)
        return known
      })
  })

/**
 * Asks for a lost final answer by an empty append. A server that does not give it again leaves the outcome to be settled
 * by looking at the targeted resource.
 */
const collectAnswer = <E>(session: Session<E>, resource: UploadResource): Settled<E> =>
  Effect.gen(function* () {
    const part = session.appendOf(resource.offset, 0)
    const response = yield* sendPart(session, resource, part)
    const { completes } = part
    switch (Answers.toAppend(response, { completes, interopVersion: resource.interopVersion })) {
      case "Final":
        return yield* Effect.as(session.forget, response)
      case "Locked":
        return yield* session.busy(response)
      case "Later":
        return response
      default:
        return yield* session.lose("Unanswered", Option.some(response.status))
    }
  }).pipe(Effect.catchIf(isDeadEnd, (deadEnd) => session.abandon(deadEnd)))

/**
 * The upload ends here, unless its resource has all of it all the same: whoever refuses need not be whoever has received
 * the bytes. So that is asked before anything is given up.
 */
const unlessComplete = <E, F>(
  session: Session<E>,
  ending: Effect.Effect<HttpClientResponse.HttpClientResponse, F>
): Effect.Effect<HttpClientResponse.HttpClientResponse, Failure<E> | F> =>
  Effect.gen(function* () {
    if (session.mayBeComplete && Option.isSome(session.resource)) {
      const position = yield* retrieveOffset(session, session.resource.value)
      if (position._tag === "Answered") return position.response
      // A resource that has every byte and says nothing is no denial.
      const mustCollect = position._tag === "Complete" || session.mayBeComplete
      if (mustCollect) return yield* collectAnswer(session, position.resource)
    }
    return yield* ending
  })

/** An append was refused for good. */
const refuse = <E>(session: Session<E>, refusal: Answer<E>): Answer<E> =>
  unlessComplete(session, Effect.zipRight(session.giveUp, refusal))

/** Makes the errors of dead ends, once it is known what they leave behind. */
export const settled = <E>(session: Session<E>, answer: Answer<E>): Settled<E> =>
  Effect.catchIf(answer, isDeadEnd, (deadEnd) => unlessComplete(session, session.abandon(deadEnd)))

/** Where appends do not get through, the whole may, in the request that was always there. */
const withoutAppends = <E>(
  session: Session<E>,
  { status }: HttpClientResponse.HttpClientResponse
): Answer<E> =>
  session.options.mode === "required"
    ? Effect.fail(new ResumptionUnsupported({ origin: session.origin, status }))
    : session.ordinary

const nextPart = <E>(session: Session<E>, { limits, offset }: UploadResource): Part<E> => {
  const left = session.size - offset
  return session.appendOf(offset, Math.min(left, limits?.maxAppendSize ?? left))
}

/** After a success without its own offset, everything that was sent counts as appended. */
const offsetAfter = <E>(session: Session<E>, headers: Headers.Headers, { length, offset }: Part<E>) =>
  Effect.gen(function* () {
    // Without `?1`, and with the semantics of the upload, a success denies that the upload is complete.
    yield* session.denyCompletion
    const end = offset + length
    const told = Option.getOrElse(Fields.uploadOffset(headers), () => end)
    if (told < offset || told > end) {
      const detail = `offset ${told} after bytes ${offset} to ${end}`
      return yield* session.violation("OffsetBeyondLength", detail)
    }
    yield* session.acknowledge(told)
    return told
  })

/** A 409 tells the offset; one that does not has to be asked for. */
const correctOffset = <E>(session: Session<E>, headers: Headers.Headers, resource: UploadResource) =>
  Option.match(Fields.uploadOffset(headers), {
    onNone: () => retrieveOffset(session, resource),
    onSome: (offset) =>
      Effect.as(session.acknowledge(offset), {
        _tag: "Incomplete",
        resource: { ...resource, offset }
      } satisfies Position)
  })

/** What the server now says it takes, or half of what it refused, but never less than its minimum. */
const smallerAppends = <E>(
  session: Session<E>,
  resource: UploadResource,
  headers: Headers.Headers,
  refused: number
) =>
  Effect.map(withAnnouncedLimits(session, resource, headers), (known) => {
    const announced = known.limits?.maxAppendSize
    if (announced !== undefined && announced < refused) return Option.some(known)
    const half = Math.max(Math.floor(refused / 2), known.limits?.minAppendSize ?? 1)
    return half < refused
      ? Option.some<UploadResource>({ ...known, limits: { ...known.limits, maxAppendSize: half } })
      : Option.none()
  })

const sendPart = <E>(session: Session<E>, resource: UploadResource, part: Part<E>): Answer<E> =>
  Effect.gen(function* () {
    const digest = part.length === 0 ? {} : { "content-digest": yield* contentDigest(part) }
    const fields = {
      "upload-offset": String(part.offset),
      "upload-complete": part.completes ? "?1" : "?0",
      ...digest
    }
    return yield* atResource(session, resource, "PATCH", (request) =>
      session.send(HttpClientRequest.setHeaders(request, fields), part, (interim) =>
        onAppendInterim(session, resource, interim)
      )
    )
  })

/** `Content-Digest` (RFC 9530) of one append: a second reading of its part, at device speed. */
const contentDigest = <E>(part: Part<E>): Effect.Effect<string, E> =>
  Effect.suspend(() => {
    const hash = createHash("sha256")
    return part.bytes.pipe(
      Stream.runForEach((chunk) => Effect.sync(() => hash.update(chunk))),
      Effect.map(() => `sha-256=:${hash.digest("base64")}:`)
    )
  })

/** Exchanges a request with the upload resource, following 307 and 308 as far as they stay on its origin. */
const atResource = <E>(
  session: Session<E>,
  resource: UploadResource,
  method: "HEAD" | "PATCH",
  exchange: (request: HttpClientRequest.HttpClientRequest) => Answer<E>
): Answer<E> =>
  Effect.gen(function* () {
    const upload = session.options.request
    let { url } = resource
    for (let redirects = 0; redirects <= maxRedirects; redirects++) {
      const request = resourceRequest(method, upload, { ...resource, url })
      if (Option.isNone(request)) return yield* session.lose("Unusable", Option.none())
      const response = yield* exchange(request.value)
      if (response.status !== 307 && response.status !== 308) return response
      const target = locationOf(response.headers, upload.url, Redacted.value(url))
      if (target._tag !== "Usable") {
        const detail = "the upload resource redirected to another origin, or to what is no upload"
        return yield* session.violation("ForeignRedirect", detail)
      }
      url = Redacted.make(target.url)
    }
    const detail = `more than ${maxRedirects} in a row`
    return yield* session.violation("TooManyRedirects", detail)
  })

/** Progress only. An offset out of range shows again, and is dealt with, in the final response. */
const onAppendInterim = <E>(
  session: Session<E>,
  { interopVersion }: UploadResource,
  { status, headers }: InterimResponse
): Effect.Effect<void, E> => {
  if (status !== 104 || !Option.contains(Fields.interopVersion(headers), interopVersion)) return Effect.void
  return Option.match(Fields.uploadOffset(headers), {
    onNone: () => Effect.void,
    onSome: (offset) => Effect.catchIf(session.acknowledge(offset), isDeadEnd, () => Effect.void)
  })
}

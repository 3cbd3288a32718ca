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
import * as Representation from "../../Representation.ts"
import type { UploadResource } from "../../ResumableUpload.ts"
import { UploadResourceLost } from "../../ResumableUploadError.ts"
import * as Fields from "../../UploadFields.ts"
import * as Session from "./session.ts"

/** Answers in a row that move nothing (409, 413, an unmoved offset) before the server counts as broken. */
const maxSetbacks = 5
const maxRedirects = 5

/** @internal */
export const resume = <E>(session: Session.Session<E>, resource: UploadResource): Session.Answer<E> =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    if (resource.expiresAtMillis !== undefined && resource.expiresAtMillis <= now)
      return yield* lost(session, undefined)
    return yield* continueAtOffset(session, resource, 0)
  })

const continueAtOffset = <E>(
  session: Session.Session<E>,
  resource: UploadResource,
  setbacks: number
): Session.Answer<E> =>
  Effect.gen(function* () {
    const position = yield* retrieveOffset(session, resource)
    if (position._tag === "Answer") return position.response
    return yield* position.complete
      ? collectAnswer(session, position.resource)
      : append(session, position.resource, setbacks)
  })

/** The server has forgotten the upload: so does the journal, and the next attempt starts anew. */
const lost = <E>(session: Session.Session<E>, status: number | undefined) =>
  Effect.zipRight(
    Session.forget(session),
    Effect.fail(
      new UploadResourceLost({ origin: session.origin, ...(status === undefined ? {} : { status }) })
    )
  )

/** Where to go on, or an answer that ends this attempt. */
interface Position {
  readonly _tag: "Position"
  /** With the offset the server told. */
  readonly resource: UploadResource
  /** The targeted resource has answered before; only that answer was lost. */
  readonly complete: boolean
}
interface Answer {
  readonly _tag: "Answer"
  readonly response: HttpClientResponse.HttpClientResponse
}

const retrieveOffset = <E>(session: Session.Session<E>, resource: UploadResource) =>
  Effect.gen(function* () {
    const response = yield* toResource(session, resource, "HEAD", undefined)
    const answer: Answer = { _tag: "Answer", response }
    if (isGone(response.status)) return yield* lost(session, response.status)
    if (response.status < 200 || response.status >= 300) {
      if (!Session.keepsUpload(response.status)) yield* Session.forget(session)
      return answer
    }
    const offset = Fields.uploadOffset(response.headers)
    if (Option.isNone(offset)) {
      const error = Session.violation(
        session,
        "OffsetMissing",
        "no valid Upload-Offset in the answer to HEAD"
      )
      return yield* Session.abandon(session, error)
    }
    const length = Fields.uploadLength(response.headers)
    if (Option.isSome(length) && length.value !== session.size) {
      const detail = `the server expects ${length.value} bytes, this upload has ${session.size}`
      return yield* Session.abandon(session, Session.violation(session, "LengthMismatch", detail))
    }
    yield* acknowledge(session, offset.value)
    const told: UploadResource = { ...resource, offset: offset.value }
    const position: Position = {
      _tag: "Position",
      resource: yield* withAnnouncedLimits(session, told, response.headers),
      complete: Option.contains(Fields.uploadComplete(response.headers), true)
    }
    return position
  })

const acknowledge = <E>(session: Session.Session<E>, offset: number) =>
  Effect.catchTag(Session.acknowledge(session, offset), "UploadProtocolViolation", (error) =>
    Session.abandon(session, error)
  )

const withAnnouncedLimits = <E>(
  session: Session.Session<E>,
  resource: UploadResource,
  headers: Headers.Headers
) =>
  Option.match(Fields.uploadLimits(headers), {
    onNone: () => Effect.succeed(resource),
    onSome: (limits) =>
      Effect.gen(function* () {
        yield* Effect.catchTag(Session.withinLimits(session, limits), "UploadLimitExceeded", (error) =>
          Session.abandon(session, error)
        )
        const known = yield* Session.withLimits(resource, limits)
        yield* Session.remember(session, known)
        return known
      })
  })

const isGone = (status: number): boolean => status === 404 || status === 410

/**
 * Asks for a lost final answer by an empty append. A server that does not replay it leaves the outcome to be settled by
 * looking at the targeted resource.
 */
const collectAnswer = <E>(session: Session.Session<E>, resource: UploadResource): Session.Answer<E> =>
  Effect.gen(function* () {
    const response = yield* sendPart(session, resource, 0)
    if (Option.contains(Fields.uploadComplete(response.headers), true))
      return yield* Effect.as(Session.forget(session), response)
    return Session.keepsUpload(response.status) ? response : yield* lost(session, response.status)
  })

/** One append after another until the targeted resource has answered. */
const append = <E>(
  session: Session.Session<E>,
  resource: UploadResource,
  setbacks: number
): Session.Answer<E> =>
  Effect.gen(function* () {
    const { limits, offset } = resource
    if (setbacks > maxSetbacks) {
      const detail = `${setbacks} answers in a row at offset ${offset} without progress`
      return yield* Session.abandon(session, Session.violation(session, "NoProgress", detail))
    }
    const left = session.size - offset
    const length = Math.min(left, limits?.maxAppendSize ?? left)
    const response = yield* sendPart(session, resource, length)
    const { headers, status } = response
    if (Option.contains(Fields.uploadComplete(headers), true))
      return yield* Effect.as(Session.forget(session), response)
    if (status >= 200 && status < 300) {
      const next = yield* nextOffset(session, headers, offset, length)
      yield* acknowledge(session, next)
      return yield* append(session, { ...resource, offset: next }, next > offset ? 0 : setbacks + 1)
    }
    if (status === 409) {
      const expected = Fields.uploadOffset(headers)
      if (Option.isNone(expected)) return yield* continueAtOffset(session, resource, setbacks + 1)
      yield* acknowledge(session, expected.value)
      return yield* append(session, { ...resource, offset: expected.value }, setbacks + 1)
    }
    if (status === 413) {
      const announced = Option.isSome(Fields.uploadLimits(headers))
      const smaller = yield* smallerAppends(session, resource, headers, length)
      // Halving comes to an end by itself; what a server announces may not.
      if (smaller !== undefined) return yield* append(session, smaller, announced ? setbacks + 1 : setbacks)
    }
    if (isGone(status)) return yield* lost(session, status)
    if (!Session.keepsUpload(status)) yield* Session.forget(session)
    return response
  })

/** After a success without its own offset, everything that was sent counts as appended. */
const nextOffset = <E>(
  session: Session.Session<E>,
  headers: Headers.Headers,
  offset: number,
  length: number
) =>
  Option.match(Fields.uploadOffset(headers), {
    onNone: () => Effect.succeed(offset + length),
    onSome: (told) =>
      told < offset || told > offset + length
        ? Session.abandon(
            session,
            Session.violation(
              session,
              "OffsetBeyondLength",
              `offset ${told} after bytes ${offset} to ${offset + length}`
            )
          )
        : Effect.succeed(told)
  })

/** What the server now says it takes, or half of what it refused, but never less than its minimum. */
const smallerAppends = <E>(
  session: Session.Session<E>,
  resource: UploadResource,
  headers: Headers.Headers,
  refused: number
) =>
  Effect.gen(function* () {
    const known = yield* withAnnouncedLimits(session, resource, headers)
    const announced = known.limits?.maxAppendSize
    if (announced !== undefined && announced < refused) return known
    const half = Math.max(Math.floor(refused / 2), known.limits?.minAppendSize ?? 1)
    return half < refused ? { ...known, limits: { ...known.limits, maxAppendSize: half } } : undefined
  })

const sendPart = <E>(session: Session.Session<E>, resource: UploadResource, length: number) =>
  Effect.gen(function* () {
    const { offset } = resource
    const complete = length === 0 || offset + length === session.size
    const digest = length === 0 ? {} : { "content-digest": yield* contentDigest(session, offset, length) }
    return yield* toResource(session, resource, "PATCH", {
      offset,
      length,
      headers: { "upload-offset": String(offset), "upload-complete": complete ? "?1" : "?0", ...digest }
    })
  })

/** `Content-Digest` (RFC 9530) of one append: a second reading of its part, at device speed. */
const contentDigest = <E>(
  session: Session.Session<E>,
  offset: number,
  length: number
): Effect.Effect<string, E> =>
  Effect.suspend(() => {
    const hash = createHash("sha256")
    return Representation.slice(session.options.representation, offset, length).pipe(
      Stream.runForEach((chunk) => Effect.sync(() => hash.update(chunk))),
      Effect.map(() => `sha-256=:${hash.digest("base64")}:`)
    )
  })

interface PatchOptions {
  readonly offset: number
  readonly length: number
  readonly headers: Headers.Input
}

/** A request to the upload resource, following 307 and 308 as far as they stay on its origin. */
const toResource = <E>(
  session: Session.Session<E>,
  resource: UploadResource,
  method: "HEAD" | "PATCH",
  patch: PatchOptions | undefined,
  redirects = 0
): Session.Answer<E> =>
  Effect.gen(function* () {
    const request = Session.resourceRequest(method, session.options.request, resource)
    if (Option.isNone(request)) return yield* lost(session, undefined)
    const withFields =
      patch === undefined ? request.value : HttpClientRequest.setHeaders(request.value, patch.headers)
    const part: Session.Part | undefined = patch && { ...patch, contentType: "application/partial-upload" }
    const response = yield* Session.exchange(session, withFields, part, (interim) =>
      onAppendInterim(session, interim)
    )
    if (response.status !== 307 && response.status !== 308) return response
    if (redirects >= maxRedirects) {
      const error = Session.violation(session, "TooManyRedirects", `more than ${maxRedirects} in a row`)
      return yield* Session.abandon(session, error)
    }
    const target = Session.locationOf(session, response.headers, Redacted.value(resource.url))
    if (Option.isNone(target)) {
      const error = Session.violation(
        session,
        "ForeignRedirect",
        "the upload resource redirected to another origin"
      )
      return yield* Session.abandon(session, error)
    }
    const moved: UploadResource = { ...resource, url: Redacted.make(target.value) }
    return yield* toResource(session, moved, method, patch, redirects + 1)
  })

/** Progress only. An offset out of range shows again, and is dealt with, in the final response. */
const onAppendInterim = (
  session: Session.Session<unknown>,
  { status, headers }: InterimResponse
): Effect.Effect<void> =>
  status === 104
    ? Option.match(Fields.uploadOffset(headers), {
        onNone: () => Effect.void,
        onSome: (offset) => Effect.ignore(Session.acknowledge(session, offset))
      })
    : Effect.void

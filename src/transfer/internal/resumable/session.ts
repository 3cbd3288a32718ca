/** One attempt's state and its single way of exchanging a request for a response. */
import * as Headers from "@effect/platform/Headers"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import { Exchange, type InterimResponse } from "../../Exchange.ts"
import * as Representation from "../../Representation.ts"
import type { SendOptions, UploadResource } from "../../ResumableUpload.ts"
import {
  type ResumableUploadError,
  UploadLimitExceeded,
  UploadProtocolViolation
} from "../../ResumableUploadError.ts"
import { fromHttpClientError, type TransferError } from "../../TransferError.ts"
import type { UploadLimits } from "../../UploadFields.ts"

/** @internal */
export type Answer<E> = Effect.Effect<
  HttpClientResponse.HttpClientResponse,
  TransferError | ResumableUploadError | E
>

/** @internal */
export interface Session<E> {
  readonly options: SendOptions<E>
  readonly origin: string
  readonly size: number
  readonly resource: Ref.Ref<Option.Option<UploadResource>>
}

/** @internal */
export const makeSession = <E>(options: SendOptions<E>): Effect.Effect<Session<E>> =>
  Effect.map(Ref.make(Option.fromNullable(options.resource)), (resource) => ({
    options,
    origin: originOf(options.request.url),
    size: options.representation.size,
    resource
  }))

/** @internal */
export const originOf = (url: string): string => (URL.canParse(url) ? new URL(url).origin : "an invalid URL")

/** @internal */
export const interopHeader = (version: number): Headers.Input => ({
  "upload-draft-interop-version": String(version)
})

/**
 * A request to an upload resource, with the credentials of the upload request. `None` when the resource lies on another
 * origin: credentials never go there.
 *
 * @internal
 */
export const resourceRequest = (
  method: "HEAD" | "PATCH" | "DELETE",
  upload: HttpClientRequest.HttpClientRequest,
  resource: Pick<UploadResource, "url" | "interopVersion">
): Option.Option<HttpClientRequest.HttpClientRequest> => {
  const url = Redacted.value(resource.url)
  if (originOf(url) !== originOf(upload.url)) return Option.none()
  const headers = Headers.remove(upload.headers, ["content-type", "content-length"])
  return Option.some(
    HttpClientRequest.make(method)(url, {
      headers: Headers.setAll(headers, interopHeader(resource.interopVersion))
    })
  )
}

/**
 * The absolute address in `Location`. One on another origin is as good as none, for credentials and content are not sent
 * where nobody asked for. So is the targeted resource's own: cancelling an upload must never delete what it was for.
 *
 * @internal
 */
export const locationOf = (
  session: Session<unknown>,
  headers: Headers.Headers,
  base: string = session.options.request.url
): Option.Option<string> =>
  Headers.get(headers, "location").pipe(
    Option.filter((location) => URL.canParse(location, base)),
    Option.map((location) => new URL(location, base)),
    Option.filter((url) => url.origin === session.origin && url.username === "" && url.href.length <= 8192),
    Option.filter((url) => url.pathname !== new URL(session.options.request.url).pathname),
    Option.map((url) => url.href)
  )

/**
 * Whether an answer says nothing of the upload itself, but of the server, the credentials or the moment: such an upload
 * can be continued.
 *
 * @internal
 */
export const keepsUpload = (status: number): boolean =>
  status >= 500 || [401, 403, 407, 408, 425, 429].includes(status)

/** A part of the representation, in bytes. @internal */
export interface Part {
  readonly offset: number
  readonly length: number
  readonly contentType: string
}

/**
 * Sends one request, its body re-opened from the representation. A failure of the body's source comes out as itself,
 * whatever the client in use makes of it.
 *
 * @internal
 */
export const exchange = <E>(
  session: Session<E>,
  request: HttpClientRequest.HttpClientRequest,
  part: Part | undefined,
  onInterim: (response: InterimResponse) => Effect.Effect<void>
): Effect.Effect<HttpClientResponse.HttpClientResponse, TransferError | E> =>
  Effect.gen(function* () {
    const sourceFailure = yield* Ref.make(Option.none<E>())
    const withBody =
      part === undefined
        ? request
        : HttpClientRequest.setBody(request, partBody(session, part, sourceFailure))
    const start = part?.offset ?? 0
    // An empty creation is no beginning; an empty append is: nothing is left to send.
    if (part !== undefined && (part.length > 0 || start > 0)) yield* session.options.onPart(start)
    return yield* session.options.client.execute(withBody).pipe(
      Effect.provideService(Exchange, {
        onInterim,
        onWritten: (bytes) => session.options.onWritten(start + bytes),
        redirect: request.method === "PATCH" ? "return" : undefined
      }),
      Effect.catchAll((error) =>
        Effect.flatMap(Ref.get(sourceFailure), (failure) =>
          Effect.fail(Option.getOrElse(failure, () => fromHttpClientError(error)))
        )
      )
    )
  })

const partBody = <E>(
  session: Session<E>,
  part: Part,
  sourceFailure: Ref.Ref<Option.Option<E>>
): HttpBody.HttpBody => {
  if (part.length === 0) return HttpBody.uint8Array(new Uint8Array(0), part.contentType)
  const { interimResponses, onWritten, representation } = session.options
  const slice = Representation.slice(representation, part.offset, part.length)
  const bytes = interimResponses ? slice : counted(slice, part.offset, onWritten)
  return HttpBody.stream(
    Stream.tapError(bytes, (error) => Ref.set(sourceFailure, Option.some(error))),
    part.contentType,
    part.length
  )
}

/** For a transport that does not report what it writes, what it takes has to do. */
const counted = <E>(
  bytes: Stream.Stream<Uint8Array, E>,
  offset: number,
  onWritten: (offset: number) => Effect.Effect<void>
): Stream.Stream<Uint8Array, E> =>
  Stream.suspend(() => {
    let position = offset
    return Stream.tap(bytes, (chunk) => {
      position += chunk.length
      return onWritten(position)
    })
  })

/** @internal */
export const remember = <E>(session: Session<E>, resource: UploadResource): Effect.Effect<void, E> =>
  Effect.zipRight(Ref.set(session.resource, Option.some(resource)), session.options.onResource(resource))

/** @internal */
export const forget = <E>(session: Session<E>): Effect.Effect<void, E> =>
  Effect.flatMap(Ref.getAndSet(session.resource, Option.none()), (known) =>
    Option.isNone(known) ? Effect.void : session.options.onResource(undefined)
  )

/**
 * Gives the upload up: tells the server, forgets the resource. The cancellation is a courtesy: its own failure changes
 * nothing.
 *
 * @internal
 */
export const giveUp = <E>(session: Session<E>): Effect.Effect<void, E> =>
  Effect.gen(function* () {
    const request = Option.flatMap(yield* Ref.get(session.resource), (resource) =>
      resourceRequest("DELETE", session.options.request, resource)
    )
    if (Option.isSome(request)) yield* Effect.ignore(session.options.client.execute(request.value))
    yield* forget(session)
  })

/** The upload cannot go on. @internal */
export const abandon = <E>(
  session: Session<E>,
  error: ResumableUploadError
): Effect.Effect<never, ResumableUploadError | E> => Effect.zipRight(giveUp(session), Effect.fail(error))

/** @internal */
export const violation = (
  session: Session<unknown>,
  rule: UploadProtocolViolation["rule"],
  detail: string
): UploadProtocolViolation => new UploadProtocolViolation({ origin: session.origin, rule, detail })

/** Takes an acknowledged offset, which only ever grows within an exchange. @internal */
export const acknowledge = <E>(
  session: Session<E>,
  offset: number
): Effect.Effect<void, UploadProtocolViolation> =>
  offset > session.size
    ? Effect.fail(
        violation(session, "OffsetBeyondLength", `offset ${offset} of an upload of ${session.size} bytes`)
      )
    : Ref.update(session.resource, (known) =>
        Option.map(known, (resource) => ({ ...resource, offset: Math.max(resource.offset, offset) }))
      ).pipe(Effect.zipRight(session.options.onAcknowledged(offset)))

/** A resource under newly announced limits. What is not announced again stays as it was. @internal */
export const withLimits = (resource: UploadResource, limits: UploadLimits): Effect.Effect<UploadResource> =>
  Effect.map(Clock.currentTimeMillis, (now) => ({
    ...resource,
    limits: { ...resource.limits, ...limits },
    ...(limits.maxAgeSeconds === undefined
      ? {}
      : { expiresAtMillis: Math.min(now + limits.maxAgeSeconds * 1000, farFuture) })
  }))

/** The largest time a date can hold: a server may announce any integer. */
const farFuture = 8.64e15

/** Whether an upload of this size can be had under these limits at all. @internal */
export const withinLimits = (
  session: Session<unknown>,
  limits: UploadLimits
): Effect.Effect<void, UploadLimitExceeded> => {
  const { maxSize, maxAppendSize, minAppendSize } = limits
  const exceeded = (limit: UploadLimitExceeded["limit"], allowedBytes: number, neededBytes: number) =>
    Effect.fail(new UploadLimitExceeded({ origin: session.origin, limit, allowedBytes, neededBytes }))
  if (maxSize !== undefined && maxSize < session.size) return exceeded("max-size", maxSize, session.size)
  if (maxAppendSize === undefined || maxAppendSize >= session.size) return Effect.void
  const needed = Math.max(1, minAppendSize ?? 1)
  return maxAppendSize < needed ? exceeded("max-append-size", maxAppendSize, needed) : Effect.void
}

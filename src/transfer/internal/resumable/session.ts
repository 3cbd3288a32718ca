/** One attempt: what is known of its upload, and the one way its requests are exchanged for responses. */
import type * as Headers from "@effect/platform/Headers"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import * as ByteStream from "../../../byteStream.ts"
import { Exchange, type InterimResponse } from "../../Exchange.ts"
import * as Representation from "../../Representation.ts"
import {
  type ResumableUploadError,
  UploadLimitExceeded,
  UploadProtocolViolation,
  UploadResourceBusy,
  UploadResourceLost
} from "../../ResumableUploadError.ts"
import { retryAfterMillis } from "../../RetryPolicy.ts"
import { fromHttpClientError, type TransferError } from "../../TransferError.ts"
import type * as Fields from "../../UploadFields.ts"
import { locationOf, originOf, resourceRequest } from "./address.ts"
import type { SendEvent, SendOptions, UploadResource } from "./models.ts"

/**
 * The upload cannot go on like this. What that means for its outcome is known only when its resource has been asked, so
 * the error is made then.
 */
export class DeadEnd {
  readonly _tag = "DeadEnd"
  readonly toError: (outcomeOpen: boolean) => UploadProtocolViolation | UploadLimitExceeded

  constructor(toError: DeadEnd["toError"]) {
    this.toError = toError
  }
}

export const isDeadEnd = (error: unknown): error is DeadEnd => error instanceof DeadEnd

/** What an attempt can end with. */
export type Failure<E> = TransferError | ResumableUploadError | E

export type Settled<E> = Effect.Effect<HttpClientResponse.HttpClientResponse, Failure<E>>

export type Answer<E> = Effect.Effect<HttpClientResponse.HttpClientResponse, Failure<E> | DeadEnd>

/** The content of one request: a part of the representation, in bytes. */
export interface Part<E> {
  readonly offset: number
  readonly length: number
  readonly contentType: string
  /** Whether the request asks for the upload to be completed with these bytes. */
  readonly completes: boolean
  readonly bytes: Stream.Stream<Uint8Array, E>
}

export class Session<E> {
  readonly options: SendOptions<E>
  readonly origin: string
  readonly size: number
  #resource: Option.Option<UploadResource>
  #mayBeComplete = false
  #hasToldOfIgnored = false

  constructor(options: SendOptions<E>) {
    this.options = options
    this.origin = originOf(options.request.url)
    this.size = options.representation.size
    this.#resource = Option.fromNullable(options.resource)
  }

  /** The upload resource, as the server last told of it. */
  get resource(): Option.Option<UploadResource> {
    return this.#resource
  }

  /**
   * Whether the server may have all bytes and the word that they are all. Until its upload resource denies that, the
   * upload may take effect, and must not be cancelled.
   */
  get mayBeComplete(): boolean {
    return this.#mayBeComplete
  }

  /** An earlier request may have completed the upload. */
  readonly suspectCompletion: Effect.Effect<void> = Effect.sync(() => {
    this.#mayBeComplete = true
  })

  /** The upload resource itself says that the upload is not complete. */
  readonly denyCompletion: Effect.Effect<void> = Effect.sync(() => {
    this.#mayBeComplete = false
  })

  /** A request without content. */
  ask(
    request: HttpClientRequest.HttpClientRequest
  ): Effect.Effect<HttpClientResponse.HttpClientResponse, TransferError> {
    return Effect.mapError(this.options.client.execute(request), fromHttpClientError)
  }

  /**
   * A request with content, which is read anew from the representation. It ends at once with the first failure of the
   * content's source, of `observe` or of `onInterim`, which comes out as itself, whatever the client makes of it.
   */
  send(
    request: HttpClientRequest.HttpClientRequest,
    part: Part<E>,
    onInterim: (response: InterimResponse) => Effect.Effect<void, DeadEnd | E>
  ): Answer<E> {
    const { client, observe } = this.options
    return Effect.gen(this, function* () {
      const stop = yield* Deferred.make<never, DeadEnd | E>()
      // The transport sends nothing while it waits for one of these, so a stop leaves no byte behind it.
      const stopping = (told: Effect.Effect<void, DeadEnd | E>): Effect.Effect<void> =>
        Effect.catchAllCause(told, (cause) => Effect.zipRight(Deferred.failCause(stop, cause), Effect.never))
      // An empty creation is no beginning; an empty append is: nothing is left to send.
      if (part.length > 0 || part.offset > 0) {
        yield* observe({ _tag: "PartStarted", offset: part.offset })
      }
      const completing = observe({ _tag: "Completing" })
      if (part.completes && part.length === 0) yield* completing
      const body = this.#bodyOf(part, stopping, (error) => Deferred.fail(stop, error))
      return yield* client.execute(HttpClientRequest.setBody(request, body)).pipe(
        Effect.provideService(Exchange, {
          onInterim: (interim) => stopping(onInterim(interim)),
          beforeLast: part.completes ? stopping(completing) : undefined,
          onWritten: (bytes) => stopping(observe({ _tag: "BytesWritten", offset: part.offset + bytes })),
          redirect: request.method === "PATCH" ? "return" : undefined
        }),
        Effect.catchAll((error) =>
          Effect.if(Deferred.isDone(stop), {
            onTrue: () => Deferred.await(stop),
            onFalse: () => Effect.fail(fromHttpClientError(error))
          })
        ),
        Effect.raceFirst(Deferred.await(stop))
      )
    })
  }

  #bodyOf(
    part: Part<E>,
    stopping: (told: Effect.Effect<void, E>) => Effect.Effect<void>,
    failed: (error: E) => Effect.Effect<unknown>
  ): HttpBody.HttpBody {
    const end = part.offset + part.length
    if (part.length === 0) {
      this.#mayBeComplete ||= part.completes
      return HttpBody.uint8Array(new Uint8Array(0), part.contentType)
    }
    const { interimResponses, observe } = this.options
    // A transport that does not report what it writes is taken to write what it reads.
    const told = (event: SendEvent) => (interimResponses ? Effect.void : stopping(observe(event)))
    const bytes = ByteStream.suspend(() => {
      let position = part.offset
      return ByteStream.tap(part.completes ? withShortEnd(part) : part.bytes, (chunk) => {
        position += chunk.length
        const completes = part.completes && position >= end
        if (completes) this.#mayBeComplete = true
        const written = told({ _tag: "BytesWritten", offset: position })
        return completes ? Effect.zipRight(told({ _tag: "Completing" }), written) : written
      })
    })
    return HttpBody.stream(ByteStream.tapError(bytes, failed), part.contentType, part.length)
  }

  /** The whole representation, as the content of one request. */
  get whole(): Part<E> {
    const { representation } = this.options
    return {
      offset: 0,
      length: this.size,
      contentType: representation.contentType,
      completes: true,
      bytes: ByteStream.suspend(() => representation.read(0))
    }
  }

  /** The content of an append. */
  appendOf(offset: number, length: number): Part<E> {
    return {
      offset,
      length,
      contentType: "application/partial-upload",
      completes: length === 0 || offset + length === this.size,
      bytes: ByteStream.suspend(() => Representation.slice(this.options.representation, offset, length))
    }
  }

  /** The ordinary request, without a word about resumption. */
  get ordinary(): Answer<E> {
    return this.send(this.options.request, this.whole, () => Effect.void)
  }

  /** The address of an upload resource in `Location`, if it can be used. One that cannot is told of. */
  locate(headers: Headers.Headers): Effect.Effect<Option.Option<string>, E> {
    const { observe, request } = this.options
    const location = locationOf(headers, request.url, request.url)
    switch (location._tag) {
      case "Absent":
        return Effect.succeedNone
      case "Usable":
        return Effect.succeedSome(location.url)
      case "Ignored": {
        if (this.#hasToldOfIgnored) return Effect.succeedNone
        this.#hasToldOfIgnored = true
        const { origin, reason } = location
        return Effect.as(observe({ _tag: "ResourceIgnored", origin, reason }), Option.none())
      }
    }
  }

  remember(resource: UploadResource): Effect.Effect<void, E> {
    return Effect.suspend(() => {
      this.#resource = Option.some(resource)
      return this.options.observe({ _tag: "ResourceKnown", resource })
    })
  }

  /** Notes what the server has told of a known resource, without troubling anybody to keep it. */
  revise(change: (resource: UploadResource) => UploadResource): void {
    this.#resource = Option.map(this.#resource, change)
  }

  readonly forget: Effect.Effect<void, E> = Effect.suspend(() => {
    if (Option.isNone(this.#resource)) return Effect.void
    this.#resource = Option.none()
    return this.options.observe({ _tag: "ResourceGone" })
  })

  /** Tells the server to forget the upload. Its own failure changes nothing: what is not cancelled expires. */
  readonly giveUp: Effect.Effect<void, E> = Effect.suspend(() =>
    Option.flatMap(this.#resource, (resource) =>
      resourceRequest("DELETE", this.options.request, resource)
    ).pipe(
      Option.match({ onNone: () => Effect.void, onSome: (request) => Effect.ignore(this.ask(request)) }),
      Effect.zipRight(this.forget)
    )
  )

  /** Ends the upload for good. What may be complete is not cancelled: its outcome is open. */
  abandon(deadEnd: DeadEnd): Effect.Effect<never, ResumableUploadError | E> {
    return Effect.suspend(() => {
      const isOpen = this.#mayBeComplete
      return Effect.zipRight(isOpen ? this.forget : this.giveUp, Effect.fail(deadEnd.toError(isOpen)))
    })
  }

  /** The upload resource is of no more use, and with it goes the knowledge of what became of the upload. */
  lose(
    reason: UploadResourceLost["reason"],
    status: Option.Option<number>
  ): Effect.Effect<never, UploadResourceLost | E> {
    const told = Option.match(status, { onNone: () => ({}), onSome: (value) => ({ status: value }) })
    return Effect.zipRight(
      this.forget,
      Effect.fail(new UploadResourceLost({ origin: this.origin, reason, ...told }))
    )
  }

  /** Another request holds the upload resource. */
  busy(response: HttpClientResponse.HttpClientResponse): Effect.Effect<never, UploadResourceBusy> {
    return Effect.flatMap(retryAfterMillis(response.headers), (wait) => {
      const hint = Option.match(wait, {
        onNone: () => ({}),
        onSome: (retryAfterMillis) => ({ retryAfterMillis })
      })
      return new UploadResourceBusy({ origin: this.origin, status: response.status, ...hint })
    })
  }

  violation(rule: UploadProtocolViolation["rule"], detail: string): Effect.Effect<never, DeadEnd> {
    const { origin } = this
    return Effect.fail(
      new DeadEnd((outcomeOpen) => new UploadProtocolViolation({ origin, rule, detail, outcomeOpen }))
    )
  }

  /** Takes an acknowledged offset, which only ever grows within an exchange. */
  acknowledge(offset: number): Effect.Effect<void, DeadEnd | E> {
    return Effect.gen(this, function* () {
      if (offset > this.size) {
        const detail = `offset ${offset} of an upload of ${this.size} bytes`
        return yield* this.violation("OffsetBeyondLength", detail)
      }
      this.revise((resource) => ({ ...resource, offset: Math.max(resource.offset, offset) }))
      yield* this.options.observe({ _tag: "BytesAcknowledged", offset })
    })
  }

  /** Whether an upload of this size can be had under these limits at all. */
  requireWithin(limits: Fields.UploadLimits): Effect.Effect<void, DeadEnd> {
    const { origin } = this
    const { maxSize, maxAppendSize, minAppendSize } = limits
    const exceeded = (limit: UploadLimitExceeded["limit"], allowedBytes: number, neededBytes: number) =>
      Effect.fail(
        new DeadEnd(
          (outcomeOpen) => new UploadLimitExceeded({ origin, limit, allowedBytes, neededBytes, outcomeOpen })
        )
      )
    if (maxSize !== undefined && maxSize < this.size) return exceeded("max-size", maxSize, this.size)
    if (maxAppendSize === undefined || this.fitsOneRequest(limits)) return Effect.void
    const needed = Math.max(1, minAppendSize ?? 1)
    return maxAppendSize < needed ? exceeded("max-append-size", maxAppendSize, needed) : Effect.void
  }

  fitsOneRequest({ maxAppendSize }: Fields.UploadLimits): boolean {
    return maxAppendSize === undefined || maxAppendSize >= this.size
  }
}

/** Small enough to leave at once, so that nothing comes between what is observed before and the end. */
const endBytes = 4096

/** The bytes of a part, with an end of its own. */
const withShortEnd = <E>({ bytes, length }: Part<E>): Stream.Stream<Uint8Array, E> =>
  ByteStream.make<E, never>(
    Effect.map(ByteStream.begin(bytes), (pull) => {
      let pulled = 0
      let end: Uint8Array | undefined
      const cut = (chunk: Uint8Array) => {
        pulled += chunk.length
        const at = chunk.length - endBytes
        if (pulled < length || at <= 0) return chunk
        end = chunk.subarray(at)
        return chunk.subarray(0, at)
      }
      return Effect.suspend(() => {
        if (end === undefined) return Effect.map(pull, cut)
        const last = end
        end = undefined
        return Effect.succeed(last)
      })
    })
  )

/** A resource under newly announced limits. What is not announced again stays as it was. */
export const withLimits = (
  resource: UploadResource,
  limits: Fields.UploadLimits
): Effect.Effect<UploadResource> =>
  Effect.map(Clock.currentTimeMillis, (now) => ({
    ...resource,
    limits: { ...resource.limits, ...limits },
    ...(limits.maxAgeSeconds === undefined
      ? {}
      : { expiresAtMillis: Math.min(now + limits.maxAgeSeconds * 1000, farFuture) })
  }))

/** The largest time a date can hold: a server may announce any integer. */
const farFuture = 8.64e15

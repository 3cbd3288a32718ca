/**
 * The client side of "Resumable Uploads for HTTP" (draft-ietf-httpbis-resumable-upload), with the ordinary upload as
 * its plain case: one request that upgrades itself where the server can, and stays what it was where it cannot.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import { resume } from "./internal/resumable/append.ts"
import { create } from "./internal/resumable/creation.ts"
import { giveUp, makeSession, resourceRequest } from "./internal/resumable/session.ts"
import type { Representation } from "./Representation.ts"
import type { ResumableUploadError } from "./ResumableUploadError.ts"
import { fromHttpClientError, type TransferError } from "./TransferError.ts"
import type { UploadLimits } from "./UploadFields.ts"

/**
 * What has to survive for an upload to be resumed by another process.
 *
 * @since 0.1.0
 * @category models
 */
export interface UploadResource {
  /** Whoever knows it may append to the upload: treat it as a secret. */
  readonly url: Redacted.Redacted<string>
  /** Bytes of the representation the server has acknowledged. */
  readonly offset: number
  /** Iteration of the draft it was created under. */
  readonly interopVersion: number
  readonly limits?: UploadLimits
  /** When the server may forget it, in milliseconds since the epoch. */
  readonly expiresAtMillis?: number
}

/**
 * `auto` offers the upgrade and takes what comes; `never` sends an ordinary request, and cancels an upload that was begun;
 * `required` fails before the first byte unless the server says it can resume.
 *
 * @since 0.1.0
 * @category models
 */
export type Mode = "auto" | "never" | "required"

/**
 * One attempt: what to send where, and whom to tell of its progress.
 *
 * @since 0.1.0
 * @category models
 */
export interface SendOptions<E> {
  /** Sends requests as they are: no base URL, no added credentials. */
  readonly client: HttpClient.HttpClient
  /** Whether `client` shows interim responses. Without them, the upload resource is asked for by an extra request. */
  readonly interimResponses: boolean
  /** The upload request with its credentials and without a body. Credentials go to its origin only. */
  readonly request: HttpClientRequest.HttpClientRequest
  readonly representation: Representation<E>
  readonly mode: Mode
  /** Iteration of the draft to speak: 6, 7 or 8. */
  readonly interopVersion: number
  /** Value of `Repr-Digest` (RFC 9530). */
  readonly reprDigest?: string | undefined
  /** Continue this upload instead of creating one. */
  readonly resource?: UploadResource | undefined
  /**
   * Runs when the upload resource becomes known, changes or goes; for a new one before any further byte is sent. When
   * it fails, so does the upload.
   */
  readonly onResource: (resource: UploadResource | undefined) => Effect.Effect<void, E>
  /** Runs before each request with content, and before an append with none left, with the offset it begins at. */
  readonly onPart: (offset: number) => Effect.Effect<void>
  /** Offset in the representation up to which bytes were handed to the transport. */
  readonly onWritten: (offset: number) => Effect.Effect<void>
  /** Offset up to which the server acknowledged the representation. */
  readonly onAcknowledged: (offset: number) => Effect.Effect<void>
}

/**
 * One attempt: creates an upload or continues `resource`, and returns the targeted resource's own answer, whatever its
 * status. A failure leaves the upload as `onResource` last told it, to be continued by the next attempt.
 *
 * @since 0.1.0
 * @category sending
 */
export const send = <E>(
  options: SendOptions<E>
): Effect.Effect<HttpClientResponse.HttpClientResponse, TransferError | ResumableUploadError | E> =>
  Effect.flatMap(makeSession(options), (session) => {
    if (options.mode === "never") return Effect.zipRight(giveUp(session), create(session))
    return options.resource === undefined ? create(session) : resume(session, options.resource)
  })

/**
 * Tells the server to forget an upload. Answers of any kind count as done: an upload that cannot be cancelled expires.
 *
 * @since 0.1.0
 * @category sending
 */
export const cancel = (
  options: Pick<SendOptions<never>, "client" | "request">,
  resource: Pick<UploadResource, "url" | "interopVersion">
): Effect.Effect<void, TransferError> =>
  resourceRequest("DELETE", options.request, resource).pipe(
    Option.match({
      onNone: () => Effect.void,
      onSome: (request) =>
        options.client.execute(request).pipe(Effect.mapError(fromHttpClientError), Effect.asVoid)
    })
  )

/**
 * The limits a server announced.
 *
 * @since 0.1.0
 * @category models
 */
export type { UploadLimits } from "./UploadFields.ts"

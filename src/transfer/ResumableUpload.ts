/**
 * The client side of "Resumable Uploads for HTTP" (draft-ietf-httpbis-resumable-upload), with the ordinary upload as
 * its plain case: one request that upgrades itself where the server can, and stays what it was where it cannot.
 *
 * @since 0.1.0
 */
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { resourceRequest } from "./internal/resumable/address.ts"
import { resume, settled } from "./internal/resumable/append.ts"
import { create } from "./internal/resumable/creation.ts"
import * as Discovery from "./internal/resumable/discovery.ts"
import type { SendOptions, UploadResource } from "./internal/resumable/models.ts"
import { Session } from "./internal/resumable/session.ts"
import type { ResumableUploadError } from "./ResumableUploadError.ts"
import { fromHttpClientError, type TransferError } from "./TransferError.ts"

/**
 * One attempt: creates an upload or continues `resource`, and returns the targeted resource's own answer, whatever its
 * status. A failure leaves the upload as `observe` was last told, to be continued by the next attempt.
 *
 * @since 0.1.0
 * @category sending
 */
export const send = <E>(
  options: SendOptions<E>
): Effect.Effect<HttpClientResponse.HttpClientResponse, TransferError | ResumableUploadError | E> =>
  Effect.suspend(() => {
    const session = new Session(options)
    if (options.mode === "never") return settled(session, Effect.zipRight(session.giveUp, create(session)))
    const answer = Option.match(session.resource, {
      onNone: () => create(session),
      onSome: (resource) => resume(session, resource)
    })
    return settled(session, answer)
  })

/**
 * Tells the server to forget an upload. Answers of any kind count as done: an upload that cannot be cancelled expires.
 * Nothing is sent to an address that may not be an upload resource of this request.
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
 * What the server says about resumable uploads to the target of `request` when asked with `OPTIONS`, from the newest
 * interop version down: the first one that it answers to with its limits. `None` when it announces none.
 *
 * An announcement is no proof: whether `104` comes through is seen in an upload.
 *
 * @since 0.1.0
 * @category sending
 */
export const discover: (
  options: Pick<SendOptions<never>, "client" | "request">
) => Effect.Effect<Option.Option<Discovery.Support>, TransferError> = Discovery.discover

/**
 * The interop versions that can be spoken, from the newest down: those of the drafts -05 (6) to -13 (10).
 *
 * @since 0.1.0
 * @category constants
 */
export const interopVersions: typeof Discovery.interopVersions = Discovery.interopVersions

/**
 * What can be spoken: one of `interopVersions`.
 *
 * @since 0.1.0
 * @category models
 */
export type InteropVersion = (typeof Discovery.interopVersions)[number]

/**
 * What a server says of its resumable uploads.
 *
 * @since 0.1.0
 * @category models
 */
export type { Support } from "./internal/resumable/discovery.ts"
/**
 * One attempt, what happens during it, and the upload it may leave behind.
 *
 * @since 0.1.0
 * @category models
 */
export type {
  IgnoredReason,
  Mode,
  SendEvent,
  SendOptions,
  UploadResource
} from "./internal/resumable/models.ts"
/**
 * The limits a server announced.
 *
 * @since 0.1.0
 * @category models
 */
export type { UploadLimits } from "./UploadFields.ts"

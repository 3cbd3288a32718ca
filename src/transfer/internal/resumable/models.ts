/** What an attempt is given, and what it tells. */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { Representation } from "../../Representation.ts"
import type { UploadLimits } from "../../UploadFields.ts"

/** What has to survive for an upload to be resumed by another process. */
export interface UploadResource {
  /** Whoever knows it may append to the upload: treat it as a secret. */
  readonly url: Redacted.Redacted<string>
  /** Bytes of the representation the server has acknowledged. */
  readonly offset: number
  /** Interop version of the draft it was created under. */
  readonly interopVersion: number
  readonly limits?: UploadLimits
  /** When the server may forget it, in milliseconds since the epoch. */
  readonly expiresAtMillis?: number
}

/**
 * `auto` offers the upgrade and takes what comes; `never` sends an ordinary request, and cancels an upload that was begun;
 * `required` fails before the first byte unless the server says it can resume.
 */
export type Mode = "auto" | "never" | "required"

/**
 * Why a `Location` is not used as the address of the upload resource: it lies on another scheme, host or port, where
 * neither credentials nor content are sent; it is the target itself, or lies with it in the folder of the API and not
 * below it, where a cancellation would delete something else; or it is no usable URL.
 */
export type IgnoredReason = "AnotherOrigin" | "NotAnUploadResource" | "Malformed"

/** What happens during an attempt. Offsets count bytes of the representation. */
export type SendEvent =
  /** There is an upload resource, or it has changed. No further byte is sent before this has been observed. */
  | { readonly _tag: "ResourceKnown"; readonly resource: UploadResource }
  /** The upload resource is of no more use: the upload was answered, cancelled or lost. */
  | { readonly _tag: "ResourceGone" }
  /** The server named an upload resource that is not used. Told once in an attempt. */
  | { readonly _tag: "ResourceIgnored"; readonly origin: string; readonly reason: IgnoredReason }
  /** A request with content begins at this offset, or an append that has none left to send. */
  | { readonly _tag: "PartStarted"; readonly offset: number }
  /**
   * The upload is about to be completed: what is sent next may be all that the server waits for, and is sent when this has been
   * observed.
   */
  | { readonly _tag: "Completing" }
  /** Bytes up to this offset were handed to the transport. */
  | { readonly _tag: "BytesWritten"; readonly offset: number }
  /** The server has acknowledged the bytes up to this offset. */
  | { readonly _tag: "BytesAcknowledged"; readonly offset: number }

/** One attempt: what to send where, and who observes its progress. */
export interface SendOptions<E> {
  /** Sends requests as they are: no base URL, no added credentials. */
  readonly client: HttpClient.HttpClient
  /** Whether `client` shows interim responses. Without them, the upload resource is asked for by an extra request. */
  readonly interimResponses: boolean
  /** The upload request with its credentials and without a body. Credentials go to its origin only. */
  readonly request: HttpClientRequest.HttpClientRequest
  readonly representation: Representation<E>
  readonly mode: Mode
  /** Interop version of the draft to speak. */
  readonly interopVersion: number
  /** Value of `Repr-Digest` (RFC 9530). */
  readonly reprDigest?: string | undefined
  /** Continue this upload instead of creating one. */
  readonly resource?: UploadResource | undefined
  /**
   * Whether an earlier attempt sent content and ended without an upload resource. Then the server is asked first whether it
   * can resume, so that an upload whose 104 gets lost on the way is sent twice at most.
   */
  readonly afterFailure?: boolean | undefined
  /** Runs for every event, in order. The upload waits for it, and fails when it fails. */
  readonly observe: (event: SendEvent) => Effect.Effect<void, E>
}

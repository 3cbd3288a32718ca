/**
 * What one request can ask of a transport, beyond what `HttpClient` has words for.
 *
 * @since 0.1.0
 */
import type * as Headers from "@effect/platform/Headers"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"

/**
 * An interim (1xx) response: 100, 103, 104 and whatever else comes before the final one.
 *
 * @since 0.1.0
 * @category models
 */
export interface InterimResponse {
  readonly status: number
  readonly headers: Headers.Headers
}

/**
 * What one exchange may tell, and what it does about a redirect.
 *
 * @since 0.1.0
 * @category models
 */
export interface ExchangeOptions {
  /** Runs for every interim response, in order. No further body byte is sent until it has finished. */
  readonly onInterim?: ((response: InterimResponse) => Effect.Effect<void>) | undefined
  /** Runs after a chunk was handed to the socket, with the body bytes written so far in this exchange. */
  readonly onWritten?: ((bytes: number) => Effect.Effect<void>) | undefined
  /**
   * Runs when nothing of a body of known length is left in this process but its last bytes, and at the very moment at which they
   * could leave. They are handed to the socket when it has finished.
   */
  readonly beforeLast?: Effect.Effect<void> | undefined
  /** Whether the body waits for `100 Continue`. By default its size decides, and what is known of the server. */
  readonly expectContinue?: boolean | undefined
  /**
   * What a 3xx answer with a `Location` means. `refuse` fails with `RedirectRefused`, the default for PUT, POST and PATCH;
   * `return` hands the answer to the caller, the default for everything else. Redirects are never followed.
   */
  readonly redirect?: "refuse" | "return" | undefined
}

/**
 * Read from the fiber's context at the moment a request is executed, so it passes unharmed through every
 * `HttpClient.mapRequest`-like wrapper. A transport that does not know it ignores it.
 *
 * @since 0.1.0
 * @category references
 */
export class Exchange extends Context.Reference<Exchange>()("effect-elastic-extensions/transfer/Exchange", {
  defaultValue: (): ExchangeOptions => ({})
}) {}

/**
 * What the `HttpClient` standing in the same context can do. The default speaks for an unknown client.
 *
 * @since 0.1.0
 * @category references
 */
export class TransportCapabilities extends Context.Reference<TransportCapabilities>()(
  "effect-elastic-extensions/transfer/TransportCapabilities",
  {
    defaultValue: (): {
      readonly interimResponses: boolean
      readonly expectContinue: boolean
      /**
       * Opens a connection in the background for the first request with content to this URL's origin. It is closed with
       * the scope if there was none.
       */
      readonly connectAhead: (url: string) => Effect.Effect<void, never, Scope>
    } => ({
      interimResponses: false,
      expectContinue: false,
      connectAhead: () => Effect.void
    })
  }
) {}

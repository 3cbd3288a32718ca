/**
 * What answers instead of the documented errors: gateways, firewalls, rate limits and outages, sorted by what a caller
 * can do about each.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { describe, undocumentedFields, waitHint } from "./internal/errorContext.ts"

/**
 * 401 without one of the codes that the extensions API documents: the API key itself was not accepted.
 *
 * @since 0.1.0
 * @category errors
 */
export class AuthenticationFailed extends Schema.TaggedError<AuthenticationFailed>(
  "effect-elastic-extensions/cloud/AuthenticationFailed"
)("AuthenticationFailed", undocumentedFields) {
  readonly isRetryable = false

  override get message(): string {
    return describe(
      this,
      "the API key was not accepted",
      "Check that EC_API_KEY is complete, not expired or revoked, and belongs to this endpoint."
    )
  }
}

/**
 * 403. `reason` is `Firewall` when the answer is an HTML page, which the API itself never sends.
 *
 * @since 0.1.0
 * @category errors
 */
export class Forbidden extends Schema.TaggedError<Forbidden>("effect-elastic-extensions/cloud/Forbidden")(
  "Forbidden",
  { ...undocumentedFields, reason: Schema.Literal("Firewall", "Refused") }
) {
  readonly isRetryable = false

  override get message(): string {
    return this.reason === "Firewall"
      ? describe(
          this,
          "a firewall in front of the API answered with an HTML page",
          "It refuses multipart bodies in some regions: send the archive raw (application/zip, the default), and check that this machine's address is allowed."
        )
      : describe(this, "the API key does not allow it", "Use a key with the rights to manage extensions.")
  }
}

/**
 * 408: the service gave up waiting for the request.
 *
 * @since 0.1.0
 * @category errors
 */
export class RequestTimeout extends Schema.TaggedError<RequestTimeout>(
  "effect-elastic-extensions/cloud/RequestTimeout"
)("RequestTimeout", undocumentedFields) {
  readonly isRetryable = true

  override get message(): string {
    return describe(this, "the service gave up waiting for the request", `${waitHint(this)}.`)
  }
}

/**
 * 409 without a documented code.
 *
 * @since 0.1.0
 * @category errors
 */
export class Conflict extends Schema.TaggedError<Conflict>("effect-elastic-extensions/cloud/Conflict")(
  "Conflict",
  undocumentedFields
) {
  readonly isRetryable = false

  override get message(): string {
    return describe(
      this,
      "it conflicts with the present state of the extension",
      "Read the extension again and decide whether your change still applies."
    )
  }
}

/**
 * 413: the archive is larger than the service, or a gateway before it, takes.
 *
 * @since 0.1.0
 * @category errors
 */
export class PayloadTooLarge extends Schema.TaggedError<PayloadTooLarge>(
  "effect-elastic-extensions/cloud/PayloadTooLarge"
)("PayloadTooLarge", undocumentedFields) {
  readonly isRetryable = false

  override get message(): string {
    return describe(
      this,
      "the body is larger than the service takes",
      "Make the archive smaller, or host it and give the extension a download URL."
    )
  }
}

/**
 * 429: too many requests.
 *
 * @since 0.1.0
 * @category errors
 */
export class RateLimited extends Schema.TaggedError<RateLimited>(
  "effect-elastic-extensions/cloud/RateLimited"
)("RateLimited", undocumentedFields) {
  readonly isRetryable = true

  override get message(): string {
    return describe(this, "too many requests", `${waitHint(this)}.`)
  }
}

/**
 * 449: Elastic Cloud wants the user to confirm who they are before it does this.
 *
 * @since 0.1.0
 * @category errors
 */
export class ElevatedPermissionsRequired extends Schema.TaggedError<ElevatedPermissionsRequired>(
  "effect-elastic-extensions/cloud/ElevatedPermissionsRequired"
)("ElevatedPermissionsRequired", undocumentedFields) {
  readonly isRetryable = false

  override get message(): string {
    return describe(
      this,
      "it needs elevated permissions",
      "Use an API key with administrative rights, or do it once in the Elastic Cloud console."
    )
  }
}

/**
 * Any 5xx: the service, or a gateway before it, is not able to answer now.
 *
 * @since 0.1.0
 * @category errors
 */
export class ServiceUnavailable extends Schema.TaggedError<ServiceUnavailable>(
  "effect-elastic-extensions/cloud/ServiceUnavailable"
)("ServiceUnavailable", undocumentedFields) {
  /** The others (501, 505, 511 …) do not pass by waiting. */
  get isRetryable(): boolean {
    return [500, 502, 503, 504].includes(this.status)
  }

  override get message(): string {
    return describe(
      this,
      "the service is not able to answer",
      this.isRetryable ? `${waitHint(this)}.` : "Check the endpoint and any proxy before it."
    )
  }
}

const adviceFor = (status: number): string => {
  if (status === 404) return "There is no extensions API at this address: check EC_ENDPOINT."
  return status >= 300 && status < 400
    ? "Redirects are not followed: set EC_ENDPOINT to the final address if you trust it."
    : "Check that EC_ENDPOINT names the Elastic Cloud API and that no proxy answers in its place."
}

/**
 * A status that nobody described for this operation.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnexpectedResponse extends Schema.TaggedError<UnexpectedResponse>(
  "effect-elastic-extensions/cloud/UnexpectedResponse"
)("UnexpectedResponse", {
  ...undocumentedFields,
  /** The response headers, without secrets. */
  headers: Schema.Record({ key: Schema.String, value: Schema.String })
}) {
  readonly isRetryable = false

  override get message(): string {
    const remedy = this.errors.length > 0 ? "Its message says what to change." : adviceFor(this.status)
    return describe(this, "the answer was not one this operation can give", remedy)
  }
}

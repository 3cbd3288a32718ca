/** Which failures of a request without a file leave open whether it took effect. */
import type { ExtensionsError } from "../../cloud/ExtensionsError.ts"
import type { Phase, TransferError } from "../../transfer/TransferError.ts"
import { isOpenEnded } from "../../upload/internal/openEnd.ts"

const beforeSending: ReadonlySet<Phase> = new Set([
  "resolving",
  "connecting",
  "securing",
  "awaiting-continue"
])

/** So small a request is in the server's hands as soon as it is being sent. @internal */
export const isOutcomeOpen = (error: ExtensionsError | TransferError): boolean =>
  isOpenEnded(error, !("phase" in error && beforeSending.has(error.phase)))

/**
 * Whether the service may still be fetching an archive after this. A gateway that stopped waiting has not stopped the
 * service behind it; one that says so itself (500, 503) did not begin.
 *
 * @internal
 */
export const mayStillFetch = (error: ExtensionsError | TransferError): boolean =>
  error._tag === "ServiceUnavailable" ? error.status === 502 || error.status === 504 : isOutcomeOpen(error)

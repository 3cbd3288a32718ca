/** Which failures leave open whether the upload took effect. */
import type { UploadError } from "../UploadError.ts"

/**
 * A request whose body did not reach its announced end cannot have been applied. After the whole body, everything that
 * is not the service's own refusal is open: a lost answer, a gateway's 5xx, an answer that makes no sense.
 *
 * @internal
 */
export const isOpenEnded = (error: UploadError, wholeBodySent: boolean): boolean => {
  switch (error._tag) {
    case "ConnectionFailed":
    case "UploadStalled":
    case "DeadlineExceeded":
    case "ServiceUnavailable":
      return wholeBodySent
    case "InvalidResponse":
    case "UploadResourceLost":
      return true
    case "UnexpectedResponse":
      return error.status < 400
    default:
      return false
  }
}

/**
 * Whether the same upload, run again, has something to go on with: after what may pass, after what is not known, and
 * after a refusal to begin, which touches nothing that an earlier run has left.
 *
 * @internal
 */
export const isResumable = (error: UploadError): boolean =>
  error.isRetryable ||
  error._tag === "OutcomeUnknown" ||
  error._tag === "DeadlineExceeded" ||
  error._tag === "InvalidArchive" ||
  error._tag === "ExtensionProtected" ||
  error._tag.startsWith("Journal")

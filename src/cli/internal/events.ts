/** What happens during an upload or a publishing, in words. */
import type { PublishEvent } from "../../publish/PublishEvent.ts"
import * as format from "./format.ts"

const outcomes = {
  NotApplied: "it did not take effect",
  Applied: "it did take effect",
  Conflict: "someone else wrote meanwhile",
  Unknown: "it cannot tell"
} as const

const proofs = {
  hash: "its hash",
  size: "its size",
  response: "the service's word"
} as const

/** The events that say how far something has come, and come often. */
export type Step = Extract<
  PublishEvent,
  { readonly _tag: "DigestProgress" | "BytesWritten" | "BytesAcknowledged" | "VerificationProgress" }
>

export const isStep = (event: PublishEvent): event is Step =>
  event._tag === "DigestProgress" ||
  event._tag === "BytesWritten" ||
  event._tag === "BytesAcknowledged" ||
  event._tag === "VerificationProgress"

/** Bytes done, of `total`. */
export const doneOf = (step: Step): number => ("offset" in step ? step.offset : step.bytes)

/** One line for everything worth knowing that is no step. */
export const sentenceOf = (event: Exclude<PublishEvent, Step>): string | undefined => {
  switch (event._tag) {
    case "ArchiveInspected":
      return event.elasticsearchVersion === undefined
        ? `inspected: ${event.type}, ${event.entryCount} entries`
        : `inspected: ${event.type} for Elasticsearch ${event.elasticsearchVersion}`
    case "DigestComputed":
      return `hashed: sha-256 ${event.sha256.slice(0, 16)}… of ${format.bytes(event.size)}`
    case "UploadContinued":
      return "going on with the upload that an earlier run left unfinished"
    case "StaleUploadDiscarded":
      return `gave up the unfinished upload of ${event.name}`
    case "AttemptStarted":
      return event.attempt === 1 ? undefined : `attempt ${event.attempt}`
    case "SendingStarted":
      return event.offset === 0
        ? undefined
        : `going on at ${format.bytes(event.offset)} of ${format.bytes(event.total)}`
    case "ResumptionOffered":
      return "the server can resume this upload"
    case "RetryScheduled":
      return `! ${event.message} Trying again in ${format.duration(event.delayMillis)}.`
    case "ReconciliationStarted":
      return `! ${event.message} Asking the server whether the upload took effect.`
    case "Reconciled":
      return `the server says: ${outcomes[event.outcome]}`
    case "Verified":
      return `verified by ${proofs[event.proof]}`
    case "Warning":
      return `warning: ${event.message}`
    case "ExtensionFound":
      return `found extension ${event.extensionId}`
    case "ExtensionCreated":
      return `created extension ${event.extensionId}`
    case "MetadataUpdated":
      return `updated ${event.fields.join(" and ")} of extension ${event.extensionId}`
    case "DownloadStarted":
      return `the service fetches the archive from ${event.origin}`
    case "DownloadPolled":
      return event.hasArrived
        ? "the archive has arrived"
        : `the archive has not arrived after ${format.duration(event.elapsedMillis)}`
    case "Completed":
      return undefined
  }
}

/** How the examples show an upload to a person: one line for each event worth knowing. */
import type { UploadEvent, UploadReceipt } from "effect-elastic-extensions"

const units = ["B", "kB", "MB", "GB"] as const

export const formatBytes = (bytes: number): string => {
  const power = Math.min(units.length - 1, bytes === 0 ? 0 : Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** power
  return `${power === 0 ? value : value.toFixed(1)} ${units[power]}`
}

const formatDuration = (millis: number): string =>
  millis < 1000 ? `${millis} ms` : `${(millis / 1000).toFixed(1)} s`

const bar = (part: number, total: number): string => {
  const width = 24
  const filled = total === 0 ? width : Math.round((width * part) / total)
  return `[${"█".repeat(filled)}${"·".repeat(width - filled)}] ${Math.floor((100 * part) / Math.max(1, total))} %`
}

const kinds = {
  "plugin-classic": "a plugin",
  "plugin-stable": "a plugin with a stable descriptor",
  bundle: "a bundle",
  unknown: "neither plugin nor bundle"
} as const

const sentence = (event: UploadEvent.UploadEvent): string | undefined => {
  switch (event._tag) {
    case "ArchiveInspected": {
      const version =
        event.elasticsearchVersion === undefined ? "" : ` for Elasticsearch ${event.elasticsearchVersion}`
      const entries = event.entryCount === 1 ? "1 entry" : `${event.entryCount} entries`
      return `${kinds[event.type]}${version}, ${entries}, ${formatBytes(event.uncompressedBytes)} unpacked`
    }
    case "DigestComputed":
      return `sha-256 ${event.sha256.slice(0, 16)}… of ${formatBytes(event.size)}`
    case "UploadContinued":
      return "resuming the upload that an earlier run left unfinished"
    case "StaleUploadDiscarded":
      return `cancelled the unfinished upload of ${event.name}`
    case "AttemptStarted":
      return `attempt ${event.attempt}`
    case "SendingStarted":
      return event.offset === 0
        ? undefined
        : `resuming at ${formatBytes(event.offset)} of ${formatBytes(event.total)}`
    case "BytesWritten":
      return `${bar(event.offset, event.total)}  ${formatBytes(event.offset)} sent`
    case "ResumptionOffered":
      return "the server can resume this upload"
    case "RetryScheduled":
      return `! ${event.message}\n  retrying in ${formatDuration(event.delayMillis)}`
    case "ReconciliationStarted":
      return `! ${event.message}\n  asking the server whether the upload took effect`
    case "Reconciled":
      return `the server says: ${event.outcome}`
    case "Verified":
      return `verified by ${event.proof}`
    case "Warning":
      return `warning: ${event.message}`
    case "DigestStarted":
    case "DigestProgress":
    case "VerificationStarted":
    case "BytesAcknowledged":
    case "VerificationProgress":
    case "Completed":
      return undefined
  }
}

/** Progress lines at most every tenth of the whole, everything else as it comes. */
export const makeReporter = (write: (line: string) => void): ((event: UploadEvent.UploadEvent) => void) => {
  let lastTenth = -1
  return (event) => {
    if (event._tag === "SendingStarted") lastTenth = -1
    if (event._tag === "BytesWritten") {
      const tenth = Math.floor((10 * event.offset) / Math.max(1, event.total))
      if (tenth === lastTenth) return
      lastTenth = tenth
    }
    const line = sentence(event)
    if (line !== undefined) write(`  ${line}`)
  }
}

const outcome = { Uploaded: "Uploaded", AlreadyCurrent: "Already current: nothing was sent" } as const
const proofs = {
  hash: "hash: the stored bytes were downloaded and hashed",
  size: "size: the stored size is the archive's",
  response: "response: the service answered 200"
} as const

export const describeReceipt = (receipt: UploadReceipt.UploadReceipt): string => {
  const { after, before } = receipt.resourceVersion
  const rows: ReadonlyArray<readonly [string, string]> = [
    ["extension", receipt.extensionId],
    ["archive", `${receipt.archive.name}, ${receipt.archive.size} bytes`],
    ["sha-256", receipt.archive.sha256],
    ["proof", proofs[receipt.proof]],
    ["attempts", `${receipt.attempts}`],
    [
      "sent",
      `${receipt.bytesSent} bytes${receipt.bytesResumed === 0 ? "" : `, ${receipt.bytesResumed} saved by resuming`}`
    ],
    ["version", `${before ?? "unknown"} → ${after ?? "unknown"}`],
    ["took", formatDuration(receipt.durationMillis)]
  ]
  return [outcome[receipt._tag], ...rows.map(([name, value]) => `  ${name.padEnd(10)} ${value}`)].join("\n")
}

/** Receipts for people. */
import type { PublishReceipt } from "../../publish/PublishReceipt.ts"
import type { Proof, UploadReceipt } from "../../upload/UploadReceipt.ts"
import * as format from "./format.ts"
import { facts } from "./layout.ts"
import type { Style } from "./style.ts"

type Fact = readonly [name: string, value: string]

const proofs: Readonly<Record<Proof, string>> = {
  hash: "hash: the stored bytes were fetched and hashed",
  size: "size: the stored size is ours",
  response: "response: the service said so, and told nothing more"
}

const archiveFacts = ({ archive }: UploadReceipt): ReadonlyArray<Fact> => [
  ["archive", `${archive.name}, ${archive.size} bytes`],
  ["sha-256", archive.sha256]
]

const transferFacts = ({
  attempts,
  bytesResumed,
  bytesSent,
  resourceVersion
}: UploadReceipt): ReadonlyArray<Fact> => {
  const saved = bytesResumed === 0 ? "" : `, ${bytesResumed} saved by resuming`
  const inAttempts = attempts === 1 ? "" : ` in ${attempts} attempts`
  return [
    ["sent", `${bytesSent} bytes${inAttempts}${saved}`],
    ["version", `${resourceVersion.before ?? "unknown"} → ${resourceVersion.after ?? "unknown"}`]
  ]
}

export const describeUpload = (receipt: UploadReceipt, style: Style): ReadonlyArray<string> => [
  style.green(receipt._tag === "Uploaded" ? "Uploaded." : "Already current: nothing was sent."),
  ...facts([
    ["extension", receipt.extensionId],
    ...archiveFacts(receipt),
    ["proof", proofs[receipt.proof]],
    ...(receipt._tag === "Uploaded" ? transferFacts(receipt) : []),
    ["took", format.duration(receipt.durationMillis)]
  ])
]

export const describePublishing = (receipt: PublishReceipt, style: Style): ReadonlyArray<string> => {
  const { created, name, type, updated, upload, version, way } = receipt
  const changed = created ? "created" : updated.length === 0 ? "found" : `updated: ${updated.join(", ")}`
  return [
    style.green(receipt._tag === "Published" ? "Published." : "Already published: nothing was changed."),
    ...facts([
      ["extension", `${receipt.extensionId} (${changed})`],
      [type, `${name} for Elasticsearch ${version}`],
      ...(upload === undefined ? [] : archiveFacts(upload)),
      ["proof", proofs[receipt.proof]],
      ...(upload?._tag === "Uploaded" ? transferFacts(upload) : []),
      ...(way === "download" ? [["way", "fetched by the service"] as const] : []),
      ["took", format.duration(receipt.durationMillis)]
    ])
  ]
}

/** Receipts for people. */
import type { PublishReceipt } from "../../publish/PublishReceipt.ts"
import type { Proof, UploadReceipt } from "../../upload/UploadReceipt.ts"
import type { Style } from "./style.ts"
import { duration, type Fact, facts, plural } from "./text.ts"

export const describeUpload = (receipt: UploadReceipt, style: Style): ReadonlyArray<string> => [
  style.green(receipt._tag === "Uploaded" ? "Uploaded." : "Already current: nothing was sent."),
  ...facts([
    ["extension", receipt.extensionId],
    ...archiveFacts(receipt),
    ["proof", proofs[receipt.proof]],
    ...(receipt._tag === "Uploaded" ? transferFacts(receipt) : []),
    ["took", duration(receipt.durationMillis)]
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
      ["took", duration(receipt.durationMillis)]
    ])
  ]
}

const proofs: Readonly<Record<Proof, string>> = {
  hash: "hash: the stored bytes were fetched and hashed",
  size: "size: the stored size matches",
  response: "response: the service reported success and nothing more"
}

const archiveFacts = ({ archive }: UploadReceipt): ReadonlyArray<Fact> => [
  ["archive", `${archive.name}, ${archive.size} bytes`],
  ["sha-256", archive.sha256]
]

const transferFacts = (receipt: UploadReceipt): ReadonlyArray<Fact> => {
  const { attempts, bytesResumed, bytesSent, resourceVersion, staged } = receipt
  const saved = bytesResumed === 0 ? "" : `, ${bytesResumed} saved by resuming`
  const inAttempts = attempts === 1 ? "" : ` in ${plural(attempts, "attempt")}`
  const way =
    staged === undefined
      ? []
      : [
          [
            "way",
            `fetched by the service from ${staged.location}${staged.isKept ? ", which is still there" : ""}`
          ] as const
        ]
  return [
    ...way,
    ["sent", `${plural(bytesSent, "byte")}${inAttempts}${saved}`],
    ["version", `${resourceVersion.before ?? "unknown"} → ${resourceVersion.after ?? "unknown"}`]
  ]
}

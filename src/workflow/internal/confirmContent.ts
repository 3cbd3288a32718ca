/** Looking once more at what an upload has put there. */
import * as Effect from "effect/Effect"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import * as RetryPolicy from "../../transfer/RetryPolicy.ts"
import * as ServerState from "../../upload/StoredArchive.ts"
import { UploadConflict, VerificationFailed } from "../../upload/UploadError.ts"
import type { Proof, UploadReceipt } from "../../upload/UploadReceipt.ts"

/**
 * The version says cheaply whether anything has changed since the upload was proved. Where it has, for instance because
 * somebody edited the description, the content is compared.
 *
 * @internal
 */
export const confirmContent = (receipt: UploadReceipt) =>
  Effect.gen(function* () {
    const client = yield* ExtensionsClient
    const { resourceVersion } = receipt
    const state = ServerState.fromExtension(yield* client.get(receipt.extensionId).pipe(RetryPolicy.retry()))
    const now = state.told.resourceVersion
    if (now !== undefined && now === resourceVersion.after) return receipt.proof
    const content = yield* ServerState.matchContent(client, state, receipt.archive, () => Effect.void).pipe(
      RetryPolicy.retry(),
      Effect.catchTag("VerificationLinkRefused", () =>
        Effect.succeed(ServerState.matchSize(state, receipt.archive))
      )
    )
    switch (content._tag) {
      case "Same":
        return content.proof
      case "Unknown":
        return "response" satisfies Proof
      case "Different":
        return yield* different(receipt, state, content)
    }
  })

const different = (
  { archive, extensionId, lastModified, resourceVersion }: UploadReceipt,
  { told }: ServerState.ServerState,
  { actual, reason }: Extract<ServerState.ContentMatch, { _tag: "Different" }>
) =>
  told.resourceVersion !== undefined && resourceVersion.after !== null
    ? new UploadConflict({
        extensionId,
        before: { resourceVersion: resourceVersion.after, lastModified, size: archive.size },
        now: {
          resourceVersion: told.resourceVersion,
          lastModified: told.lastModified ?? null,
          size: told.file?.size ?? null
        }
      })
    : new VerificationFailed({
        extensionId,
        reason,
        expected: reason === "Size" ? String(archive.size) : archive.sha256,
        actual
      })

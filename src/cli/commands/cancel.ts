/**
 * `cancel <id>`: cancels an unfinished upload.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import { UploadJournal } from "../../journal/UploadJournal.ts"
import * as ArchiveDelivery from "../../publish/ArchiveDelivery.ts"
import { NoPendingUpload } from "../Failure.ts"
import type { Run } from "../internal/command.ts"
import type * as definitions from "../internal/definitions.ts"
import { requireId } from "../internal/extensions.ts"
import { Output } from "../internal/output.ts"
import * as Results from "../internal/results.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const run: Run<typeof definitions.cancel> = ({ dryRun, id }) =>
  Effect.gen(function* () {
    const { baseUrl: endpoint } = yield* ExtensionsClient
    const output = yield* Output
    const extensionId = yield* requireId(id, "cancel")
    const wasPending = yield* dryRun ? isPending(endpoint, extensionId) : ArchiveDelivery.cancel(extensionId)
    if (!wasPending) return yield* new NoPendingUpload({ extensionId, endpoint })
    yield* output.result({
      schema: Results.Cancelled,
      value: { _tag: dryRun ? "WouldCancelUpload" : "UploadCancelled", extensionId },
      lines: [
        dryRun
          ? `Would cancel the unfinished upload to extension ${extensionId}.`
          : `Cancelled the unfinished upload to extension ${extensionId}. The extension itself is unchanged.`
      ]
    })
  }).pipe(Effect.provide(ArchiveDelivery.layerConfig))

/** As cancelling would find it. */
const isPending = Effect.fnUntraced(function* (origin: string, extensionId: string) {
  const { lockedBy, record } = yield* (yield* UploadJournal).peek({ origin, extensionId })
  if (Option.isSome(lockedBy)) return yield* lockedBy.value
  return Option.isSome(record)
})

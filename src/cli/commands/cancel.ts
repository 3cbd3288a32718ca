/**
 * `cancel <id>`: cancels an unfinished upload.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import { UploadJournal } from "../../journal/UploadJournal.ts"
import * as ArchiveDelivery from "../../publish/ArchiveDelivery.ts"
import { NoPendingUpload } from "../Failure.ts"
import * as Command from "../internal/command.ts"
import { requireId } from "../internal/extensions.ts"
import { Output } from "../internal/output.ts"
import * as Parameters from "../internal/parameters.ts"
import * as Variables from "../internal/variables.ts"

const fields = { extensionId: Schema.String }
const Cancelled = Schema.Union(
  Schema.TaggedStruct("UploadCancelled", fields),
  Schema.TaggedStruct("WouldCancelUpload", fields)
)

/**
 * @since 0.1.0
 * @category commands
 */
export const cancel = Command.define({
  name: "cancel",
  summary: "Cancel an unfinished upload.",
  details: [
    "Tells the server, or the object store in which the archive was staged, to delete what it has kept, and forgets the upload. An upload that another process is working on is left alone (exit code 6)."
  ],
  examples: [
    ["pending", "Which uploads are unfinished?"],
    ["cancel 882519870", "Cancel the one to this extension."]
  ],
  takes: { id: Parameters.extensionId, dryRun: Parameters.dryRun },
  variables: Variables.unfinished,
  run: ({ dryRun, id }) =>
    Effect.gen(function* () {
      const { baseUrl: endpoint } = yield* ExtensionsClient
      const output = yield* Output
      const extensionId = yield* requireId(id, "cancel")
      const wasPending = yield* dryRun
        ? isPending(endpoint, extensionId)
        : ArchiveDelivery.cancel(extensionId)
      if (!wasPending) return yield* new NoPendingUpload({ extensionId, endpoint })
      yield* output.result({
        schema: Cancelled,
        value: { _tag: dryRun ? "WouldCancelUpload" : "UploadCancelled", extensionId },
        lines: [
          dryRun
            ? `Would cancel the unfinished upload to extension ${extensionId}.`
            : `Cancelled the unfinished upload to extension ${extensionId}. The extension itself is unchanged.`
        ]
      })
    }).pipe(Effect.provide(ArchiveDelivery.layerConfig))
})

/** As cancelling would find it. */
const isPending = Effect.fnUntraced(function* (origin: string, extensionId: string) {
  const { lockedBy, record } = yield* (yield* UploadJournal).peek({ origin, extensionId })
  if (Option.isSome(lockedBy)) return yield* lockedBy.value
  return Option.isSome(record)
})

/**
 * `cancel <id>`: gives up an unfinished upload.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import { journalId } from "../../journal/JournalRecord.ts"
import { UploadJournal } from "../../journal/UploadJournal.ts"
import * as ExtensionUpload from "../../upload/ExtensionUpload.ts"
import * as arguments_ from "../internal/arguments.ts"
import * as requests from "../internal/extensions/requests.ts"
import { framed } from "../internal/frame.ts"
import * as layers from "../internal/layers.ts"
import * as options from "../internal/options.ts"
import { Output } from "../internal/output.ts"
import * as Settings from "../internal/settings.ts"
import { NoPendingUpload } from "../ManagementError.ts"

const fields = { extensionId: Schema.String }
const Cancelled = Schema.Union(
  Schema.TaggedStruct("UploadCancelled", fields),
  Schema.TaggedStruct("WouldCancelUpload", fields)
)

/**
 * @since 0.1.0
 * @category commands
 */
export const cancel = Command.make(
  "cancel",
  {
    id: arguments_.extensionId,
    dryRun: options.dryRun,
    output: options.output,
    settings: Settings.all(options.connection, options.journal)
  },
  (input) =>
    Effect.gen(function* () {
      const { baseUrl: endpoint } = yield* ExtensionsClient
      const output = yield* Output
      const extensionId = yield* requests.requireId(input.id, "cancel")
      const was = yield* input.dryRun ? isPending(endpoint, extensionId) : ExtensionUpload.cancel(extensionId)
      if (!was) return yield* new NoPendingUpload({ extensionId, endpoint })
      yield* output.result({
        schema: Cancelled,
        value: { _tag: input.dryRun ? "WouldCancelUpload" : "UploadCancelled", extensionId },
        lines: [
          input.dryRun
            ? `Would give up the unfinished upload to extension ${extensionId}.`
            : `Gave up the unfinished upload to extension ${extensionId}. What the extension holds is unchanged.`
        ]
      })
    }).pipe(Effect.provide(layers.uploads))
).pipe(
  framed({
    summary: "Give up an unfinished upload.",
    details: [
      "Tells the server to forget what it has kept, and forgets it here. An upload that another process is at work on is left alone (exit code 6)."
    ],
    examples: [
      ["pending", "Which uploads are there?"],
      ["cancel 882519870", "Give up the one to this extension."]
    ]
  })
)

const isPending = (origin: string, extensionId: string) =>
  Effect.flatMap(UploadJournal, (journal) =>
    Effect.map(journal.get(journalId({ origin, extensionId })), Option.isSome)
  )

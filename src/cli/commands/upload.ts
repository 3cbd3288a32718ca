/**
 * `upload <id> <archive>`: an archive to an extension that exists.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as ArchiveDelivery from "../../publish/ArchiveDelivery.ts"
import { UploadReceipt } from "../../upload/UploadReceipt.ts"
import * as Command from "../internal/command.ts"
import { requireId } from "../internal/extensions.ts"
import { Output } from "../internal/output.ts"
import * as Parameters from "../internal/parameters.ts"
import { describeUploadPlan, ofDelivery, UploadPlan } from "../internal/plans.ts"
import { describeUpload } from "../internal/receipts.ts"
import { makeRemarks } from "../internal/reporter.ts"
import { archiveFile, resumeCommand, withReport } from "../internal/uploading.ts"
import * as Variables from "../internal/variables.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const upload = Command.define({
  name: "upload",
  summary: "Upload an archive to an extension that exists, and verify that it arrived.",
  details: [
    "Sends nothing when the extension holds this very archive already. It can be run again after any interruption: it asks the server first, then resumes if the server can, and else sends the archive again.",
    "With --stage the archive goes by way of an object store, which can resume, and the service fetches it from there: for more than 200 MB, or where a firewall blocks uploads. The archive is removed from the store once it has arrived.",
    "Exit codes: 0 done, 2 interrupted but resumable, 3 not allowed, 4 no such extension, 5 archive refused, 6 conflict, 7 outcome unknown, 64 usage or configuration, 130 interrupted before anything was sent, 1 everything else."
  ],
  examples: [
    ["upload 882519870 dist/acme.zip", "Upload."],
    ["upload 882519870 dist/acme.zip --dry-run", "What would happen?"],
    ["upload 882519870 dist/acme.zip --stage s3://builds/elastic", "By way of an object store."],
    ["upload 882519870 dist/acme.zip --json", "In a pipeline: one JSON object per line."],
    ["upload 882519870 dist/acme.zip --bandwidth 2000000", "Leave some of the line to others."]
  ],
  takes: { id: Parameters.extensionId, archive: Parameters.archive, dryRun: Parameters.dryRun },
  variables: Variables.uploading,
  run: ({ archive, dryRun, id }, givens) =>
    Effect.gen(function* () {
      const output = yield* Output
      const extensionId = yield* requireId(id, "upload")
      const file = yield* archiveFile(archive)
      if (dryRun) {
        const onEvent = yield* makeRemarks
        const plan = ofDelivery(yield* ArchiveDelivery.plan({ extensionId, archive: file, onEvent }))
        return yield* output.result({ schema: UploadPlan, value: plan, lines: describeUploadPlan(plan) })
      }
      const receipt = yield* withReport(resumeCommand(["resume", id], givens), (onEvent) =>
        ArchiveDelivery.deliver({ extensionId, archive: file, onEvent })
      )
      yield* output.result({
        schema: UploadReceipt,
        value: receipt,
        lines: describeUpload(receipt, output.style)
      })
    }).pipe(Effect.provide(ArchiveDelivery.layerConfig))
})

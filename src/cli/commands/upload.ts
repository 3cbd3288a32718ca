/**
 * `upload <id> <archive>`: an archive to an extension that exists.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import * as ExtensionUpload from "../../upload/ExtensionUpload.ts"
import { UploadReceipt } from "../../upload/UploadReceipt.ts"
import * as arguments_ from "../internal/arguments.ts"
import { requireId } from "../internal/extensions/requests.ts"
import { framed } from "../internal/frame.ts"
import * as layers from "../internal/layers.ts"
import * as options from "../internal/options.ts"
import { Output } from "../internal/output.ts"
import { describePlan, planUpload, UploadPlan } from "../internal/plan.ts"
import { describeUpload } from "../internal/receipts.ts"
import { resumeCommand } from "../internal/resume.ts"
import { archiveFile, withReport } from "../internal/uploading.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const upload = Command.make(
  "upload",
  {
    id: arguments_.extensionId,
    archive: arguments_.archive,
    dryRun: options.dryRun,
    output: options.output,
    settings: options.uploading
  },
  ({ archive, dryRun, id, settings }) =>
    Effect.gen(function* () {
      const output = yield* Output
      const extensionId = yield* requireId(id, "upload")
      if (dryRun) {
        const plan = yield* planUpload(extensionId, archive)
        return yield* output.result({ schema: UploadPlan, value: plan, lines: describePlan(plan) })
      }
      const file = yield* archiveFile(archive)
      const receipt = yield* withReport(resumeCommand(["resume", id], settings), (onEvent) =>
        ExtensionUpload.upload({ extensionId, archive: file, onEvent })
      )
      yield* output.result({
        schema: UploadReceipt,
        value: receipt,
        lines: describeUpload(receipt, output.style)
      })
    }).pipe(Effect.provide(layers.uploads))
).pipe(
  framed({
    summary: "Upload an archive to an extension that exists, and prove that it arrived.",
    details: [
      "Sends nothing when the extension holds this very archive already. Run it again after whatever interrupted it: it asks the server first, and sends only what is missing.",
      "Exit codes: 0 done, 2 interrupted but resumable, 3 not allowed, 4 no such extension, 5 archive refused, 6 conflict, 7 outcome unknown, 64 usage or configuration, 130 interrupted before anything was sent, 1 everything else."
    ],
    examples: [
      ["upload 882519870 dist/acme.zip", "Upload."],
      ["upload 882519870 dist/acme.zip --dry-run", "What would happen?"],
      ["upload 882519870 dist/acme.zip --json", "In a pipeline: one JSON object a line."],
      ["upload 882519870 dist/acme.zip --bandwidth 2000000", "Leave some of the line to others."]
    ]
  })
)

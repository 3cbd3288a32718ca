/**
 * `upload <extension> <archive>`: an archive to an extension that exists.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as ArchiveDelivery from "../../publish/ArchiveDelivery.ts"
import { UploadReceipt } from "../../upload/UploadReceipt.ts"
import type { Run } from "../internal/command.ts"
import type * as definitions from "../internal/definitions.ts"
import { meant } from "../internal/extensions.ts"
import { Output } from "../internal/output.ts"
import { describeUploadPlan, ofDelivery } from "../internal/plans.ts"
import { describeUpload } from "../internal/receipts.ts"
import { makeRemarks } from "../internal/reporter.ts"
import * as Results from "../internal/results.ts"
import { archiveFile, resumeCommand, withReport } from "../internal/uploading.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const run: Run<typeof definitions.upload> = ({ archive, dryRun, extension: named, ofType }, givens) =>
  Effect.gen(function* () {
    const output = yield* Output
    const extensionId = yield* meant(named, ofType, "upload")
    const file = yield* archiveFile(archive)
    if (dryRun) {
      const onEvent = yield* makeRemarks
      const plan = ofDelivery(yield* ArchiveDelivery.plan({ extensionId, archive: file, onEvent }))
      return yield* output.result({
        schema: Results.UploadPlan,
        value: plan,
        lines: describeUploadPlan(plan)
      })
    }
    const receipt = yield* withReport(resumeCommand(["resume", extensionId], givens), (onEvent) =>
      ArchiveDelivery.deliver({ extensionId, archive: file, onEvent })
    )
    yield* output.result({
      schema: UploadReceipt,
      value: receipt,
      lines: describeUpload(receipt, output.style)
    })
  }).pipe(Effect.provide(ArchiveDelivery.layerConfig))

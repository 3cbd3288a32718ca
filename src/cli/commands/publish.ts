/**
 * `publish [<archive>]`: an archive under a name, whether the extension exists or not.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ExtensionType } from "../../cloud/Extension.ts"
import * as ArchiveDelivery from "../../publish/ArchiveDelivery.ts"
import * as ExtensionPublish from "../../publish/ExtensionPublish.ts"
import { PublishReceipt } from "../../publish/PublishReceipt.ts"
import { UsageError } from "../Failure.ts"
import type { Run } from "../internal/command.ts"
import type * as definitions from "../internal/definitions.ts"
import { Output } from "../internal/output.ts"
import { describePublishPlan, ofPublishing } from "../internal/plans.ts"
import { describePublishing } from "../internal/receipts.ts"
import { makeRemarks } from "../internal/reporter.ts"
import * as Results from "../internal/results.ts"
import { archiveFile, resumeCommand, withReport } from "../internal/uploading.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const run: Run<typeof definitions.publish> = ({ dryRun, ...taken }, givens) =>
  Effect.gen(function* () {
    const output = yield* Output
    const wanted = { ...wantedOf(taken), preflight: !taken.skipPreflight }
    const source = yield* sourceOf(taken)
    if (dryRun) {
      const plan = yield* ExtensionPublish.plan({ ...wanted, ...source, onEvent: yield* makeRemarks })
      return yield* output.result({
        schema: Results.PublishPlan,
        value: ofPublishing(plan, wanted),
        lines: describePublishPlan(plan, wanted)
      })
    }
    const receipt = yield* withReport(resumeCommand(wordsOf(taken), givens), (onEvent) =>
      ExtensionPublish.publish({ ...wanted, ...source, onEvent })
    )
    yield* output.result({
      schema: PublishReceipt,
      value: receipt,
      lines: describePublishing(receipt, output.style),
      quietLines: [receipt.extensionId]
    })
  }).pipe(Effect.provide(ArchiveDelivery.layerConfig))

interface Taken {
  readonly archive: Option.Option<string>
  readonly name: string
  readonly type: ExtensionType
  readonly version: string
  readonly description: Option.Option<string>
  readonly downloadUrl: Option.Option<string>
  readonly skipPreflight: boolean
}

const wantedOf = ({ description, name, type, version }: Taken): ExtensionPublish.Wanted => ({
  name,
  type,
  version,
  description: Option.getOrUndefined(description)
})

const sourceOf = ({ archive, downloadUrl }: Taken) => {
  if (Option.isSome(archive)) {
    return Effect.map(archiveFile(archive.value), (archive) => ({
      archive,
      downloadUrl: Option.getOrUndefined(downloadUrl)
    }))
  }
  return Option.match(downloadUrl, {
    onNone: () => nothingToPublish,
    onSome: (downloadUrl) => Effect.succeed({ downloadUrl })
  })
}

const nothingToPublish = new UsageError({
  problem: "There is nothing to publish: give an archive, a --download-url, or both.",
  command: "publish"
})

/** The words that ask for the same again. A URL that may carry credentials is not repeated. */
const wordsOf = ({
  archive,
  description,
  downloadUrl,
  name,
  skipPreflight,
  type,
  version
}: Taken): ReadonlyArray<string> => [
  "publish",
  ...Option.toArray(archive),
  ...["--name", name, "--type", type, "--version", version],
  ...Option.match(description, { onNone: () => [], onSome: (text) => ["--description", text] }),
  ...Option.match(downloadUrl, {
    onNone: () => [],
    onSome: (url) => ["--download-url", /[?@]/.test(url) ? "<the same URL>" : url]
  }),
  ...(skipPreflight ? ["--skip-preflight"] : [])
]

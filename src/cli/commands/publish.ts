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
import * as Command from "../internal/command.ts"
import { Output } from "../internal/output.ts"
import * as Parameters from "../internal/parameters.ts"
import { describePublishPlan, ofPublishing, PublishPlan } from "../internal/plans.ts"
import { describePublishing } from "../internal/receipts.ts"
import { makeRemarks } from "../internal/reporter.ts"
import { archiveFile, resumeCommand, withReport } from "../internal/uploading.ts"
import * as Variables from "../internal/variables.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const publish = Command.define({
  name: "publish",
  summary: "Create or update the extension with this name and upload its archive.",
  details: [
    "Finds the extension by its name and type, or creates it; updates its version and description where they differ; uploads the archive and verifies it. Sends only what differs, so it can be repeated, and interrupted at any point.",
    "An archive over 200 MB is too large to be uploaded. With --stage it goes by way of an object store, resumably; with --download-url the service fetches it from an address of yours. Either way a link with credentials is taken out of the extension once the archive is there. The exit codes are those of upload."
  ],
  examples: [
    ["publish dist/acme.zip --name acme --type plugin --version 8.17.0", "Release a plugin."],
    ["publish dist/words.zip --name words --type bundle --version '8.*'", "Release a bundle."],
    [
      "publish dist/words.zip --name words --type bundle --version '8.*' --stage s3://builds/elastic",
      "By way of an object store."
    ],
    ["publish dist/acme.zip --name acme --type plugin --version 8.17.0 --dry-run", "What would change?"]
  ],
  takes: {
    archive: Parameters.optionalArgument(Parameters.archive),
    name: Parameters.name,
    type: Parameters.pluginOrBundle,
    version: Parameters.version,
    description: Parameters.optional(Parameters.description),
    downloadUrl: Parameters.optional(Parameters.downloadUrl),
    skipPreflight: Parameters.skipPreflight,
    dryRun: Parameters.dryRun
  },
  variables: Variables.uploading,
  run: ({ dryRun, ...taken }, givens) =>
    Effect.gen(function* () {
      const output = yield* Output
      const wanted = { ...wantedOf(taken), preflight: !taken.skipPreflight }
      const source = yield* sourceOf(taken)
      if (dryRun) {
        const plan = yield* ExtensionPublish.plan({ ...wanted, ...source, onEvent: yield* makeRemarks })
        return yield* output.result({
          schema: PublishPlan,
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
})

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

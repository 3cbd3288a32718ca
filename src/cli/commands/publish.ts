/**
 * `publish [<archive>]`: an archive under a name, whether the extension exists or not.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ExtensionPublish from "../../publish/ExtensionPublish.ts"
import { PublishReceipt } from "../../publish/PublishReceipt.ts"
import { UsageError } from "../Failure.ts"
import * as arguments_ from "../internal/arguments.ts"
import * as metadata from "../internal/extensions/metadata.ts"
import { framed } from "../internal/frame.ts"
import * as layers from "../internal/layers.ts"
import * as options from "../internal/options.ts"
import { Output } from "../internal/output.ts"
import {
  describePublishPlan,
  type PublishInput,
  PublishPlan,
  planPublishing
} from "../internal/publishPlan.ts"
import { describePublishing } from "../internal/receipts.ts"
import { resumeCommand } from "../internal/resume.ts"
import { archiveFile, withReport } from "../internal/uploading.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const publish = Command.make(
  "publish",
  {
    archive: Args.optional(arguments_.archive),
    name: metadata.name,
    type: Options.choice("type", ["plugin", "bundle"]).pipe(
      Options.withPseudoName("plugin|bundle"),
      Options.withDescription("A plugin adds code to Elasticsearch, a bundle adds files.")
    ),
    version: metadata.version,
    description: Options.optional(metadata.description),
    downloadUrl: Options.optional(metadata.downloadUrl),
    dryRun: options.dryRun,
    output: options.output,
    settings: options.uploading
  },
  ({ dryRun, settings, ...given }) =>
    Effect.gen(function* () {
      const output = yield* Output
      const input = inputOf(given)
      const source = yield* sourceOf(input)
      if (dryRun) {
        const plan = yield* planPublishing(input)
        return yield* output.result({ schema: PublishPlan, value: plan, lines: describePublishPlan(plan) })
      }
      const receipt = yield* withReport(resumeCommand(wordsOf(input), settings), (onEvent) =>
        ExtensionPublish.publish({ ...input.wanted, ...source, onEvent })
      )
      yield* output.result({
        schema: PublishReceipt,
        value: receipt,
        lines: describePublishing(receipt, output.style),
        quietLines: [receipt.extensionId]
      })
    }).pipe(Effect.provide(layers.uploads))
).pipe(
  framed({
    summary: "Make the extension of this name be as asked for, archive included, whether it exists or not.",
    details: [
      "Finds the extension by its name and type, or creates it; updates its version and description where they differ; uploads the archive and verifies it. Only what differs is sent, so it can be repeated and interrupted anywhere.",
      "With --download-url the service fetches an archive that is too large to be uploaded (over 200 MB) itself. Exit codes are those of upload."
    ],
    examples: [
      ["publish dist/acme.zip --name acme --type plugin --version 8.17.0", "Release a plugin."],
      ["publish dist/words.zip --name words --type bundle --version '8.*'", "Release a bundle."],
      ["publish dist/acme.zip --name acme --type plugin --version 8.17.0 --dry-run", "What would change?"]
    ]
  })
)

interface Given {
  readonly archive: Option.Option<string>
  readonly name: string
  readonly type: "plugin" | "bundle"
  readonly version: string
  readonly description: Option.Option<string>
  readonly downloadUrl: Option.Option<string>
}

const inputOf = ({ archive, description, downloadUrl, name, type, version }: Given): PublishInput => ({
  wanted: { name, type, version, description: Option.getOrUndefined(description) },
  archive: Option.getOrUndefined(archive),
  downloadUrl: Option.getOrUndefined(downloadUrl)
})

const sourceOf = ({ archive, downloadUrl }: PublishInput) => {
  if (archive !== undefined) {
    return Effect.map(archiveFile(archive), (archive) => ({ archive, downloadUrl }))
  }
  return downloadUrl === undefined
    ? new UsageError({
        problem: "There is nothing to publish: give an archive, a --download-url, or both.",
        command: "publish"
      })
    : Effect.succeed({ downloadUrl })
}

/** The words that ask for the same again. A URL with a query may carry a signature, and is not repeated. */
const wordsOf = ({ archive, downloadUrl, wanted }: PublishInput): ReadonlyArray<string> => [
  "publish",
  ...(archive === undefined ? [] : [archive]),
  ...["--name", wanted.name, "--type", wanted.type, "--version", wanted.version],
  ...(wanted.description === undefined ? [] : ["--description", wanted.description]),
  ...(downloadUrl === undefined
    ? []
    : ["--download-url", downloadUrl.includes("?") ? "<the same URL>" : downloadUrl])
]

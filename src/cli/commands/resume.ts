/**
 * `resume <id>`, `resume --all`: finishes what earlier runs left unfinished.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { JournalRecord } from "../../journal/JournalRecord.ts"
import { UploadReceipt } from "../../upload/UploadReceipt.ts"
import { UsageError } from "../Failure.ts"
import * as arguments_ from "../internal/arguments.ts"
import { printable } from "../internal/extensions/printable.ts"
import * as requests from "../internal/extensions/requests.ts"
import { Exited, framed } from "../internal/frame.ts"
import * as layers from "../internal/layers.ts"
import * as options from "../internal/options.ts"
import { Output } from "../internal/output.ts"
import { finish, noPendingUpload, recordsOf } from "../internal/pending/resumption.ts"
import { describe as describePending, Unfinished } from "../internal/pending/unfinished.ts"
import { describeUpload } from "../internal/receipts.ts"
import type { Given } from "../internal/settings.ts"

const WouldResume = Schema.TaggedStruct("WouldResumeUploads", { uploads: Schema.Array(Unfinished) })

const Begun = Schema.TaggedStruct("ResumingUpload", { extensionId: Schema.String, archive: Schema.String })

const Failed = Schema.Struct({ extensionId: Schema.String, error: Schema.String, message: Schema.String })

const Resumed = Schema.TaggedStruct("UploadsResumed", {
  finished: Schema.Array(UploadReceipt),
  failed: Schema.Array(Failed)
})

/**
 * @since 0.1.0
 * @category commands
 */
export const resume = Command.make(
  "resume",
  {
    id: Args.optional(arguments_.extensionId),
    all: Options.boolean("all").pipe(
      Options.withDescription("Finish all uploads to this endpoint, one after the other, oldest first.")
    ),
    dryRun: options.dryRun,
    output: options.output,
    settings: options.uploading
  },
  ({ all, dryRun, id, settings }) =>
    Effect.gen(function* () {
      if (all === Option.isSome(id)) return yield* chooseOne
      const extensionId = yield* Effect.transposeMapOption(id, (text) => requests.requireId(text, "resume"))
      const records = yield* recordsOf(extensionId)
      const [record] = records
      if (Option.isSome(extensionId) && record === undefined) return yield* noPendingUpload(extensionId.value)
      if (dryRun) return yield* announce(records)
      yield* all || record === undefined ? resumeAll(records, settings) : resumeOne(record, settings)
    }).pipe(Effect.provide(layers.uploads))
).pipe(
  framed({
    summary: "Finish the upload to an extension, or all uploads, that earlier runs left unfinished.",
    details: [
      "Goes on with the very archive that the upload was begun with, where it was then. If it has changed since, the upload is given up (exit code 5). With --all the exit code is that of the first upload that fails, and 0 when there is nothing to do."
    ],
    examples: [
      ["resume 882519870", "Finish the one to this extension."],
      ["resume --all", "In the next job of a pipeline."],
      ["resume --all --dry-run", "What is there to go on with?"]
    ]
  })
)

const chooseOne = new UsageError({
  problem: "Give either the id of an extension or --all, and not both.",
  command: "resume"
})

const announce = (records: ReadonlyArray<JournalRecord>) =>
  Effect.gen(function* () {
    const output = yield* Output
    const uploads = yield* Effect.forEach(records, (record) => describePending(record, false))
    yield* output.result({
      schema: WouldResume,
      value: WouldResume.make({ uploads }),
      lines: uploads.length === 0 ? ["No upload was left unfinished."] : uploads.map(announcement)
    })
  })

const announcement = ({ archive, extensionId, kept }: Unfinished): string => {
  const where = kept === null ? "from its start" : "from where the server stands"
  return `Would go on with ${printable(archive.path)} to extension ${printable(extensionId)}, ${where}.`
}

const resumeOne = (record: JournalRecord, settings: ReadonlyArray<Given>) =>
  Effect.gen(function* () {
    const output = yield* Output
    const receipt = yield* finish(record, settings)
    yield* output.result({
      schema: UploadReceipt,
      value: receipt,
      lines: describeUpload(receipt, output.style)
    })
  })

type Result =
  | { readonly receipt: UploadReceipt }
  | { readonly failed: typeof Failed.Type; readonly exitCode: number }

/** A failure is told, and the next upload tried; a signal ends them all. */
const attempt = (record: JournalRecord, settings: ReadonlyArray<Given>) =>
  Effect.gen(function* () {
    const { ending, event, note } = yield* Output
    const { archive, extensionId } = record
    yield* event(Begun, Begun.make({ extensionId, archive: archive.path }))
    yield* note(`${printable(archive.path)} to extension ${printable(extensionId)}`)
    return yield* finish(record, settings).pipe(
      Effect.map((receipt): Result => ({ receipt })),
      Effect.catchAll((error) => {
        const end = error._tag === "Resumable" ? error : { failure: error }
        const { _tag, message } = end.failure
        if (_tag === "UploadPaused") return Effect.fail(error)
        const failed = { extensionId, error: _tag, message }
        return Effect.map(ending(end), (exitCode): Result => ({ failed, exitCode }))
      })
    )
  })

const resumeAll = (records: ReadonlyArray<JournalRecord>, settings: ReadonlyArray<Given>) =>
  Effect.gen(function* () {
    const output = yield* Output
    const results = yield* Effect.forEach(records, (record) => attempt(record, settings))
    const finished = results.flatMap((result) => ("receipt" in result ? [result.receipt] : []))
    const failures = results.flatMap((result) => ("failed" in result ? [result] : []))
    yield* output.result({
      schema: Resumed,
      value: Resumed.make({ finished, failed: failures.map(({ failed }) => failed) }),
      lines:
        records.length === 0
          ? ["No upload was left unfinished."]
          : finished.flatMap((receipt) => describeUpload(receipt, output.style))
    })
    const [first] = failures
    if (first !== undefined) yield* new Exited({ code: first.exitCode })
  })

/**
 * `resume <id>`, `resume --all`: finishes what earlier runs left unfinished.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { JournalRecord } from "../../journal/JournalRecord.ts"
import * as ExtensionUpload from "../../upload/ExtensionUpload.ts"
import { UploadReceipt } from "../../upload/UploadReceipt.ts"
import { UsageError } from "../Failure.ts"
import * as Command from "../internal/command.ts"
import { requireId } from "../internal/extensions.ts"
import { Exited, Failed, Output } from "../internal/output.ts"
import * as Parameters from "../internal/parameters.ts"
import {
  describe as describePending,
  finish,
  noPendingUpload,
  recordsOf,
  Unfinished
} from "../internal/pending.ts"
import { describeUpload } from "../internal/receipts.ts"
import { printable } from "../internal/text.ts"
import * as Variables from "../internal/variables.ts"

const WouldResume = Schema.TaggedStruct("WouldResumeUploads", { uploads: Schema.Array(Unfinished) })

const Begun = Schema.TaggedStruct("ResumingUpload", { extensionId: Schema.String, archive: Schema.String })

const FailedUpload = Schema.Struct({
  extensionId: Schema.String,
  error: Schema.String,
  message: Schema.String
})

const Resumed = Schema.TaggedStruct("UploadsResumed", {
  finished: Schema.Array(UploadReceipt),
  failed: Schema.Array(FailedUpload)
})

/**
 * @since 0.1.0
 * @category commands
 */
export const resume = Command.define({
  name: "resume",
  summary: "Finish the unfinished upload to an extension, or all unfinished uploads.",
  details: [
    "Sends the very archive that the upload was begun with, from the same path. If the file has changed, the upload is cancelled (exit code 5). With --all the exit code is that of the first upload that fails, and 0 when there is nothing to do."
  ],
  examples: [
    ["resume 882519870", "Finish the one to this extension."],
    ["resume --all", "In the next job of a pipeline."],
    ["resume --all --dry-run", "What is there to resume?"]
  ],
  takes: {
    id: Parameters.optionalArgument(Parameters.extensionId),
    all: Parameters.flag(
      "all",
      "Finish all unfinished uploads to this endpoint, one after the other, oldest first."
    ),
    dryRun: Parameters.dryRun
  },
  variables: Variables.uploading,
  run: ({ all, dryRun, id }, givens) =>
    Effect.gen(function* () {
      if (all === Option.isSome(id)) return yield* chooseOne
      const extensionId = yield* Effect.transposeMapOption(id, (text) => requireId(text, "resume"))
      const records = yield* recordsOf(extensionId)
      const [record] = records
      if (Option.isSome(extensionId) && record === undefined) return yield* noPendingUpload(extensionId.value)
      if (dryRun) return yield* announce(records)
      yield* all || record === undefined ? resumeAll(records, givens) : resumeOne(record, givens)
    }).pipe(Effect.provide(ExtensionUpload.layerConfig))
})

const chooseOne = new UsageError({
  problem: "Give either the id of an extension or --all, and not both.",
  command: "resume"
})

const announce = Effect.fnUntraced(function* (records: ReadonlyArray<JournalRecord>) {
  const output = yield* Output
  const uploads = yield* Effect.forEach(records, (record) => describePending(record, false))
  yield* output.result({
    schema: WouldResume,
    value: WouldResume.make({ uploads }),
    lines: uploads.length === 0 ? ["There are no unfinished uploads."] : uploads.map(announcement)
  })
})

const announcement = ({ archive, extensionId, kept }: Unfinished): string => {
  const where = kept === null ? "from its start" : "from where the server stands"
  return `Would resume ${printable(archive.path)} to extension ${printable(extensionId)}, ${where}.`
}

const resumeOne = Effect.fnUntraced(function* (
  record: JournalRecord,
  givens: ReadonlyArray<Variables.Given>
) {
  const output = yield* Output
  const receipt = yield* finish(record, givens)
  yield* output.result({
    schema: UploadReceipt,
    value: receipt,
    lines: describeUpload(receipt, output.style)
  })
})

type Result =
  | { readonly _tag: "Finished"; readonly receipt: UploadReceipt }
  | { readonly _tag: "Failed"; readonly upload: typeof FailedUpload.Type; readonly exitCode: number }

/** A failure is told, and the next upload tried; a signal ends them all. */
const attempt = Effect.fnUntraced(function* (record: JournalRecord, givens: ReadonlyArray<Variables.Given>) {
  const { ending, event, note } = yield* Output
  const { archive, extensionId } = record
  yield* event(Begun, Begun.make({ extensionId, archive: archive.path }))
  yield* note(`${printable(archive.path)} to extension ${printable(extensionId)}`)
  return yield* finish(record, givens).pipe(
    Effect.map((receipt): Result => ({ _tag: "Finished", receipt })),
    Effect.catchAll((error) => {
      const end = error._tag === "Resumable" ? error : new Failed({ failure: error })
      const { _tag, message } = end.failure
      if (_tag === "UploadPaused") return Effect.fail(error)
      return Effect.map(
        ending(end),
        (exitCode): Result => ({ _tag: "Failed", upload: { extensionId, error: _tag, message }, exitCode })
      )
    })
  )
})

const resumeAll = Effect.fnUntraced(function* (
  records: ReadonlyArray<JournalRecord>,
  givens: ReadonlyArray<Variables.Given>
) {
  const output = yield* Output
  const results = yield* Effect.forEach(records, (record) => attempt(record, givens))
  const finished = results.flatMap((result) => (result._tag === "Finished" ? [result.receipt] : []))
  const failures = results.flatMap((result) => (result._tag === "Failed" ? [result] : []))
  yield* output.result({
    schema: Resumed,
    value: Resumed.make({ finished, failed: failures.map(({ upload }) => upload) }),
    lines:
      records.length === 0
        ? ["There are no unfinished uploads."]
        : finished.flatMap((receipt) => describeUpload(receipt, output.style))
  })
  const [first] = failures
  if (first !== undefined) yield* new Exited({ code: first.exitCode })
})

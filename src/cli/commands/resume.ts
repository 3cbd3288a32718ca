/**
 * `resume <id>`, `resume --all`: finishes what earlier runs left unfinished.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import type { JournalRecord } from "../../journal/JournalRecord.ts"
import { UploadJournal } from "../../journal/UploadJournal.ts"
import { printable } from "../../outsideText.ts"
import * as ArchiveDelivery from "../../publish/ArchiveDelivery.ts"
import type { DeliveryError } from "../../publish/PublishError.ts"
import { UploadReceipt } from "../../upload/UploadReceipt.ts"
import { NoPendingUpload, UsageError } from "../Failure.ts"
import type { Run } from "../internal/command.ts"
import type * as definitions from "../internal/definitions.ts"
import { requireId } from "../internal/extensions.ts"
import { Exited, Failed, Output, type Resumable } from "../internal/output.ts"
import { describeUploadPlan, ofDelivery } from "../internal/plans.ts"
import { describeUpload } from "../internal/receipts.ts"
import { makeRemarks } from "../internal/reporter.ts"
import * as Results from "../internal/results.ts"
import { resumeCommand, withReport } from "../internal/uploading.ts"
import type * as Variables from "../internal/variables.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const run: Run<typeof definitions.resume> = ({ all, dryRun, id }, givens) =>
  Effect.gen(function* () {
    if (all === Option.isSome(id)) return yield* chooseOne
    yield* dryRun ? to(planning, id) : to(finishing(givens), id)
  }).pipe(Effect.provide(ArchiveDelivery.layerConfig))

const chooseOne = new UsageError({
  problem: "Give either the id of an extension or --all, and not both.",
  command: "resume"
})

/** What to do about an unfinished upload: finish it, or say what that would do. */
interface Work<A, R> {
  /** `None` where it is no longer unfinished. */
  readonly perform: (extensionId: string) => Effect.Effect<Option.Option<A>, DeliveryError | Resumable, R>
  readonly announce: (record: JournalRecord) => Effect.Effect<void, never, Output>
  readonly report: (result: A) => Effect.Effect<void, never, Output>
  readonly reportAll: (
    results: ReadonlyArray<A>,
    failed: ReadonlyArray<Results.FailedUpload>
  ) => Effect.Effect<void, never, Output>
}

const orNone = <A>(
  results: ReadonlyArray<A>,
  failed: ReadonlyArray<Results.FailedUpload>,
  describe: (result: A) => ReadonlyArray<string>
): ReadonlyArray<string> =>
  results.length + failed.length === 0 ? ["There are no unfinished uploads."] : results.flatMap(describe)

const finishing = (givens: ReadonlyArray<Variables.Given>) =>
  ({
    perform: (extensionId: string) =>
      withReport(resumeCommand(["resume", extensionId], givens), (onEvent) =>
        ArchiveDelivery.resume(extensionId, { onEvent })
      ),
    announce: Effect.fnUntraced(function* ({ archive, extensionId }: JournalRecord) {
      const { event, note } = yield* Output
      yield* event(Results.Resuming, Results.Resuming.make({ extensionId, archive: archive.path }))
      yield* note(`${printable(archive.path)} to extension ${printable(extensionId)}`)
    }),
    report: Effect.fnUntraced(function* (receipt: UploadReceipt) {
      const { result, style } = yield* Output
      yield* result({ schema: UploadReceipt, value: receipt, lines: describeUpload(receipt, style) })
    }),
    reportAll: Effect.fnUntraced(function* (
      finished: ReadonlyArray<UploadReceipt>,
      failed: ReadonlyArray<Results.FailedUpload>
    ) {
      const { result, style } = yield* Output
      yield* result({
        schema: Results.Resumed,
        value: Results.Resumed.make({ finished, failed }),
        lines: orNone(finished, failed, (receipt) => describeUpload(receipt, style))
      })
    })
  }) satisfies Work<UploadReceipt, unknown>

const planning = {
  perform: Effect.fnUntraced(function* (extensionId: string) {
    const plan = yield* ArchiveDelivery.planResume(extensionId, { onEvent: yield* makeRemarks })
    return Option.map(plan, ofDelivery)
  }),
  announce: () => Effect.void,
  report: (plan: Results.UploadPlan) =>
    Effect.flatMap(Output, ({ result }) =>
      result({ schema: Results.UploadPlan, value: plan, lines: describeUploadPlan(plan) })
    ),
  reportAll: (uploads: ReadonlyArray<Results.UploadPlan>, failed: ReadonlyArray<Results.FailedUpload>) =>
    Effect.flatMap(Output, ({ result }) =>
      result({
        schema: Results.WouldResume,
        value: Results.WouldResume.make({ uploads, failed }),
        lines: orNone(uploads, failed, describeUploadPlan)
      })
    )
} satisfies Work<Results.UploadPlan, unknown>

const to = <A, R>(work: Work<A, R>, id: Option.Option<string>) =>
  Option.match(id, { onNone: () => toAll(work), onSome: (text) => toOne(work, text) })

const toOne = Effect.fnUntraced(function* <A, R>(work: Work<A, R>, id: string) {
  const extensionId = yield* requireId(id, "resume")
  yield* work.report(yield* perform(work, extensionId))
})

/** One that another process has finished in the meantime is no longer pending. */
const perform = <A, R>(work: Work<A, R>, extensionId: string) =>
  Effect.flatMap(
    work.perform(extensionId),
    Option.match({
      onSome: (result) => Effect.succeed(result),
      onNone: () =>
        Effect.flatMap(
          ExtensionsClient,
          ({ baseUrl: endpoint }) => new NoPendingUpload({ extensionId, endpoint })
        )
    })
  )

const toAll = Effect.fnUntraced(function* <A, R>(work: Work<A, R>) {
  const { baseUrl } = yield* ExtensionsClient
  const { records } = yield* (yield* UploadJournal).list
  const attempts = yield* Effect.forEach(
    records.filter(({ origin }) => origin === baseUrl),
    (record) => attempt(work, record)
  )
  const failures = attempts.flatMap((attempt) => (attempt._tag === "Failed" ? [attempt] : []))
  yield* work.reportAll(
    attempts.flatMap((attempt) => (attempt._tag === "Done" ? [attempt.result] : [])),
    failures.map(({ upload }) => upload)
  )
  const [first] = failures
  if (first !== undefined) return yield* new Exited({ code: first.exitCode })
})

type Attempt<A> =
  | { readonly _tag: "Done"; readonly result: A }
  | { readonly _tag: "Failed"; readonly upload: Results.FailedUpload; readonly exitCode: number }

/** A failure is told, and the next upload tried; a signal ends them all. */
const attempt = Effect.fnUntraced(function* <A, R>(work: Work<A, R>, record: JournalRecord) {
  const { ending } = yield* Output
  const { extensionId } = record
  yield* work.announce(record)
  return yield* perform(work, extensionId).pipe(
    Effect.map((result): Attempt<A> => ({ _tag: "Done", result })),
    Effect.catchAll((error) => {
      const end = error._tag === "Resumable" ? error : new Failed({ failure: error })
      const { _tag, message } = end.failure
      if (_tag === "UploadPaused") return Effect.fail(error)
      return Effect.map(
        ending(end),
        (exitCode): Attempt<A> => ({
          _tag: "Failed",
          upload: { extensionId, error: _tag, message },
          exitCode
        })
      )
    })
  )
})

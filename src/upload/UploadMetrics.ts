/**
 * What uploads count and measure, and the one line that each leaves in the log. The metrics are Effect's own, so whatever
 * exports those exports these. Labels have few values: outcomes, proofs, and the `_tag`s of errors.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as LogLevel from "effect/LogLevel"
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as Option from "effect/Option"
import { shown, shownLine } from "../outsideText.ts"
import { attribute, errorTypeOf } from "../telemetry.ts"
import * as Monotonic from "../transfer/Monotonic.ts"
import type { Proof, UploadReceipt } from "./UploadReceipt.ts"

/**
 * How an upload ended. `interrupted` is a pause: running it again goes on.
 *
 * @since 0.1.0
 * @category models
 */
export type UploadOutcome = "uploaded" | "already_current" | "failed" | "interrupted"

/**
 * Uploads that have ended, by `outcome` and `proof` (`none` where nothing was proved).
 *
 * @since 0.1.0
 * @category metrics
 */
export const uploads: Metric.Metric.Counter<number> = Metric.counter("elastic_extensions_uploads_total", {
  description: "Uploads that have ended, by how they ended and how success is known.",
  incremental: true
})

/**
 * Uploads that have failed, by `error_type`: the `_tag` of the error.
 *
 * @since 0.1.0
 * @category metrics
 */
export const failures: Metric.Metric.Counter<number> = Metric.counter(
  "elastic_extensions_upload_failures_total",
  { description: "Uploads that have failed, by their error.", incremental: true }
)

/**
 * Bytes handed to the transport, those of failed attempts included. Counted when an upload ends.
 *
 * @since 0.1.0
 * @category metrics
 */
export const bytesSent: Metric.Metric.Counter<number> = Metric.counter(
  "elastic_extensions_upload_sent_bytes_total",
  { description: "Bytes handed to the transport, those of failed attempts included.", incremental: true }
).pipe(Metric.tagged("unit", "By"))

/**
 * Bytes that did not have to be sent, by `reason`: `resumed` where they were there from before, `already_current` where the
 * extension held the archive.
 *
 * @since 0.1.0
 * @category metrics
 */
export const bytesSaved: Metric.Metric.Counter<number> = Metric.counter(
  "elastic_extensions_upload_saved_bytes_total",
  { description: "Bytes that did not have to be sent, by why not.", incremental: true }
).pipe(Metric.tagged("unit", "By"))

/**
 * Seconds from the start of an upload to its end, by `outcome`.
 *
 * @since 0.1.0
 * @category metrics
 */
export const duration: Metric.Metric.Histogram<number> = Metric.histogram(
  "elastic_extensions_upload_duration_seconds",
  MetricBoundaries.fromIterable([0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600]),
  "Time from the start of an upload to its end."
).pipe(Metric.tagged("unit", "s"))

/**
 * Uploads under way in this process.
 *
 * @since 0.1.0
 * @category metrics
 */
export const inFlight: Metric.Metric.Gauge<number> = Metric.gauge("elastic_extensions_uploads_in_flight", {
  description: "Uploads under way in this process."
})

/**
 * Slots that uploads hold, of those that `UploadSlots.withSlot` gives.
 *
 * @since 0.1.0
 * @category metrics
 */
export const slotsUsed: Metric.Metric.Gauge<number> = Metric.gauge("elastic_extensions_upload_slots_used", {
  description: "Slots for sending that uploads of this process hold."
})

/**
 * Uploads that wait for a slot.
 *
 * @since 0.1.0
 * @category metrics
 */
export const slotsWaiting: Metric.Metric.Gauge<number> = Metric.gauge(
  "elastic_extensions_upload_slots_waiting",
  { description: "Uploads of this process that wait for a slot for sending." }
)

/**
 * Decisions to try again, by `reason`: the `_tag` of the error.
 *
 * @since 0.1.0
 * @category metrics
 */
export { retries } from "../transfer/RetryPolicy.ts"

const proofsOf: Readonly<Record<UploadOutcome, ReadonlyArray<Proof | "none">>> = {
  uploaded: ["hash", "size", "response"],
  already_current: ["hash"],
  failed: ["none"],
  interrupted: ["none"]
}

const ended = (outcome: string, proof: string) =>
  uploads.pipe(Metric.tagged("outcome", outcome), Metric.tagged("proof", proof))

const saved = (reason: "resumed" | "already_current") => Metric.tagged(bytesSaved, "reason", reason)

/** Those that somebody should be told of at their first. */
const alarming = ["AuthenticationFailed", "Forbidden", "OutcomeUnknown"]

/**
 * Makes the metrics exist before anything has happened, so that whoever computes rates sees the first failure as a step from 0.
 *
 * @since 0.1.0
 * @category observing
 */
export const initialize: Effect.Effect<void> = Effect.suspend(() =>
  Effect.all(
    [
      ...Object.entries(proofsOf).flatMap(([outcome, proofs]) =>
        proofs.map((proof) => Metric.incrementBy(ended(outcome, proof), 0))
      ),
      ...alarming.map((type) => Metric.incrementBy(Metric.tagged(failures, "error_type", type), 0)),
      Metric.incrementBy(bytesSent, 0),
      Metric.incrementBy(saved("resumed"), 0),
      Metric.incrementBy(saved("already_current"), 0),
      ...[inFlight, slotsUsed, slotsWaiting].map((gauge) => Metric.incrementBy(gauge, 0))
    ],
    { discard: true }
  )
)

/**
 * Runs an effect that counts in a gauge as long as it runs.
 *
 * @since 0.1.0
 * @category observing
 */
export const counting =
  (gauge: Metric.Metric.Gauge<number>) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.acquireUseRelease(
      Metric.incrementBy(gauge, 1),
      () => self,
      () => Metric.incrementBy(gauge, -1)
    )

/**
 * What is known of an upload, whatever came of it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tally {
  readonly attempts: number
  /** Over all attempts. */
  readonly bytesSent: number
}

/**
 * At which level an upload logs its end. By default `Debug`: the standard output of a program is its own. From `Info` on, a
 * failure is a `Warning`; releases log at `Info`.
 *
 * @example
 * ```ts
 * import { Archive, ExtensionUpload, UploadMetrics } from "effect-elastic-extensions"
 * import { Effect, LogLevel } from "effect"
 *
 * const program = ExtensionUpload.upload({
 *   extensionId: "882519870",
 *   archive: Archive.file("dist/analysis-acme-2.1.0.zip")
 * }).pipe(Effect.provideService(UploadMetrics.OutcomeLevel, LogLevel.Info))
 * ```
 *
 * @since 0.1.0
 * @category references
 */
export class OutcomeLevel extends Context.Reference<OutcomeLevel>()(
  "effect-elastic-extensions/upload/OutcomeLevel",
  { defaultValue: (): LogLevel.LogLevel => LogLevel.Debug }
) {}

/**
 * Counts an upload, measures it, tells its end to the span around it, and leaves one line in the log.
 *
 * @since 0.1.0
 * @category observing
 */
export const observed =
  (
    subject: { readonly extensionId: string; readonly archiveName: string },
    /** Of an upload that has no receipt. */
    tally: Effect.Effect<Tally>
  ) =>
  <E extends { readonly message: string }, R>(
    self: Effect.Effect<UploadReceipt, E, R>
  ): Effect.Effect<UploadReceipt, E, R> =>
    Effect.flatMap(Monotonic.stopwatch, (elapsed) =>
      self.pipe(
        counting(inFlight),
        Effect.onExit((exit) =>
          Effect.flatMap(Effect.all([tally, elapsed]), ([counted, millis]) =>
            record(subject, ending(exit, counted), millis)
          )
        )
      )
    )

interface Ending extends Tally {
  readonly outcome: UploadOutcome
  readonly receipt: Option.Option<UploadReceipt>
  readonly errorType: Option.Option<string>
  /** In words. */
  readonly account: string
}

const ending = <E extends { readonly message: string }>(
  exit: Exit.Exit<UploadReceipt, E>,
  tally: Tally
): Ending =>
  Exit.match(exit, {
    onSuccess: (receipt): Ending => ({
      attempts: receipt.attempts,
      bytesSent: receipt.bytesSent,
      outcome: receipt._tag === "Uploaded" ? "uploaded" : "already_current",
      receipt: Option.some(receipt),
      errorType: Option.none(),
      account:
        receipt._tag === "Uploaded"
          ? `The upload is done, proved by ${receipt.proof}.`
          : "The extension held this archive already; nothing was sent."
    }),
    onFailure: (cause): Ending => {
      const errorType = errorTypeOf(cause)
      return {
        ...tally,
        outcome: Option.isNone(errorType) ? "interrupted" : "failed",
        receipt: Option.none(),
        errorType,
        account: Option.match(errorType, {
          onNone: () => "The upload was interrupted.",
          onSome: (type) => `The upload failed: ${Option.getOrElse(messageOf(cause), () => type)}`
        })
      }
    }
  })

const messageOf = (cause: Cause.Cause<{ readonly message: string }>): Option.Option<string> =>
  Option.map(Cause.failureOption(cause), ({ message }) => message)

const record = Effect.fnUntraced(function* (
  { archiveName, extensionId }: { readonly extensionId: string; readonly archiveName: string },
  { account, attempts, bytesSent: sent, errorType, outcome, receipt }: Ending,
  millis: number
) {
  const proof = Option.match(receipt, { onNone: () => "none" as const, onSome: ({ proof }) => proof })
  yield* Metric.increment(ended(outcome, proof))
  yield* Metric.incrementBy(bytesSent, sent)
  yield* Metric.update(Metric.tagged(duration, "outcome", outcome), millis / 1000)
  if (Option.isSome(errorType)) {
    yield* Metric.increment(Metric.tagged(failures, "error_type", errorType.value))
  }
  if (Option.isSome(receipt)) {
    const { _tag, archive, bytesResumed } = receipt.value
    yield* _tag === "AlreadyCurrent"
      ? Metric.incrementBy(saved("already_current"), archive.size)
      : Metric.incrementBy(saved("resumed"), bytesResumed)
  }
  const told = {
    [attribute.uploadOutcome]: outcome,
    [attribute.uploadAttempts]: attempts,
    [attribute.uploadBytesSent]: sent,
    ...Option.match(receipt, {
      onNone: () => ({}),
      onSome: ({ archive, bytesResumed }) => ({
        [attribute.uploadProof]: proof,
        [attribute.archiveSize]: archive.size,
        [attribute.uploadBytesResumed]: bytesResumed
      })
    })
  }
  yield* Effect.annotateCurrentSpan(told)
  const level = yield* OutcomeLevel
  const isAlarming = outcome === "failed" && LogLevel.greaterThanEqual(level, LogLevel.Info)
  yield* Effect.logWithLevel(isAlarming ? LogLevel.Warning : level, shownLine(account)).pipe(
    Effect.annotateLogs({
      ...told,
      [attribute.extensionId]: shown(extensionId),
      [attribute.archiveName]: shown(archiveName),
      [attribute.uploadDuration]: millis,
      ...Option.match(errorType, { onNone: () => ({}), onSome: (type) => ({ [attribute.errorType]: type }) })
    })
  )
})

/** Shows the events of an upload or a publishing: a bar on a terminal, lines elsewhere, JSON when asked for. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import { bounded } from "../../outsideText.ts"
import { PublishEvent } from "../../publish/PublishEvent.ts"
import * as RetryPolicy from "../../transfer/RetryPolicy.ts"
import * as Live from "./live.ts"
import { Output } from "./output.ts"
import * as Progress from "./progress.ts"
import { lines } from "./shown.ts"
import type { Style } from "./style.ts"
import { type Sink, Stdio, styleOf } from "./terminal.ts"
import { announceRetry, bytes, duration, hanging, plural } from "./text.ts"

export type Report = (event: PublishEvent) => Effect.Effect<void>

/** What suits the output's options and the terminal. The bar is gone when the scope closes. */
export const makeReport: Effect.Effect<Report, never, Output | Stdio | Scope.Scope> = Effect.gen(
  function* () {
    const { event, note, options } = yield* Output
    const { err } = yield* Stdio
    const forPrograms = yield* asJson((value) => event(PublishEvent, value))
    if (options.quiet || options.json) return forPrograms
    const retries = yield* allowedRetries
    const forPeople = yield* (yield* Live.isWatched(err))
      ? asBar(err, yield* styleOf(err), retries)
      : asLines(note, retries)
    return (event) => Effect.zipRight(forPeople(event), forPrograms(event))
  }
)

const remarks: ReadonlySet<PublishEvent["_tag"]> = new Set([
  "Warning",
  "RetryScheduled",
  "StagingRetryScheduled",
  "StagingWarning"
])

/** How many retries the settings allow; an upload with settings that cannot be used does not come this far. */
const allowedRetries: Effect.Effect<number> = Effect.orDie(
  Effect.map(RetryPolicy.config, ({ maxRetries = 0 }) => maxRetries)
)

/** For a dry run, in which nothing is under way: only what to know before the real one, and why it takes long. */
export const makeRemarks: Effect.Effect<Report, never, Output> = Effect.zipWith(
  Output,
  allowedRetries,
  ({ note }, retries) =>
    (event) =>
      remarks.has(event._tag) && !Progress.isStep(event)
        ? Effect.asVoid(Effect.transposeMapOption(sentenceOf(event, retries), note))
        : Effect.void
)

/** A step every tenth of a second is enough for any reader; the last of its kind always comes. */
const asJson = (write: Report): Effect.Effect<Report> =>
  Effect.map(Ref.make<Partial<Record<Progress.Step["_tag"], number>>>({}), (lastAt) => (event) => {
    if (event._tag === "Completed") return Effect.void
    if (!Progress.isStep(event)) return write(event)
    return Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const before = (yield* Ref.get(lastAt))[event._tag] ?? Number.NEGATIVE_INFINITY
      if (now - before < Live.renderMillis && Progress.doneOf(event) < event.total) return
      yield* Ref.update(lastAt, (times) => ({ ...times, [event._tag]: now }))
      yield* write(event)
    })
  })

/** The longest silence in a log: people, and systems that end jobs without output, take it for a hang. */
const heartbeat = Duration.seconds(30)

/** Progress every tenth of the whole, and a word at least every half minute. */
const asLines = Effect.fnUntraced(function* (
  note: (line: string) => Effect.Effect<void>,
  retries: number
): Effect.fn.Return<Report, never, Scope.Scope> {
  const progress = yield* Ref.make({ ...Progress.nothingYet, retries })
  const lastTenth = yield* Ref.make(0)
  const saidAt = yield* Ref.make(yield* Clock.currentTimeMillis)
  const say = (line: string) =>
    Effect.zipRight(
      note(line),
      Effect.flatMap(Clock.currentTimeMillis, (now) => Ref.set(saidAt, now))
    )

  const beat = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const left = (yield* Ref.get(saidAt)) + Duration.toMillis(heartbeat) - now
    if (left > 0) yield* Effect.sleep(left)
    else yield* say(Progress.describe(yield* Ref.get(progress), now))
  })
  yield* Effect.forkScoped(Effect.interruptible(Effect.forever(beat)))

  return (event) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      yield* Ref.update(progress, (before) => Progress.advance(before, event, now))
      if (!Progress.isStep(event)) {
        if (event._tag === "SendingStarted" || event._tag === "StagingStarted") yield* Ref.set(lastTenth, 0)
        yield* Effect.transposeMapOption(sentenceOf(event, retries), say)
      }
      if (event._tag !== "BytesWritten" && event._tag !== "StagingProgress") return
      const done = Progress.doneOf(event)
      const tenth = Math.floor((10 * done) / Math.max(1, event.total))
      const last = yield* Ref.getAndSet(lastTenth, tenth)
      if (tenth > last) yield* say(`sent ${10 * tenth} % (${bytes(done)} of ${bytes(event.total)})`)
    })
})

/** A bar; whatever else there is to say stands above it. */
const asBar = Effect.fnUntraced(function* (
  err: Sink,
  style: Style,
  retries: number
): Effect.fn.Return<Report, never, Scope.Scope> {
  const since = yield* Clock.currentTimeMillis
  const progress = yield* Ref.make({ ...Progress.nothingYet, retries, since })
  const live = yield* Live.make(err, (columns) =>
    Effect.zipWith(Ref.get(progress), Clock.currentTimeMillis, (progress, now) =>
      Progress.render(progress, now, columns)
    )
  )
  const say = (line: string) =>
    live.above(
      Effect.flatMap(err.columns, (columns) =>
        err.write(lines(hanging(bounded(line), columns).map(paintAs(line, style))))
      )
    )
  return (event) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      yield* Ref.update(progress, (before) => Progress.advance(before, event, now))
      if (!Progress.isStep(event)) yield* Effect.transposeMapOption(sentenceOf(event, retries), say)
    })
})

const paintAs = (line: string, style: Style): ((text: string) => string) =>
  line.startsWith("! ") || line.startsWith("warning: ") ? style.yellow : identity

/** One line for everything worth knowing that is no step. */
const sentenceOf = (event: Exclude<PublishEvent, Progress.Step>, retries: number): Option.Option<string> => {
  switch (event._tag) {
    case "ArchiveInspected":
      return Option.some(
        event.elasticsearchVersion === undefined
          ? `inspected: ${event.type}, ${plural(event.entryCount, "entry", "entries")}`
          : `inspected: ${event.type} for Elasticsearch ${event.elasticsearchVersion}`
      )
    case "DigestStarted":
      return event.way === "WhileSending" ? Option.some("hashing while sending") : Option.none()
    case "DigestComputed":
      return Option.some(`hashed: sha-256 ${event.sha256.slice(0, 16)}… of ${bytes(event.size)}`)
    case "UploadContinued":
      return Option.some("continuing an upload that an earlier run left unfinished")
    case "StaleUploadDiscarded":
      return Option.some(`cancelled the unfinished upload of ${event.name}`)
    case "AttemptStarted":
      return event.attempt === 1 ? Option.none() : Option.some(`attempt ${event.attempt}`)
    case "SendingStarted":
      return event.offset === 0
        ? Option.none()
        : Option.some(`resuming at ${bytes(event.offset)} of ${bytes(event.total)}`)
    case "ResumptionOffered":
      return Option.some("the server can resume this upload")
    case "RetryScheduled":
      return Option.some(`! ${event.message} ${announceRetry(event.retry, retries, event.delayMillis)}`)
    case "ReconciliationStarted":
      return Option.some(`! ${event.message} Asking the server whether the upload took effect.`)
    case "Reconciled":
      return Option.some(outcomes[event.outcome])
    case "VerificationStarted":
      return Option.none()
    case "Verified":
      return Option.some(`verified by ${proofs[event.proof]}`)
    case "Warning":
      return Option.some(`warning: ${event.message}`)
    case "ExtensionFound":
      return Option.some(`found extension ${event.extensionId}`)
    case "ExtensionCreated":
      return Option.some(`created extension ${event.extensionId}`)
    case "MetadataUpdated":
      return Option.some(`updated ${event.fields.join(" and ")} of extension ${event.extensionId}`)
    case "DownloadStarted":
      return Option.some(`the service is fetching the archive from ${event.origin}`)
    case "DownloadPolled":
      return Option.some(
        event.hasArrived
          ? "the archive has arrived"
          : `the archive has not arrived after ${duration(event.elapsedMillis)}`
      )
    case "StagingStarted":
      return Option.some(`staging ${bytes(event.total)} in ${event.location}`)
    case "StagingContinued":
      return Option.some(`the store has ${plural(event.parts, "part")} (${bytes(event.bytes)}) already`)
    case "StagingRestarted":
      return Option.some(`! ${event.message}`)
    case "StagingRetryScheduled":
      return Option.some(`! ${event.message} Trying again in ${duration(event.delayMillis)}.`)
    case "StagingWarning":
      return Option.some(`warning: ${event.message}`)
    case "StagingCompleted":
      return Option.some(event.wasThere ? "the store has the archive already" : "the archive is staged")
    case "PartKept":
    case "PartSent":
    case "Completed":
      return Option.none()
  }
}

const outcomes = {
  NotApplied: "it did not take effect",
  Applied: "it took effect",
  Conflict: "someone else wrote to the extension in the meantime",
  Unknown: "the server cannot tell"
} as const

const proofs = {
  hash: "its hash",
  size: "its size",
  response: "the service's response"
} as const

/** Shows the events of an upload or a publishing: a bar on a terminal, lines elsewhere, JSON when asked for. */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { PublishEvent } from "../../publish/PublishEvent.ts"
import { Output } from "./output.ts"
import * as Progress from "./progress.ts"
import { type Sink, Stdio, type Style, styleOf } from "./terminal.ts"
import { bytes, duration, hanging, plural } from "./text.ts"

export type Report = (event: PublishEvent) => Effect.Effect<void>

/** What suits the output's options and the terminal. The bar is gone when the scope closes. */
export const makeReport: Effect.Effect<Report, never, Output | Stdio | Scope.Scope> = Effect.gen(
  function* () {
    const { event, note, options } = yield* Output
    const { err } = yield* Stdio
    if (options.quiet) return () => Effect.void
    if (options.json) return yield* asJson((value) => event(PublishEvent, value))
    return yield* err.isTerminal && !(yield* isDumb) ? asBar(err, yield* styleOf(err)) : asLines(note)
  }
)

/** For a dry run, in which nothing is under way: only what to know before the real one, and why it takes long. */
export const makeRemarks: Effect.Effect<Report, never, Output> = Effect.map(
  Output,
  ({ note }) =>
    (event) =>
      remarks.has(event._tag) && !Progress.isStep(event)
        ? Effect.asVoid(Effect.transposeMapOption(sentenceOf(event), note))
        : Effect.void
)

const remarks: ReadonlySet<PublishEvent["_tag"]> = new Set([
  "Warning",
  "RetryScheduled",
  "StagingRetryScheduled",
  "StagingWarning"
])

const isDumb = Config.string("TERM").pipe(
  Effect.map((term) => term === "dumb"),
  Effect.orElseSucceed(() => false)
)

/** A step every tenth of a second is enough for any reader; the last of its kind always comes. */
const asJson = (write: Report): Effect.Effect<Report> =>
  Effect.map(Ref.make<Partial<Record<Progress.Step["_tag"], number>>>({}), (lastAt) => (event) => {
    if (event._tag === "Completed") return Effect.void
    if (!Progress.isStep(event)) return write(event)
    return Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const before = (yield* Ref.get(lastAt))[event._tag] ?? Number.NEGATIVE_INFINITY
      if (now - before < renderMillis && Progress.doneOf(event) < event.total) return
      yield* Ref.update(lastAt, (times) => ({ ...times, [event._tag]: now }))
      yield* write(event)
    })
  })

/** Progress every tenth of the whole. */
const asLines = (note: (line: string) => Effect.Effect<void>): Effect.Effect<Report> =>
  Effect.map(Ref.make(0), (lastTenth) => (event) => {
    if (!Progress.isStep(event)) {
      const reset =
        event._tag === "SendingStarted" || event._tag === "StagingStarted"
          ? Ref.set(lastTenth, 0)
          : Effect.void
      return Effect.zipRight(reset, Effect.transposeMapOption(sentenceOf(event), note))
    }
    if (event._tag !== "BytesWritten" && event._tag !== "StagingProgress") return Effect.void
    const done = Progress.doneOf(event)
    const tenth = Math.floor((10 * done) / Math.max(1, event.total))
    const line = `sent ${10 * tenth} % (${bytes(done)} of ${bytes(event.total)})`
    return Effect.flatMap(Ref.getAndSet(lastTenth, tenth), (last) =>
      tenth > last ? note(line) : Effect.void
    )
  })

/** Ten times a second is as often as anyone can see. */
const renderMillis = 100

/**
 * Events change what is known; a fiber of its own draws it, so that a slow terminal never holds up the upload, and the
 * rate falls and the seconds pass also while nothing happens.
 */
const asBar = Effect.fnUntraced(function* (
  err: Sink,
  style: Style
): Effect.fn.Return<Report, never, Scope.Scope> {
  const progress = yield* Ref.make(Progress.nothingYet)
  const drawn = yield* Ref.make("")
  const turn = yield* Effect.makeSemaphore(1)

  const erase = Effect.gen(function* () {
    const line = yield* Ref.getAndSet(drawn, "")
    return erasing(line, yield* err.columns)
  })
  const draw = Effect.gen(function* () {
    const columns = yield* err.columns
    const line = Progress.render(yield* Ref.get(progress), yield* Clock.currentTimeMillis, columns - 1)
    if (line === (yield* Ref.get(drawn))) return
    const erased = yield* erase
    yield* err.write(erased + line)
    yield* Ref.set(drawn, line)
  }).pipe(turn.withPermits(1))
  const say = (line: string) =>
    Effect.gen(function* () {
      const erased = yield* erase
      const lines = hanging(line, yield* err.columns)
      yield* err.write(`${erased}${paint(lines.join("\n"), style)}\n`)
    }).pipe(turn.withPermits(1))

  yield* Effect.addFinalizer(() => turn.withPermits(1)(Effect.flatMap(erase, err.write)))
  // Forked where nothing may be interrupted, it would never end by itself.
  const drawing = Effect.repeat(Effect.uninterruptible(draw), Schedule.spaced(renderMillis))
  yield* Effect.forkScoped(Effect.interruptible(drawing))

  return (event) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      yield* Ref.update(progress, (before) => Progress.advance(before, event, now))
      if (!Progress.isStep(event)) yield* Effect.transposeMapOption(sentenceOf(event), say)
    })
})

/** A line that has become wider than the terminal, because that was made narrower, stands on several rows. */
const erasing = (line: string, columns: number): string => {
  if (line === "") return ""
  const rowsAbove = Math.max(0, Math.ceil(line.length / Math.max(1, columns)) - 1)
  return `${"\u001b[2K\u001b[1A".repeat(rowsAbove)}\r\u001b[2K`
}

const paint = (line: string, style: Style): string =>
  line.startsWith("! ") || line.startsWith("warning: ") ? style.yellow(line) : line

/** One line for everything worth knowing that is no step. */
const sentenceOf = (event: Exclude<PublishEvent, Progress.Step>): Option.Option<string> => {
  switch (event._tag) {
    case "ArchiveInspected":
      return Option.some(
        event.elasticsearchVersion === undefined
          ? `inspected: ${event.type}, ${plural(event.entryCount, "entry", "entries")}`
          : `inspected: ${event.type} for Elasticsearch ${event.elasticsearchVersion}`
      )
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
      return Option.some(`! ${event.message} Trying again in ${duration(event.delayMillis)}.`)
    case "ReconciliationStarted":
      return Option.some(`! ${event.message} Asking the server whether the upload took effect.`)
    case "Reconciled":
      return Option.some(outcomes[event.outcome])
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

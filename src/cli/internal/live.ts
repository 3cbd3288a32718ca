/** The last line of a terminal, which shows what is under way; what is said meanwhile stands above it. */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { Output } from "./output.ts"
import { ours, unended } from "./shown.ts"
import { type Sink, Stdio } from "./terminal.ts"
import { clock, spinner, widthOf } from "./text.ts"

export interface Live {
  /** Runs what writes to the terminal, with the line out of its way. */
  readonly above: <A, E, R>(writing: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** Ten times a second is as often as anyone can see. */
export const renderMillis = 100

/**
 * Draws what `render` says for so many columns, until the scope closes. A fiber of its own draws, so that a slow terminal
 * never holds up the work, and the seconds pass also while nothing happens.
 */
export const make = Effect.fnUntraced(function* (
  err: Sink,
  render: (columns: number) => Effect.Effect<string>
): Effect.fn.Return<Live, never, Scope.Scope> {
  const drawn = yield* Ref.make("")
  const turn = yield* Effect.makeSemaphore(1)

  const erase = Effect.gen(function* () {
    const line = yield* Ref.getAndSet(drawn, "")
    return erasing(line, yield* err.columns)
  })
  const draw = Effect.gen(function* () {
    const line = yield* render((yield* err.columns) - 1)
    if (line === (yield* Ref.get(drawn))) return
    const erased = yield* erase
    yield* err.write(ours(erased + unended(line)))
    yield* Ref.set(drawn, line)
  }).pipe(turn.withPermits(1))

  yield* Effect.addFinalizer(() =>
    turn.withPermits(1)(Effect.flatMap(erase, (erased) => err.write(ours(erased))))
  )
  // Forked where nothing may be interrupted, it would never end by itself.
  const drawing = Effect.repeat(Effect.uninterruptible(draw), Schedule.spaced(renderMillis))
  yield* Effect.forkScoped(Effect.interruptible(drawing))

  return {
    above: (writing) =>
      turn.withPermits(1)(
        Effect.zipRight(
          Effect.flatMap(erase, (erased) => err.write(ours(erased))),
          writing
        )
      )
  }
})

/** A line that has become wider than the terminal, because that was made narrower, stands on several rows. */
const erasing = (line: string, columns: number): string => {
  if (line === "") return ""
  const rowsAbove = Math.max(0, Math.ceil(widthOf(line) / Math.max(1, columns)) - 1)
  return `${"\u001b[2K\u001b[1A".repeat(rowsAbove)}\r\u001b[2K`
}

const isSet = (variable: string, unset: ReadonlyArray<string>): Effect.Effect<boolean> =>
  Config.option(Config.string(variable)).pipe(
    Config.map(Option.exists((value) => !unset.includes(value.toLowerCase()))),
    Effect.orElseSucceed(() => false)
  )

/** Whether a job of a pipeline runs this, even where it has a terminal. */
export const isPipeline: Effect.Effect<boolean> = isSet("CI", ["", "false", "0"])

const isDumb: Effect.Effect<boolean> = Config.string("TERM").pipe(
  Effect.map((term) => term === "dumb"),
  Effect.orElseSucceed(() => false)
)

/** Whether somebody watches standard error who wants to see a line move. */
export const isWatched = (err: Sink): Effect.Effect<boolean> =>
  Effect.map(Effect.all([isDumb, isPipeline]), (reasons) => err.isTerminal && !reasons.includes(true))

/** A wait shorter than this needs no word. */
const patienceMillis = 300

/** Shows that something is waited for, and since when, to people on a terminal. */
export const waiting = Effect.fnUntraced(function* (
  what: Effect.Effect<string>
): Effect.fn.Return<Live, never, Output | Stdio | Scope.Scope> {
  const { options } = yield* Output
  const { err } = yield* Stdio
  if (options.json || options.quiet || !(yield* isWatched(err))) return { above: (writing) => writing }
  const began = yield* Clock.currentTimeMillis
  return yield* make(err, (columns) =>
    Effect.zipWith(what, Clock.currentTimeMillis, (what, now) => {
      const millis = now - began
      if (millis < patienceMillis) return ""
      return `${spinner(millis)} ${what}  ${clock(millis)}`.slice(0, columns)
    })
  )
})

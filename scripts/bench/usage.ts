/**
 * What a process costs from start to end, measured the same way for every program:
 *
 * - wall time: from before it is started until its end is known, on this process's clock;
 * - processor time: what the kernel has added, when the child was waited for, to the times of this process's children
 *   (`cutime` and `cstime` in `/proc/self/stat`, in steps of 10 ms);
 * - peak memory: the kernel's high-water mark of its resident set (`VmHWM` in `/proc/PID/status`). The mark never goes
 *   down, so looking every 10 ms misses only what happens in the last 10 ms.
 *
 * The latter two are known on Linux only.
 */
import { readFileSync } from "node:fs"
import * as Command from "@effect/platform/Command"
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { epochMillis } from "./message.ts"

export interface Usage {
  /** When the first process was started, in milliseconds since the epoch. */
  readonly startedAt: number
  readonly wallMillis: number
  /** User and system time together. */
  readonly cpuMillis: Option.Option<number>
  /** Of the largest process, in bytes. */
  readonly peakBytes: Option.Option<number>
}

/** A program that is not installed here. */
export class ToolMissing extends Schema.TaggedError<ToolMissing>()("ToolMissing", { tool: Schema.String }) {
  override get message(): string {
    return `${this.tool} is not installed`
  }
}

/** A program that failed. */
export class ProgramFailed extends Schema.TaggedError<ProgramFailed>()("ProgramFailed", {
  detail: Schema.String
}) {
  override get message(): string {
    return `it failed: ${this.detail}`
  }
}

const readProc = (path: string): Effect.Effect<Option.Option<string>> =>
  Effect.option(Effect.try(() => readFileSync(path, "utf8")))

/** Linux gives these times in hundredths of a second, whatever its own clock does. */
const tickMillis = 10

/** `cutime` and `cstime` are the 14th and 15th field after the command, whose name may hold anything but `)`. */
const cpuOfChildren = Effect.map(
  readProc("/proc/self/stat"),
  Option.map((stat) => {
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return (Number(fields[13]) + Number(fields[14])) * tickMillis
  })
)

/** In bytes, and 0 where the system does not tell. */
const peakOf = (pid: number) =>
  Effect.map(readProc(`/proc/${pid}/status`), (status) => {
    const mark = Option.flatMapNullable(status, (text) => /^VmHWM:\s+(\d+) kB$/m.exec(text)?.[1])
    return Option.match(mark, { onNone: () => 0, onSome: (kibibytes) => Number(kibibytes) * 1024 })
  })

/** The largest resident set of any of the processes is kept in `peak`. */
const runToEnd = (command: Command.Command, peak: Ref.Ref<number>, exitCode: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const child = yield* Command.start(command)
      const complaints = yield* Effect.fork(Stream.mkString(Stream.decodeText(child.stderr)))
      yield* peakOf(child.pid).pipe(
        Effect.flatMap((bytes) => Ref.update(peak, (before) => Math.max(before, bytes))),
        Effect.repeat(Schedule.spaced("10 millis")),
        Effect.forkScoped
      )
      const code = yield* child.exitCode
      if (code === exitCode) return
      const detail = `exit code ${code}: ${(yield* Fiber.join(complaints)).slice(-1000)}`
      return yield* new ProgramFailed({ detail })
    })
  ).pipe(
    Effect.catchTags({
      SystemError: (error) =>
        error.reason === "NotFound"
          ? new ToolMissing({ tool: Command.flatten(command)[0].command })
          : new ProgramFailed({ detail: error.message }),
      BadArgument: (error) => new ProgramFailed({ detail: error.message })
    })
  )

/** Runs commands one after the other and says what they took together. Each has to end with the exit code. */
export const measure = (commands: Arr.NonEmptyReadonlyArray<Command.Command>, exitCode = 0) =>
  Effect.gen(function* () {
    const peak = yield* Ref.make(0)
    const cpuBefore = yield* cpuOfChildren
    const startedAt = epochMillis()
    yield* Effect.forEach(commands, (command) => runToEnd(command, peak, exitCode), { discard: true })
    const wallMillis = epochMillis() - startedAt
    const cpuMillis = Option.map(
      Option.all([yield* cpuOfChildren, cpuBefore]),
      ([now, before]) => now - before
    )
    const peakBytes = Option.liftPredicate(yield* Ref.get(peak), (bytes) => bytes > 0)
    const usage: Usage = { startedAt, wallMillis, cpuMillis, peakBytes }
    return usage
  })

/** An upload as a command: its events shown, and the command that resumes it when it stops half-way. */
import * as Path from "@effect/platform/Path"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Archive from "../../archive/Archive.ts"
import type { PublishError } from "../../publish/PublishError.ts"
import type { PublishEvent } from "../../publish/PublishEvent.ts"
import { UploadPaused } from "../Failure.ts"
import { type Output, Resumable } from "./output.ts"
import { makeReport, type Report } from "./reporter.ts"
import { withoutConsoleLog } from "./telemetry.ts"
import type { Stdio } from "./terminal.ts"
import { commandLine } from "./text.ts"
import type { Given } from "./variables.ts"

/** The journal keeps the path, and whoever resumes may do so from another working directory. */
export const archiveFile = (path: string) =>
  Effect.map(Path.Path, ({ resolve }) => Archive.file(resolve(path)))

/** The command that resumes what this one began. What the environment holds is expected to be there again. */
export const resumeCommand = (words: ReadonlyArray<string>, givens: ReadonlyArray<Given>): string =>
  commandLine(...words, ...givens.flatMap(({ words }) => words))

/**
 * Runs what reports the events of an upload or a publishing. Once something has been sent, a signal or a failure that may
 * pass is no end: `resume` is the command that continues.
 */
export const withReport = <A, E extends PublishError, R>(
  resume: string,
  run: (onEvent: Report) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | Resumable, R | Output | Stdio> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const hasBegun = yield* Ref.make(false)
      const canResume = yield* Ref.make(false)
      const report = yield* makeReport
      const command = `${yield* launcher}${resume}`
      const watch: Report = (event) =>
        Effect.all(
          [
            begins(event) ? Ref.set(hasBegun, true) : Effect.void,
            offersResumption(event) ? Ref.set(canResume, true) : Effect.void,
            report(event)
          ],
          { discard: true }
        )
      return yield* withoutConsoleLog(restore(run(watch))).pipe(
        Effect.catchAllCause((cause) =>
          Effect.gen(function* () {
            const paused = new UploadPaused({ canResume: yield* Ref.get(canResume) })
            return yield* Effect.failCause(
              (yield* Ref.get(hasBegun)) ? resumable(cause, paused, command) : cause
            )
          })
        )
      )
    }).pipe(Effect.scoped)
  )

/** Where npx has started this program, a shell does not find it without. */
const launcher: Effect.Effect<string> = Config.string("npm_command").pipe(
  Effect.map((command) => (command === "exec" ? "npx " : "")),
  Effect.orElseSucceed(() => "")
)

const begins = ({ _tag }: PublishEvent): boolean =>
  _tag === "SendingStarted" ||
  _tag === "UploadContinued" ||
  _tag === "ExtensionCreated" ||
  _tag === "MetadataUpdated" ||
  _tag === "DownloadStarted" ||
  _tag === "PartSent" ||
  _tag === "PartKept"

const offersResumption = ({ _tag }: PublishEvent): boolean =>
  _tag === "ResumptionOffered" || _tag === "UploadContinued"

const resumable = <E extends PublishError>(
  cause: Cause.Cause<E>,
  paused: UploadPaused,
  resume: string
): Cause.Cause<E | Resumable> =>
  Option.match(Cause.failureOption(cause), {
    onNone: () =>
      Cause.isInterruptedOnly(cause) ? Cause.fail(new Resumable({ failure: paused, resume })) : cause,
    onSome: (failure) => (canResume(failure) ? Cause.fail(new Resumable({ failure, resume })) : cause)
  })

/** Whether the same command, run again, has something to continue. */
const canResume = (error: PublishError): boolean =>
  error.isRetryable ||
  error._tag === "DeadlineExceeded" ||
  error._tag === "OutcomeUnknown" ||
  error._tag === "LinkTooShort" ||
  error._tag === "StoreCredentialsExpired" ||
  (error._tag === "DownloadFailed" && error.reason !== "Different")

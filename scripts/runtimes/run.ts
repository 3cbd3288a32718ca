/** One run of the suite, on one runtime, with the source or the built modules. */
import { join } from "node:path"
import * as Command from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Sink from "effect/Sink"
import { type Runtime, root, runtimes, type Subject, subjects } from "./columns.ts"
import { exclusions } from "./exclusions.ts"

/** The suite did not run to its end, so its results are unknown. */
export class NoReport extends Schema.TaggedError<NoReport>()("NoReport", {
  runtime: Schema.String,
  subject: Schema.String,
  exitCode: Schema.Number
}) {
  override get message(): string {
    return `the suite on ${this.runtime} (${this.subject}) ended with ${this.exitCode} and left no report`
  }
}

const Report = Schema.parseJson(
  Schema.Struct({
    testResults: Schema.Array(
      Schema.Struct({
        name: Schema.String,
        status: Schema.String,
        message: Schema.String,
        assertionResults: Schema.Array(
          Schema.Struct({
            fullName: Schema.String,
            status: Schema.String,
            failureMessages: Schema.optional(Schema.Array(Schema.String))
          })
        )
      })
    )
  })
)

export interface Result {
  /** From the root of the repository. */
  readonly file: string
  readonly test: string
  readonly status: "passed" | "failed" | "skipped"
  readonly message: string
}

const statusOf = (status: string): Result["status"] =>
  status === "passed" || status === "failed" ? status : "skipped"

/** A file that could not be loaded has no tests; it counts as one that failed. */
const resultsOf = (report: typeof Report.Type): ReadonlyArray<Result> =>
  report.testResults.flatMap(({ assertionResults, message, name, status }) => {
    const file = name.slice(root.length + 1)
    return assertionResults.length === 0 && status === "failed"
      ? [{ file, test: "", status, message }]
      : assertionResults.map(({ failureMessages, fullName, status }) => ({
          file,
          test: fullName,
          status: statusOf(status),
          message: failureMessages?.[0]?.split("\n")[0] ?? ""
        }))
  })

/** The version that the runtime reports. */
export const versionOf = (runtime: Runtime) => {
  const [command] = runtimes[runtime].command
  return Effect.map(
    Command.string(Command.make(command, "--version")),
    (said) => /\d+\.\d+\.\d+/.exec(said)?.[0] ?? said.trim()
  )
}

/** Matches the names of all tests except those that are not run. */
const namePattern = (runtime: Runtime): ReadonlyArray<string> => {
  const left = exclusions.filter(({ leftOut, on }) => leftOut === true && on.includes(runtime))
  return left.length === 0
    ? []
    : ["--testNamePattern", `^(?!${left.map(({ tests }) => tests.source.replace(/^\^/, "")).join("|")})`]
}

/** Every test with how it ended. `filters` are parts of file names; without any, all files. */
export const run = (runtime: Runtime, subject: Subject, filters: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "runtimes-" })
    const outputFile = join(folder, "report.json")
    const [command, ...flags] = runtimes[runtime].command
    const exitCode = yield* Command.make(
      command,
      ...flags,
      join(root, "node_modules/vitest/vitest.mjs"),
      "run",
      ...["--config", subjects[subject], "--project", "suite", "--reporter", "json"],
      ...["--outputFile", outputFile, ...namePattern(runtime), ...filters]
    ).pipe(
      Command.workingDirectory(root),
      Command.env({ NODE_BESIDE: runtime === "newest" ? undefined : process.execPath }),
      // What the tests print is of no interest here, but has to go somewhere, or they would wait for it to be read.
      Command.stdout(Sink.as(Sink.drain, new Uint8Array())),
      Command.stderr("inherit"),
      Command.exitCode
    )
    const report = yield* Effect.flatMap(fs.readFileString(outputFile), Schema.decode(Report)).pipe(
      Effect.mapError(() => new NoReport({ runtime, subject, exitCode }))
    )
    return resultsOf(report)
  }).pipe(Effect.scoped)

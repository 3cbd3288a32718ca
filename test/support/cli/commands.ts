/** Every command, with what it takes to get to work: for tests of what has to hold for all of them. */
import { Deferred, Effect, type Exit, Fiber } from "effect"
import type { Exited } from "../../../src/cli/internal/output.ts"
import type { Sink } from "../../../src/cli/internal/terminal.ts"
import { main, Stdio } from "../../../src/cli/main.ts"

/** The extension that all of them are about. */
export const id = "882519870"

/** What they are told: the archive to send, and a file that holds releases, or will. */
export interface Given {
  readonly archive: string
  readonly database: string
}

type Words = ReadonlyArray<string>

const named = ["--name", "words", "--type", "bundle", "--version", "*"]

/** Those that ask or change extensions by the API. */
const ofExtensions = ({ archive }: Given): ReadonlyArray<Words> => [
  ["list"],
  ["show", id, "--deployments"],
  ["show", "no-such-name"],
  ["create", ...named],
  ["update", id, "--description", "new"],
  ["delete", id, "--yes"],
  ["upload", id, archive],
  ["upload", id, archive, "--dry-run"],
  ["publish", archive, ...named]
]

/** Those that look at what is here, and need no answer from anybody. */
const ofThisMachine = ({ archive }: Given): ReadonlyArray<Words> => [
  ["inspect", archive],
  ["pending"],
  ["resume", id],
  ["cancel", id],
  ["doctor"],
  ["cloud", "--extension", "words"]
]

/** Those that ask a runner, or whoever has the releases. */
export const ofReleases = ({ archive }: Given): ReadonlyArray<Words> => [
  ["releases", "submit", archive, "--extension", id],
  ["releases", "list"],
  ["releases", "show", "words"],
  ["releases", "watch", "words"],
  ["releases", "approve", "words", "--by", "somebody"],
  ["releases", "reject", "words", "--by", "somebody"],
  ["releases", "cancel", "words"],
  ["releases", "retry", "words"]
]

export const commands = (given: Given): ReadonlyArray<Words> => [
  ...ofExtensions(given),
  ...ofThisMachine(given),
  ...ofReleases(given),
  ["runner", "--database", given.database]
]

/** What is written by those that would never end, once they are at work. */
const atWork: Readonly<Record<string, RegExp>> = {
  cloud: /is running at|"LocalCloud"/,
  runner: /is at work|"RunnerStarted"/
}

/** Whether a command runs until somebody stops it. */
export const isEndless = ([name = ""]: Words): boolean => name in atWork

/** Runs a command to its end. One that has none is stopped, as by Ctrl-C, once it has said that it is at work. */
export const ended = (
  args: Words,
  { err, out }: { readonly err: Sink; readonly out: Sink },
  stopAt = atWork[args[0] ?? ""]
): Effect.Effect<
  Exit.Exit<void, Exited>,
  never,
  Exclude<Effect.Effect.Context<ReturnType<typeof main>>, Stdio>
> =>
  Effect.gen(function* () {
    const isAtWork = yield* Deferred.make<void>()
    const watched = (sink: Sink): Sink => ({
      ...sink,
      write: (text) =>
        Effect.zipRight(
          sink.write(text),
          Effect.when(Deferred.succeed(isAtWork, undefined), () => stopAt?.test(text) === true)
        )
    })
    const fiber = yield* Effect.fork(
      Effect.provideService(main(args), Stdio, { out: watched(out), err: watched(err) })
    )
    const stopped = Effect.zipRight(Deferred.await(isAtWork), Fiber.interrupt(fiber))
    return yield* Effect.raceFirst(stopped, Fiber.await(fiber))
  })

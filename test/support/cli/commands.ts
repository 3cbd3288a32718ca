/** Every command, with what it takes to get to work: for tests of what has to hold for all of them. */
import { Deferred, Effect, type Exit, Fiber } from "effect"
import type { Environment } from "../../../src/cli/internal/command.ts"
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

export type Words = ReadonlyArray<string>

const named = ["--name", "words", "--type", "bundle", "--version", "*"]

/** Those that ask or change extensions by the API. */
export const ofExtensions = ({ archive }: Pick<Given, "archive">): ReadonlyArray<Words> => [
  ["list"],
  ["show", id, "--deployments"],
  ["show", "no-such-name"],
  ["create", ...named],
  ["update", id, "--description", "new"],
  ["delete", id, "--yes"],
  ["upload", id, archive],
  ["upload", id, archive, "--dry-run"],
  ["publish", archive, ...named],
  ["doctor"]
]

/** Those that need nobody else. */
export const ofThisMachine = ({ archive }: Given): ReadonlyArray<Words> => [
  ["inspect", archive],
  ["pending"],
  ["resume", id],
  ["cancel", id],
  ["cloud", "--extension", "words"]
]

/** Those that ask whoever has the releases: a runner, or nobody but the file itself. */
export const ofReleases = ({ archive }: Pick<Given, "archive">): ReadonlyArray<Words> => [
  ["releases", "submit", archive, "--extension", id],
  ["releases", "list"],
  ["releases", "show", "words"],
  ["releases", "watch", "words"],
  ["releases", "approve", "words", "--by", "somebody"],
  ["releases", "reject", "words", "--by", "somebody"],
  ["releases", "cancel", "words"],
  ["releases", "retry", "words"]
]

/** A release in a file and the runner that does it: for an environment without another runner to ask. */
export const ofFile = ({ archive, database }: Given): ReadonlyArray<Words> =>
  [
    ["releases", "submit", archive, "--extension", id],
    ["runner"],
    ["releases", "list"],
    ["releases", "show", "words"]
  ].map((words) => [...words, "--database", database])

export const commands = (given: Given): ReadonlyArray<Words> => [
  ...ofExtensions(given),
  ...ofThisMachine(given),
  ...ofReleases(given)
]

/** What those write that would never end, once they have come as far as they are wanted to. */
const enough: Readonly<Record<string, RegExp>> = {
  cloud: /is running at|"LocalCloud"/,
  // A step of the release has failed, or all of it has ended.
  runner: /Step \S+ failed|release\.outcome/
}

/** Runs a command to its end. One that has none is stopped, as by Ctrl-C, once it has written what it is to be stopped at. */
export const ended = (
  args: Words,
  { err, out }: { readonly err: Sink; readonly out: Sink }
): Effect.Effect<Exit.Exit<void, Exited>, never, Exclude<Environment, Stdio>> =>
  Effect.gen(function* () {
    const hasEnough = yield* Deferred.make<void>()
    const watched = (sink: Sink): Sink => ({
      ...sink,
      write: (text) =>
        Effect.zipRight(
          sink.write(text),
          Effect.when(
            Deferred.succeed(hasEnough, undefined),
            () => enough[args[0] ?? ""]?.test(text) === true
          )
        )
    })
    const fiber = yield* Effect.fork(
      Effect.provideService(main(args), Stdio, { out: watched(out), err: watched(err) })
    )
    const stopped = Effect.zipRight(Deferred.await(hasEnough), Fiber.interrupt(fiber))
    return yield* Effect.raceFirst(stopped, Fiber.await(fiber))
  })

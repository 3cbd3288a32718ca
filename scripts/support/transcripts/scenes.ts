/** What the documentation shows of the command line, in the order in which it happens. */
import * as Effect from "effect/Effect"
import { byTag, type ExitCodeName, exitCodes } from "../../../src/cli/ExitCode.ts"
import { Fault } from "../../../src/index.ts"
import type { Line, Stage } from "./stage.ts"

const command = "elastic-extensions"

/** The name of a place in a document, and the scene that fills it. */
type Scene = readonly [name: string, play: (stage: Stage) => Effect.Effect<string>]

const lines =
  (...args: ReadonlyArray<Line>) =>
  ({ play }: Stage) =>
    play(...args)

const help = (name: string): Scene => [`help-${name.replace(" ", "-")}`, lines(`${command} ${name} --help`)]

export const commandNames = [
  "upload",
  "publish",
  "inspect",
  "list",
  "show",
  "create",
  "update",
  "delete",
  "pending",
  "resume",
  "cancel",
  "doctor",
  "cloud",
  "runner",
  "releases submit",
  "releases list",
  "releases show",
  "releases watch",
  "releases approve",
  "releases reject",
  "releases cancel",
  "releases retry"
] as const

const beginning: ReadonlyArray<Scene> = [
  ["help", lines(`${command} --help`)],
  ["no-configuration", lines({ line: `${command} list`, env: { EC_API_KEY: undefined } })],
  ["doctor", lines(`${command} doctor`)],
  [
    "doctor-problem",
    lines({ line: `${command} doctor --quiet`, env: { EC_API_KEY: "a-key-that-was-revoked" } })
  ]
]

const managing: ReadonlyArray<Scene> = [
  [
    "create",
    lines(
      `${command} create --name words --type bundle --version '8.*' --dry-run`,
      `${command} create --name words --type bundle --version '8.*'`
    )
  ],
  ["list", lines(`${command} list`, `${command} list --type plugin --quiet`)],
  ["show", lines(`${command} show 882519871 --deployments`)],
  [
    "update",
    lines(
      `${command} update $ID --version '*' --description 'Hunspell dictionaries'`,
      `${command} update $ID --version '*'`
    )
  ]
]

/** Uploads are slow enough to show progress, and to be cut at a known byte. */
const slowly = "--bandwidth 500000"

const uploading: ReadonlyArray<Scene> = [
  ["inspect", lines(`${command} inspect dist/acme.zip`)],
  ["inspect-bad", lines(`${command} inspect dist/broken.zip`)],
  ["upload-dry-run", lines(`${command} upload 882519870 dist/words.zip --dry-run`)],
  ["upload", lines(`${command} upload 882519870 dist/words.zip`)],
  ["upload-again", lines(`${command} upload 882519870 dist/words.zip`)],
  [
    "retry",
    ({ cloud, play }) =>
      play({
        line: `${command} upload 882519870 dist/words-2.zip ${slowly}`,
        before: () => cloud.plan({ method: "PUT", fault: Fault.cut({ afterBodyBytes: 250_000 }, "reset") })
      })
  ],
  [
    "in-use",
    lines(
      `${command} upload 882519871 dist/acme.zip --protect-in-use`,
      `${command} upload 882519871 dist/acme.zip`
    )
  ],
  [
    "publish",
    lines(
      `${command} publish dist/acme.zip --name analysis-acme-2 --type plugin --version 8.17.0`,
      `${command} publish dist/acme.zip --name analysis-acme-2 --type plugin --version 8.17.0 --quiet`
    )
  ],
  ["json", lines(`${command} upload 882519870 dist/words-2.zip --json | tail -n 1`)],
  ["json-error", lines(`${command} show nobody --json`)]
]

const interrupted = (id: string, archive: string) => (stage: Stage) => ({
  line: `${command} upload ${id} ${archive} ${slowly}`,
  // Asked before it gets the first byte, the gateway says at a known moment that it can resume.
  env: { EC_ENDPOINT: stage.gateway.url, EC_UPLOAD_EXPECT_THRESHOLD: "1024" },
  before: (kill: (signal: NodeJS.Signals) => void) =>
    stage.gateway.plan({
      method: "PUT",
      fault: Fault.run(
        { afterBodyBytes: 250_000 },
        Effect.sync(() => kill("SIGINT"))
      )
    })
})

const pausing: ReadonlyArray<Scene> = [
  ["interruption", (stage) => stage.play(interrupted("882519870", "dist/words.zip")(stage))],
  [
    "resume",
    (stage) => {
      const env = { EC_ENDPOINT: stage.gateway.url }
      return stage.play(
        { line: `${command} pending`, env },
        { line: `${command} resume 882519870`, env },
        { line: `${command} resume --all`, env }
      )
    }
  ],
  [
    "cancel",
    (stage) =>
      Effect.gen(function* () {
        const env = { EC_ENDPOINT: stage.gateway.url }
        yield* stage.play(interrupted("882519871", "dist/acme.zip")(stage))
        return yield* stage.play(
          { line: `${command} cancel 882519871`, env },
          { line: `${command} pending`, env }
        )
      })
  ]
]

const ending: ReadonlyArray<Scene> = [
  ["delete", lines(`${command} delete $ID --yes`, `${command} delete 882519871 --yes`)]
]

const meanings: Readonly<Record<ExitCodeName, string>> = {
  done: "what was asked for is so",
  failed: "it failed; the message says what to do",
  resumable: "an upload stopped half-way: the command that is printed goes on with it",
  notAllowed: "the API key, or the credentials of the object store, are missing rights or were refused",
  notFound: "there is no such extension, or no unfinished upload to it",
  archiveRefused: "the archive is missing, unreadable, not fit, or was not accepted",
  conflict: "somebody else is at it, or was meanwhile; or deployments are in the way",
  outcomeUnknown: "it may have taken effect: the same command asks before it does anything",
  usage: "the command line or the configuration cannot be used",
  outputLost: "it is done, but what it had to say could not be written",
  interrupted: "a signal came before anything was sent"
}

const names = Object.keys(exitCodes).filter((name): name is ExitCodeName => name in exitCodes)

const errorsOf = (name: ExitCodeName): string => {
  if (name === "failed") return "every other error"
  const tags = Object.entries(byTag).flatMap(([tag, of]) => (of === name ? [`\`${tag}\``] : []))
  return tags.sort().join(", ")
}

const exitCodeTable = [
  "| code | meaning | errors |",
  "| --- | --- | --- |",
  ...names.map((name) => `| ${exitCodes[name]} | ${meanings[name]} | ${errorsOf(name)} |`)
].join("\n")

export const scenes: ReadonlyArray<Scene> = [
  ...beginning,
  ...managing,
  ...uploading,
  ...pausing,
  ...ending,
  ...commandNames.map(help),
  ["exit-codes", () => Effect.succeed(exitCodeTable)]
]

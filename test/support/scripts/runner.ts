/** A runner of GitHub Actions, as far as composite actions go: expressions, environment files, conditions and the cache. */
import { spawn } from "node:child_process"
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { Context, Effect, Layer, Schema } from "effect"
import { parse } from "yaml"
import { bundleCommand } from "../../../scripts/support/command.ts"
import { node } from "../../../scripts/support/node.ts"

const root = resolve(import.meta.dirname, "../../..")

const Texts = Schema.Record({ key: Schema.String, value: Schema.String })

const Step = Schema.Struct({
  name: Schema.String,
  id: Schema.optional(Schema.String),
  if: Schema.optional(Schema.String),
  uses: Schema.optional(Schema.String),
  with: Schema.optional(Texts),
  shell: Schema.optional(Schema.Literal("bash")),
  env: Schema.optional(Texts),
  run: Schema.optional(Schema.String)
})
type Step = typeof Step.Type

const Action = Schema.Struct({
  inputs: Schema.Record({
    key: Schema.String,
    value: Schema.Struct({
      description: Schema.String,
      required: Schema.optional(Schema.Boolean),
      default: Schema.optional(Schema.String)
    })
  }),
  outputs: Schema.Record({
    key: Schema.String,
    value: Schema.Struct({ description: Schema.String, value: Schema.String })
  }),
  runs: Schema.Struct({ using: Schema.Literal("composite"), steps: Schema.Array(Step) })
})

/** The action of this repository. */
export const action = Schema.decodeUnknownSync(Action)(parse(readFileSync(join(root, "action.yml"), "utf8")))

type Values = Readonly<Record<string, string>>

/** What expressions can name, as `inputs.archive`. */
type Scope = ReadonlyMap<string, string>

/** The value of a term: a literal, `always()`, or what the scope has; like on a runner, what is not there is empty. */
const read = (term: string, scope: Scope): string =>
  term === "always()" ? "true" : (/^'(.*)'$/.exec(term)?.[1] ?? scope.get(term) ?? "")

/** Comparisons, and what holds together; the action needs no more of the language. */
const evaluate = (expression: string, scope: Scope): string =>
  expression.includes("&&")
    ? String(expression.split("&&").every((part) => evaluate(part.trim(), scope) === "true"))
    : evaluateComparison(expression.trim(), scope)

const evaluateComparison = (expression: string, scope: Scope): string => {
  const [, left, operator, right] = /^(\S+) (==|!=) (\S+)$/.exec(expression) ?? []
  if (left === undefined || right === undefined) return read(expression, scope)
  return String((read(left, scope) === read(right, scope)) === (operator === "=="))
}

/** A text with its `${{ … }}` replaced. */
export const interpolate = (text: string, scope: Scope): string =>
  text.replace(/\$\{\{ (.*?) \}\}/g, (_, expression: string) => evaluate(expression, scope))

/** What the runner reads from a file such as `GITHUB_OUTPUT`. */
const outputsIn = (text: string): ReadonlyArray<readonly [string, string]> =>
  [...text.matchAll(/^([\w-]+)<<(\S+)\n([\s\S]*?)\n?^\2$/gm)].map(([, name = "", , value = ""]) => [
    name,
    value
  ])

export interface Job {
  readonly inputs: Values
  /** Variables of the job that uses the action. */
  readonly env?: Values
  /** Another attempt of the same run has another number. */
  readonly attempt?: number
  readonly commit?: string
  /** Runs when a step has begun, with what sends its process a signal. */
  readonly onStep?: (name: string, kill: (signal: NodeJS.Signals) => void) => void
}

export interface Played {
  /** 0 for a job that succeeds, else the exit code of the step that failed. */
  readonly code: number
  readonly outputs: Values
  readonly summary: string
  readonly log: string
  /** Names of the steps that ran. */
  readonly steps: ReadonlyArray<string>
}

/** Entries of the cache, in the order in which they were saved, each a folder with what was kept. */
type Cache = Map<string, string>

const cached = (uses: string, given: Values, cache: Cache, storage: string): void => {
  const path = given["path"] ?? ""
  if (uses.startsWith("actions/cache/save@")) {
    const place = join(storage, String(cache.size))
    if (!existsSync(path)) return
    cpSync(path, place, { recursive: true })
    cache.set(given["key"] ?? "", place)
    return
  }
  const prefix = given["restore-keys"] ?? ""
  const newest = [...cache.keys()].reverse().find((key) => key === given["key"] || key.startsWith(prefix))
  const place = newest === undefined ? undefined : cache.get(newest)
  if (place !== undefined) cpSync(place, path, { recursive: true })
}

/** A runner in an empty folder. Its package manager installs the command of this repository, whatever it is asked for. */
export class Runner extends Context.Tag("test/ActionRunner")<
  Runner,
  {
    /** The checked out workspace. */
    readonly workspace: string
    /** What the package manager was asked for. */
    readonly installed: () => ReadonlyArray<string>
    readonly cache: Cache
    /** A new machine: nothing of an earlier job is left but the cache. */
    readonly clean: Effect.Effect<void>
    /** Plays the action in a job. */
    readonly play: (job: Job) => Effect.Effect<Played>
  }
>() {
  static readonly layer = Layer.scoped(
    Runner,
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* fs.makeTempDirectoryScoped({ prefix: "runner-" })
      const at = (name: string) => join(folder, name)
      const program = at("elastic-extensions.js")
      yield* bundleCommand(program)
      mkdirSync(at("bin"))
      const target = '"$3/node_modules/elastic-extensions"'
      writeFileSync(
        at("bin/npm"),
        `#!/bin/sh\necho "$@" >> '${at("npm.log")}'\nmkdir -p ${target}\ncp -R '${program}' '${at("chunks")}' ${target}\n`,
        { mode: 0o755 }
      )
      const cache: Cache = new Map()

      const clean = Effect.sync(() => {
        for (const name of ["work", "temp"]) {
          rmSync(at(name), { recursive: true, force: true })
          mkdirSync(at(name), { recursive: true })
        }
      })
      yield* clean

      const runStep = (step: Step, env: Values, onStep: Job["onStep"]) =>
        Effect.async<{ readonly code: number; readonly log: string }>((resume) => {
          const script = at("temp/step.sh")
          writeFileSync(script, step.run ?? "")
          const child = spawn("bash", ["--noprofile", "--norc", "-eo", "pipefail", script], {
            cwd: at("work"),
            env,
            stdio: ["ignore", "pipe", "pipe"]
          })
          let log = ""
          for (const stream of [child.stdout, child.stderr]) {
            stream.setEncoding("utf8").on("data", (text: string) => {
              log += text
            })
          }
          child.once("close", (code) => resume(Effect.succeed({ code: code ?? 1, log })))
          onStep?.(step.name, (signal) => void child.kill(signal))
          return Effect.sync(() => child.kill("SIGKILL"))
        })

      const play = Effect.fnUntraced(function* (job: Job) {
        const { attempt = 1, commit = "c0ffee", env = {}, inputs, onStep } = job
        const files = ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_STATE", "GITHUB_ENV", "GITHUB_PATH"]
        const scope = new Map([
          ["github.sha", commit],
          ["github.run_id", "4242"],
          ["github.run_attempt", String(attempt)],
          ...Object.entries(action.inputs).map(
            ([name, input]) => [`inputs.${name}`, inputs[name] ?? input.default ?? ""] as const
          )
        ])
        let code = 0
        const played = { summary: "", log: "", steps: [] as Array<string> }
        for (const step of action.runs.steps) {
          const condition = step.if ?? "success()"
          const goesOn = code === 0 || condition.includes("always()")
          if (!goesOn || (step.if !== undefined && evaluate(step.if, scope) !== "true")) continue
          played.steps.push(step.name)
          const filled = (values: Values = {}): Values =>
            Object.fromEntries(Object.entries(values).map(([name, text]) => [name, interpolate(text, scope)]))
          if (step.uses !== undefined) {
            cached(step.uses, filled(step.with), cache, at("cache"))
            continue
          }
          for (const file of files) writeFileSync(at(`temp/${file}`), "")
          const ran = yield* runStep(
            step,
            {
              PATH: [at("bin"), dirname(node), "/usr/bin", "/bin"].join(":"),
              HOME: at("home"),
              RUNNER_TEMP: at("temp"),
              GITHUB_ACTION_PATH: root,
              GITHUB_SHA: commit,
              ...Object.fromEntries(files.map((file) => [file, at(`temp/${file}`)])),
              ...env,
              ...filled(step.env)
            },
            onStep
          )
          const textOf = (file: string) => readFileSync(at(`temp/${file}`), "utf8")
          for (const [name, value] of outputsIn(textOf("GITHUB_OUTPUT")))
            scope.set(`steps.${step.id}.outputs.${name}`, value)
          played.summary += textOf("GITHUB_STEP_SUMMARY")
          played.log += ran.log
          if (code === 0) code = ran.code
        }
        const outputs = Object.fromEntries(
          Object.entries(action.outputs).map(([name, { value }]) => [name, interpolate(value, scope)])
        )
        return { code, outputs, ...played }
      })

      return {
        workspace: at("work"),
        installed: () => readFileSync(at("npm.log"), "utf8").trimEnd().split("\n"),
        cache,
        clean,
        play
      }
    })
  ).pipe(Layer.provide(NodeContext.layer), Layer.orDie)
}

/** Runners in processes of their own, which can be killed, and what they report. */
import { type ChildProcess, spawn } from "node:child_process"
import { readFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Context, Deferred, Effect, Layer, Option, type Scope, Stream, SubscriptionRef } from "effect"
import type { Plugin } from "esbuild"
import { node } from "../../../scripts/support/node.ts"
import { bundleProgram } from "../../../scripts/support/program.ts"
import { currentVersion } from "../../../src/workflow/ReleasePayload.ts"
import { decodeReport, type Heard, isReport } from "./reports.ts"

const root = resolve(fileURLToPath(import.meta.url), "../../../..")

/** The library as its next version would be: one that makes and reads payloads of one version more. */
const nextVersion: Plugin = {
  name: "next-version",
  setup: ({ onLoad }) => {
    onLoad({ filter: /src[/]workflow[/]ReleasePayload[.]ts$/ }, async ({ path }) => ({
      loader: "ts",
      contents: (await readFile(path, "utf8")).replace(
        `currentVersion = ${currentVersion}`,
        `currentVersion = ${currentVersion + 1}`
      )
    }))
  }
}

const bundleRunner = (plugins: ReadonlyArray<Plugin>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "runner-" })
    const path = join(folder, "runner.mjs")
    yield* fs.symlink(join(root, "node_modules"), join(folder, "node_modules"))
    yield* Effect.promise(() =>
      bundleProgram(join(root, "test/support/workflow/runnerProcess.ts"), path, {
        external: ["libsql", "pg-native"],
        plugins: [...plugins]
      })
    )
    return { path }
  })

const layerOf = (plugins: ReadonlyArray<Plugin>) =>
  Layer.scoped(RunnerProgram, bundleRunner(plugins)).pipe(Layer.provide(NodeFileSystem.layer), Layer.orDie)

/** The program of a runner as one file that starts fast; what is native stays in `node_modules`, linked beside it. */
export class RunnerProgram extends Context.Tag("test/RunnerProgram")<
  RunnerProgram,
  { readonly path: string }
>() {
  static readonly layer = Layer.suspend(() => layerOf([]))
  static readonly layerNext = Layer.suspend(() => layerOf([nextVersion]))
}

export interface Ending {
  readonly code: number | null
  readonly signal: string | null
  /** All it wrote besides its reports. */
  readonly output: string
}

export interface RunnerProcess {
  /** All reports so far. */
  readonly reports: Effect.Effect<ReadonlyArray<Heard>>
  /** The first report that is so, past or to come; dies when the process ends without it. */
  readonly saw: (isIt: (report: Heard) => boolean) => Effect.Effect<Heard>
  /** SIGSTOP: as if its machine were paused, until it is thawed. */
  readonly freeze: Effect.Effect<void>
  readonly thaw: Effect.Effect<void>
  /** SIGTERM: asks it to end. */
  readonly terminate: Effect.Effect<void>
  /** SIGKILL: without warning, without a chance to tidy up. */
  readonly kill: Effect.Effect<void>
  /** Waits for the end. */
  readonly ended: Effect.Effect<Ending>
}

const collect = (
  child: ChildProcess,
  reports: SubscriptionRef.SubscriptionRef<ReadonlyArray<Heard>>,
  ended: Deferred.Deferred<Ending>
) => {
  let [unread, output] = ["", ""]
  child.stderr?.on("data", (chunk: Buffer) => (output += chunk))
  child.stdout?.on("data", (chunk: Buffer) => {
    const lines = (unread + chunk).split("\n")
    unread = lines.pop() ?? ""
    const told: Array<Heard> = []
    for (const line of lines) {
      if (isReport(line)) told.push({ ...decodeReport(line), at: performance.now() })
      else output += `${line}\n`
    }
    Effect.runSync(SubscriptionRef.update(reports, (before) => [...before, ...told]))
  })
  child.on("close", (code, signal) => Deferred.unsafeDone(ended, Effect.succeed({ code, signal, output })))
}

export const startRunner = (
  env: Readonly<Record<string, string>>,
  flags: ReadonlyArray<string> = []
): Effect.Effect<RunnerProcess, never, Scope.Scope | RunnerProgram> =>
  Effect.gen(function* () {
    const program = yield* RunnerProgram
    const reports = yield* SubscriptionRef.make<ReadonlyArray<Heard>>([])
    const ended = yield* Deferred.make<Ending>()
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(node, [...flags, program.path], {
          env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...env },
          stdio: ["ignore", "pipe", "pipe"]
        })
      ),
      (child) =>
        Effect.zipRight(
          Effect.sync(() => child.kill("SIGKILL")),
          Deferred.await(ended)
        )
    )
    yield* Effect.sync(() => collect(child, reports, ended))
    const found = (isIt: (report: Heard) => boolean) =>
      Effect.map(SubscriptionRef.get(reports), (all) => Option.fromNullable(all.find(isIt)))
    const toCome = (isIt: (report: Heard) => boolean) =>
      reports.changes.pipe(
        Stream.filterMap((all) => Option.fromNullable(all.find(isIt))),
        Stream.runHead
      )
    /** When it is closed, everything it wrote has been read. */
    const inTheEnd = (isIt: (report: Heard) => boolean) =>
      Effect.flatMap(Deferred.await(ended), (ending) =>
        Effect.filterOrDieMessage(found(isIt), Option.isSome, `The runner ended: ${JSON.stringify(ending)}`)
      )
    return {
      reports: SubscriptionRef.get(reports),
      saw: (isIt) => Effect.raceFirst(toCome(isIt), inTheEnd(isIt)).pipe(Effect.flatten, Effect.orDie),
      freeze: Effect.sync(() => void child.kill("SIGSTOP")),
      thaw: Effect.sync(() => void child.kill("SIGCONT")),
      terminate: Effect.sync(() => void child.kill("SIGTERM")),
      kill: Effect.zipRight(
        Effect.sync(() => child.kill("SIGKILL")),
        Effect.asVoid(Deferred.await(ended))
      ),
      ended: Deferred.await(ended)
    }
  })

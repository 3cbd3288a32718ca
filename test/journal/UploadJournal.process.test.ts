import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { node } from "../../scripts/support/node.ts"
import { journalId } from "../../src/journal/JournalRecord.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import { eventually, key } from "../support/journal/fixtures.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const script = fileURLToPath(new URL("../support/journal/journalHolder.ts", import.meta.url))
const bin = (name: string) => `${root}/node_modules/.bin/${name}`
const id = journalId(key)

type Run = readonly [command: string, ...arguments: ReadonlyArray<string>]

const onNode: Run = [node, "--import", "tsx", script]
const onBun: Run = [bin("bun"), script]
/** Reading its own source and packages, the journal's folder, and variables that packages look at; nothing else. */
const onDeno = (folder: string): Run => [
  bin("deno"),
  "run",
  "--no-prompt",
  `--allow-read=${root},${folder}`,
  `--allow-write=${folder}`,
  "--allow-env",
  script
]

/** A runtime from npm may be a wrapper around the real process: both go. */
const killGroup = (child: ChildProcess) => {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, "SIGKILL")
  } catch {
    // It has ended by itself.
  }
}

/** The child's first line, and the child, which does not outlive the test. */
const firstLine = ([command, ...args]: Run, mode: "hold" | "once", folder: string) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(command, [...args, mode, folder], {
        cwd: root,
        stdio: ["ignore", "pipe", "inherit"],
        detached: true
      })
    ),
    (child) => Effect.sync(() => killGroup(child))
  ).pipe(
    Effect.flatMap((child) =>
      Effect.promise(async () => {
        const [line] = await Promise.race([once(child.stdout, "data"), once(child, "close")])
        return { child, line: String(line).trim() }
      })
    )
  )

const killed = (child: ChildProcess) =>
  Effect.promise(async () => {
    const closed = once(child, "close")
    killGroup(child)
    await closed
  })

const ended = (child: ChildProcess) =>
  Effect.promise(async () => {
    if (child.exitCode === null) await once(child, "exit")
  })

const layer = Layer.mergeAll(NodeFileSystem.layer, NodePath.layer)

const withFolder = <E>(
  use: (
    folder: string,
    fs: FileSystem.FileSystem,
    journal: UploadJournal.UploadJournal["Type"]
  ) => Effect.Effect<void, E, Scope.Scope>
) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped()
    const journal = yield* Effect.provide(UploadJournal.UploadJournal, UploadJournal.layerFileSystem(folder))
    yield* use(folder, fs, journal)
  }).pipe(Effect.scoped, Effect.provide(layer))

const runtimes = { Node: () => onNode, Bun: () => onBun, Deno: onDeno }

describe("UploadJournal between processes", () => {
  it.live("excludes a second process while the first lives, and recovers at once when it was killed", () =>
    withFolder((folder, fs, journal) =>
      Effect.gen(function* () {
        const { child, line } = yield* firstLine(onNode, "hold", folder)
        assert.strictEqual(line, "holding, found nothing")
        const error = yield* Effect.flip(Effect.scoped(journal.open(key)))
        assert.include(error.message, `is in use by process ${child.pid}`)
        assert.match((yield* firstLine(onNode, "once", folder)).line, /^locked: Extension "882519870"/)

        yield* killed(child)
        assert.sameMembers(yield* fs.readDirectory(folder), [`${id}.json`, `${id}.lock`])
        yield* Effect.scoped(
          Effect.gen(function* () {
            const session = yield* journal.open(key)
            assert.strictEqual(Option.getOrThrow(yield* session.record).phase, "Sending")
          })
        )
        assert.deepStrictEqual(yield* fs.readDirectory(folder), [`${id}.json`])
      })
    )
  )

  // Only Linux tells of a process that it has ended before its parent asked.
  it.live.runIf(process.platform === "linux")(
    "does not wait for a killed process that its parent never asks about",
    () =>
      withFolder((folder, _fs, journal) =>
        Effect.gen(function* () {
          const negligent = `"$@" & exec sleep 600`
          const run: Run = ["sh", "-c", negligent, "sh", ...onNode]
          const { line } = yield* firstLine(run, "hold", folder)
          assert.strictEqual(line, "holding, found nothing")
          const { pid } = Option.getOrThrow((yield* journal.peek(key)).lockedBy)
          assert.isDefined(pid)
          process.kill(pid ?? 0, "SIGKILL")
          yield* eventually(Effect.sync(() => readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ")))
          yield* Effect.scoped(journal.open(key))
        })
      )
  )

  it.live("gives a killed process's lock to one of several", () =>
    withFolder((folder) =>
      Effect.gen(function* () {
        const { child } = yield* firstLine(onNode, "hold", folder)
        yield* killed(child)
        const takers = yield* Effect.forEach(
          ["hold", "hold", "hold"] as const,
          (mode) => firstLine(onNode, mode, folder),
          {
            concurrency: "unbounded"
          }
        )
        const lines = takers.map(({ line }) => line)
        assert.deepStrictEqual(
          lines.filter((line) => line.startsWith("holding")),
          ["holding, found Sending"]
        )
        assert.lengthOf(
          lines.filter((line) => line.startsWith("locked")),
          2
        )
      })
    )
  )

  for (const [name, runtime] of Object.entries(runtimes)) {
    it.live(`is the same on ${name}: written, read back, excluded and left clean`, () =>
      withFolder((folder, fs, journal) =>
        Effect.gen(function* () {
          const run = runtime(folder)
          const first = yield* firstLine(run, "once", folder)
          assert.strictEqual(first.line, "holding, found nothing")
          yield* ended(first.child)
          const { child, line } = yield* firstLine(run, "hold", folder)
          assert.strictEqual(line, "holding, found Sending")
          assert.strictEqual((yield* Effect.flip(Effect.scoped(journal.open(key))))._tag, "JournalLocked")
          assert.match((yield* firstLine(run, "once", folder)).line, /^locked: /)
          yield* killed(child)
          assert.strictEqual((yield* fs.stat(`${folder}/${id}.json`)).mode & 0o777, 0o600)
          // What Deno does not tell of its process, 30 seconds of silence do.
          yield* fs.utimes(`${folder}/${id}.lock`, 0, 0)
          const { line: recovered, child: last } = yield* firstLine(run, "once", folder)
          assert.strictEqual(recovered, "holding, found Sending")
          yield* ended(last)
          assert.deepStrictEqual(yield* fs.readDirectory(folder), [`${id}.json`])
        })
      )
    )
  }
})

import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { readlinkSync } from "node:fs"
import { hostname } from "node:os"
import process from "node:process"
import { type PlatformError, SystemError, type SystemErrorReason } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import type { JournalCorrupt, JournalUnavailable } from "../../src/journal/JournalError.ts"
import { type JournalKey, journalId } from "../../src/journal/JournalRecord.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import { eventually, key, otherKey, prepared, secretUrl, withUpload } from "../support/journal/fixtures.ts"

const files = Layer.mergeAll(NodeFileSystem.layer, NodePath.layer)
const id = journalId(key)

interface Journaled {
  readonly fs: FileSystem.FileSystem
  /** Does not exist until the journal makes it. */
  readonly folder: string
  readonly journal: UploadJournal.UploadJournal["Type"]
}

/** A journal in a new folder. `wrap` may break the file system it sees, not the one the test sees. */
const withJournal = <E>(
  use: (journaled: Journaled) => Effect.Effect<void, E>,
  wrap: (fs: FileSystem.FileSystem) => FileSystem.FileSystem = (fs) => fs
) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = `${yield* fs.makeTempDirectoryScoped()}/made/on/demand`
    const journal = yield* UploadJournal.UploadJournal.pipe(
      Effect.provide(
        UploadJournal.layerFileSystem(folder).pipe(
          Layer.provide(Layer.mergeAll(Layer.succeed(FileSystem.FileSystem, wrap(fs)), NodePath.layer))
        )
      )
    )
    yield* use({ fs, folder, journal })
  }).pipe(Effect.provide(files), Effect.scoped)

const save = (journal: UploadJournal.UploadJournal["Type"], offset = 4) =>
  Effect.gen(function* () {
    const session = yield* journal.open(key)
    yield* session.save(withUpload(yield* prepared(), { offset }))
  }).pipe(Effect.scoped)

const systemError = (code: string, reason: SystemErrorReason = "Unknown") =>
  new SystemError({
    module: "FileSystem",
    method: "test",
    reason,
    description: `${code}: injected`,
    cause: Object.assign(new Error(code), { code })
  })

/** A process that ends with the test. */
const spawned = (command: string, args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] })),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

const modeOf = (fs: FileSystem.FileSystem, path: string) =>
  Effect.map(fs.stat(path), (info) => info.mode & 0o777)

describe("UploadJournal.layerFileSystem: writing", () => {
  it.effect("keeps its folder and files to their owner, and leaves nothing else behind", () =>
    withJournal(({ fs, folder, journal }) =>
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const session = yield* journal.open(key)
            yield* session.save(withUpload(yield* prepared()))
            assert.strictEqual(yield* modeOf(fs, `${folder}/${id}.lock`), 0o600)
          })
        )
        assert.strictEqual(yield* modeOf(fs, folder), 0o700)
        assert.strictEqual(yield* modeOf(fs, `${folder}/${id}.json`), 0o600)
        assert.deepStrictEqual(yield* fs.readDirectory(folder), [`${id}.json`])
        const stored = JSON.parse(yield* fs.readFileString(`${folder}/${id}.json`))
        assert.strictEqual(stored.schemaVersion, 3)
        assert.strictEqual(stored.upload.url, secretUrl)
      })
    )
  )

  it.effect("says that the file system is read-only, which Node hides when it makes parents as well", () =>
    withJournal(
      ({ folder, journal }) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(Effect.scoped(journal.open(key)))
          assert.strictEqual(error._tag, "JournalUnavailable")
          assert.include(error, { location: folder, reason: "ReadOnly", isRetryable: false })
          assert.include(error.message, "may be written")
        }),
      (fs) => ({
        ...fs,
        makeDirectory: (_, options) =>
          Effect.fail(options?.recursive === true ? systemError("ENOENT", "NotFound") : systemError("EROFS"))
      })
    )
  )

  type Break = (fs: FileSystem.FileSystem, failing: () => boolean) => FileSystem.FileSystem

  /** Breaks what is opened with "wx" in the course of a save, which is its temporary file alone. */
  const breakFile =
    (member: "writeAll" | "sync", code: string): Break =>
    (fs, failing) => ({
      ...fs,
      open: (path, options) =>
        Effect.map(fs.open(path, options), (file) => {
          const fail = Effect.suspend(() =>
            failing() && options?.flag === "wx" ? systemError(code) : Effect.void
          )
          return new Proxy(file, {
            get: (target, name) => {
              if (name === "sync") return member === "sync" ? Effect.zipRight(fail, target.sync) : target.sync
              if (name === "writeAll")
                return (bytes: Uint8Array) =>
                  member === "writeAll"
                    ? // Half of it gets through, as on a disk that fills up.
                      Effect.zipRight(target.writeAll(bytes.subarray(0, failing() ? 20 : bytes.length)), fail)
                    : target.writeAll(bytes)
              return Reflect.get(target, name, target)
            }
          })
        })
    })

  const breaks: Record<string, { readonly inject: Break; readonly reason: JournalUnavailable["reason"] }> = {
    "creating the file": {
      reason: "ReadOnly",
      inject: (fs, failing) => ({
        ...fs,
        open: (path, options) =>
          failing() && options?.flag === "wx" ? Effect.fail(systemError("EROFS")) : fs.open(path, options)
      })
    },
    "writing half of it": { reason: "DiskFull", inject: breakFile("writeAll", "ENOSPC") },
    "syncing it": { reason: "Failed", inject: breakFile("sync", "EIO") },
    "renaming it": {
      reason: "PermissionDenied",
      inject: (fs, failing) => ({
        ...fs,
        rename: (from, to) => (failing() ? Effect.fail(systemError("EACCES")) : fs.rename(from, to))
      })
    }
  }

  for (const [step, { inject, reason }] of Object.entries(breaks)) {
    it.effect(`has the old record whole and no stray file after a failure of ${step}`, () => {
      let failing = false
      return withJournal(
        ({ fs, folder, journal }) =>
          Effect.gen(function* () {
            yield* save(journal)
            const before = yield* fs.readFileString(`${folder}/${id}.json`)
            yield* Effect.scoped(
              Effect.gen(function* () {
                const session = yield* journal.open(key)
                const record = Option.getOrThrow(yield* session.record)
                failing = true
                const error = yield* Effect.flip(session.save({ ...record, attempts: 5 }))
                failing = false
                assert.strictEqual(error._tag, "JournalUnavailable")
                assert.strictEqual(error._tag === "JournalUnavailable" && error.reason, reason)
                assert.include(error.message, folder)
                assert.notInclude(error.message, secretUrl)
                assert.strictEqual(Option.getOrThrow(yield* session.record).attempts, 0)
              })
            )
            assert.strictEqual(yield* fs.readFileString(`${folder}/${id}.json`), before)
            assert.deepStrictEqual(yield* fs.readDirectory(folder), [`${id}.json`])
          }),
        (fs) => inject(fs, () => failing)
      )
    })
  }

  it.effect("flushes the folder after each change of its names", () => {
    const done: Array<string> = []
    const noted = <A extends Array<unknown>, B>(
      what: string,
      f: (...args: A) => Effect.Effect<B, PlatformError>
    ) => ((...args) => Effect.tap(f(...args), () => Effect.sync(() => done.push(what)))) as typeof f
    const since = <E>(effect: Effect.Effect<void, E>) =>
      Effect.sync(() => done.splice(0)).pipe(
        Effect.zipRight(effect),
        Effect.map(() => done.splice(0).filter((what) => what !== "remove lock"))
      )
    return withJournal(
      ({ folder, fs, journal }) =>
        Effect.scoped(
          Effect.gen(function* () {
            const session = yield* journal.open(key)
            assert.deepStrictEqual(yield* since(Effect.flatMap(prepared(), session.save)), [
              "rename",
              "flush"
            ])
            assert.deepStrictEqual(yield* since(session.remove), ["remove", "flush"])
            yield* fs.writeFileString(`${folder}/${journalId(otherKey)}.json`, "{")
            const setAside = Effect.scoped(Effect.flip(journal.open(otherKey)))
            assert.deepStrictEqual(yield* since(setAside), ["rename", "flush"])
          })
        ),
      (fs) => ({
        ...fs,
        rename: noted("rename", fs.rename),
        remove: (path, options) =>
          noted(path.endsWith(".json") ? "remove" : "remove lock", fs.remove)(path, options),
        open: (path, options) =>
          Effect.map(fs.open(path, options), (file) =>
            options === undefined
              ? new Proxy(file, {
                  get: (target, name) =>
                    name === "sync"
                      ? Effect.zipLeft(
                          target.sync,
                          Effect.sync(() => done.push("flush"))
                        )
                      : Reflect.get(target, name, target)
                })
              : file
          )
      })
    )
  })

  it.effect("flushes the folder once for all whose names were changed before it began", () => {
    const others = Array.from({ length: 20 }, (_, n) => ({ ...key, extensionId: `extension-${n}` }))
    const told: Array<string> = []
    const tell = (what: string) => Effect.sync(() => void told.push(what))
    const renamed = () => told.filter((what) => what.startsWith("renamed")).length
    return withJournal(
      ({ journal }) =>
        Effect.gen(function* () {
          const saving = (of: JournalKey) =>
            Effect.scoped(
              Effect.gen(function* () {
                const session = yield* journal.open(of)
                yield* session.save({ ...(yield* prepared()), ...of, id: session.id })
                yield* tell(`saved ${session.id}`)
              })
            )
          yield* Effect.forEach(others, saving, { concurrency: "unbounded" })
          const flushes = told.flatMap((what, at) => (what === "flush" ? [at] : []))
          assert.lengthOf(flushes, 2)
          for (const of of others) {
            const [from, to] = ["renamed", "saved"].map((what) => told.indexOf(`${what} ${journalId(of)}`))
            assert.isTrue(
              flushes.some((at) => (from ?? -1) < at && told.indexOf("flushed", at) < (to ?? -1)),
              `${told}`
            )
          }
        }),
      (fs) => ({
        ...fs,
        rename: (from, to) =>
          Effect.zipLeft(fs.rename(from, to), tell(`renamed ${to.slice(-"0.json".length - 31, -5)}`)),
        open: (path, options) =>
          Effect.map(fs.open(path, options), (file) =>
            options !== undefined
              ? file
              : new Proxy(file, {
                  get: (target, name) =>
                    name === "sync"
                      ? tell("flush").pipe(
                          // The first one takes until all of them have asked.
                          Effect.zipRight(eventually(Effect.sync(() => renamed() === others.length))),
                          Effect.zipRight(target.sync),
                          Effect.zipRight(tell("flushed"))
                        )
                      : Reflect.get(target, name, target)
                })
          )
      })
    )
  })

  it.effect("does without a sync of the folder where the platform cannot", () =>
    withJournal(
      ({ journal }) =>
        Effect.gen(function* () {
          yield* save(journal, 9)
          assert.strictEqual(Option.getOrThrow(yield* journal.get(id)).upload?.offset, 9)
        }),
      (fs) => ({
        ...fs,
        open: (path, options) =>
          options === undefined ? Effect.fail(systemError("EISDIR")) : fs.open(path, options)
      })
    )
  )

  it.effect("clears away what a killed writer left", () =>
    withJournal(({ fs, folder, journal }) =>
      Effect.gen(function* () {
        yield* save(journal)
        yield* fs.writeFileString(`${folder}/${id}.json.0123.tmp`, '{ "half')
        yield* fs.writeFileString(`${folder}/${id}.lock.0123`, "")
        yield* fs.utimes(`${folder}/${id}.lock.0123`, 0, 0)
        yield* fs.writeFileString(`${folder}/notes.txt`, "mine")
        yield* save(journal)
        assert.sameMembers(yield* fs.readDirectory(folder), [`${id}.json`, "notes.txt"])
      })
    )
  )

  it.effect("says what is in the way of a folder", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const file = yield* fs.makeTempFileScoped()
      const journal = yield* Effect.provide(
        UploadJournal.UploadJournal,
        UploadJournal.layerFileSystem(`${file}/journal`)
      )
      const error = yield* Effect.flip(save(journal))
      assert.strictEqual(error._tag === "JournalUnavailable" && error.reason, "NotAFolder")
      assert.include(error.message, "Set EC_UPLOAD_JOURNAL to the path of a folder.")
    }).pipe(Effect.scoped, Effect.provide(files))
  )
})

const writeUnreadable = (fs: FileSystem.FileSystem, folder: string) =>
  Effect.zipRight(
    fs.makeDirectory(folder, { recursive: true }),
    fs.writeFileString(`${folder}/${id}.json`, "{")
  )

describe("UploadJournal.layerFileSystem: records that cannot be understood", () => {
  const secret = `{ "upload": { "url": "${secretUrl}" }`
  const cases: Record<
    string,
    { readonly text: string; readonly reason: JournalCorrupt["reason"]; readonly says: string }
  > = {
    "is empty": { text: "", reason: "InvalidJson", says: "not JSON" },
    "is cut off": { text: secret, reason: "InvalidJson", says: "not JSON" },
    "is no object": { text: `"${secretUrl}"`, reason: "InvalidRecord", says: "the record itself" },
    "has no version": { text: `${secret} }`, reason: "InvalidRecord", says: "schemaVersion" },
    "has wrong fields": {
      text: JSON.stringify({ schemaVersion: 3, upload: { url: secretUrl, offset: secretUrl } }),
      reason: "InvalidRecord",
      says: "upload.offset"
    },
    "is nested without end": {
      text: "[".repeat(100_000) + "]".repeat(100_000),
      reason: "InvalidJson",
      says: "levels deep"
    },
    "is nested 17 levels deep": {
      text: `{"schemaVersion":3,"a":${"[".repeat(16)}${"]".repeat(16)}}`,
      reason: "InvalidJson",
      says: "more than 16 levels deep"
    },
    "is nested 16 levels deep, and often": {
      text: `{"schemaVersion":3,"a":${"[".repeat(15)}${"]".repeat(15)},"b":[${Array(20).fill("{},[]")}]}`,
      reason: "InvalidRecord",
      says: "missing or invalid: "
    },
    "has checkpoints without end": {
      text: `{"schemaVersion":2,"checkpoints":[${"1,".repeat(1_000_000)}1]}`,
      reason: "InvalidRecord",
      says: "checkpoints"
    },
    "is of version 1 without an archive": {
      text: '{"schemaVersion":1}',
      reason: "InvalidRecord",
      says: "archive"
    },
    "was written by a newer release": {
      text: JSON.stringify({ schemaVersion: 4, url: secretUrl }),
      reason: "NewerVersion",
      says: "schema version 4"
    }
  }

  for (const [what, { text, reason, says }] of Object.entries(cases)) {
    it.effect(`one that ${what} is set aside, reported and not in the way`, () =>
      withJournal(({ fs, folder, journal }) =>
        Effect.gen(function* () {
          yield* fs.makeDirectory(folder, { recursive: true })
          yield* fs.writeFileString(`${folder}/${id}.json`, text)
          yield* Effect.scoped(
            Effect.gen(function* () {
              const error = yield* Effect.flip(journal.open(key))
              const keptAt = `${folder}/${id}.corrupt-0.json`
              assert.deepInclude({ ...error }, { _tag: "JournalCorrupt", id, keptAt, reason })
              assert.include(error.message, says)
              assert.include(error.message, keptAt)
              assert.notInclude(error.message, "very-secret")
              assert.strictEqual(yield* fs.readFileString(keptAt), text)
              // The scope of the failed open is still there: it must not hold the lock.
              const session = yield* journal.open(key)
              assert.deepStrictEqual(yield* session.record, Option.none())
            })
          )
        })
      )
    )
  }

  it.effect("are no deliveries to forget: whoever uploads next is told of them", () =>
    withJournal(({ fs, folder, journal }) =>
      Effect.gen(function* () {
        yield* writeUnreadable(fs, folder)
        yield* journal.forgetDelivered(id)
        assert.strictEqual((yield* Effect.flip(Effect.scoped(journal.open(key))))._tag, "JournalCorrupt")
      })
    )
  )

  it.effect("do not hide the others, and are pruned in their time", () =>
    withJournal(({ fs, folder, journal }) =>
      Effect.gen(function* () {
        yield* save(journal)
        const broken = journalId(otherKey)
        yield* fs.writeFileString(`${folder}/${broken}.json`, "{")
        const listed = yield* journal.list
        assert.lengthOf(listed.records, 1)
        assert.deepStrictEqual(
          listed.corrupt.map((corrupt) => [corrupt.keptAt, corrupt.reason]),
          [[`${folder}/${broken}.json`, "InvalidJson"]]
        )
        assert.strictEqual((yield* Effect.flip(journal.get(broken)))._tag, "JournalCorrupt")
        yield* Effect.flip(Effect.scoped(journal.open(otherKey)))
        yield* fs.writeFileString(`${folder}/${broken}.json`, "{ again")
        yield* Effect.flip(Effect.scoped(journal.open(otherKey)))
        const kept = (yield* journal.list).corrupt
        assert.deepStrictEqual(
          kept.map((corrupt) => [corrupt.keptAt, corrupt.reason]).sort(),
          [0, 1].map((at) => [`${folder}/${broken}.corrupt-${at}.json`, "SetAside"])
        )
        yield* TestClock.adjust("8 days")
        assert.sameMembers([...(yield* journal.prune())], [id, broken, broken])
        assert.deepStrictEqual(yield* journal.list, { records: [], locks: [], corrupt: [] })
      })
    )
  )

  it.effect("one that is another upload's is not taken for this one's", () =>
    withJournal(({ fs, folder, journal }) =>
      Effect.gen(function* () {
        yield* save(journal)
        yield* fs.copyFile(`${folder}/${id}.json`, `${folder}/${journalId(otherKey)}.json`)
        const error = yield* Effect.flip(Effect.scoped(journal.open(otherKey)))
        assert.include(error.message, `it is the record of upload ${id}`)
        const planted = yield* Effect.map(fs.readFileString(`${folder}/${id}.json`), (text) =>
          text.replaceAll(id, journalId(otherKey))
        )
        yield* fs.writeFileString(`${folder}/${journalId(otherKey)}.json`, planted)
        const other = yield* Effect.flip(Effect.scoped(journal.open(otherKey)))
        assert.include(other.message, `it is the record of upload ${id}`)
      })
    )
  )

  it.effect("one whose sizes contradict each other is none", () =>
    withJournal(({ fs, folder, journal }) =>
      Effect.gen(function* () {
        yield* save(journal)
        const text = yield* fs.readFileString(`${folder}/${id}.json`)
        for (const [said, planted] of [
          ['"representationSize": 10', '"representationSize": 9'],
          ['"offset": 4', '"offset": 11'],
          ['"phase"', '"multipartBoundary": "a\\r\\nb", "phase"']
        ] as const) {
          yield* fs.writeFileString(`${folder}/${id}.json`, text.replace(said, planted))
          assert.include((yield* Effect.flip(journal.get(id))).message, "sizes contradict")
        }
      })
    )
  )

  it.effect("one is seen by who only looks, and stays where it is", () =>
    withJournal(({ fs, folder, journal }) =>
      Effect.gen(function* () {
        const nothing = { record: Option.none(), lockedBy: Option.none() }
        assert.deepStrictEqual(yield* journal.peek(key), nothing)
        assert.isFalse(yield* fs.exists(folder))
        yield* writeUnreadable(fs, folder)
        const error = yield* Effect.flip(journal.peek(key))
        const keptAt = `${folder}/${id}.json`
        assert.deepInclude({ ...error }, { _tag: "JournalCorrupt", keptAt, reason: "InvalidJson" })
        assert.deepStrictEqual(yield* fs.readDirectory(folder), [`${id}.json`])
      })
    )
  )

  it.effect("can be removed by id", () =>
    withJournal(({ fs, folder, journal }) =>
      Effect.gen(function* () {
        yield* writeUnreadable(fs, folder)
        yield* journal.remove(id)
        assert.deepStrictEqual(yield* fs.readDirectory(folder), [])
      })
    )
  )
})

const pipe = (path: string) => Effect.sync(() => execFileSync("mkfifo", [path]))

describe("UploadJournal.layerFileSystem: what is no file", () => {
  type Plant = (fs: FileSystem.FileSystem, path: string) => Effect.Effect<void, PlatformError>
  const kinds: Record<string, { readonly plant: Plant; readonly what: string }> = {
    "a named pipe": { plant: (_fs, path) => pipe(path), what: "FIFO" },
    "a folder": { plant: (fs, path) => fs.makeDirectory(path), what: "Directory" }
  }
  const link: Plant = (fs, path) => fs.symlink(`${path}-that-is-not-there`, path)

  const refuses = (name: string, plant: Plant, what: string) =>
    withJournal(({ folder, fs, journal }) =>
      Effect.gen(function* () {
        yield* fs.makeDirectory(folder, { recursive: true })
        yield* plant(fs, `${folder}/${name}`)
        const error = yield* Effect.flip(Effect.scoped(journal.open(key)))
        assert.deepInclude({ ...error }, { _tag: "JournalUnavailable", reason: "NotAFile" })
        assert.include(error.message, `"${folder}/${name}" is no file (${what}). Remove it`)
        assert.deepStrictEqual(yield* fs.readDirectory(folder), [name])
      })
    )

  for (const [kind, { plant, what }] of Object.entries(kinds)) {
    it.effect(`${kind} in a lock's place is refused`, () => refuses(`${id}.lock`, plant, what))
    it.effect(`${kind} in a record's place is refused`, () => refuses(`${id}.json`, plant, what))
  }

  it.effect("a link to nothing in a lock's place is refused", () =>
    refuses(`${id}.lock`, link, "SymbolicLink")
  )

  it.effect("a link to nothing in a record's place is refused", () =>
    refuses(`${id}.json`, link, "SymbolicLink")
  )

  for (const ending of ["json", "lock"]) {
    it.effect(`a link to a file that somebody else keeps is not followed (${ending})`, () =>
      withJournal(({ folder, fs, journal }) =>
        Effect.gen(function* () {
          yield* fs.makeDirectory(folder, { recursive: true })
          const elsewhere = `${yield* fs.makeTempDirectoryScoped()}/kept`
          yield* fs.writeFileString(elsewhere, "{}")
          yield* fs.symlink(elsewhere, `${folder}/${id}.${ending}`)
          const error = yield* Effect.flip(Effect.scoped(journal.open(key)))
          assert.deepInclude({ ...error }, { _tag: "JournalUnavailable", reason: "NotAFile" })
          assert.strictEqual(yield* fs.readFileString(elsewhere), "{}")
        }).pipe(Effect.scoped)
      )
    )
  }

  it.effect("a record larger than any is refused before it is read", () =>
    withJournal(({ folder, fs, journal }) =>
      Effect.gen(function* () {
        yield* save(journal)
        yield* fs.truncate(`${folder}/${id}.json`, 10_000_000_000)
        const error = yield* Effect.flip(journal.get(id))
        assert.deepInclude({ ...error }, { _tag: "JournalUnavailable", reason: "NotAFile" })
      })
    )
  )
})

describe("UploadJournal.layerFileSystem: who else can write there", () => {
  it.effect("makes a folder, a record or a lock not to be believed", () =>
    withJournal(({ folder, fs, journal }) =>
      Effect.gen(function* () {
        yield* save(journal)
        const notBelieved = Effect.gen(function* () {
          for (const use of [Effect.asVoid(journal.list), Effect.asVoid(Effect.scoped(journal.open(key)))]) {
            const error = yield* Effect.flip(use)
            assert.deepInclude({ ...error }, { _tag: "JournalUnavailable", reason: "NotPrivate" })
            assert.include(error.message, "can be written by other users")
          }
        })
        for (const [path, open, kept] of [
          [folder, 0o777, 0o700],
          [folder, 0o720, 0o700],
          [`${folder}/${id}.json`, 0o666, 0o600],
          [`${folder}/${id}.json`, 0o620, 0o600]
        ] as const) {
          yield* fs.chmod(path, open)
          yield* notBelieved
          yield* fs.chmod(path, kept)
        }
        assert.strictEqual((yield* journal.list).records.length, 1)
        yield* fs.writeFileString(`${folder}/${id}.lock`, "x")
        yield* fs.chmod(`${folder}/${id}.lock`, 0o666)
        yield* notBelieved
      })
    )
  )

  // Whoever runs the tests is one user: whose a file is, and who asks, are both put in their mouths.
  const asUser = (uid: number) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const { getuid } = process
        Object.assign(process, { getuid: () => uid })
        return getuid
      }),
      (getuid) => Effect.sync(() => Object.assign(process, { getuid }))
    )

  for (const [whose, owner, isBelieved] of [
    ["its own user's", Option.some(1000), true],
    ["the system's", Option.some(0), true],
    ["nobody's that the platform knows", Option.none(), true],
    ["another user's", Option.some(1001), false]
  ] as const) {
    for (const ending of ["", `/${id}.json`]) {
      const what = ending === "" ? "folder" : "record"
      it.effect(`${isBelieved ? "believes" : "does not believe"} a ${what} that is ${whose}`, () => {
        let owned = "?"
        return withJournal(
          ({ folder, journal }) =>
            Effect.gen(function* () {
              yield* save(journal)
              owned = `${folder}${ending}`
              yield* asUser(1000)
              for (const looked of [
                Effect.asVoid(journal.list),
                Effect.asVoid(journal.get(id)),
                Effect.asVoid(Effect.scoped(journal.open(key)))
              ]) {
                const exit = yield* Effect.either(looked)
                assert.strictEqual(Either.isRight(exit), isBelieved)
                if (Either.isRight(exit)) continue
                assert.deepInclude({ ...exit.left }, { _tag: "JournalUnavailable", reason: "NotPrivate" })
                assert.include(exit.left.message, `"${owned}" belongs to another user`)
              }
            }).pipe(Effect.scoped),
          (fs) => ({
            ...fs,
            stat: (path) =>
              Effect.map(fs.stat(path), (info) => ({
                ...info,
                uid: owned === "?" ? info.uid : path === owned ? owner : Option.some(1000)
              }))
          })
        )
      })
    }
  }
})

describe("UploadJournal.layerFileSystem: locks", () => {
  const lockOf = (owner: object) =>
    JSON.stringify({
      token: "cd".repeat(16),
      extensionId: key.extensionId,
      acquiredAtMillis: 1_000,
      ...owner
    })
  const deadPid = 2 ** 22 + 1

  const plant = ({ fs, folder }: Pick<Journaled, "fs" | "folder">, text: string, ageSeconds: number) =>
    Effect.gen(function* () {
      const path = `${folder}/${id}.lock`
      const touched = Date.now() / 1_000 - ageSeconds
      yield* fs.makeDirectory(folder, { recursive: true })
      // As whoever takes a lock over: another file in its place.
      yield* fs.remove(path, { force: true })
      yield* fs.writeFileString(path, text)
      yield* fs.utimes(path, touched, touched)
    })

  const respected: Record<string, readonly [text: string, ageSeconds: number, names: string]> = {
    "a living process elsewhere": [
      lockOf({ pid: deadPid, hostname: "elsewhere" }),
      20,
      `process ${deadPid} on elsewhere`
    ],
    "a process in another pid namespace": [
      lockOf({ pid: deadPid, hostname: hostname(), pidNamespace: "pid:[1]" }),
      20,
      `process ${deadPid} on`
    ],
    "a runtime that tells no host": [lockOf({ pid: deadPid }), 20, "since 1970-01-01T00:00:01.000Z"],
    "somebody about to sign it": ["", 20, "another process"]
  }
  for (const [whose, [text, age, names]] of Object.entries(respected)) {
    it.effect(`respects the lock of ${whose}`, () =>
      withJournal((journaled) =>
        Effect.gen(function* () {
          yield* plant(journaled, text, age)
          const error = yield* Effect.flip(save(journaled.journal))
          assert.strictEqual(error._tag, "JournalLocked")
          assert.include(error.message, names)
          assert.deepStrictEqual(yield* journaled.fs.readDirectory(journaled.folder), [`${id}.lock`])
        })
      )
    )
  }

  const taken: Record<string, readonly [text: string, ageSeconds: number]> = {
    "an owner silent for 30 seconds": [lockOf({ pid: process.pid, hostname: "elsewhere" }), 31],
    "an owner that died before signing": ["", 31],
    "an owner that wrote nonsense": ['{ "token": "../../x" }', 31]
  }
  for (const [whose, [text, age]] of Object.entries(taken)) {
    it.effect(`takes over the lock of ${whose}`, () =>
      withJournal((journaled) =>
        Effect.gen(function* () {
          yield* plant(journaled, text, age)
          yield* save(journaled.journal)
          assert.deepStrictEqual(yield* journaled.fs.readDirectory(journaled.folder), [`${id}.json`])
        })
      )
    )
  }

  /** A process of this machine, told as its locks tell it. */
  const ownerHere = (pid: number) =>
    lockOf({ pid, hostname: hostname(), pidNamespace: readlinkSync("/proc/self/ns/pid") })

  /** Only Linux tells a pid's namespace, and whether a process has ended before its parent asked. */
  const onLinux = it.effect.runIf(process.platform === "linux")

  onLinux("takes over the lock of a process that is gone, at once", () =>
    withJournal((journaled) =>
      Effect.gen(function* () {
        yield* plant(journaled, ownerHere(deadPid), 0)
        yield* TestClock.setTime(Date.now())
        assert.isTrue(Option.isNone((yield* journaled.journal.peek(key)).lockedBy))
        yield* save(journaled.journal)
        assert.deepStrictEqual(yield* journaled.fs.readDirectory(journaled.folder), [`${id}.json`])
      })
    )
  )

  onLinux("takes over the lock of a process that has ended and that nobody asked about, at once", () =>
    withJournal((journaled) =>
      Effect.gen(function* () {
        const parent = yield* spawned("sh", ["-c", "sleep 600 & echo $!; exec sleep 600"])
        const pid = yield* Effect.promise(async () => Number(String(await once(parent.stdout, "data"))))
        const stat = (of?: number) => journaled.fs.readFileString(`/proc/${of}/stat`)
        // A shell would ask.
        yield* eventually(Effect.map(stat(parent.pid), (text) => text.includes("(sleep)")))
        process.kill(pid, "SIGKILL")
        yield* eventually(Effect.map(stat(pid), (text) => text.includes(") Z ")))
        yield* plant(journaled, ownerHere(pid), 0)
        yield* save(journaled.journal)
      }).pipe(Effect.scoped)
    )
  )

  onLinux("respects the lock of a living process, whatever the name of its program looks like", () =>
    withJournal((journaled) =>
      Effect.gen(function* () {
        const program = `${yield* journaled.fs.makeTempDirectoryScoped()}/) Z Zb`
        yield* journaled.fs.symlink("/bin/sleep", program)
        const { pid = 0 } = yield* spawned(program, ["600"])
        const stat = journaled.fs.readFileString(`/proc/${pid}/stat`)
        yield* eventually(Effect.map(stat, (text) => text.includes("() Z Zb) ")))
        yield* plant(journaled, ownerHere(pid), 0)
        assert.include((yield* Effect.flip(save(journaled.journal))).message, `by process ${pid} on`)
      }).pipe(Effect.scoped)
    )
  )

  it.effect(
    "of an owner who dated it in the future, by a clock set back since, lapses after 30 silent seconds",
    () =>
      withJournal((journaled) =>
        Effect.gen(function* () {
          yield* plant(journaled, lockOf({ pid: 42, hostname: "elsewhere" }), -3_600)
          assert.include((yield* Effect.flip(save(journaled.journal))).message, "process 42 on elsewhere")
          yield* TestClock.adjust("20 seconds")
          yield* plant(journaled, lockOf({ pid: 42, hostname: "elsewhere" }), -3_610)
          yield* Effect.flip(save(journaled.journal))
          yield* TestClock.adjust("29 seconds")
          yield* Effect.flip(save(journaled.journal))
          yield* TestClock.adjust("1 second")
          yield* save(journaled.journal)
          assert.deepStrictEqual(yield* journaled.fs.readDirectory(journaled.folder), [`${id}.json`])
        })
      )
  )

  it.effect("taken over by somebody faster is theirs, who are named", () => {
    const claim = `.lock.${"cd".repeat(16)}`
    let folder = ""
    return withJournal(
      (journaled) =>
        Effect.gen(function* () {
          folder = journaled.folder
          yield* plant(journaled, lockOf({ pid: 42, hostname: "elsewhere" }), 31)
          const error = yield* Effect.flip(save(journaled.journal))
          assert.include(error.message, "process 77 on elsewhere")
          assert.include(yield* journaled.fs.readFileString(`${folder}/${id}.lock`), '"pid":77')
        }),
      (fs) => ({
        ...fs,
        open: (path, options) =>
          // Between the look at the dead owner's lock and the right to clear it.
          path.includes(claim)
            ? Effect.zipRight(
                plant({ fs, folder }, lockOf({ token: "ef".repeat(16), pid: 77, hostname: "elsewhere" }), 0),
                fs.open(path, options)
              )
            : fs.open(path, options)
      })
    )
  })

  it.effect(
    "are listed and seen with or without a record, while their owners live, and are not touched",
    () =>
      withJournal((journaled) =>
        Effect.gen(function* () {
          const { folder, fs, journal } = journaled
          yield* TestClock.setTime(Date.now())
          yield* plant(journaled, lockOf({ pid: 42, hostname: "elsewhere" }), 0)
          const { locks, records } = yield* journal.list
          assert.deepStrictEqual(records, [])
          assert.deepStrictEqual(
            locks.map((lock) => [lock.id, lock.pid]),
            [[id, 42]]
          )
          const glimpse = yield* journal.peek(key)
          assert.include(Option.getOrThrow(glimpse.lockedBy).message, "process 42 on elsewhere")
          assert.isTrue(Option.isNone(glimpse.record))
          assert.isTrue(Option.isNone((yield* journal.peek(otherKey)).lockedBy))

          yield* plant(journaled, lockOf({ pid: 42, hostname: "elsewhere" }), 31)
          assert.deepStrictEqual((yield* journal.list).locks, [])
          assert.isTrue(Option.isNone((yield* journal.peek(key)).lockedBy))
          yield* plant(journaled, lockOf({ pid: deadPid, hostname: "elsewhere" }), 0)
          assert.isTrue(Option.isSome((yield* journal.peek(key)).lockedBy))
          assert.deepStrictEqual(yield* fs.readDirectory(folder), [`${id}.lock`])
        })
      )
  )

  it.effect("takes over from a process that died while taking over", () =>
    withJournal((journaled) =>
      Effect.gen(function* () {
        const { fs, folder, journal } = journaled
        yield* plant(journaled, lockOf({}), 31)
        const claim = `${folder}/${id}.lock.${"cd".repeat(16)}`
        yield* fs.writeFileString(claim, lockOf({ token: "ef".repeat(16) }))
        assert.strictEqual((yield* Effect.flip(save(journal)))._tag, "JournalLocked")
        yield* fs.utimes(claim, 0, 0)
        yield* save(journal)
        assert.deepStrictEqual(yield* fs.readDirectory(folder), [`${id}.json`])
      })
    )
  )

  /** Lets takers meet in every order: in lockstep even a careless take-over works. */
  const staggered = (fs: FileSystem.FileSystem): FileSystem.FileSystem => {
    const sometime = Effect.promise(() => new Promise((resolve) => setTimeout(resolve, Math.random() * 8)))
    return {
      ...fs,
      open: (path, options) => Effect.zipRight(sometime, fs.open(path, options)),
      link: (from, to) => Effect.zipRight(sometime, fs.link(from, to)),
      stat: (path) => Effect.zipRight(sometime, fs.stat(path)),
      remove: (path, options) => Effect.zipRight(sometime, fs.remove(path, options))
    }
  }

  const withoutHardLinks = (fs: FileSystem.FileSystem): FileSystem.FileSystem => ({
    ...fs,
    link: () => Effect.fail(systemError("EPERM"))
  })

  it.effect("of a process that was killed before it had signed it keeps nobody waiting", () => {
    let killed = false
    return withJournal(
      ({ folder, fs, journal }) =>
        Effect.gen(function* () {
          yield* Effect.forkDaemon(Effect.scoped(journal.open(key)))
          yield* eventually(Effect.sync(() => killed))
          const [draft = ""] = yield* fs.readDirectory(folder)
          assert.match(draft, new RegExp(`^${id}\\.lock\\.[0-9a-f]{32}\\.draft$`))

          const next = yield* UploadJournal.UploadJournal.pipe(
            Effect.provide(UploadJournal.layerFileSystem(folder)),
            Effect.provide(files)
          )
          yield* save(next)
          assert.sameMembers(yield* fs.readDirectory(folder), [`${id}.json`, draft])
          yield* fs.utimes(`${folder}/${draft}`, 0, 0)
          yield* save(next)
          assert.deepStrictEqual(yield* fs.readDirectory(folder), [`${id}.json`])
        }),
      (fs) => ({
        ...fs,
        open: (path, options) =>
          Effect.map(
            fs.open(path, options),
            (file) =>
              new Proxy(file, {
                get: (target, name) =>
                  name === "writeAll"
                    ? () =>
                        Effect.suspend(() => {
                          killed = true
                          return Effect.never
                        })
                    : Reflect.get(target, name, target)
              })
          )
      })
    )
  })

  it.effect("exclude on a file system without hard links, too", () =>
    withJournal(
      ({ folder, fs, journal }) =>
        Effect.gen(function* () {
          yield* Effect.scoped(
            Effect.gen(function* () {
              yield* journal.open(key)
              assert.deepStrictEqual(yield* fs.readDirectory(folder), [`${id}.lock`])
              assert.strictEqual((yield* Effect.flip(save(journal)))._tag, "JournalLocked")
              assert.deepStrictEqual(yield* fs.readDirectory(folder), [`${id}.lock`])
            })
          )
          yield* save(journal)
          assert.deepStrictEqual(yield* fs.readDirectory(folder), [`${id}.json`])
        }),
      withoutHardLinks
    )
  )

  it.effect("do not pile up open files while they are asked for in vain", () => {
    let open = 0
    return withJournal(
      ({ journal }) =>
        Effect.scoped(
          Effect.gen(function* () {
            yield* journal.open(key)
            const held = open
            for (let attempt = 0; attempt < 5; attempt++) yield* Effect.flip(journal.open(key))
            assert.strictEqual(open, held)
          })
        ),
      (fs) => ({
        ...fs,
        open: (path, options) =>
          Effect.zipRight(
            Effect.acquireRelease(
              Effect.sync(() => {
                open += 1
              }),
              () =>
                Effect.sync(() => {
                  open -= 1
                })
            ),
            fs.open(path, options)
          )
      })
    )
  })

  it.effect("gives a dead owner's lock to exactly one of 20", () =>
    withJournal(
      (journaled) =>
        Effect.gen(function* () {
          for (let round = 0; round < 5; round++) {
            yield* plant(journaled, lockOf({}), 31)
            const done = yield* Deferred.make<void>()
            const taker = Effect.scoped(Effect.zipRight(journaled.journal.open(key), Deferred.await(done)))
            const takers = yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.fork(taker))
            const settled = Effect.map(
              Effect.forEach(takers, Fiber.poll),
              (polled) => polled.filter(Option.isSome).length
            )
            yield* eventually(Effect.map(settled, (count) => count >= 19))
            yield* Deferred.succeed(done, undefined)
            const exits = yield* Effect.forEach(takers, Fiber.await)
            assert.strictEqual(exits.filter(Exit.isSuccess).length, 1)
            assert.deepStrictEqual(yield* journaled.fs.readDirectory(journaled.folder), [])
          }
        }),
      staggered
    )
  )

  it.effect("renews its own every 5 seconds", () =>
    withJournal(({ fs, folder, journal }) =>
      Effect.scoped(
        Effect.gen(function* () {
          yield* journal.open(key)
          const path = `${folder}/${id}.lock`
          const text = yield* fs.readFileString(path)
          for (let beat = 0; beat < 2; beat++) {
            yield* fs.utimes(path, 1, 1)
            yield* TestClock.adjust("5 seconds")
            const touched = Effect.map(
              fs.stat(path),
              ({ mtime }) => Option.getOrThrow(mtime).getTime() > 1_000
            )
            yield* eventually(touched)
          }
          assert.strictEqual((yield* fs.readFileString(path)).trimEnd(), text)
        })
      )
    )
  )

  it.effect("once lost lets nothing be written, and leaves the new owner's alone", () =>
    withJournal((journaled) =>
      Effect.gen(function* () {
        const { fs, folder, journal } = journaled
        yield* Effect.scoped(
          Effect.gen(function* () {
            const session = yield* journal.open(key)
            yield* session.save(yield* prepared())
            const before = yield* fs.readFileString(`${folder}/${id}.json`)
            yield* plant(journaled, lockOf({ pid: 42, hostname: "elsewhere" }), 0)
            const usurped = yield* Effect.flip(session.update((record) => ({ ...record, attempts: 9 })))
            assert.include(usurped.message, "process 42 on elsewhere")
            assert.strictEqual((yield* Effect.flip(session.remove))._tag, "JournalLocked")
            assert.strictEqual(yield* fs.readFileString(`${folder}/${id}.json`), before)
          })
        )
        assert.isTrue(yield* fs.exists(`${folder}/${id}.lock`))
      })
    )
  )

  it.effect(
    "that could not be renewed for long are asked for by their content, whatever their place looks like",
    () => {
      let isStuck = false
      return withJournal(
        ({ fs, folder, journal }) =>
          Effect.scoped(
            Effect.gen(function* () {
              const session = yield* journal.open(key)
              isStuck = true
              yield* TestClock.adjust("15 seconds")
              yield* session.save(yield* prepared())
              yield* fs.writeFileString(
                `${folder}/${id}.lock`,
                lockOf({ token: "ef".repeat(16), pid: 42, hostname: "elsewhere" })
              )
              yield* TestClock.adjust("5 seconds")
              const error = yield* Effect.flip(session.remove)
              assert.include(error.message, "process 42 on elsewhere")
            })
          ),
        (fs) => ({
          ...fs,
          open: (path, options) =>
            Effect.map(
              fs.open(path, options),
              (file) =>
                new Proxy(file, {
                  get: (target, name) =>
                    name === "writeAll"
                      ? (bytes: Uint8Array) =>
                          Effect.suspend(() =>
                            isStuck && options?.flag === "ax" ? systemError("EIO") : target.writeAll(bytes)
                          )
                      : Reflect.get(target, name, target)
                })
            )
        })
      )
    }
  )

  it.effect("removed by somebody is noticed", () =>
    withJournal(({ fs, folder, journal }) =>
      Effect.scoped(
        Effect.gen(function* () {
          const session = yield* journal.open(key)
          yield* fs.remove(`${folder}/${id}.lock`)
          const error = yield* Effect.flip(session.save(yield* prepared()))
          assert.strictEqual(error._tag === "JournalUnavailable" && error.reason, "LockLost")
        })
      )
    )
  )

  it.effect("are not left behind by a full disk", () => {
    let failing = true
    return withJournal(
      ({ fs, folder, journal }) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(save(journal))
          assert.strictEqual(error._tag === "JournalUnavailable" && error.reason, "DiskFull")
          assert.deepStrictEqual(yield* fs.readDirectory(folder), [])
          failing = false
          yield* save(journal)
        }),
      (fs) => ({
        ...fs,
        open: (path, options) =>
          Effect.map(fs.open(path, options), (file) =>
            failing
              ? new Proxy(file, {
                  get: (target, name) =>
                    name === "writeAll"
                      ? () => Effect.fail(systemError("ENOSPC"))
                      : Reflect.get(target, name, target)
                })
              : file
          )
      })
    )
  })
})

describe("UploadJournal.layerConfig", () => {
  const folderFor = (environment: ReadonlyArray<readonly [string, string]>) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const root = yield* fs.makeTempDirectoryScoped()
      const resolved = new Map(environment.map(([name, value]) => [name, value.replace("ROOT", root)]))
      const withVariables = Effect.withConfigProvider(ConfigProvider.fromMap(resolved))
      const folder = yield* withVariables(UploadJournal.folder)
      yield* Effect.flatMap(UploadJournal.UploadJournal, save).pipe(
        Effect.provide(UploadJournal.layerConfig),
        withVariables
      )
      assert.deepStrictEqual(yield* fs.readDirectory(folder), [`${id}.json`])
      const found = (yield* fs.readDirectory(root, { recursive: true })).filter((path) =>
        path.endsWith(".json")
      )
      return found.map((path) => path.slice(0, path.lastIndexOf("/")))
    }).pipe(Effect.scoped, Effect.provide(files))

  it.effect("prefers what was asked for, then the user's state folder", () =>
    Effect.gen(function* () {
      const home = ["HOME", "ROOT/home"] as const
      const state = ["XDG_STATE_HOME", "ROOT/state"] as const
      assert.deepStrictEqual(yield* folderFor([home, state, ["EC_UPLOAD_JOURNAL", "ROOT/own"]]), ["own"])
      assert.deepStrictEqual(yield* folderFor([home, state]), ["state/effect-elastic-extensions/uploads"])
      const inHome = ["home/.local/state/effect-elastic-extensions/uploads"]
      assert.deepStrictEqual(yield* folderFor([home, ["EC_UPLOAD_JOURNAL", ""]]), inHome)
      assert.deepStrictEqual(yield* folderFor([home, ["XDG_STATE_HOME", "relative"]]), inHome)
    })
  )

  it.effect("names the variable to set where there is no home", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(folderFor([]))
      assert.include(String(error), "EC_UPLOAD_JOURNAL")
    })
  )
})

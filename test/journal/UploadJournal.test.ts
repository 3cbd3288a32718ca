import * as FileSystem from "@effect/platform/FileSystem"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import { JournalRecord, journalId } from "../../src/journal/JournalRecord.ts"
import * as SqlJournal from "../../src/journal/SqlJournal.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import { eventually, key, otherKey, prepared, secretUrl, withUpload } from "../support/journal/fixtures.ts"

const files = Layer.mergeAll(NodeFileSystem.layer, NodePath.layer)

const inTemporaryFolder = <A, E, R>(layer: (folder: string) => Layer.Layer<A, E, R>) =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      return layer(yield* fs.makeTempDirectoryScoped())
    })
  )

const layers = {
  layerFileSystem: inTemporaryFolder(UploadJournal.layerFileSystem).pipe(Layer.provide(files)),
  layerKeyValueStore: UploadJournal.layerKeyValueStore.pipe(
    Layer.provide(inTemporaryFolder(KeyValueStore.layerFileSystem)),
    Layer.provide(files),
    Layer.orDie
  ),
  layerMemory: UploadJournal.layerMemory,
  "SqlJournal.layer": inTemporaryFolder((folder) =>
    SqlJournal.layer().pipe(Layer.provide(LibsqlClient.layer({ url: `file:${folder}/journal.db` })))
  ).pipe(Layer.provide(files), Layer.orDie)
}

const sameRecord = Schema.equivalence(JournalRecord)
const id = journalId(key)

for (const [name, layer] of Object.entries(layers)) {
  describe(`UploadJournal.UploadJournal.${name}`, () => {
    const test = (title: string, effect: Effect.Effect<void, unknown, UploadJournal.UploadJournal>) =>
      it.effect(title, () => Effect.provide(effect, layer))

    const withSession = Effect.flatMap(UploadJournal.UploadJournal, (journal) => journal.open(key))

    test(
      "begins with nothing and finds what was saved, also the secret URL",
      Effect.gen(function* () {
        const journal = yield* UploadJournal.UploadJournal
        const saved = withUpload(yield* prepared())
        yield* Effect.scoped(
          Effect.gen(function* () {
            const session = yield* withSession
            assert.deepStrictEqual(yield* session.record, Option.none())
            yield* session.save(saved)
          })
        )
        const found = Option.getOrThrow(yield* journal.get(id))
        assert.isTrue(sameRecord(found, saved))
        assert.strictEqual(found.upload && Redacted.value(found.upload.url), secretUrl)
        assert.notInclude(JSON.stringify(found), "very-secret")
      })
    )

    test(
      "stamps the time of a save and updates in turns",
      Effect.scoped(
        Effect.gen(function* () {
          const session = yield* withSession
          yield* session.update((record) => ({ ...record, attempts: 99 }))
          assert.deepStrictEqual(yield* session.record, Option.none())
          yield* session.save(yield* prepared())
          yield* TestClock.adjust("3 seconds")
          const once = session.update((record) => ({ ...record, attempts: record.attempts + 1 }))
          yield* Effect.all(
            Array.from({ length: 10 }, () => once),
            { concurrency: "unbounded" }
          )
          const record = Option.getOrThrow(yield* session.record)
          assert.strictEqual(record.attempts, 10)
          assert.strictEqual(record.updatedAtMillis, 3_000)
          assert.strictEqual(record.createdAtMillis, 0)
        })
      )
    )

    test(
      "has one holder at a time, who is named to the next",
      Effect.gen(function* () {
        const journal = yield* UploadJournal.UploadJournal
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* withSession
            const error = yield* Effect.flip(Effect.scoped(withSession))
            assert.strictEqual(error._tag, "JournalLocked")
            assert.include(error.message, `Extension "882519870" is in use by process ${process.pid} on `)
            assert.isTrue(error.isRetryable)
            yield* Effect.scoped(journal.open(otherKey))
          })
        )
        yield* Effect.scoped(withSession)
      })
    )

    test(
      "gives a lock of many concurrent takers to exactly one",
      Effect.gen(function* () {
        const done = yield* Deferred.make<void>()
        const taker = Effect.scoped(Effect.zipRight(withSession, Deferred.await(done)))
        const takers = yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.fork(taker))
        const settled = Effect.map(
          Effect.forEach(takers, Fiber.poll),
          (exits) => exits.filter(Option.isSome).length
        )
        yield* eventually(Effect.map(settled, (count) => count === 19))
        yield* Deferred.succeed(done, undefined)
        const exits = yield* Effect.forEach(takers, Fiber.await)
        assert.strictEqual(exits.filter(Exit.isSuccess).length, 1)
      })
    )

    test(
      "lets go on interruption, failure and death",
      Effect.gen(function* () {
        const held = yield* Deferred.make<void>()
        const fiber = yield* withSession.pipe(
          Effect.zipRight(Deferred.succeed(held, undefined)),
          Effect.zipRight(Effect.never),
          Effect.scoped,
          Effect.fork
        )
        yield* Deferred.await(held)
        yield* Effect.flip(Effect.scoped(withSession))
        yield* Fiber.interrupt(fiber)
        yield* Effect.scoped(Effect.zipRight(withSession, Effect.fail("no"))).pipe(Effect.flip)
        yield* Effect.scoped(Effect.zipRight(withSession, Effect.die("oh"))).pipe(Effect.exit)
        yield* Effect.scoped(withSession)
      })
    )

    test(
      "lists, gets and removes, but not what is in use",
      Effect.gen(function* () {
        const journal = yield* UploadJournal.UploadJournal
        assert.deepStrictEqual(yield* journal.list, { records: [], locks: [], corrupt: [] })
        for (const of of [otherKey, key]) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const session = yield* journal.open(of)
              yield* session.save(yield* prepared(of))
            })
          )
          yield* TestClock.adjust("1 second")
        }
        const { records } = yield* journal.list
        assert.deepStrictEqual(
          records.map((record) => record.extensionId),
          [otherKey.extensionId, key.extensionId]
        )
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* withSession
            const error = yield* Effect.flip(journal.remove(id))
            assert.strictEqual(error._tag, "JournalLocked")
          })
        )
        yield* journal.remove(id)
        yield* journal.remove(id)
        assert.deepStrictEqual(yield* journal.get(id), Option.none())
        assert.lengthOf((yield* journal.list).records, 1)
      })
    )

    test(
      "shows what a session would find and who holds the lock, without taking it",
      Effect.gen(function* () {
        const journal = yield* UploadJournal.UploadJournal
        yield* TestClock.setTime(Date.now())
        assert.deepStrictEqual(yield* journal.peek(key), { record: Option.none(), lockedBy: Option.none() })
        yield* Effect.scoped(
          Effect.gen(function* () {
            const session = yield* withSession
            const expiresAtMillis = Date.now() + 60_000
            yield* session.save(withUpload(yield* prepared(), { expiresAtMillis }))
            const { lockedBy, record } = yield* journal.peek(key)
            assert.strictEqual(Option.getOrThrow(record).upload?.offset, 4)
            assert.strictEqual(Option.getOrThrow(lockedBy).pid, process.pid)
            const { locks, records } = yield* journal.list
            assert.deepStrictEqual(
              [locks, records].map((all) => all.map((one) => one.id)),
              [[id], [id]]
            )
          })
        )
        assert.deepStrictEqual((yield* journal.peek(key)).lockedBy, Option.none())
        assert.deepStrictEqual((yield* journal.list).locks, [])
        yield* TestClock.adjust("61 seconds")
        assert.isDefined(Option.getOrThrow((yield* journal.peek(key)).record).upload, "its server knows")
        assert.deepStrictEqual((yield* journal.peek(otherKey)).record, Option.none())
      })
    )

    test(
      "forgets a record whose outcome is known",
      Effect.gen(function* () {
        const journal = yield* UploadJournal.UploadJournal
        yield* Effect.scoped(
          Effect.gen(function* () {
            const session = yield* withSession
            yield* session.save(yield* prepared())
            yield* session.remove
            assert.deepStrictEqual(yield* session.record, Option.none())
          })
        )
        assert.deepStrictEqual(yield* journal.list, { records: [], locks: [], corrupt: [] })
      })
    )

    test(
      "keeps a record that was delivered until it is forgotten, and no upload that goes on",
      Effect.gen(function* () {
        const journal = yield* UploadJournal.UploadJournal
        const keeping = UploadJournal.keepingDelivered(journal)
        const delivered = { proof: "size", told: { resourceVersion: "2" } } as const
        yield* Effect.scoped(
          Effect.gen(function* () {
            const session = yield* keeping.open(key)
            yield* session.save(withUpload(yield* prepared()))
            yield* journal.forgetDelivered(id)
            assert.isDefined(Option.getOrThrow(yield* journal.get(id)).upload)
            yield* session.complete(delivered)
          })
        )
        const kept = Option.getOrThrow(yield* journal.get(id))
        assert.deepStrictEqual(kept.delivered, delivered)
        assert.isUndefined(kept.upload)
        yield* journal.forgetDelivered(id)
        yield* journal.forgetDelivered(id)
        assert.deepStrictEqual(yield* journal.list, { records: [], locks: [], corrupt: [] })
      })
    )

    test(
      "takes the URL from uploads whose server may have forgotten them",
      Effect.gen(function* () {
        const journal = yield* UploadJournal.UploadJournal
        yield* Effect.scoped(
          Effect.gen(function* () {
            const session = yield* withSession
            yield* session.save(withUpload(yield* prepared(), { expiresAtMillis: 60_000 }))
            yield* TestClock.adjust("59 seconds")
            assert.isDefined(Option.getOrThrow(yield* session.record).upload)
            assert.deepStrictEqual(yield* journal.expire, [])
            yield* TestClock.adjust("1 second")
            assert.isDefined(Option.getOrThrow(yield* session.record).upload, "its server knows")
            assert.deepStrictEqual(yield* journal.expire, [], "in use")
          })
        )
        const expired = yield* journal.expire
        assert.deepStrictEqual(
          expired.map((record) => record.id),
          [id]
        )
        const left = Option.getOrThrow(yield* journal.get(id))
        assert.isUndefined(left.upload)
        assert.strictEqual(left.phase, "Sending")
        assert.deepStrictEqual(yield* journal.expire, [])
      })
    )

    test(
      "prunes what nobody touched for longer than the retention",
      Effect.gen(function* () {
        const journal = yield* UploadJournal.UploadJournal
        const touch = Effect.scoped(
          Effect.gen(function* () {
            const session = yield* withSession
            yield* session.save(yield* prepared())
          })
        )
        yield* touch
        yield* TestClock.adjust("7 days")
        assert.deepStrictEqual(yield* journal.prune(), [])
        yield* touch
        yield* TestClock.adjust("2 hours")
        assert.deepStrictEqual(yield* journal.prune(), [])
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* withSession
            assert.deepStrictEqual(yield* journal.prune("1 hour"), [], "in use")
          })
        )
        assert.deepStrictEqual(yield* journal.prune("1 hour"), [id])
        assert.deepStrictEqual(yield* journal.get(id), Option.none())
      })
    )

    test(
      "refuses to save one upload's record as another's",
      Effect.scoped(
        Effect.gen(function* () {
          const session = yield* withSession
          const exit = yield* Effect.exit(session.save(yield* prepared(otherKey)))
          assert.isTrue(Exit.isFailure(exit) && exit.cause._tag === "Die")
        })
      )
    )
  })
}

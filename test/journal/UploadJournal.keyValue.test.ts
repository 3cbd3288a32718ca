import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { journalId } from "../../src/journal/JournalRecord.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import { key, prepared } from "../support/journal/fixtures.ts"

const id = journalId(key)
const prefix = "effect-elastic-extensions:journal:"
const lockKey = `${prefix}${id}.lock`

const withStore = <E>(
  use: (
    kv: KeyValueStore.KeyValueStore,
    journal: UploadJournal.UploadJournal["Type"]
  ) => Effect.Effect<void, E>
) =>
  Effect.gen(function* () {
    yield* use(yield* KeyValueStore.KeyValueStore, yield* UploadJournal.UploadJournal)
  }).pipe(
    Effect.provide(UploadJournal.layerKeyValueStore.pipe(Layer.provideMerge(KeyValueStore.layerMemory)))
  )

const lease = (renewedAtMillis: number) =>
  JSON.stringify({
    owner: { token: "cd".repeat(16), pid: 42, hostname: "elsewhere", acquiredAtMillis: 0 },
    renewedAtMillis
  })

describe("UploadJournal.layerKeyValueStore", () => {
  it.effect("respects another process's lease until it lapses", () =>
    withStore((kv, journal) =>
      Effect.gen(function* () {
        yield* kv.set(lockKey, lease(0))
        yield* TestClock.adjust("29 seconds")
        const error = yield* Effect.flip(Effect.scoped(journal.open(key)))
        assert.include(error.message, "process 42 on elsewhere")
        yield* TestClock.adjust("1 second")
        yield* Effect.scoped(journal.open(key))
        assert.deepStrictEqual(yield* kv.get(lockKey), Option.none())
      })
    )
  )

  it.effect(
    "takes over a lease dated in the future, by a clock set back since, after 30 silent seconds",
    () =>
      withStore((kv, journal) =>
        Effect.gen(function* () {
          const open = Effect.scoped(journal.open(key))
          yield* kv.set(lockKey, lease(3_600_000))
          yield* Effect.flip(open)
          yield* TestClock.adjust("20 seconds")
          yield* kv.set(lockKey, lease(3_620_000))
          yield* Effect.flip(open)
          yield* TestClock.adjust("29 seconds")
          yield* Effect.flip(open)
          yield* TestClock.adjust("1 second")
          yield* open
        })
      )
  )

  it.effect("renews its own lease, and only its own", () =>
    withStore((kv, journal) =>
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const session = yield* journal.open(key)
            yield* TestClock.adjust("1 minute")
            assert.include(Option.getOrThrow(yield* kv.get(lockKey)), '"renewedAtMillis":60000')
            yield* kv.set(lockKey, lease(0))
            yield* TestClock.adjust("1 minute")
            assert.strictEqual((yield* Effect.flip(session.save(yield* prepared())))._tag, "JournalLocked")
            yield* kv.remove(lockKey)
            const gone = yield* Effect.flip(session.save(yield* prepared()))
            assert.strictEqual(gone._tag === "JournalUnavailable" && gone.reason, "LockLost")
            yield* kv.set(lockKey, lease(0))
          })
        )
        assert.deepStrictEqual(yield* kv.get(lockKey), Option.some(lease(0)))
        assert.deepStrictEqual((yield* journal.list).records, [])
      })
    )
  )

  it.effect("sets a corrupt record aside under a key of its own", () =>
    withStore((kv, journal) =>
      Effect.gen(function* () {
        yield* kv.set(`${prefix}${id}`, "{")
        const error = yield* Effect.flip(Effect.scoped(journal.open(key)))
        const keptAt = `${prefix}${id}.corrupt-0`
        assert.deepInclude({ ...error }, { _tag: "JournalCorrupt", keptAt, reason: "InvalidJson" })
        assert.deepStrictEqual(yield* kv.get(keptAt), Option.some("{"))
        assert.deepStrictEqual(
          (yield* journal.list).corrupt.map((corrupt) => corrupt.keptAt),
          [keptAt]
        )
      })
    )
  )

  it.effect("forgets the name of what was removed", () =>
    withStore((kv, journal) =>
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const session = yield* journal.open(key)
            yield* session.save(yield* prepared())
            assert.deepStrictEqual(yield* kv.get(`${prefix}index`), Option.some(`["${id}"]`))
            // A name that is there is not written again.
            yield* kv.set(`${prefix}index`, `[ "${id}" ]`)
            yield* session.save(yield* prepared())
            assert.deepStrictEqual(yield* kv.get(`${prefix}index`), Option.some(`[ "${id}" ]`))
            yield* session.remove
          })
        )
        assert.deepStrictEqual(yield* kv.get(`${prefix}index`), Option.some("[]"))
      })
    )
  )

  it.effect("takes for uploads only what is named after one", () =>
    withStore((kv, journal) =>
      Effect.gen(function* () {
        yield* kv.set(`${prefix}index`, '["another"]')
        yield* kv.set(`${prefix}another.lock`, lease(0))
        assert.deepStrictEqual(yield* journal.list, { records: [], locks: [], corrupt: [] })
      })
    )
  )

  it.effect("says which key spoils the list", () =>
    withStore((kv, journal) =>
      Effect.gen(function* () {
        yield* kv.set(`${prefix}index`, "?")
        const error = yield* Effect.flip(journal.list)
        assert.include(error.message, `the key "${prefix}index" holds no list of names`)
      })
    )
  )
})

import type { PlatformError } from "@effect/platform/Error"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type JournalOperation, JournalUnavailable } from "../JournalError.ts"
import type { JournalId } from "../JournalRecord.ts"
import { makeLeases } from "./lease.ts"
import { checkOf, type JournalStore, unavailable } from "./store.ts"

const location = "the key-value store"
const prefix = "effect-elastic-extensions:journal:"
const indexKey = "index"

const Index = Schema.parseJson(Schema.Array(Schema.String))
const decodeIndex = Schema.decode(Index)
const encodeIndex = Schema.encodeSync(Index)

const spoiltIndex = () =>
  new JournalUnavailable({
    location,
    operation: "list",
    reason: "Failed",
    detail: `the key "${prefix}${indexKey}" holds no list of names`
  })

const failed =
  (operation: JournalOperation) =>
  <A>(effect: Effect.Effect<A, PlatformError>) =>
    Effect.mapError(effect, unavailable(location, operation))

/**
 * Records under their names, with an index of the names, since a key-value store cannot list its keys.
 *
 * A key-value store has no compare-and-set: between processes the lease is advisory, and the index may miss a name until
 * its record is written again. Inside one process both are exact.
 */
export const makeKeyValueStore: Effect.Effect<JournalStore, never, KeyValueStore.KeyValueStore> = Effect.gen(
  function* () {
    const kv = KeyValueStore.prefix(yield* KeyValueStore.KeyValueStore, prefix)
    const hold = yield* makeLeases(kv)
    const indexing = yield* Effect.makeSemaphore(1)

    const readIndex = Effect.flatMap(
      failed("list")(kv.get(indexKey)),
      Option.match({
        onNone: () => Effect.succeed<ReadonlyArray<string>>([]),
        onSome: (text) => Effect.mapError(decodeIndex(text), spoiltIndex)
      })
    )

    const updateIndex = (f: (names: ReadonlyArray<string>) => ReadonlyArray<string>) =>
      Effect.flatMap(readIndex, (before) => {
        const after = f(before)
        return after.length === before.length
          ? Effect.void
          : failed("write")(kv.set(indexKey, encodeIndex(after)))
      }).pipe(indexing.withPermits(1))

    // The name comes first and goes last: a name without a record is passed over, a record without a name is lost.
    const write = (name: string, text: string) =>
      updateIndex((known) => (known.includes(name) ? known : [...known, name])).pipe(
        Effect.zipRight(failed("write")(kv.set(name, text))),
        Effect.uninterruptible
      )

    const remove = (name: string) =>
      failed("remove")(kv.remove(name)).pipe(
        Effect.zipRight(updateIndex((known) => known.filter((other) => other !== name))),
        Effect.uninterruptible
      )

    const read = (name: string) => failed("read")(kv.get(name))

    const lock = (id: JournalId, extensionId: string | undefined) =>
      hold(id, extensionId).pipe(
        Effect.mapError((error) =>
          error._tag === "JournalLocked" ? error : unavailable(location, "lock")(error)
        ),
        Effect.map(({ holder }) => ({ check: checkOf(location, failed("lock")(holder)) }))
      )

    const move = (from: string, to: string) =>
      Effect.flatMap(
        read(from),
        Option.match({
          onNone: () => Effect.void,
          onSome: (text) => Effect.zipRight(write(to, text), remove(from))
        })
      ).pipe(Effect.uninterruptible)

    return {
      lock,
      names: indexing.withPermits(1)(readIndex),
      read,
      write,
      move,
      remove,
      locate: (name) => `${prefix}${name}`
    } satisfies JournalStore
  }
)

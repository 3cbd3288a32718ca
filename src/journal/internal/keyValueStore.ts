/**
 * Records under their names, with an index of the names, since a key-value store cannot list its keys.
 *
 * A key-value store has no compare-and-set: between processes the lock is an advisory lease, and the index may miss a
 * name until its record is written again. Inside one process both are exact.
 */
import type { PlatformError } from "@effect/platform/Error"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { type JournalOperation, JournalUnavailable, unavailable } from "../JournalError.ts"
import { JournalId } from "../JournalRecord.ts"
import {
  heartbeat,
  isGone,
  JournalOwner,
  makeIsSilent,
  makeOwner,
  staleAfterMillis,
  toLocked
} from "./owner.ts"
import { checkHeldBy, type Holder, type JournalStore, removeUnderLock } from "./store.ts"

const location = "the key-value store"
const prefix = "effect-elastic-extensions:journal:"
const indexKey = "index"

const Index = Schema.parseJson(Schema.Array(Schema.String))
const decodeIndex = Schema.decode(Index)
const encodeIndex = Schema.encodeSync(Index)

const isJournalId = Schema.is(JournalId)

const failed =
  (operation: JournalOperation) =>
  <A>(effect: Effect.Effect<A, PlatformError>) =>
    Effect.mapError(effect, unavailable(location, operation))

export const makeKeyValueStore = Effect.gen(function* () {
  const kv = KeyValueStore.prefix(yield* KeyValueStore.KeyValueStore, prefix)
  const leases = yield* makeLeases(kv)
  const indexing = yield* Effect.makeSemaphore(1)

  const readIndex = Effect.flatMap(
    failed("list")(kv.get(indexKey)),
    Option.match({
      onNone: () => Effect.succeed<ReadonlyArray<string>>([]),
      onSome: (text) => Effect.mapError(decodeIndex(text), spoiltIndex)
    })
  )

  const names = indexing.withPermits(1)(readIndex)

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

  const store: Omit<JournalStore, "removeExactly"> = {
    lock: (id, extensionId) =>
      Effect.mapBoth(leases.hold(id, extensionId), {
        onFailure: (error) => (error._tag === "JournalLocked" ? error : unavailable(location, "lock")(error)),
        onSuccess: ({ holder, renewal, token }) => {
          const check = checkHeldBy(token, location, failed("lock")(holder))
          return {
            check,
            confirm: Effect.zipRight(renewal, check),
            write: (text) => Effect.zipRight(check, write(id, text))
          }
        }
      }),
    lockedBy: (id) => failed("lock")(leases.lockedBy(id)),
    lockable: Effect.map(names, (known) => known.filter(isJournalId)),
    names,
    read,
    write,
    move: (from, to) =>
      Effect.flatMap(
        read(from),
        Effect.transposeMapOption((text) => Effect.zipRight(write(to, text), remove(from)))
      ).pipe(Effect.asVoid, Effect.uninterruptible),
    remove,
    locate: (name) => `${prefix}${name}`
  }
  return { ...store, removeExactly: removeUnderLock(store) } satisfies JournalStore
})

const spoiltIndex = () =>
  new JournalUnavailable({
    location,
    operation: "list",
    reason: "Failed",
    detail: `the key "${prefix}${indexKey}" holds no list of names`
  })

/** A lock that others can see. It lapses when its owner no longer renews it. */
const Lease = Schema.Struct({ owner: JournalOwner, renewedAtMillis: Schema.Int })
interface Lease extends Schema.Schema.Type<typeof Lease> {}

const LeaseJson = Schema.parseJson(Lease)
const decodeLease = Schema.decode(LeaseJson)
const encodeLease = Schema.encodeSync(LeaseJson)

/** A store that writes in place shows another process half a lease for a moment; one that stays so is nobody's. */
const untilWhole = Schedule.intersect(Schedule.spaced("50 millis"), Schedule.recurs(3))

const keyOf = (id: JournalId) => `${id}.lock`

/** Leases in one store. */
const makeLeases = Effect.fnUntraced(function* (kv: KeyValueStore.KeyValueStore) {
  // Between reading a lease and writing one no other fiber may come in, and none may see a write half done.
  const turn = yield* Effect.makeSemaphore(1)
  // A fiber of this process is alive however long the machine slept.
  const heldHere = new Set<string>()
  const isSilent = yield* makeIsSilent

  const read = (id: JournalId): Effect.Effect<Option.Option<Lease>, PlatformError> =>
    Effect.flatMap(kv.get(keyOf(id)), Effect.transposeMapOption(decodeLease)).pipe(
      Effect.retry({ schedule: untilWhole, while: (error) => error._tag === "ParseError" }),
      Effect.catchTag("ParseError", () => Effect.succeedNone)
    )

  const write = (id: JournalId, owner: JournalOwner) =>
    Effect.flatMap(Clock.currentTimeMillis, (renewedAtMillis) =>
      kv.set(keyOf(id), encodeLease({ owner, renewedAtMillis }))
    )

  const isLiving = Effect.fnUntraced(function* (id: JournalId, { owner, renewedAtMillis }: Lease) {
    if (heldHere.has(owner.token)) return true
    if (yield* isSilent(id, `${owner.token} ${renewedAtMillis}`)) return false
    const age = (yield* Clock.currentTimeMillis) - renewedAtMillis
    return age < staleAfterMillis && !(yield* isGone(owner))
  })

  const living = Effect.fnUntraced(function* (id: JournalId) {
    const lease = yield* read(id)
    return Option.isSome(lease) && (yield* isLiving(id, lease.value))
      ? Option.some(toLocked(id, lease.value.owner))
      : Option.none()
  })

  const acquire = Effect.fnUntraced(function* (id: JournalId, owner: JournalOwner) {
    const other = yield* living(id)
    if (Option.isSome(other)) return yield* other.value
    yield* write(id, owner)
    heldHere.add(owner.token)
  })

  const hold = Effect.fnUntraced(function* (id: JournalId, extensionId: Option.Option<string>) {
    const owner = yield* makeOwner(extensionId)
    const ifOurs = (effect: Effect.Effect<void, PlatformError>) =>
      Effect.flatMap(
        read(id),
        Effect.transposeMapOption((lease) => Effect.when(effect, () => lease.owner.token === owner.token))
      ).pipe(turn.withPermits(1), Effect.ignore)

    yield* Effect.acquireRelease(turn.withPermits(1)(acquire(id, owner)), () =>
      Effect.zipRight(
        ifOurs(kv.remove(keyOf(id))),
        Effect.sync(() => heldHere.delete(owner.token))
      )
    )
    // A renewal that was begun is finished: cut off, it could land after the lease was given back.
    const renewal = Effect.uninterruptible(ifOurs(write(id, owner)))
    yield* renewal.pipe(Effect.schedule(Schedule.spaced(heartbeat)), Effect.interruptible, Effect.forkScoped)
    const describe = (lease: Lease): Holder => ({
      token: lease.owner.token,
      locked: toLocked(id, lease.owner)
    })
    return {
      token: owner.token,
      renewal,
      /** Whoever the store says holds it: us, unless we were taken for dead. */
      holder: turn.withPermits(1)(Effect.map(read(id), Option.map(describe)))
    }
  }, Effect.uninterruptible)

  return { hold, lockedBy: (id: JournalId) => turn.withPermits(1)(living(id)) }
})

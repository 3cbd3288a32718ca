import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Order from "effect/Order"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import { JournalCorrupt, type JournalUnavailable } from "../JournalError.ts"
import {
  isUploadExpired,
  JournalId,
  type JournalKey,
  type JournalRecord,
  journalId,
  withoutExpiredUpload
} from "../JournalRecord.ts"
import type { JournalSession, UploadJournal } from "../UploadJournal.ts"
import { decode, encode } from "./codec.ts"
import { type JournalLock, type JournalStore, releasedOnFailure } from "./store.ts"

const defaultRetention = Duration.days(7)

/** The journal over any store of texts. */
export const makeJournal = (store: JournalStore): UploadJournal["Type"] => {
  const decoded = (id: JournalId, text: string) =>
    Effect.mapError(decode(id, text), (why) => new JournalCorrupt({ id, keptAt: store.locate(id), ...why }))

  const get = (id: JournalId) =>
    Effect.flatMap(
      store.read(id),
      Effect.transposeMapOption((text) => decoded(id, text))
    )

  const open = Effect.fnUntraced(function* (key: JournalKey) {
    const id = journalId(key)
    const lock = yield* store.lock(id, Option.some(key.extensionId))
    const found = yield* Effect.catchTag(get(id), "JournalCorrupt", setAside)
    return yield* makeSession(store, lock, id, found)
  }, releasedOnFailure)

  const peek = Effect.fnUntraced(function* (key: JournalKey) {
    const id = journalId(key)
    const lockedBy = yield* store.lockedBy(id)
    return { record: yield* get(id), lockedBy }
  })

  const setAside = Effect.fnUntraced(function* ({ id, reason, detail }: JournalCorrupt) {
    const name = yield* freeName(id)
    yield* store.move(id, name)
    return yield* new JournalCorrupt({ id, reason, detail, keptAt: store.locate(name) })
  }, Effect.uninterruptible)

  const freeName = Effect.fnUntraced(function* (id: JournalId) {
    const taken = yield* store.names
    const now = yield* Clock.currentTimeMillis
    const names = Arr.makeBy(taken.length + 1, (n) => setAsideName(id, now + n))
    return Option.getOrThrow(Arr.findFirst(names, (name) => !taken.includes(name)))
  })

  const stored = Effect.flatMap(store.names, (names) =>
    Effect.forEach(names.filter(isJournalId), (id) =>
      get(id).pipe(
        Effect.map(Option.map((record) => Either.right(record))),
        Effect.catchTag("JournalCorrupt", (corrupt) => Effect.succeedSome(Either.left(corrupt)))
      )
    )
  ).pipe(Effect.map((found) => Arr.separate(Arr.getSomes(found))))

  const records = Effect.map(stored, ([, readable]) => readable)

  const list = Effect.gen(function* () {
    const [unreadable, readable] = yield* stored
    const setAside = Arr.filterMap(yield* store.names, parseSetAside)
    const locks = Arr.getSomes(yield* Effect.forEach(yield* store.lockable, store.lockedBy))
    return {
      records: Arr.sort(readable, byCreation),
      locks,
      corrupt: [...unreadable, ...setAside.map((kept) => describeSetAside(store, kept))]
    }
  })

  /** Runs `f` on the record as it is under its lock, if there is one and nobody works on it. */
  const whenIdle = <A>(
    { id, extensionId }: JournalRecord,
    f: (current: JournalRecord) => Effect.Effect<Option.Option<A>, JournalUnavailable>
  ) =>
    Effect.zipRight(store.lock(id, Option.some(extensionId)), get(id)).pipe(
      Effect.flatMap(Effect.transposeMapOption(f)),
      Effect.map(Option.flatten),
      Effect.scoped,
      Effect.catchTags({ JournalLocked: () => Effect.succeedNone, JournalCorrupt: () => Effect.succeedNone })
    )

  const whenAllIdle = <A>(
    of: ReadonlyArray<JournalRecord>,
    f: (current: JournalRecord) => Effect.Effect<Option.Option<A>, JournalUnavailable>
  ) =>
    Effect.map(
      Effect.forEach(of, (record) => whenIdle(record, f)),
      Arr.getSomes
    )

  const expire = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const due = (yield* records).filter((record) => isUploadExpired(record, now))
    return yield* whenAllIdle(
      due,
      Effect.fnUntraced(function* (current) {
        if (!isUploadExpired(current, now)) return Option.none()
        const without = withoutExpiredUpload(current, now)
        yield* store.write(current.id, yield* encode(without))
        return Option.some(without)
      })
    )
  })

  const prune = Effect.fnUntraced(function* (retention: Duration.DurationInput = defaultRetention) {
    const now = yield* Clock.currentTimeMillis
    const isOld = (atMillis: number) => now - atMillis > Duration.toMillis(retention)

    const old = (yield* records).filter((record) => isOld(record.updatedAtMillis))
    const pruned = yield* whenAllIdle(old, ({ id, updatedAtMillis }) =>
      isOld(updatedAtMillis) ? Effect.as(store.remove(id), Option.some(id)) : Effect.succeedNone
    )
    const setAside = Arr.filterMap(yield* store.names, parseSetAside).filter((kept) => isOld(kept.atMillis))
    yield* Effect.forEach(setAside, (kept) => store.remove(kept.name), { discard: true })
    return [...pruned, ...setAside.map((kept) => kept.id)]
  })

  const remove = (id: JournalId) =>
    Effect.flatMap(
      store.read(id),
      Effect.transposeMapOption(
        Effect.fnUntraced(function* (text) {
          const record = yield* Effect.option(decode(id, text))
          yield* store.lock(
            id,
            Option.map(record, ({ extensionId }) => extensionId)
          )
          yield* store.remove(id)
        })
      )
    ).pipe(Effect.scoped, Effect.asVoid)

  const forgetDelivered = Effect.fnUntraced(function* (id: JournalId) {
    const text = yield* store.read(id)
    if (Option.isNone(text)) return
    // What cannot be read is nothing to forget: whoever uploads next is told of it.
    const record = yield* Effect.option(decode(id, text.value))
    if (Option.exists(record, ({ delivered }) => delivered !== undefined)) {
      yield* store.removeExactly(id, text.value)
    }
  })

  return { open, peek, get, list, remove, forgetDelivered, expire, prune }
}

const makeSession = Effect.fnUntraced(function* (
  store: JournalStore,
  lock: JournalLock,
  id: JournalId,
  found: Option.Option<JournalRecord>
) {
  const state = yield* Ref.make(found)
  const turn = yield* Effect.makeSemaphore(1)
  const inTurn = <A, E>(effect: Effect.Effect<A, E>) => turn.withPermits(1)(Effect.uninterruptible(effect))

  const record = Ref.get(state)

  const put = Effect.fnUntraced(function* (next: JournalRecord) {
    if (next.id !== id) return yield* Effect.dieMessage(`Record ${next.id} was saved to upload ${id}`)
    const stamped = { ...next, updatedAtMillis: yield* Clock.currentTimeMillis }
    yield* lock.write(yield* encode(stamped))
    yield* Ref.set(state, Option.some(stamped))
  })

  const remove = inTurn(
    lock.check.pipe(Effect.zipRight(store.remove(id)), Effect.zipRight(Ref.set(state, Option.none())))
  )

  const session: JournalSession = {
    id,
    record,
    save: (next) => inTurn(put(next)),
    update: (f) =>
      inTurn(
        Effect.flatMap(
          record,
          Effect.transposeMapOption((known) => put(f(known)))
        )
      ),
    confirm: lock.confirm,
    remove,
    complete: () => remove
  }
  return session
})

const isJournalId = Schema.is(JournalId)

const byCreation = Order.mapInput(Order.number, (record: JournalRecord) => record.createdAtMillis)

/** The name of a record that was set aside, and when. */
interface SetAside {
  readonly name: string
  readonly id: JournalId
  readonly atMillis: number
}

const setAsideName = (id: JournalId, atMillis: number) => `${id}.corrupt-${atMillis}`

const parseSetAside = (name: string): Option.Option<SetAside> => {
  const [, id, at] = /^([0-9a-f]{32})\.corrupt-(\d+)$/.exec(name) ?? []
  return isJournalId(id) ? Option.some({ name, id, atMillis: Number(at) }) : Option.none()
}

const describeSetAside = (store: JournalStore, { id, name, atMillis }: SetAside): JournalCorrupt =>
  new JournalCorrupt({
    id,
    keptAt: store.locate(name),
    reason: "SetAside",
    detail: `it was set aside ${DateTime.make(atMillis).pipe(
      Option.match({ onNone: () => "before", onSome: (at) => `at ${DateTime.formatIso(at)}` })
    )}`
  })

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
import { releasedOnFailure } from "./scopes.ts"
import type { JournalLock, JournalStore } from "./store.ts"

export const defaultRetention = Duration.days(7)

const isJournalId = Schema.is(JournalId)

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

const byCreation = Order.mapInput(Order.number, (record: JournalRecord) => record.createdAtMillis)

const makeSession = (
  store: JournalStore,
  lock: JournalLock,
  id: JournalId,
  found: Option.Option<JournalRecord>
): Effect.Effect<JournalSession> =>
  Effect.gen(function* () {
    const state = yield* Ref.make(found)
    const turn = yield* Effect.makeSemaphore(1)
    const inTurn = <A, E>(effect: Effect.Effect<A, E>) => turn.withPermits(1)(Effect.uninterruptible(effect))

    const record = Effect.zipWith(Ref.get(state), Clock.currentTimeMillis, (current, now) =>
      Option.map(current, (known) => withoutExpiredUpload(known, now))
    )

    const put = (next: JournalRecord) =>
      Effect.gen(function* () {
        if (next.id !== id) return yield* Effect.dieMessage(`Record ${next.id} was saved to upload ${id}`)
        const stamped = { ...next, updatedAtMillis: yield* Clock.currentTimeMillis }
        yield* lock.check
        yield* store.write(id, yield* encode(stamped))
        yield* Ref.set(state, Option.some(stamped))
      })

    return {
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
      remove: inTurn(
        lock.check.pipe(Effect.zipRight(store.remove(id)), Effect.zipRight(Ref.set(state, Option.none())))
      )
    }
  })

/** The journal over any store of texts. */
export const makeJournal = (store: JournalStore): UploadJournal["Type"] => {
  const get = (id: JournalId) =>
    Effect.flatMap(
      store.read(id),
      Effect.transposeMapOption((text) =>
        Effect.mapError(
          decode(id, text),
          (why) => new JournalCorrupt({ id, keptAt: store.locate(id), ...why })
        )
      )
    )

  const freeName = (id: JournalId, atMillis: number): Effect.Effect<string, JournalUnavailable> =>
    Effect.flatMap(
      store.read(setAsideName(id, atMillis)),
      Option.match({
        onNone: () => Effect.succeed(setAsideName(id, atMillis)),
        onSome: () => freeName(id, atMillis + 1)
      })
    )

  const setAside = ({ id, reason, detail }: JournalCorrupt) =>
    Effect.gen(function* () {
      const name = yield* freeName(id, yield* Clock.currentTimeMillis)
      yield* store.move(id, name)
      return yield* new JournalCorrupt({ id, reason, detail, keptAt: store.locate(name) })
    }).pipe(Effect.uninterruptible)

  const open = (key: JournalKey) =>
    Effect.gen(function* () {
      const id = journalId(key)
      const lock = yield* store.lock(id, key.extensionId)
      const found = yield* Effect.catchTag(get(id), "JournalCorrupt", setAside)
      return yield* makeSession(store, lock, id, found)
    }).pipe(releasedOnFailure)

  const entry = (id: JournalId) =>
    get(id).pipe(
      Effect.map(Option.map((record) => Either.right(record))),
      Effect.catchTag("JournalCorrupt", (corrupt) => Effect.succeedSome(Either.left(corrupt)))
    )

  const list = Effect.gen(function* () {
    const names = yield* store.names
    const entries = yield* Effect.forEach(names.filter(isJournalId), entry)
    const [corrupt, records] = Arr.separate(Arr.getSomes(entries))
    const setAside = Arr.filterMap(names, parseSetAside)
    return {
      records: Arr.sort(records, byCreation),
      corrupt: [...corrupt, ...setAside.map((kept) => describeSetAside(store, kept))]
    }
  })

  /** Runs `f` on the record as it is under its lock, if there is one and nobody works on it. */
  const whenIdle = <A>(
    { id, extensionId }: JournalRecord,
    f: (current: JournalRecord) => Effect.Effect<Option.Option<A>, JournalUnavailable>
  ): Effect.Effect<Option.Option<A>, JournalUnavailable> =>
    Effect.scoped(
      Effect.zipRight(
        store.lock(id, extensionId),
        Effect.flatMap(get(id), Option.match({ onNone: () => Effect.succeedNone, onSome: f }))
      )
    ).pipe(
      Effect.catchTags({ JournalLocked: () => Effect.succeedNone, JournalCorrupt: () => Effect.succeedNone })
    )

  const expire = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const { records } = yield* list
    const due = records.filter((record) => isUploadExpired(record, now))
    const expired = yield* Effect.forEach(due, (record) =>
      whenIdle(record, (current) =>
        Effect.gen(function* () {
          if (!isUploadExpired(current, now)) return Option.none()
          const without = withoutExpiredUpload(current, now)
          yield* store.write(current.id, yield* encode(without))
          return Option.some(without)
        })
      )
    )
    return Arr.getSomes(expired)
  })

  const pruneRecords = (isOld: (atMillis: number) => boolean) =>
    Effect.gen(function* () {
      const { records } = yield* list
      const old = records.filter((record) => isOld(record.updatedAtMillis))
      const pruned = yield* Effect.forEach(old, (record) =>
        whenIdle(record, (current) =>
          isOld(current.updatedAtMillis)
            ? Effect.as(store.remove(current.id), Option.some(current.id))
            : Effect.succeedNone
        )
      )
      return Arr.getSomes(pruned)
    })

  const pruneSetAside = (isOld: (atMillis: number) => boolean) =>
    Effect.gen(function* () {
      const old = Arr.filterMap(yield* store.names, parseSetAside).filter((kept) => isOld(kept.atMillis))
      yield* Effect.forEach(old, (kept) => store.remove(kept.name), { discard: true })
      return old.map((kept) => kept.id)
    })

  const prune = (retention: Duration.DurationInput = defaultRetention) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const isOld = (atMillis: number) => now - atMillis > Duration.toMillis(retention)
      return [...(yield* pruneRecords(isOld)), ...(yield* pruneSetAside(isOld))]
    })

  const remove = (id: JournalId) =>
    Effect.flatMap(
      store.read(id),
      Effect.transposeMapOption((text) =>
        Effect.gen(function* () {
          const record = yield* Effect.option(decode(id, text))
          yield* store.lock(id, Option.getOrUndefined(record)?.extensionId)
          yield* store.remove(id)
        })
      )
    ).pipe(Effect.scoped, Effect.asVoid)

  return { open, get, list, remove, expire, prune }
}

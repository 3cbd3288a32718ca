import type { PlatformError } from "@effect/platform/Error"
import type { KeyValueStore } from "@effect/platform/KeyValueStore"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { JournalLocked } from "../JournalError.ts"
import type { JournalId } from "../JournalRecord.ts"
import { heartbeatMillis, isGone, JournalOwner, lockedBy, makeOwner, staleAfterMillis } from "./owner.ts"

/** A lock that others can see. It lapses when its owner no longer renews it. */
const Lease = Schema.Struct({ owner: JournalOwner, renewedAtMillis: Schema.Int })
interface Lease extends Schema.Schema.Type<typeof Lease> {}

const LeaseJson = Schema.parseJson(Lease)
const decodeLease = Schema.decode(LeaseJson)
const encodeLease = Schema.encodeSync(LeaseJson)

/** A store that writes in place shows another process half a lease for a moment; one that stays so is nobody's. */
const untilWhole = Schedule.intersect(Schedule.spaced(50), Schedule.recurs(3))

const isFresh = (lease: Lease): Effect.Effect<boolean> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    now - lease.renewedAtMillis >= staleAfterMillis
      ? Effect.succeed(false)
      : Effect.map(isGone(lease.owner), (gone) => !gone)
  )

export interface HeldLease {
  /** Whoever the store says holds it: us, unless we were taken for dead. */
  readonly holder: Effect.Effect<Option.Option<"Us" | JournalLocked>, PlatformError>
}

export type HoldLease = (
  id: JournalId,
  extensionId: string | undefined
) => Effect.Effect<HeldLease, JournalLocked | PlatformError, Scope.Scope>

/** Leases in one store, held until their scope closes. */
export const makeLeases = (kv: KeyValueStore): Effect.Effect<HoldLease> =>
  Effect.gen(function* () {
    // Between reading a lease and writing one no other fiber may come in, and none may see a write half done.
    const turn = yield* Effect.makeSemaphore(1)
    // A fiber of this process is alive however long the machine slept.
    const heldHere = new Set<string>()

    const read = (key: string) =>
      Effect.flatMap(kv.get(key), Effect.transposeMapOption(decodeLease)).pipe(
        Effect.retry({ schedule: untilWhole, while: (error) => error._tag === "ParseError" }),
        Effect.catchTag("ParseError", () => Effect.succeedNone)
      )

    const write = (key: string, owner: JournalOwner) =>
      Effect.flatMap(Clock.currentTimeMillis, (renewedAtMillis) =>
        kv.set(key, encodeLease({ owner, renewedAtMillis }))
      )

    const acquire = (id: JournalId, key: string, owner: JournalOwner) =>
      Effect.gen(function* () {
        const lease = Option.getOrUndefined(yield* read(key))
        if (lease !== undefined && (heldHere.has(lease.owner.token) || (yield* isFresh(lease)))) {
          return yield* lockedBy(id, lease.owner)
        }
        yield* write(key, owner)
        heldHere.add(owner.token)
      })

    return (id, extensionId) =>
      Effect.gen(function* () {
        const key = `${id}.lock`
        const owner = yield* makeOwner(extensionId)
        const isOurs = (lease: Lease) => lease.owner.token === owner.token
        const ifOurs = (effect: Effect.Effect<void, PlatformError>) =>
          Effect.flatMap(read(key), (lease) => (Option.exists(lease, isOurs) ? effect : Effect.void)).pipe(
            turn.withPermits(1),
            Effect.ignore
          )

        yield* Effect.acquireRelease(turn.withPermits(1)(acquire(id, key, owner)), () =>
          Effect.zipRight(
            ifOurs(kv.remove(key)),
            Effect.sync(() => heldHere.delete(owner.token))
          )
        )
        // A renewal that was begun is finished: cut off, it could land after the lease was given back.
        yield* Effect.uninterruptible(ifOurs(write(key, owner))).pipe(
          Effect.schedule(Schedule.spaced(heartbeatMillis)),
          Effect.interruptible,
          Effect.forkScoped
        )
        const describe = (lease: Lease) => (isOurs(lease) ? "Us" : lockedBy(id, lease.owner))
        return { holder: turn.withPermits(1)(Effect.map(read(key), Option.map(describe))) }
      }).pipe(Effect.uninterruptible)
  })

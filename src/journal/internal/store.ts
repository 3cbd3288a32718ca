import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { type JournalLocked, JournalUnavailable } from "../JournalError.ts"
import type { JournalId } from "../JournalRecord.ts"

/**
 * Where records are kept, as named texts. A record is named by its id; one that was set aside has a longer name.
 */
export interface JournalStore {
  /** Held until the scope closes. */
  readonly lock: (
    id: JournalId,
    extensionId: Option.Option<string>
  ) => Effect.Effect<JournalLock, JournalLocked | JournalUnavailable, Scope.Scope>
  /** What `lock` would fail with. Reads only, and judges the living by this machine's clock. */
  readonly lockedBy: (id: JournalId) => Effect.Effect<Option.Option<JournalLocked>, JournalUnavailable>
  /** The uploads that may be locked, those without a record included where the store can list its locks. */
  readonly lockable: Effect.Effect<ReadonlyArray<JournalId>, JournalUnavailable>
  readonly names: Effect.Effect<ReadonlyArray<string>, JournalUnavailable>
  readonly read: (name: string) => Effect.Effect<Option.Option<string>, JournalUnavailable>
  /** All or nothing: after a failure, and after a crash, the text that was there before is still whole. */
  readonly write: (name: string, text: string) => Effect.Effect<void, JournalUnavailable>
  readonly move: (from: string, to: string) => Effect.Effect<void, JournalUnavailable>
  /** Does nothing where there is nothing. */
  readonly remove: (name: string) => Effect.Effect<void, JournalUnavailable>
  /** Removes a record that is still this text, and that nobody is at work on. */
  readonly removeExactly: (id: JournalId, text: string) => Effect.Effect<void, JournalUnavailable>
  /** How a person finds what has that name. */
  readonly locate: (name: string) => string
}

/** `removeExactly` where the store cannot compare and remove at once. */
export const removeUnderLock =
  ({ lock, read, remove }: Pick<JournalStore, "lock" | "read" | "remove">): JournalStore["removeExactly"] =>
  (id, text) =>
    Effect.zipRight(lock(id, Option.none()), read(id)).pipe(
      Effect.flatMap((now) => Effect.when(remove(id), () => Option.contains(now, text))),
      Effect.scoped,
      Effect.catchTag("JournalLocked", () => Effect.void),
      Effect.asVoid
    )

export interface JournalLock {
  /** Fails when the lock is no longer ours: we were taken for dead, and somebody else may be at work. */
  readonly check: Effect.Effect<void, JournalLocked | JournalUnavailable>
  /** The same at this very moment, and for a while from now on: nobody is about to take us for dead. */
  readonly confirm: Effect.Effect<void, JournalLocked | JournalUnavailable>
  /** Writes the record of the lock as `JournalStore.write` does, unless `check` fails. */
  readonly write: (text: string) => Effect.Effect<void, JournalLocked | JournalUnavailable>
}

/** Whoever a lock says holds it. */
export interface Holder {
  readonly token: string
  readonly locked: JournalLocked
}

export const checkHeldBy = (
  token: string,
  location: string,
  holder: Effect.Effect<Option.Option<Holder>, JournalUnavailable>
): JournalLock["check"] =>
  Effect.flatMap(
    holder,
    Option.match({
      onNone: (): JournalLock["check"] => Effect.fail(lockLost(location)),
      onSome: (found) => (found.token === token ? Effect.void : Effect.fail(found.locked))
    })
  )

const lockLost = (location: string): JournalUnavailable =>
  new JournalUnavailable({ location, operation: "write", reason: "LockLost", detail: "the lock is gone" })

/** What a failed acquisition took is given back at once, not when the caller's scope happens to close. */
export const releasedOnFailure = <A, E, R>(acquisition: Effect.Effect<A, E, R>) =>
  Effect.uninterruptibleMask(
    Effect.fnUntraced(function* (restore) {
      const outer = yield* Effect.scope
      const scope = yield* Scope.fork(outer, outer.strategy)
      return yield* restore(Scope.extend(acquisition, scope)).pipe(
        Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
      )
    })
  )

import type * as PlatformError from "@effect/platform/Error"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import { type JournalLocked, type JournalOperation, JournalUnavailable } from "../JournalError.ts"
import type { JournalId } from "../JournalRecord.ts"

export interface JournalLock {
  /** Fails when the lock is no longer ours: we were taken for dead, and somebody else may be at work. */
  readonly check: Effect.Effect<void, JournalLocked | JournalUnavailable>
}

/**
 * Where records are kept, as named texts. A record is named by its id; one that was set aside has a longer name.
 */
export interface JournalStore {
  /** Held until the scope closes. */
  readonly lock: (
    id: JournalId,
    extensionId: string | undefined
  ) => Effect.Effect<JournalLock, JournalLocked | JournalUnavailable, Scope.Scope>
  readonly names: Effect.Effect<ReadonlyArray<string>, JournalUnavailable>
  readonly read: (name: string) => Effect.Effect<Option.Option<string>, JournalUnavailable>
  /** All or nothing: after a failure, and after a crash, the text that was there before is still whole. */
  readonly write: (name: string, text: string) => Effect.Effect<void, JournalUnavailable>
  readonly move: (from: string, to: string) => Effect.Effect<void, JournalUnavailable>
  /** Does nothing where there is nothing. */
  readonly remove: (name: string) => Effect.Effect<void, JournalUnavailable>
  /** How a person finds what has that name. */
  readonly locate: (name: string) => string
}

const reasonOf = (cause: unknown): JournalUnavailable["reason"] => {
  if (Predicate.hasProperty(cause, "name") && cause.name === "NotCapable") return "PermissionDenied"
  switch (Predicate.hasProperty(cause, "code") ? cause.code : undefined) {
    case "EACCES":
    case "EPERM":
      return "PermissionDenied"
    case "EROFS":
      return "ReadOnly"
    case "ENOSPC":
    case "EDQUOT":
      return "DiskFull"
    case "ENOTDIR":
    case "EEXIST":
      return "NotAFolder"
    default:
      return "Failed"
  }
}

export const unavailable =
  (location: string, operation: JournalOperation) =>
  (error: PlatformError.PlatformError): JournalUnavailable =>
    new JournalUnavailable({
      location,
      operation,
      reason: reasonOf(error.cause),
      detail: error.description ?? error.message
    })

/** What a lock's holder, asked for anew, means for those who took it. */
export const checkOf = (
  location: string,
  holder: Effect.Effect<Option.Option<"Us" | JournalLocked>, JournalUnavailable>
): JournalLock["check"] =>
  Effect.flatMap(
    holder,
    Option.match({
      onNone: (): JournalLock["check"] => Effect.fail(lockLost(location)),
      onSome: (found) => (found === "Us" ? Effect.void : Effect.fail(found))
    })
  )

const lockLost = (location: string): JournalUnavailable =>
  new JournalUnavailable({ location, operation: "write", reason: "LockLost", detail: "the lock is gone" })

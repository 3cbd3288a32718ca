/** Who holds a lock, and whether they are still alive. */
import { randomBytes } from "node:crypto"
import { readFileSync, readlinkSync } from "node:fs"
import { hostname } from "node:os"
import process from "node:process"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { JournalLocked } from "../JournalError.ts"
import type { JournalId } from "../JournalRecord.ts"
import { Millis, optional } from "./schema.ts"

/** An owner renews its lock this often … */
export const heartbeat = Duration.seconds(5)

/** … and is taken for dead when it has not for this long. */
export const staleAfterMillis = 30_000

/** Who holds a lock. The token, not the pid, is its identity. */
export const JournalOwner = Schema.Struct({
  token: Schema.String.pipe(Schema.pattern(/^[0-9a-f]{32}$/)),
  extensionId: optional(Schema.String),
  pid: optional(Schema.Int),
  hostname: optional(Schema.String),
  /** Linux: a pid means something only inside its namespace, and containers may share a host's name. */
  pidNamespace: optional(Schema.String),
  acquiredAtMillis: Millis
})

export interface JournalOwner extends Schema.Schema.Type<typeof JournalOwner> {}

export const randomToken: Effect.Effect<string> = Effect.sync(() => randomBytes(16).toString("hex"))

export const makeOwner = Effect.fnUntraced(function* (extensionId: Option.Option<string>) {
  const owner: JournalOwner = {
    token: yield* randomToken,
    ...Option.match(extensionId, { onNone: () => ({}), onSome: (known) => ({ extensionId: known }) }),
    pid: process.pid,
    ...(yield* here),
    acquiredAtMillis: yield* Clock.currentTimeMillis
  }
  return owner
})

export const toLocked = (id: JournalId, owner: Omit<JournalOwner, "token" | "pidNamespace">): JournalLocked =>
  new JournalLocked({
    id,
    sinceMillis: owner.acquiredAtMillis,
    ...(owner.extensionId === undefined ? {} : { extensionId: owner.extensionId }),
    ...(owner.pid === undefined ? {} : { pid: owner.pid }),
    ...(owner.hostname === undefined ? {} : { hostname: owner.hostname })
  })

/**
 * Whether the owner is known to be dead without waiting for its silence: its pid, in our own namespace, is no running
 * process. A living pid proves nothing: it may have been given to somebody else.
 */
export const isGone = (owner: JournalOwner): Effect.Effect<boolean> =>
  Effect.flatMap(here, (place) =>
    owner.pid !== undefined &&
    owner.hostname !== undefined &&
    owner.hostname === place.hostname &&
    owner.pidNamespace === place.pidNamespace
      ? isNotRunning(owner.pid)
      : Effect.succeed(false)
  )

/** Tells whether a lock has shown the same `sign` of life for `staleAfterMillis`. */
export type IsSilent = (lock: string, sign: string) => Effect.Effect<boolean>

/**
 * Watches locks by this process's monotonic clock. The times that owners write are those of a wall clock: after it was
 * set back by an hour, a dead owner would look alive for an hour.
 */
export const makeIsSilent: Effect.Effect<IsSilent> = Effect.sync(() => {
  const seen = new Map<string, { readonly sign: string; readonly atNanos: bigint }>()
  return Effect.fnUntraced(function* (lock, sign) {
    const now = yield* Clock.currentTimeNanos
    const before = seen.get(lock)
    if (before?.sign === sign) return now - before.atNanos >= BigInt(staleAfterMillis) * 1_000_000n
    seen.set(lock, { sign, atNanos: now })
    return false
  })
})

// Deno asks the user for permission to learn the host's name or to look for a process. A journal is not worth a
// question: there the heartbeat alone tells the living from the dead.
const seesProcesses = !("Deno" in globalThis)

const readPidNamespace = Option.liftThrowable(() => readlinkSync("/proc/self/ns/pid"))

const here: Effect.Effect<{ readonly hostname?: string; readonly pidNamespace?: string }> = Effect.sync(() =>
  seesProcesses
    ? {
        hostname: hostname(),
        ...Option.match(readPidNamespace(), {
          onNone: () => ({}),
          onSome: (pidNamespace) => ({ pidNamespace })
        })
      }
    : {}
)

const isNotRunning = (pid: number): Effect.Effect<boolean> =>
  Effect.try(() => process.kill(pid, 0)).pipe(
    Effect.map(() => isZombie(pid)),
    Effect.catchAll(({ error }) =>
      Effect.succeed(Predicate.hasProperty(error, "code") && error.code === "ESRCH")
    )
  )

const readProcessState = Option.liftThrowable((pid: number) => readFileSync(`/proc/${pid}/stat`, "utf8"))

/** Ended, but not yet waited for by its parent: it still has its pid. Only Linux tells without another process. */
const isZombie = (pid: number): boolean =>
  // The name of the program stands in parentheses before the state, and may itself hold any of both.
  Option.exists(readProcessState(pid), (stat) => /^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2)))

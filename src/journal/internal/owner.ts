import { randomBytes } from "node:crypto"
import { readlinkSync } from "node:fs"
import { hostname } from "node:os"
import process from "node:process"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { JournalLocked } from "../JournalError.ts"
import type { JournalId } from "../JournalRecord.ts"

const optional = <A, I, R>(schema: Schema.Schema<A, I, R>) => Schema.optionalWith(schema, { exact: true })

/** An owner renews its lock this often … */
export const heartbeatMillis = 5_000

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
  acquiredAtMillis: Schema.Int.pipe(Schema.between(0, 8.64e15))
})

export interface JournalOwner extends Schema.Schema.Type<typeof JournalOwner> {}

export const randomToken: Effect.Effect<string> = Effect.sync(() => randomBytes(16).toString("hex"))

type Place = Pick<JournalOwner, "hostname" | "pidNamespace">

const readPidNamespace = Option.liftThrowable(() => readlinkSync("/proc/self/ns/pid"))

// Deno asks the user for permission to learn the host's name or to look for a process. Nobody should have to answer that
// for a journal: there the heartbeat alone tells the living from the dead.
const seesProcesses = !("Deno" in globalThis)

const here: Effect.Effect<Place> = Effect.sync(() =>
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

export const makeOwner = (extensionId: string | undefined): Effect.Effect<JournalOwner> =>
  Effect.map(Effect.all([randomToken, here, Clock.currentTimeMillis]), ([token, place, now]) => ({
    token,
    ...(extensionId === undefined ? {} : { extensionId }),
    pid: process.pid,
    ...place,
    acquiredAtMillis: now
  }))

const noSuchProcess = (pid: number): Effect.Effect<boolean> =>
  Effect.try(() => process.kill(pid, 0)).pipe(
    Effect.as(false),
    Effect.catchAll(({ error }) =>
      Effect.succeed(Predicate.hasProperty(error, "code") && error.code === "ESRCH")
    )
  )

/**
 * Whether the owner is known to be dead without waiting for its silence: its pid, in our own namespace, is no process.
 * A living pid proves nothing, it may have been given to somebody else.
 */
export const isGone = (owner: JournalOwner): Effect.Effect<boolean> =>
  Effect.flatMap(here, (place) =>
    owner.pid !== undefined &&
    owner.hostname !== undefined &&
    owner.hostname === place.hostname &&
    owner.pidNamespace === place.pidNamespace
      ? noSuchProcess(owner.pid)
      : Effect.succeed(false)
  )

export const lockedBy = (id: JournalId, owner: Omit<JournalOwner, "token" | "pidNamespace">): JournalLocked =>
  new JournalLocked({
    id,
    sinceMillis: owner.acquiredAtMillis,
    ...(owner.extensionId === undefined ? {} : { extensionId: owner.extensionId }),
    ...(owner.pid === undefined ? {} : { pid: owner.pid }),
    ...(owner.hostname === undefined ? {} : { hostname: owner.hostname })
  })

/**
 * How many archives the runners of one database send at once, all together. A slot is a row that expires unless it is renewed, so
 * that of a runner that was killed is free again, and so is a place in the queue for one.
 */
import type * as SqlClient from "@effect/sql/SqlClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"

/** For one transfer, again and again. */
export interface SharedSlot {
  /** Waits for its turn, however long the database is away. */
  readonly take: Effect.Effect<void>
  readonly release: Effect.Effect<void>
}

/** Where nothing is shared. */
export const noSharedSlot: SharedSlot = { take: Effect.void, release: Effect.void }

/** A semaphore, as far as a transfer goes. */
export type Slots = Pick<Effect.Semaphore, "release" | "take">

/** One of the process's own first: who waits for that one holds up nobody elsewhere. */
export const bothOf = (own: Slots, shared: SharedSlot): Slots => ({
  take: (permits) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.tap(restore(own.take(permits)), () =>
        Effect.onError(restore(shared.take), () => own.release(permits))
      )
    ),
  release: (permits) => Effect.zipRight(shared.release, own.release(permits))
})

export const makeSlotTable = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  yield* sql`CREATE TABLE IF NOT EXISTS release_slots (
    token VARCHAR(36) PRIMARY KEY, place BIGINT NOT NULL, slot INTEGER, renewed_at BIGINT NOT NULL
  )`
  // No two have the same one, whatever statements come to it at once.
  yield* sql`CREATE UNIQUE INDEX IF NOT EXISTS release_slots_taken ON release_slots (slot)`
})

/** How often a waiting transfer asks. */
const askEvery = Duration.seconds(1)

/** A statement that is not answered within this time is taken for lost. */
const answerLimit = "10 seconds"

const releaseLimit = "1 second"

interface Row {
  readonly token: string
  readonly slot: number | bigint | null
}

/** The slot that is due to whoever has this token, if one is. In the order in which they came. */
const slotFor = (rows: ReadonlyArray<Row>, token: string, atOnce: number): number | undefined => {
  const taken = new Set(rows.flatMap(({ slot }) => (slot === null ? [] : [Number(slot)])))
  const free = Array.from({ length: atOnce }, (_, index) => index + 1).filter((slot) => !taken.has(slot))
  const ahead = rows.filter(({ slot }) => slot === null).findIndex((row) => row.token === token)
  return ahead + taken.size < atOnce ? free[ahead] : undefined
}

/** `now` is the time by the clock of the database, in milliseconds. */
export const makeSharedSlot = (
  sql: SqlClient.SqlClient,
  options: { readonly atOnce: number; readonly lease: Duration.Duration; readonly now: string }
): Effect.Effect<SharedSlot> =>
  Effect.sync(() => {
    const { atOnce, lease } = options
    const token = crypto.randomUUID()
    const now = sql.literal(options.now)
    const expired = sql.literal(`${options.now} - ${Math.round(Duration.toMillis(lease))}`)
    const often = Duration.times(lease, 1 / 5)
    let renewing: Fiber.Fiber<unknown> = Fiber.void

    const ask = Effect.gen(function* () {
      yield* sql`DELETE FROM release_slots WHERE renewed_at <= ${expired}`
      yield* sql`INSERT INTO release_slots (token, place, renewed_at)
        SELECT ${token}, COALESCE(MAX(place), 0) + 1, ${now} FROM release_slots WHERE 1 = 1
        ON CONFLICT (token) DO UPDATE SET renewed_at = excluded.renewed_at`
      const rows = yield* sql<Row>`SELECT token, slot FROM release_slots ORDER BY place, token`
      // The answer to an earlier statement may have been lost.
      if (rows.some((row) => row.token === token && row.slot !== null)) return true
      const slot = slotFor(rows, token, atOnce)
      if (slot === undefined) return false
      const taken = sql`UPDATE release_slots SET slot = ${slot} WHERE token = ${token} RETURNING token`
      // Whoever comes to the index second waits for the next one.
      return (yield* Effect.orElseSucceed(taken, () => [])).length > 0
    })

    const renew = sql`UPDATE release_slots SET renewed_at = ${now} WHERE token = ${token}`.pipe(
      Effect.disconnect,
      Effect.timeout(often),
      Effect.ignore,
      Effect.repeat(Schedule.spaced(often))
    )

    const leave = Effect.suspend(() => Fiber.interruptFork(renewing)).pipe(
      Effect.zipRight(Effect.disconnect(sql`DELETE FROM release_slots WHERE token = ${token}`)),
      Effect.interruptible,
      Effect.timeout(releaseLimit),
      Effect.ignore
    )

    return {
      take: Effect.disconnect(ask).pipe(
        Effect.timeout(answerLimit),
        Effect.orElseSucceed(() => false),
        Effect.repeat({
          until: (isTaken) => isTaken,
          schedule: Schedule.spaced(Duration.min(askEvery, often))
        }),
        Effect.zipRight(Effect.forkDaemon(renew)),
        Effect.flatMap((fiber) =>
          Effect.sync(() => {
            renewing = fiber
          })
        ),
        Effect.onInterrupt(() => leave)
      ),
      release: leave
    }
  })

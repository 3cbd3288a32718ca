/** The same in the tables of an engine's database, written in batches, by whoever has something to tell. */
import { PersistenceError } from "@effect/cluster/ClusterError"
import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type { Fragment } from "@effect/sql/Statement"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { ReleasePayload } from "../ReleasePayload.ts"
import { Decision } from "../ReleaseReceipt.ts"
import {
  endedStates,
  ReleaseFailure,
  type ReleaseFilter,
  ReleaseState,
  type ReleaseSummary,
  StepFacts,
  StepRecord,
  WaitsFor
} from "../ReleaseRecord.ts"
import { ReleaseTarget } from "../ReleaseTarget.ts"
import { toUnavailable } from "./engine.ts"
import { type Change, type Records, readCursor, stateOfWait, summaryOf, waitKey } from "./records.ts"

export const makeRecordTables = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  yield* sql`CREATE TABLE IF NOT EXISTS release_list (
    execution_id VARCHAR(64) PRIMARY KEY, release_id TEXT NOT NULL, attempt INTEGER NOT NULL,
    extension TEXT NOT NULL, extension_id TEXT, extension_name TEXT, sha256 VARCHAR(64) NOT NULL,
    hold_for_approval INTEGER NOT NULL, state VARCHAR(10) NOT NULL, wait_key TEXT, waits_for TEXT, failure TEXT,
    decision TEXT, runner TEXT, payload TEXT NOT NULL, submitted_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
  )`
  yield* sql`CREATE INDEX IF NOT EXISTS release_list_newest ON release_list (submitted_at, execution_id)`
  yield* sql`CREATE INDEX IF NOT EXISTS release_list_state ON release_list (state, submitted_at, execution_id)`
  yield* sql`CREATE INDEX IF NOT EXISTS release_list_extension ON release_list (extension_id)`
  yield* sql`CREATE INDEX IF NOT EXISTS release_list_name ON release_list (extension_name)`
  yield* sql`CREATE INDEX IF NOT EXISTS release_list_release ON release_list (release_id)`
  yield* sql`CREATE TABLE IF NOT EXISTS release_steps (
    execution_id VARCHAR(64) NOT NULL, step VARCHAR(100) NOT NULL, attempt INTEGER NOT NULL,
    state VARCHAR(11) NOT NULL, runner TEXT NOT NULL, started_at BIGINT NOT NULL, ended_at BIGINT,
    failure TEXT, facts TEXT, PRIMARY KEY (execution_id, step, attempt)
  )`
})

/** Numbers as the drivers give them: PostgreSQL's as text, SQLite's as what can hold the cluster's ids. */
const Whole = Schema.transform(
  Schema.Union(Schema.Number, Schema.BigIntFromSelf, Schema.String),
  Schema.Number,
  { strict: true, decode: Number, encode: (value) => value }
)

/** What another version has written in a way of its own is left out. */
const jsonOrNull = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.NullOr(
    Schema.parseJson(Schema.NullOr(schema)).annotations({
      decodingFallback: () => Effect.succeed(null)
    })
  )

const Row = Schema.Struct({
  execution_id: Schema.String,
  release_id: Schema.String,
  attempt: Whole,
  extension: Schema.parseJson(ReleaseTarget),
  extension_id: Schema.NullOr(Schema.String),
  sha256: Schema.String,
  hold_for_approval: Whole,
  state: ReleaseState,
  waits_for: jsonOrNull(WaitsFor),
  failure: jsonOrNull(ReleaseFailure),
  decision: jsonOrNull(Decision),
  runner: Schema.NullOr(Schema.String),
  submitted_at: Whole,
  updated_at: Whole
})

const StepRow = Schema.Struct({
  step: Schema.String,
  attempt: Whole,
  state: StepRecord.fields.state,
  runner: Schema.String,
  started_at: Whole,
  ended_at: Schema.NullOr(Whole),
  failure: jsonOrNull(ReleaseFailure),
  facts: jsonOrNull(StepFacts)
})

const decodeRows = Schema.decodeUnknown(Schema.Array(Row))
const decodeStepRows = Schema.decodeUnknown(Schema.Array(StepRow))

const columns = Object.keys(Row.fields).join(", ")

const PayloadRow = Schema.Struct({ payload: Schema.parseJson(ReleasePayload) })
const decodePayloads = Schema.decodeUnknown(Schema.Array(PayloadRow))

const encodePayload = Schema.encodeSync(Schema.parseJson(ReleasePayload))
const encodeTarget = Schema.encodeSync(Schema.parseJson(ReleaseTarget))
const encodeWait = Schema.encodeSync(Schema.parseJson(WaitsFor))
const encodeFailure = Schema.encodeSync(Schema.parseJson(ReleaseFailure))
const encodeDecision = Schema.encodeSync(Schema.parseJson(Decision))
const encodeFacts = Schema.encodeSync(Schema.parseJson(StepFacts))

const summary = (row: typeof Row.Type): ReleaseSummary => ({
  executionId: row.execution_id,
  releaseId: row.release_id,
  attempt: row.attempt,
  extension: row.extension,
  extensionId: row.extension_id,
  sha256: row.sha256,
  holdForApproval: row.hold_for_approval !== 0,
  state: row.state,
  waitsFor: row.state === "waiting" || row.state === "held" ? row.waits_for : null,
  failure: row.failure,
  decision: row.decision,
  runner: row.runner,
  submittedAtMillis: row.submitted_at,
  updatedAtMillis: row.updated_at
})

const record = (row: typeof StepRow.Type): StepRecord => ({
  step: row.step,
  attempt: row.attempt,
  state: row.state,
  runner: row.runner,
  startedAtMillis: row.started_at,
  endedAtMillis: row.ended_at,
  failure: row.failure,
  facts: row.facts
})

type Move = Extract<Change, { readonly _tag: "Waits" | "Ended" }> | { _tag: "Runs"; atMillis: number }
type Step = Extract<Change, { readonly _tag: "Step" }>

/** What is to be written about one release: of several changes of the same thing the last one. */
interface News {
  readonly payload?: ReleasePayload
  readonly move?: Move
  readonly extensionId?: string
  readonly decision?: Decision
}

interface StepNews {
  readonly executionId: string
  readonly step: Step
  /** Whether it began since the last writing: then it takes the place of whatever is there. */
  readonly isNew: boolean
}

const newsOf = (change: Exclude<Change, Step>): News => {
  switch (change._tag) {
    case "Begun":
      return { payload: change.payload, move: { _tag: "Runs", atMillis: change.atMillis } }
    case "Found":
      return { extensionId: change.extensionId }
    case "Decided":
      return { decision: change.decision }
    default:
      return { move: change }
  }
}

/** So long news are collected: a small release is over by then, and written once instead of step by step. */
const collecting = "250 millis"

const batchSize = 200

/** `now` is the time by the clock of the database, `runner` whoever writes. */
export const makeRecords = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  { now, resource, runner }: { readonly now: Fragment; readonly resource: string; readonly runner: string }
): Effect.fn.Return<Records, never, Scope.Scope> {
  const releases = new Map<string, News>()
  const steps = new Map<string, StepNews>()
  const signal = yield* Queue.sliding<void>(1)
  const writing = yield* Effect.makeSemaphore(1)
  const ended = sql.in(endedStates)

  const insert = (executionId: string, payload: ReleasePayload) => {
    const { extension, extensionId, state, ...release } = summaryOf(executionId, payload, 0)
    const name = extension._tag === "Named" ? extension.name : null
    return sql`INSERT INTO release_list (
        execution_id, release_id, attempt, extension, extension_id, extension_name, sha256, hold_for_approval, state,
        payload, submitted_at, updated_at
      ) VALUES (
        ${executionId}, ${release.releaseId}, ${release.attempt}, ${encodeTarget(extension)}, ${extensionId}, ${name},
        ${release.sha256}, ${release.holdForApproval ? 1 : 0}, ${state},
        ${encodePayload(payload)}, ${now}, ${now}
      ) ON CONFLICT (execution_id) DO NOTHING`
  }

  /** A release that has ended stays as it is. */
  const unlessEnded = (column: string, value: Fragment) =>
    sql`${sql(column)} = CASE WHEN state IN ${ended} THEN ${sql(column)} ELSE ${value} END`

  const movedTo = (state: ReleaseState, atMillis: number) => [
    unlessEnded("state", sql`${state}`),
    unlessEnded("updated_at", sql`${atMillis}`)
  ]

  const changesOf = (move: Move): ReadonlyArray<Fragment> => {
    switch (move._tag) {
      case "Runs":
        return [...movedTo("running", move.atMillis), unlessEnded("runner", sql`${runner}`)]
      case "Waits": {
        const key = waitKey(move.waitsFor)
        const waitsFor = sql`CASE WHEN wait_key = ${key} THEN waits_for ELSE ${encodeWait(move.waitsFor)} END`
        return [
          ...movedTo(stateOfWait(move.waitsFor), move.atMillis),
          unlessEnded("waits_for", waitsFor),
          unlessEnded("wait_key", sql`${key}`)
        ]
      }
      case "Ended": {
        const failure = move.failure === null ? null : encodeFailure(move.failure)
        return [...movedTo(move.state, move.atMillis), unlessEnded("failure", sql`${failure}`)]
      }
    }
  }

  /** One statement for each release, unless nobody has told of it when it was submitted. */
  const writeRelease = Effect.fnUntraced(function* (executionId: string, news: News) {
    const { decision, extensionId, move, payload } = news
    const changes = [
      ...(extensionId === undefined ? [] : [sql`extension_id = ${extensionId}`]),
      ...(decision === undefined ? [] : [sql`decision = ${encodeDecision(decision)}`]),
      ...(move === undefined ? [] : changesOf(move))
    ]
    const update =
      changes.length === 0
        ? Effect.succeed([])
        : sql`UPDATE release_list SET ${sql.csv(changes)} WHERE execution_id = ${executionId} RETURNING execution_id`
    const updated = yield* update
    if (updated.length > 0 || payload === undefined) return
    yield* insert(executionId, payload)
    yield* update
  })

  const writeSteps = (news: ReadonlyArray<StepNews>, where: Fragment) =>
    news.length === 0
      ? Effect.void
      : sql`INSERT INTO release_steps ${sql.insert(
          news.map(({ executionId, step }) => ({
            execution_id: executionId,
            step: step.step,
            attempt: step.attempt,
            state: step.state,
            runner,
            started_at: step.startedAtMillis,
            ended_at: step.endedAtMillis,
            failure: step.failure === null ? null : encodeFailure(step.failure),
            facts: step.facts === null ? null : encodeFacts(step.facts)
          }))
        )} ON CONFLICT (execution_id, step, attempt) DO UPDATE SET
          state = excluded.state, runner = excluded.runner, started_at = excluded.started_at,
          ended_at = excluded.ended_at, failure = excluded.failure, facts = excluded.facts ${where}`

  const writeBatch = Effect.fnUntraced(function* () {
    const someReleases = [...releases].slice(0, batchSize)
    const someSteps = [...steps].slice(0, batchSize)
    if (someReleases.length + someSteps.length === 0) return
    const write = Effect.gen(function* () {
      // Always in this order: two runners that write about the same releases must not wait for each other.
      const sorted = someReleases.toSorted(([a], [b]) => (a < b ? -1 : 1))
      yield* Effect.forEach(sorted, ([executionId, news]) => writeRelease(executionId, news), {
        discard: true
      })
      const inOrder = someSteps.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, news]) => news)
      yield* writeSteps(
        inOrder.filter(({ isNew }) => isNew),
        sql.literal("")
      )
      // The late end of a step that another runner has taken up since is not news.
      yield* writeSteps(
        inOrder.filter(({ isNew }) => !isNew),
        sql`WHERE release_steps.runner = excluded.runner AND release_steps.started_at = excluded.started_at`
      )
    })
    yield* sql.withTransaction(write)
    for (const [key, news] of someReleases) if (releases.get(key) === news) releases.delete(key)
    for (const [key, news] of someSteps) if (steps.get(key) === news) steps.delete(key)
  })

  /** What there is now. What is noted meanwhile has its own signal. */
  const writeAll = Effect.suspend(() =>
    Effect.repeatN(writeBatch(), Math.floor(Math.max(releases.size, steps.size) / batchSize))
  ).pipe(Effect.uninterruptible, writing.withPermits(1))

  /** A connection that was cut off does not say so for a long time: whoever waits is let go, and it is left to itself. */
  const flush = (limit: Duration.DurationInput) => Effect.disconnect(writeAll).pipe(Effect.timeout(limit))

  const note = (executionId: string, change: Change): void => {
    if (change._tag !== "Step") {
      releases.set(executionId, { ...releases.get(executionId), ...newsOf(change) })
    } else {
      const key = `${executionId}/${change.step}/${change.attempt}`
      const isNew = change.state === "running" || steps.get(key)?.isNew === true
      steps.set(key, { executionId, step: change, isNew })
      if (change.state === "running") {
        const move: Move = { _tag: "Runs", atMillis: change.startedAtMillis }
        releases.set(executionId, { ...releases.get(executionId), move })
      }
    }
  }

  yield* Queue.take(signal).pipe(
    Effect.zipRight(Effect.sleep(collecting)),
    Effect.zipRight(flush("10 seconds")),
    Effect.catchAllCause((cause) =>
      Effect.logDebug("What happened to releases could not be noted yet.", cause).pipe(
        Effect.zipRight(Effect.sleep("1 second")),
        Effect.zipRight(Queue.offer(signal, undefined))
      )
    ),
    Effect.forever,
    Effect.forkScoped
  )
  yield* Effect.addFinalizer(() => Effect.ignore(Effect.interruptible(flush("1 second"))))

  const reading = <A, I extends object, E>(
    statement: Effect.Effect<ReadonlyArray<I>, SqlError>,
    decode: (rows: ReadonlyArray<I>) => Effect.Effect<A, E>
  ) =>
    // Whoever asks here is told of what was done here, too.
    Effect.ignore(flush("1 second")).pipe(
      Effect.zipRight(statement),
      Effect.flatMap(decode),
      Effect.mapError(toUnavailable(resource))
    )

  const conditions = (filter: ReleaseFilter): ReadonlyArray<Fragment> => {
    const { after, extension, states, submittedBeforeMillis, submittedSinceMillis } = filter
    const cursor = after === undefined ? undefined : readCursor(after)
    return [
      ...(states === undefined ? [] : [sql`state IN ${sql.in(states)}`]),
      ...(extension === undefined
        ? []
        : [sql`(extension_id = ${extension} OR extension_name = ${extension})`]),
      ...(submittedBeforeMillis === undefined ? [] : [sql`submitted_at < ${submittedBeforeMillis}`]),
      ...(submittedSinceMillis === undefined ? [] : [sql`submitted_at >= ${submittedSinceMillis}`]),
      ...(cursor === undefined
        ? []
        : [sql`(submitted_at, execution_id) < (${cursor.submittedAtMillis}, ${cursor.executionId})`])
    ]
  }

  const summaries = (rows: ReadonlyArray<object>) =>
    Effect.map(decodeRows(rows), (decoded) => decoded.map(summary))

  return {
    enter: (executionId, payload) => Effect.orDie(PersistenceError.refail(insert(executionId, payload))),
    note: (executionId, change) =>
      Effect.zipRight(
        Effect.sync(() => note(executionId, change)),
        Queue.offer(signal, undefined)
      ),
    list: (filter, limit) =>
      reading(
        sql`SELECT ${sql.literal(columns)} FROM release_list WHERE ${sql.and(["1 = 1", ...conditions(filter)])}
          ORDER BY submitted_at DESC, execution_id DESC LIMIT ${sql.literal(String(limit))}`,
        summaries
      ),
    named: (id) =>
      reading(
        sql`SELECT ${sql.literal(columns)} FROM release_list WHERE execution_id = ${id} OR release_id = ${id}
          ORDER BY submitted_at DESC, execution_id DESC LIMIT 100`,
        summaries
      ),
    payload: (executionId) =>
      reading(sql`SELECT payload FROM release_list WHERE execution_id = ${executionId}`, (rows) =>
        Effect.map(decodePayloads(rows), ([row]) =>
          Option.map(Option.fromNullable(row), ({ payload }) => payload)
        )
      ),
    steps: (executionId) =>
      reading(
        sql`SELECT * FROM release_steps WHERE execution_id = ${executionId} ORDER BY started_at, attempt`,
        (rows) => Effect.map(decodeStepRows(rows), (decoded) => decoded.map(record))
      )
  }
})

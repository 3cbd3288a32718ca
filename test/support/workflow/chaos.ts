/**
 * Runners that share nothing but a PostgreSQL, to which everything happens at once that can happen to machines, and what has
 * to be true in the end.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import {
  Array as Arr,
  Cause,
  Context,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Option,
  Random,
  Redacted,
  Schedule,
  Schema,
  type Scope
} from "effect"
import * as Fault from "../../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../../src/testing/LocalElasticCloud.ts"
import type { RecordedRequest } from "../../../src/testing/RecordedRequest.ts"
import type { EngineMismatch, EngineUnavailable } from "../../../src/workflow/EngineError.ts"
import * as EnginePostgres from "../../../src/workflow/EnginePostgres.ts"
import * as ExtensionRelease from "../../../src/workflow/ExtensionRelease.ts"
import * as ReleasePayload from "../../../src/workflow/ReleasePayload.ts"
import * as ReleaseTarget from "../../../src/workflow/ReleaseTarget.ts"
import { zipOf } from "../upload/archives.ts"
import { sha256 } from "../upload/world.ts"
import { type ArchiveServer, archiveServer } from "./archiveServer.ts"
import { detour, type Gateway, gateway } from "./gateway.ts"
import { freePort, type OwnPostgres, ownPostgres, rows } from "./postgres.ts"
import { type RunnerProcess, RunnerProgram, startRunner } from "./runners.ts"
import { type Patience, patience } from "./sharding.ts"

export interface ChaosOptions {
  /** Repeats what is done to whom, though not when exactly. */
  readonly seed: string
  /** How long things happen. What was submitted until then ends later, undisturbed. */
  readonly storm: Duration.Duration
  readonly runners: number
  /** Whether the cluster notices in seconds what is lost, or keeps the settings that ship. */
  readonly quick: boolean
}

export interface ChaosReport {
  /** What was counted, by name. */
  readonly counts: ReadonlyMap<string, number>
  /** What must not have happened. */
  readonly violations: ReadonlyArray<string>
  /** What each runner wrote, one process after the other. */
  readonly logs: ReadonlyArray<readonly [machine: string, output: string]>
}

type Build = "this version" | "the next version"

const patienceOf = (quick: boolean): Patience => (quick ? "some" : "shipped")

/** A place for a runner, with its way to the database and from the others. */
interface Machine {
  readonly name: string
  readonly toDatabase: Gateway
  readonly toRunner: Gateway
  readonly environment: Readonly<Record<string, string>>
  build: Build
  process: RunnerProcess | undefined
  /** Whether its process ends because somebody wants it to. */
  isDoomed: boolean
  /** Whether something is being done to it. */
  isStruck: boolean
}

interface Started {
  readonly machine: Machine
  readonly build: Build
  readonly process: RunnerProcess
}

interface Submitted {
  readonly executionId: string
  readonly lane: string
  readonly policy: ReleasePayload.ReleasePolicy
  readonly sha256: string
  /** Of its archive, in bytes. */
  readonly size: number
}

/** An own name for each machine, by which nobody takes processes of another one for processes of this. */
const namedMachine = (name: string) =>
  `data:text/javascript,${encodeURIComponent(
    `import os from "node:os"; import { syncBuiltinESMExports } from "node:module";
     os.hostname = () => ${JSON.stringify(name)}; syncBuiltinESMExports()`
  )}`

/** What one request in five meets. None of them throws away an archive that has arrived whole. */
const faults: ReadonlyArray<Fault.Fault> = [
  Fault.cut({ afterBodyBytes: 3000 }, "reset"),
  Fault.cut("applied"),
  Fault.cut("arrival", "end"),
  Fault.answerEarly({ status: 503, close: false }),
  Fault.answerEarly({ status: 429, headers: { "retry-after": "0" }, close: false }),
  Fault.answerEarly({ status: 500, close: true }),
  Fault.cutAnswer(20),
  Fault.delay(300)
]

/** Counts, complaints, what happened when, and what the server held one after the other. */
const makeNotes = () => {
  const counts = new Map<string, number>()
  const violations: Array<string> = []
  const contents = new Map<string, Array<string>>()
  const told: Array<string> = []
  return {
    told,
    tell: (what: string) => void told.push(`[${new Date().toISOString().slice(11, 23)}] ${what}`),
    counts,
    violations,
    contents,
    /** How often each extension was written to, by its name. */
    writings: new Map<string, number>(),
    count: (what: string, by = 1) => void counts.set(what, (counts.get(what) ?? 0) + by),
    complain: (what: string) => void violations.push(what)
  }
}

type Notes = ReturnType<typeof makeNotes>

/** Each extension's contents in the order in which they were stored, known by its name. */
const noteContents = (cloud: LocalElasticCloud["Type"], { contents, tell, writings }: Notes) =>
  Effect.map(cloud.extensions, (extensions) => {
    for (const { file, name, uploads } of extensions) {
      if (file === undefined || writings.get(name) === uploads) continue
      writings.set(name, uploads)
      tell(`${name} holds ${file.sha256}, writing ${uploads}`)
      const before = contents.get(name) ?? []
      if (before.at(-1) !== file.sha256) contents.set(name, [...before, file.sha256])
    }
  })

/** The uploads that the server was asked for, and what it said, in the order in which they came. */
const uploadsOf = (requests: ReadonlyArray<RecordedRequest>) =>
  requests.flatMap(({ bodyBytes, bodySha256, complete, headers, method, path, status }) => {
    if (!["HEAD", "PATCH", "PUT"].includes(method)) return []
    const at = headers["upload-offset"]
    const body = `${bodyBytes} bytes${complete ? "" : ", cut off"}`
    return [`${method} ${path}${at === undefined ? "" : ` at ${at}`}: ${body}, ${bodySha256} → ${status}`]
  })

/** Plans ahead of the requests: each is noted when it was carried out, and one in five is hurt. */
const hurting = (cloud: LocalElasticCloud["Type"], notes: Notes) =>
  Effect.gen(function* () {
    const note = Fault.run("applied", noteContents(cloud, notes))
    let planned = 0
    const ahead = Effect.gen(function* () {
      const { length } = yield* cloud.requests
      while (planned < length + 500) {
        planned++
        const isHurt = (yield* Random.nextIntBetween(0, 5)) === 0
        const fault = faults[yield* Random.nextIntBetween(0, faults.length)]
        if (isHurt) notes.count("requests that a fault was planned for")
        yield* cloud.plan({ fault: isHurt && fault !== undefined ? [note, fault] : [note] })
      }
    })
    yield* ahead
    yield* Effect.forkScoped(Effect.schedule(ahead, Schedule.spaced("500 millis")))
  })

class Programs extends Context.Tag("test/chaos/Programs")<
  Programs,
  Readonly<Record<Build, RunnerProgram["Type"]>>
>() {}

/** Both programs of a runner. They are bundled once. */
export const layerPrograms = Layer.scoped(
  Programs,
  Effect.gen(function* () {
    const now = yield* Layer.build(RunnerProgram.layer)
    const next = yield* Layer.build(RunnerProgram.layerNext)
    return {
      "this version": Context.get(now, RunnerProgram),
      "the next version": Context.get(next, RunnerProgram)
    }
  })
)

const makeMachine = (database: string, name: string, quick: boolean) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const cloud = yield* LocalElasticCloud
    const home = yield* fs.makeTempDirectoryScoped({ prefix: `${name}-` })
    const listen = yield* freePort
    const toDatabase = yield* detour(database)
    const toRunner = yield* gateway(listen)
    const machine: Machine = {
      name,
      toDatabase,
      toRunner,
      environment: {
        ...cloud.variables,
        HOME: home,
        TMPDIR: home,
        EC_UPLOAD_RECONCILE_WINDOW: "1 second",
        EC_UPLOAD_BANDWIDTH: "400000",
        RELEASE_PATIENCE: patienceOf(quick),
        RELEASE_DATABASE: toDatabase.url,
        RELEASE_PORT: String(toRunner.port),
        RELEASE_LISTEN: String(listen)
      },
      build: "this version",
      process: undefined,
      isDoomed: false,
      isStruck: false
    }
    return machine
  })

/** Why a runner may end by itself: its database is away, or its place is not free yet. */
const mayEndWith = /EngineUnavailable|AddressInUse/

/** Keeps a runner at work, as an operator's system would: one that ends is started again. */
const supervise = (machine: Machine, processes: Array<Started>, { complain, count }: Notes) =>
  Effect.gen(function* () {
    const programs = yield* Programs
    const { build } = machine
    machine.isDoomed = false
    const process = yield* Effect.provideService(
      startRunner(machine.environment, ["--import", namedMachine(machine.name)]),
      RunnerProgram,
      programs[build]
    )
    processes.push({ machine, build, process })
    machine.process = process
    const { code, output, signal } = yield* process.ended
    machine.process = undefined
    if (machine.isDoomed) return
    if (mayEndWith.test(output)) count("runners that could not start yet")
    else complain(`${machine.name} ended by itself, ${signal ?? code}: ${output.slice(-2000)}`)
    yield* Effect.sleep("500 millis")
  })

/** The lease of a shard, in milliseconds: what a runner is away for longer, another one takes over. */
const leaseMillis = (quick: boolean) => (quick ? 9000 : 20_000)

type Strike = (machine: Machine) => Effect.Effect<void>

const strikes = (database: OwnPostgres, quick: boolean, notes: Notes): Readonly<Record<string, Strike>> => {
  // From a blink to well beyond the lease.
  const awhile = Effect.map(Random.next, (part) => Duration.millis(200 + 1.6 * leaseMillis(quick) * part))
  const cutting =
    (...gateways: ReadonlyArray<(machine: Machine) => Gateway>): Strike =>
    (machine) =>
      Effect.gen(function* () {
        yield* Effect.forEach(gateways, (of) => of(machine).partition)
        yield* Effect.delay(
          Effect.forEach(gateways, (of) => of(machine).heal),
          yield* awhile
        )
      })
  const killed: Strike = (machine) =>
    Effect.suspend(() => {
      machine.isDoomed = true
      return machine.process?.kill ?? Effect.void
    })
  return {
    killed,
    frozen: (machine) =>
      Effect.gen(function* () {
        const { process } = machine
        if (process === undefined) return
        yield* process.freeze
        yield* Effect.delay(process.thaw, yield* awhile)
      }),
    "cut off": cutting(
      ({ toDatabase }) => toDatabase,
      ({ toRunner }) => toRunner
    ),
    "cut off from the database": cutting(({ toDatabase }) => toDatabase),
    "cut off from the others": cutting(({ toRunner }) => toRunner),
    replaced: (machine) =>
      Effect.gen(function* () {
        machine.build = machine.build === "this version" ? "the next version" : "this version"
        yield* replace(machine, notes)
      }),
    "database restarted": () =>
      Effect.gen(function* () {
        yield* database.stop
        yield* Effect.sleep(Duration.millis(300 + 3000 * (yield* Random.next)))
        yield* database.start
      }),
    "sessions terminated": () =>
      Effect.ignore(
        Effect.sandbox(
          rows(
            database.url,
            Schema.Struct({}),
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE pid <> pg_backend_pid() AND datname = current_database() AND random() < 0.7`
          )
        )
      )
  }
}

/** As an operator replaces a runner: it is asked to end, and ended if it does not. */
const replace = (machine: Machine, { count }: Notes) =>
  Effect.suspend(() => {
    const { process } = machine
    machine.isDoomed = true
    if (process === undefined) return Effect.void
    return Effect.zipRight(process.terminate, process.ended).pipe(
      Effect.timeoutTo({
        duration: "20 seconds",
        onSuccess: () => Effect.void,
        onTimeout: () =>
          Effect.zipRight(
            Effect.sync(() => count("runners that did not end when asked, and were ended")),
            process.kill
          )
      }),
      Effect.flatten
    )
  })

/** One thing after the other, some of them at the same time. Each runner has one of them at a time, and so has the database. */
const storm = (
  machines: ReadonlyArray<Machine>,
  database: OwnPostgres,
  { quick, storm: duration }: ChaosOptions,
  notes: Notes
) =>
  Effect.gen(function* () {
    const all = Object.entries(strikes(database, quick, notes))
    const ofDatabase = { isStruck: false }
    const struck: Array<Fiber.Fiber<void>> = []
    const next = Effect.gen(function* () {
      yield* Effect.sleep(Duration.millis((quick ? 1500 : 8000) * (0.3 + (yield* Random.next))))
      const [name, strike] = all[yield* Random.nextIntBetween(0, all.length)] ?? []
      const machine = machines[yield* Random.nextIntBetween(0, machines.length)]
      if (name === undefined || strike === undefined || machine === undefined) return
      const victim = name.startsWith("database") || name.startsWith("sessions") ? ofDatabase : machine
      if (victim.isStruck) return
      victim.isStruck = true
      notes.count(name)
      const whom = victim === machine ? machine.name : "database"
      notes.tell(`${whom}: ${name}`)
      const over = Effect.sync(() => {
        victim.isStruck = false
        notes.tell(`${whom}: over`)
      })
      struck.push(yield* Effect.forkScoped(Effect.ensuring(strike(machine), over)))
    })
    yield* Effect.timeoutOption(Effect.forever(next), duration)
    yield* Fiber.joinAll(struck)
  })

type Asked = Effect.Effect<string, EngineUnavailable, WorkflowEngine>

/** Until the database has it: an operator would do the same. */
const insisting = (submit: Asked, { count }: Notes) =>
  submit.pipe(
    Effect.tapError(() => Effect.sync(() => count("submissions that were refused, and made again"))),
    Effect.retry(Schedule.spaced("200 millis"))
  )

const pickPolicy = Effect.map(Random.next, (chance) =>
  chance < 0.7 ? "queue" : chance < 0.85 ? "supersede" : "fail"
)

const lanes = 12

/** Two releases of one extension at once, again and again; now and then one that only the next version can read. */
const submitting = (submitted: Array<Submitted>, server: ArchiveServer, notes: Notes) => {
  const submit = (lane: string, policy: ReleasePayload.ReleasePolicy, version: number) =>
    Effect.gen(function* () {
      const content = yield* zipOf(yield* Random.nextIntBetween(50_000, 600_000))
      const releaseId = `${lane}-${submitted.length}`
      const payload = yield* ReleasePayload.decode({
        version,
        releaseId,
        policy,
        extension: ReleaseTarget.named({ name: lane, type: "bundle", version: "*" }),
        archive: { _tag: "Url", url: server.serve(`${releaseId}.zip`, content) },
        sha256: sha256(content)
      })
      const executionId = yield* insisting(ExtensionRelease.submit(payload), notes)
      submitted.push({ executionId, lane, policy, sha256: sha256(content), size: content.length })
      notes.count("releases")
      notes.tell(`${executionId} is release ${releaseId} of ${sha256(content)}, ${content.length} bytes`)
    }).pipe(Effect.orDie)
  return Effect.gen(function* () {
    const pause = Random.nextIntBetween(500, 2500)
    for (let n = 0; ; n++) {
      const lane = `extension-${yield* Random.nextIntBetween(0, lanes)}`
      yield* submit(lane, yield* pickPolicy, 1)
      yield* submit(lane, yield* pickPolicy, 1)
      if (n % 5 === 0) yield* submit(`next-${n}`, "queue", ReleasePayload.currentVersion + 1)
      yield* Effect.sleep(Duration.millis(yield* pause))
    }
  })
}

type Ending = "Released" | "ReleaseSuperseded" | "ReleaseBlocked"

/** How a release ended, or how it stands. Nothing else than these endings may happen to it. */
const judgeEnding = (
  { executionId, lane, policy }: Submitted,
  status: ExtensionRelease.ReleaseStatus,
  { complain }: Notes
): Option.Option<Ending> => {
  if (status._tag !== "Done") {
    complain(`${executionId} of ${lane} never ended: ${JSON.stringify(status)}`)
    return Option.none()
  }
  const tag = Exit.match(status.exit, {
    onSuccess: () => "Released",
    onFailure: (cause) =>
      Option.match(Cause.failureOption(cause), {
        onNone: () => Cause.pretty(cause),
        onSome: ({ _tag, message }) => (isExpected(_tag) ? _tag : message)
      })
  })
  if (tag === "Released" || tag === "ReleaseSuperseded") return Option.some(tag)
  if (tag === "ReleaseBlocked" && policy === "fail") return Option.some(tag)
  complain(`${executionId} of ${lane} with policy ${policy} ended so: ${tag}`)
  return Option.none()
}

/** How all stand, once all have ended, or none has for so long. */
const untilStill = (submitted: ReadonlyArray<Submitted>, patience: Duration.Duration) =>
  Effect.gen(function* () {
    const known = new Map<string, ExtensionRelease.ReleaseStatus>()
    const isOpen = ({ executionId }: Submitted) => known.get(executionId)?._tag !== "Done"
    let [open, movedAt] = [submitted, performance.now()]
    while (open.length > 0 && performance.now() - movedAt < Duration.toMillis(patience)) {
      yield* Effect.sleep("1 second")
      yield* Effect.forEach(
        open,
        ({ executionId }) =>
          Effect.ignore(
            Effect.map(ExtensionRelease.poll(executionId), (status) => known.set(executionId, status))
          ),
        { concurrency: 4 }
      )
      const left = open.filter(isOpen)
      if (left.length < open.length) movedAt = performance.now()
      open = left
    }
    return known
  })

const isExpected = (tag: string) => tag === "ReleaseSuperseded" || tag === "ReleaseBlocked"

/** Compares what was asked for with what the server got, and with what was announced. */
const judge = (
  submitted: ReadonlyArray<Submitted & { readonly ending: Option.Option<Ending> }>,
  processes: ReadonlyArray<Started>,
  { complain, contents, count }: Notes
) =>
  Effect.gen(function* () {
    const cloud = yield* LocalElasticCloud
    const isStill = yield* Effect.timeoutOption(cloud.settled, "1 minute")
    if (Option.isNone(isStill)) complain("The server was still busy a minute after everything had ended")
    for (const { ending } of submitted) if (Option.isSome(ending)) count(`ended as ${ending.value}`)
    const released = submitted.filter(({ ending }) => Option.contains(ending, "Released"))

    for (const [lane, ofLane] of Object.entries(Arr.groupBy(released, ({ lane }) => lane))) {
      const wanted = ofLane.map(({ sha256 }) => sha256)
      const stored = contents.get(lane) ?? []
      const index = (sha: string) => submitted.findIndex((release) => release.sha256 === sha)
      if (stored.join() !== wanted.join()) {
        complain(`${lane} got ${stored.map(index)}, and should have got ${wanted.map(index)}`)
      }
    }
    for (const { file, name, uploads } of yield* cloud.extensions) {
      const times = released.filter(({ lane }) => lane === name).length
      if (uploads !== times) complain(`${name} was written ${uploads} times for ${times} releases`)
      if (file === undefined) complain(`${name} holds nothing`)
    }

    const requests = (yield* cloud.requests).filter(({ method }) => method === "PUT" || method === "PATCH")
    const total = (bytes: ReadonlyArray<number>) => bytes.reduce((sum, size) => sum + size, 0)
    count("bytes of the released archives", total(released.map(({ size }) => size)))
    count("bytes that the server received", total(requests.map(({ bodyBytes }) => bodyBytes)))
    for (const { executionId, sha256 } of submitted) {
      const whole = requests.filter(({ bodySha256, complete }) => complete && bodySha256 === sha256)
      if (whole.length > 1) complain(`${executionId} was sent whole ${whole.length} times`)
    }

    const reports = (yield* Effect.forEach(processes, ({ process }) => process.reports)).flat()
    const announced = reports.flatMap((report) => (report._tag === "Announced" ? [report] : []))
    const keys = Arr.groupBy(announced, ({ executionId }) => executionId)
    for (const { ending, executionId } of submitted) {
      const distinct = new Set(keys[executionId]?.map(({ idempotencyKey }) => idempotencyKey)).size
      const due = Option.contains(ending, "Released") ? 1 : 0
      if (distinct !== due) complain(`${executionId} was announced under ${distinct} keys, not ${due}`)
    }
    count("announced twice, under the same key", announced.length - Object.keys(keys).length)
  })

const Left = Schema.Struct({ row: Schema.String })

/** What the engine has of releases that have not ended, and who has their shards. */
const leftOver = `
  SELECT concat_ws(' ', m.message_id, m.shard_id, l.address, l.acquired_at, 'processed', m.processed, 'read', m.last_read,
    'due', m.deliver_at, r.payload) AS row
  FROM cluster_messages m
  LEFT JOIN cluster_replies r ON r.request_id = m.request_id
  LEFT JOIN cluster_locks l ON l.shard_id = m.shard_id
  WHERE m.entity_id IN (
    SELECT run.entity_id FROM cluster_messages run LEFT JOIN cluster_replies ended ON ended.request_id = run.id
    WHERE run.tag = 'run' AND (ended.id IS NULL OR ended.payload LIKE '%"Suspended"%')
  ) ORDER BY m.entity_id, m.id`

/** Needs a PostgreSQL of its own, which it may stop. */
export const chaos = (
  options: ChaosOptions
): Effect.Effect<
  ChaosReport,
  EngineMismatch | EngineUnavailable,
  LocalElasticCloud | FileSystem.FileSystem | Programs | Scope.Scope
> =>
  Effect.gen(function* () {
    const cloud = yield* LocalElasticCloud
    const notes = makeNotes()
    const database = yield* ownPostgres
    const server = yield* archiveServer
    const processes: Array<Started> = []
    const submitted: Array<Submitted> = []
    yield* hurting(cloud, notes)
    const machines = yield* Effect.forEach(Array.from({ length: options.runners }).keys(), (index) =>
      makeMachine(database.url, `machine-${index}`, options.quick).pipe(Effect.orDie)
    )
    const supervising = yield* Effect.forEach(machines, (machine) =>
      Effect.forkScoped(Effect.forever(supervise(machine, processes, notes)))
    )
    const asker = EnginePostgres.layerClient({
      url: Redacted.make(database.url),
      sharding: patience[patienceOf(options.quick)]
    })
    return yield* Effect.gen(function* () {
      const workload = yield* Effect.fork(submitting(submitted, server, notes))
      yield* storm(machines, database, options, notes)
      yield* Fiber.interrupt(workload)
      // An update ends with every runner being of the new version.
      for (const machine of machines.filter(({ build }) => build === "this version")) {
        machine.build = "the next version"
        yield* replace(machine, notes)
      }
      const known = yield* untilStill(submitted, Duration.minutes(options.quick ? 1.5 : 5))
      const endings = submitted.map((release) => ({
        ...release,
        ending: judgeEnding(release, known.get(release.executionId) ?? { _tag: "Running" }, notes)
      }))
      yield* Fiber.interruptAll(supervising)
      yield* judge(endings, processes, notes)
      const left = yield* rows(database.url, Left, leftOver)
      const logs: ChaosReport["logs"] = yield* Effect.forEach(processes, ({ build, machine, process }) =>
        Effect.zipRight(
          process.kill,
          Effect.map(
            process.ended,
            ({ output }) => [`${machine.name}-${build.replaceAll(" ", "-")}`, output] as const
          )
        )
      )
      return {
        counts: notes.counts,
        violations: notes.violations,
        logs: [
          ...logs,
          ["database", left.map(({ row }) => row).join("\n")],
          ["uploads", uploadsOf(yield* cloud.requests).join("\n")],
          ["storm", notes.told.join("\n")]
        ] satisfies ChaosReport["logs"]
      }
    }).pipe(Effect.provide(asker))
  }).pipe(Effect.withRandom(Random.make(options.seed)))

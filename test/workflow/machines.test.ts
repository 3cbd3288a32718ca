/** Runners that share nothing but a PostgreSQL. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Either, Fiber, Layer, Option, Redacted, Ref, Schema } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import * as UploadHttpClient from "../../src/transfer/UploadHttpClient.ts"
import * as EnginePostgres from "../../src/workflow/EnginePostgres.ts"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"
import * as ReleasePayload from "../../src/workflow/ReleasePayload.ts"
import { ledger } from "../support/faults/ledger.ts"
import { variablesFor } from "../support/staging/machine.ts"
import { objectStore, type Received } from "../support/staging/objectStore.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"
import { sha256 } from "../support/upload/world.ts"
import {
  allReleased,
  asker,
  makeCluster,
  receiptOf,
  submitAll,
  untilReady,
  untilShared,
  type Wanted
} from "../support/workflow/cluster.ts"
import { detour } from "../support/workflow/gateway.ts"
import * as Observed from "../support/workflow/observations.ts"
import { canPostgres, freePort, postgres, rows } from "../support/workflow/postgres.ts"
import { bundle, newRelease, place, runner } from "../support/workflow/releases.ts"
import type { Heard } from "../support/workflow/reports.ts"
import { RunnerProgram } from "../support/workflow/runners.ts"
import { sharding } from "../support/workflow/sharding.ts"

const MiB = 1024 * 1024

const Stored = Schema.Struct({ id: Schema.String })

const storedReleases = "SELECT entity_id AS id FROM cluster_messages WHERE tag = 'run'"

const world = (options: LocalElasticCloud.LocalElasticCloudOptions) =>
  Layer.merge(LocalElasticCloud.layer(options), RunnerProgram.layer).pipe(
    Layer.provideMerge(Layer.merge(NodeContext.layer, FetchHttpClient.layer)),
    Layer.orDie
  )

/** A runner in this process, with the journal of its engine. */
const machine = (url: string, options: Partial<EnginePostgres.PostgresRunnerOptions> = {}) =>
  Effect.map(freePort, (port) => {
    const engine = EnginePostgres.layer({
      url: Redacted.make(url),
      runner: { host: "127.0.0.1", port },
      sharding,
      ...options
    })
    return runner().pipe(Layer.provide(ExtensionRelease.layerJournal), Layer.provideMerge(engine))
  })

const build = <A, E, R>(layer: Layer.Layer<A, E, R>) => Effect.asVoid(Layer.build(Layer.fresh(layer)))

describe.skipIf(!(await Effect.runPromise(canPostgres)))(
  "runners that share nothing but a PostgreSQL",
  () => {
    it.scopedLive(
      "go on in the middle of an archive that another one was sending when it was killed",
      () =>
        Effect.gen(function* () {
          const size = 8 * MiB
          const { url } = yield* postgres
          const { start, wanted } = yield* makeCluster(size)
          const cloud = yield* LocalElasticCloud.LocalElasticCloud
          const first = yield* start({ database: url })
          yield* untilReady([first])
          yield* cloud.plan({ method: "PUT", fault: Fault.readSlowly(2 * MiB) })
          yield* Effect.gen(function* () {
            const releases = yield* wanted(1, "resumed")
            yield* submitAll(releases)
            yield* first.saw((report) => report._tag === "Moment" && report.moment === "BytesAcknowledged")
            const second = yield* start({ database: url })
            yield* untilReady([second])
            yield* first.kill
            yield* allReleased(releases)
            const { received, requests } = yield* ledger(size)
            expect(requests.map((line) => line.split(" ")[0])).toEqual(["PUT", "PATCH"])
            expect(received, requests.join(", ")).toBeLessThan(size * 1.5)
          }).pipe(Effect.provide(asker(url)))
        }).pipe(Effect.provide(world({ resumable: { progressEveryBytes: 256 * 1024 } }))),
      { timeout: 300_000 }
    )

    it.scopedLive(
      "hand over what they are sending to one that joins, which goes on where it was and says so",
      () =>
        Effect.gen(function* () {
          const [size, count] = [1 * MiB, 12]
          const { url } = yield* postgres
          const { start, wanted } = yield* makeCluster(size)
          const cloud = yield* LocalElasticCloud.LocalElasticCloud
          const first = yield* start({ database: url })
          yield* untilShared(url, [first])
          const joined = yield* Deferred.make<void>()
          yield* cloud.plan({
            method: "PUT",
            times: count,
            fault: Fault.run({ afterBodyBytes: size / 2 }, Deferred.await(joined))
          })
          yield* Effect.gen(function* () {
            const releases = yield* wanted(count, "handed-over")
            yield* submitAll(releases)
            yield* Observed.untilTransferring(first, count)
            const second = yield* start({ database: url })
            yield* second.saw((report) => report._tag === "Moment" && report.moment === "BytesAcknowledged")
            yield* Deferred.succeed(joined, undefined)
            yield* allReleased(releases)
            const { received, requests } = yield* ledger(size * count)
            expect(received, requests.join(", ")).toBeLessThan(size * count * 1.05)
            yield* second.kill
            const { output } = yield* second.ended
            for (const executionId of Observed.executionsOf(Observed.started(yield* second.reports))) {
              expect(output).toMatch(new RegExp(`The release is at work here\\.(\\n {2}.*)*${executionId}`))
            }
          }).pipe(Effect.provide(asker(url)))
        }).pipe(Effect.provide(world({ resumable: { progressEveryBytes: 64 * 1024 } }))),
      { timeout: 300_000 }
    )

    it.scopedLive(
      "end what they are given, on the settings that ship, though the database takes a second for each statement",
      () =>
        Effect.gen(function* () {
          const { url } = yield* postgres
          const slow = yield* detour(url, { answersLate: 1000 })
          const { start, wanted } = yield* makeCluster(1000)
          const place = { database: slow.url, env: { RELEASE_PATIENCE: "shipped" } }
          yield* untilReady(yield* Effect.all([start(place), start(place)], { concurrency: 2 }))
          yield* Effect.gen(function* () {
            const releases = yield* wanted(3, "slow")
            yield* submitAll(releases)
            yield* allReleased(releases)
          }).pipe(
            Effect.provide([
              EnginePostgres.layerClient({ url: Redacted.make(slow.url) }),
              UploadHttpClient.layer()
            ])
          )
        }).pipe(Effect.provide(world({ resumable: {} }))),
      { timeout: 600_000 }
    )

    it.scopedLive(
      "send one archive at a time all together, and go on when the one that sends is killed",
      () =>
        Effect.gen(function* () {
          const { url } = yield* postgres
          const { start, wanted } = yield* makeCluster(300_000)
          const cloud = yield* LocalElasticCloud.LocalElasticCloud
          const startOne = start({ database: url, env: { RELEASE_TRANSFERS: "1" } })
          const runners = yield* Effect.all([startOne, startOne])
          yield* untilShared(url, runners)
          let sending = 0
          let most = 0
          const begin = Fault.run(
            "arrival",
            Effect.sync(() => {
              sending += 1
              most = Math.max(most, sending)
            })
          )
          const end = Fault.run(
            "applied",
            Effect.sync(() => {
              sending -= 1
            })
          )
          const first = yield* Deferred.make<void>()
          const held = Fault.run(
            { afterBodyBytes: 1000 },
            Effect.zipRight(Deferred.succeed(first, undefined), Effect.never)
          )
          yield* cloud.plan({ method: "PUT", fault: [begin, held] })
          for (let n = 0; n < 20; n++) yield* cloud.plan({ method: "PUT", fault: [begin, end] })
          yield* Effect.gen(function* () {
            const releases = yield* wanted(6, "one-by-one")
            yield* submitAll(releases)
            yield* Deferred.await(first)
            const isSending = (report: Heard) =>
              report._tag === "Moment" && report.moment === "SendingStarted"
            const holder = yield* Effect.raceAll(
              runners.map((runner) => Effect.as(runner.saw(isSending), runner))
            )
            sending = 0
            yield* holder.kill
            yield* allReleased(releases)
            expect(most).toBe(1)
          }).pipe(Effect.provide(asker(url)))
        }).pipe(Effect.provide(world({}))),
      { timeout: 300_000 }
    )

    it.scopedLive(
      "go on with the parts of an archive that another one was staging when it was killed",
      () =>
        Effect.gen(function* () {
          const parts = [1, 2, 3, 4, 5, 6]
          const { url } = yield* postgres
          const fs = yield* FileSystem.FileSystem
          const store = yield* objectStore()
          const { start, wanted } = yield* makeCluster((parts.length - 0.5) * 8 * MiB)
          /** With a home and a folder for temporary files that no other process has. */
          const startAlone = Effect.gen(function* () {
            const home = yield* fs.makeTempDirectoryScoped({ prefix: "home-" })
            const env = { ...variablesFor(store), EC_UPLOAD_STAGING: "always", HOME: home, TMPDIR: home }
            return yield* start({ database: url, env })
          })
          const held = [4, 6]
          for (const part of held) store.plan("UploadPart", { _tag: "Hold", afterBytes: MiB }, { part })
          const first = yield* startAlone
          yield* untilReady([first])
          yield* Effect.gen(function* () {
            // The first of a series has its archive by URL.
            const [release] = yield* wanted(1, "staged")
            if (release === undefined) return
            yield* submitAll([release])
            const isHeld = ({ bodyBytes, part = 0, status }: Received) =>
              held.includes(part) && status === 0 && bodyBytes >= MiB
            yield* Effect.sync(
              () => store.takenParts.length === 4 && store.of("UploadPart").filter(isHeld).length === 2
            ).pipe(Effect.delay("50 millis"), Effect.repeat({ until: (isSo) => isSo }))
            const second = yield* startAlone
            yield* untilReady([second])
            yield* first.kill
            const { extensionId, upload } = yield* receiptOf(release)
            expect(upload).toMatchObject({
              proof: "hash",
              archive: { sha256: release.contentSha256 },
              staged: { isKept: false }
            })
            const cloud = yield* LocalElasticCloud.LocalElasticCloud
            const { file, uploads } = Option.getOrThrow(yield* cloud.extension(extensionId))
            expect({ sha256: file?.sha256, uploads }).toEqual({ sha256: release.contentSha256, uploads: 0 })
            const sent = store.of("UploadPart").map(({ part }) => part)
            expect(sent.toSorted()).toEqual([...parts, ...held].toSorted())
            expect(store.takenParts.toSorted()).toEqual(parts)
            expect(store.of("CreateMultipartUpload")).toHaveLength(1)
            expect([store.objects.size, store.uploads.size]).toEqual([0, 0])
          }).pipe(Effect.provide(asker(url)))
        }).pipe(Effect.provide(world({}))),
      { timeout: 300_000 }
    )

    it.scopedLive(
      "write to an extension one after the other, in the order of submission, and create it once",
      () =>
        Effect.gen(function* () {
          const cloud = yield* LocalElasticCloud.LocalElasticCloud
          const { url } = yield* postgres
          yield* build(yield* machine(url))
          yield* build(yield* machine(url))
          const versions = Array.from({ length: 6 }, (_, index) => `2.0.${index}`)
          const releases = yield* Effect.forEach(versions, (releaseId) => newRelease({ releaseId }))
          yield* Effect.gen(function* () {
            for (const { payload } of releases) yield* ExtensionRelease.submit(payload)
            yield* Effect.forEach(releases, ({ payload }) => ExtensionRelease.execute(payload), {
              concurrency: "unbounded"
            })
          }).pipe(Effect.provide(asker(url)))
          const contents = releases.map(({ content }) => sha256(content))
          const sent = (yield* cloud.requests).filter(({ method }) => method === "PUT")
          expect(sent.map(({ bodySha256 }) => bodySha256)).toEqual(contents)
          expect((yield* cloud.extensions).map(({ file }) => file?.sha256)).toEqual(contents.slice(-1))
        }).pipe(Effect.provide(place())),
      { timeout: 300_000 }
    )

    it.scopedLive(
      "are given every release, and end it, though the one that most are for is killed while they are submitted",
      () =>
        Effect.gen(function* () {
          const { url } = yield* postgres
          const { start, wanted } = yield* makeCluster(1000)
          const first = yield* start({ database: url })
          yield* untilShared(url, [first])
          yield* Effect.gen(function* () {
            const [fork, ...releases] = yield* wanted(60, "submitted")
            if (fork === undefined) return
            const submitted = yield* Ref.make(0)
            const submit = ({ payload }: Wanted) =>
              Effect.zipRight(
                ExtensionRelease.submit(payload),
                Ref.update(submitted, (count) => count + 1)
              )
            yield* ExtensionRelease.submit(fork.payload)
            const waiting = yield* Effect.fork(ExtensionRelease.execute(fork.payload))
            const submitting = yield* Effect.fork(
              Effect.forEach(releases, submit, { concurrency: 4, discard: true })
            )
            yield* Effect.repeat(Effect.delay(Ref.get(submitted), "1 millis"), {
              until: (count) => count > 10
            })
            yield* first.kill
            yield* Fiber.join(submitting)
            const stored = yield* rows(url, Stored, storedReleases)
            expect(stored).toHaveLength(releases.length + 1)
            yield* start({ database: url })
            yield* allReleased([fork, ...releases])
            yield* Fiber.join(waiting)
          }).pipe(Effect.provide(asker(url)))
        }).pipe(Effect.provide(world({ resumable: {} }))),
      { timeout: 300_000 }
    )

    it.scopedLive(
      "have each release that is submitted while the database cuts off its sessions, or the submitter is told",
      () =>
        Effect.gen(function* () {
          const { url } = yield* postgres
          const { wanted } = yield* makeCluster(1000)
          yield* Effect.gen(function* () {
            const releases = yield* wanted(60, "reported")
            const cutOff = rows(
              url,
              Stored,
              `SELECT pid::text AS id FROM pg_stat_activity
               WHERE pid <> pg_backend_pid() AND datname = current_database() AND pg_terminate_backend(pid)`
            )
            const cutting = yield* Effect.fork(Effect.forever(Effect.delay(cutOff, "20 millis")))
            const answers = yield* Effect.forEach(
              releases,
              ({ payload }) => Effect.either(ExtensionRelease.submit(payload)),
              { concurrency: 4 }
            )
            yield* Fiber.interrupt(cutting)
            const refused = answers.flatMap((answer) => (Either.isLeft(answer) ? [answer.left._tag] : []))
            expect(refused).toEqual(refused.map(() => "EngineUnavailable"))
            const stored = yield* rows(url, Stored, storedReleases)
            expect(stored.length).toBeGreaterThanOrEqual(answers.filter(Either.isRight).length)
            yield* submitAll(releases)
            expect(yield* rows(url, Stored, storedReleases)).toHaveLength(releases.length)
          }).pipe(Effect.provide(asker(url)))
        }).pipe(Effect.provide(world({}))),
      { timeout: 300_000 }
    )

    it.scopedLive(
      "keep the newer archive, though one was frozen in the middle of an older one and thaws",
      () =>
        Effect.gen(function* () {
          const { url } = yield* postgres
          const { start } = yield* makeCluster(1000)
          const cloud = yield* LocalElasticCloud.LocalElasticCloud
          const frozen = yield* start({ database: url })
          yield* untilReady([frozen])
          yield* cloud.plan({ method: "PUT", fault: Fault.readSlowly(4 * MiB) })
          const contents = yield* Effect.all([zipOf(24 * MiB), zipOf(1000)])
          const [older, newer] = yield* Effect.forEach(contents, (content) =>
            Effect.gen(function* () {
              return yield* ReleasePayload.decode({
                releaseId: sha256(content),
                extension: bundle,
                archive: { _tag: "Path", path: yield* fileWith(content) },
                sha256: sha256(content)
              })
            })
          )
          if (older === undefined || newer === undefined) return
          yield* Effect.gen(function* () {
            yield* ExtensionRelease.submit(older)
            yield* frozen.saw((report) => report._tag === "Moment" && report.moment === "SendingStarted")
            yield* frozen.freeze
            const other = yield* start({ database: url })
            yield* untilReady([other])
            yield* ExtensionRelease.execute(older)
            const { extensionId } = yield* ExtensionRelease.execute(newer)
            yield* frozen.thaw
            const sending = Effect.map(cloud.requests, (all) => all.filter(({ method }) => method === "PUT"))
            yield* cloud.settled
            const sent = yield* Effect.delay(sending, "100 millis").pipe(
              Effect.repeat({ until: (all) => all.length === 3 })
            )
            // Which of them is noted first depends on how much of the frozen one was still on its way.
            expect(sent.filter(({ complete }) => complete)).toHaveLength(2)
            const { file, uploads } = Option.getOrThrow(yield* cloud.extension(extensionId))
            expect({ sha256: file?.sha256, uploads }).toEqual({ sha256: newer.sha256, uploads: 2 })
          }).pipe(Effect.provide(asker(url)))
        }).pipe(Effect.provide(world({}))),
      { timeout: 300_000 }
    )

    it.scopedLive(
      "send an archive once, though one was frozen in the middle of it, and thaws when another one has done it",
      () =>
        Effect.gen(function* () {
          const { url } = yield* postgres
          const { start, wanted } = yield* makeCluster(400_000)
          const cloud = yield* LocalElasticCloud.LocalElasticCloud
          const frozen = yield* start({ database: url, env: { EC_UPLOAD_BANDWIDTH: "200000" } })
          yield* untilReady([frozen])
          yield* Effect.gen(function* () {
            const releases = yield* wanted(2, "frozen")
            yield* submitAll(releases)
            yield* frozen.saw((report) => report._tag === "Moment" && report.moment === "SendingStarted")
            yield* frozen.freeze
            yield* Effect.ignore(
              rows(
                url,
                Schema.Struct({}),
                `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE pid <> pg_backend_pid() AND datname = current_database()`
              )
            )
            const other = yield* start({ database: url })
            yield* untilReady([other])
            yield* allReleased(releases)
            yield* frozen.thaw
            // It has its share again after everything that it was at has ended.
            yield* untilShared(url, [frozen, other])
            yield* cloud.settled
            const puts = (yield* cloud.requests).filter(
              ({ method }) => method === "PUT" || method === "PATCH"
            )
            expect(puts.filter(({ complete }) => complete)).toHaveLength(2)
            yield* allReleased(releases)
          }).pipe(Effect.provide(asker(url)))
        }).pipe(Effect.provide(world({}))),
      { timeout: 300_000 }
    )

    it.scopedLive(
      "are refused where another one has their address, or the database is for something else",
      () =>
        Effect.gen(function* () {
          const { url } = yield* postgres
          const port = yield* freePort
          const at = { runner: { host: "127.0.0.1", port } }
          const living = yield* machine(url, { ...at, namespace: "production" })
          const same = yield* machine(url, {
            ...at,
            listen: { host: "127.0.0.1", port: yield* freePort },
            namespace: "production"
          })
          const staging = yield* machine(url, { namespace: "staging" })
          const elsewhere = yield* machine(url, { namespace: "production" })
          yield* build(living)
          const refused = (layer: typeof living) => Effect.flip(Effect.scoped(build(layer)))
          expect(yield* refused(same)).toMatchObject({ _tag: "AddressInUse", address: `127.0.0.1:${port}` })
          expect(yield* refused(staging)).toMatchObject({
            _tag: "EngineMismatch",
            what: "namespace",
            given: "staging",
            found: "production"
          })
          expect(yield* refused(elsewhere).pipe(Effect.provide(place()))).toMatchObject({
            _tag: "EngineMismatch",
            what: "endpoint"
          })
        }).pipe(Effect.provide(place())),
      { timeout: 300_000 }
    )

    it.scopedLive(
      "take up a release, on the settings that ship, that a client submits who knows none of them yet",
      () =>
        Effect.gen(function* () {
          const { url } = yield* postgres
          yield* build(yield* machine(url, { sharding: {} }))
          const { payload } = yield* newRelease()
          yield* Effect.provide(
            Effect.zipRight(ExtensionRelease.submit(payload), ExtensionRelease.execute(payload)),
            EnginePostgres.layerClient({ url: Redacted.make(url) })
          )
        }).pipe(Effect.provide(place()))
    )
  }
)

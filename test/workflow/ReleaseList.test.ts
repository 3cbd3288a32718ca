import { pathToFileURL } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import { createClient } from "@libsql/client"
import { Effect, Layer } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import * as EngineSqlite from "../../src/workflow/EngineSqlite.ts"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"
import * as ReleaseList from "../../src/workflow/ReleaseList.ts"
import * as ReleasePayload from "../../src/workflow/ReleasePayload.ts"
import type { ReleaseFilter, ReleaseState } from "../../src/workflow/ReleaseRecord.ts"
import * as ReleaseTarget from "../../src/workflow/ReleaseTarget.ts"
import { databaseFile, engines } from "../support/workflow/engines.ts"
import { begin, newRelease, place, runner } from "../support/workflow/releases.ts"

const named = (name: string) => ReleaseTarget.named({ name, type: "bundle", version: "*" })

/** Until the list says so, which may be a moment after it is so. */
const untilListed = (executionId: string, state: ReleaseState) =>
  ReleaseList.find(executionId).pipe(
    Effect.delay("20 millis"),
    Effect.repeat({ until: (release) => release.state === state })
  )

const idsOf = (filter: ReleaseFilter) =>
  Effect.map(ReleaseList.list(filter), ({ releases }) => releases.map(({ releaseId }) => releaseId))

for (const [name, engine] of Object.entries(engines)) {
  describe.runIf(engine.isHere)(`on ${name}`, () => {
    it.scopedLive(
      "a release is shown with what it waits for, its steps with their attempts, and how it ended",
      () =>
        Effect.gen(function* () {
          const cloud = yield* LocalElasticCloud
          yield* cloud.plan({ method: "PUT", fault: Fault.answer({ status: 503 }) })
          const { content, executionId, payload } = yield* newRelease({ holdForApproval: true })
          yield* Effect.gen(function* () {
            const outcome = yield* begin(payload)
            const held = yield* untilListed(executionId, "held")
            expect(held).toMatchObject({
              releaseId: "words-1",
              attempt: 1,
              extension: named("words"),
              holdForApproval: true,
              waitsFor: { _tag: "Approval" },
              failure: null,
              decision: null
            })
            yield* ExtensionRelease.approve(executionId, { by: "ada" })
            const receipt = yield* outcome
            yield* untilListed(executionId, "done")
            const shown = yield* ReleaseList.show(executionId)
            expect(shown.receipt).toEqual(receipt)
            expect(shown.summary).toMatchObject({
              state: "done",
              waitsFor: null,
              extensionId: receipt.extensionId,
              decision: { verdict: "approved", by: "ada" }
            })
            expect(shown.summary.runner).not.toBeNull()
            const steps = shown.steps.map(({ attempt, state, step }) => `${step} ${attempt} ${state}`)
            expect(steps).toEqual([
              "inspect 1 done",
              "digest 1 done",
              "ensure 1 done",
              "transfer 1 failed",
              "transfer 2 done",
              "verify 1 done",
              "request-approval 1 done",
              "announce 1 done"
            ])
            const [, digest, , failed, transfer] = shown.steps
            expect(digest?.facts).toEqual({ size: content.length, sha256: payload.sha256 })
            expect(failed?.failure).toMatchObject({ tag: "ServiceUnavailable" })
            expect(failed?.failure?.message.endsWith(failed.failure.remedy)).toBe(true)
            expect(transfer?.facts).toMatchObject({ outcome: "Uploaded", proof: "hash" })
            for (const { endedAtMillis, startedAtMillis } of shown.steps)
              expect(endedAtMillis).toBeGreaterThanOrEqual(startedAtMillis)
            expect(yield* ReleaseList.show("words-1")).toEqual(shown)
          }).pipe(Effect.provide(runner().pipe(Layer.provideMerge(yield* engine.layer))))
        }).pipe(Effect.provide(place()))
    )

    it.scopedLive("releases are listed by state, extension and age, newest first, by the page", () =>
      Effect.gen(function* () {
        const held = yield* newRelease({ releaseId: "held", holdForApproval: true })
        const queued = yield* newRelease({ releaseId: "queued" })
        const other = yield* newRelease({ releaseId: "other", extension: named("other") })
        const failing = yield* newRelease({ releaseId: "failing", extension: ReleaseTarget.id("404404") })
        yield* Effect.gen(function* () {
          for (const { executionId, payload } of [held, queued, other, failing]) {
            yield* Effect.sleep("2 millis")
            expect(yield* ExtensionRelease.submit(payload)).toBe(executionId)
          }
          yield* untilListed(held.executionId, "held")
          const waiting = yield* untilListed(queued.executionId, "waiting")
          expect(waiting.waitsFor).toEqual({ _tag: "Turn", of: held.executionId })
          yield* untilListed(other.executionId, "done")
          const failed = yield* untilListed(failing.executionId, "failed")
          expect(failed.failure).toMatchObject({ tag: "ExtensionNotFound" })

          expect(yield* idsOf({})).toEqual(["failing", "other", "queued", "held"])
          expect(yield* Effect.flip(ReleaseList.retry("held"))).toMatchObject({
            _tag: "ReleaseUnfinished",
            state: "held"
          })
          expect(yield* idsOf({ states: ["held", "waiting"] })).toEqual(["queued", "held"])
          expect(yield* idsOf({ extension: "words" })).toEqual(["queued", "held"])
          expect(yield* idsOf({ extension: "404404" })).toEqual(["failing"])
          const { extensionId } = yield* ReleaseList.find(other.executionId)
          expect(yield* idsOf({ extension: extensionId ?? "" })).toEqual(["other"])
          const submittedBeforeMillis = waiting.submittedAtMillis
          expect(yield* idsOf({ submittedBeforeMillis })).toEqual(["held"])
          const since = { submittedSinceMillis: submittedBeforeMillis }
          expect(yield* idsOf(since)).toEqual(["failing", "other", "queued"])

          const first = yield* ReleaseList.list({ limit: 3 })
          expect(first.releases).toHaveLength(3)
          const second = yield* ReleaseList.list({ limit: 3, after: first.next ?? "" })
          expect(second.releases.map(({ releaseId }) => releaseId)).toEqual(["held"])
          expect(second.next).toBeNull()

          yield* ExtensionRelease.cancel(queued.executionId)
          yield* ExtensionRelease.reject(held.executionId, { by: "ada", note: "a letter is missing" })
          const rejected = yield* untilListed(held.executionId, "rejected")
          expect(rejected.decision).toMatchObject({ verdict: "rejected", note: "a letter is missing" })
          yield* untilListed(queued.executionId, "cancelled")
        }).pipe(Effect.provide(runner().pipe(Layer.provideMerge(yield* engine.layer))))
      }).pipe(Effect.provide(place()))
    )

    it.scopedLive("a release id finds the newest attempt, and none where several releases share it", () =>
      Effect.gen(function* () {
        const { payload } = yield* newRelease({ releaseId: "twice", extension: ReleaseTarget.id("404404") })
        const one = yield* newRelease({ releaseId: "shared", extension: named("one") })
        const two = yield* newRelease({ releaseId: "shared", extension: named("two") })
        yield* Effect.gen(function* () {
          yield* Effect.flip(ExtensionRelease.execute(payload))
          const again = yield* ReleaseList.retry("twice")
          expect(again).toBe(yield* ExtensionRelease.executionId(ReleasePayload.nextAttempt(payload)))
          expect(yield* ReleaseList.find("twice")).toMatchObject({ executionId: again, attempt: 2 })
          const ids = [
            yield* ExtensionRelease.submit(one.payload),
            yield* ExtensionRelease.submit(two.payload)
          ]
          yield* Effect.flip(ExtensionRelease.execute(ReleasePayload.nextAttempt(payload)))
          const third = yield* ReleaseList.retry(yield* ExtensionRelease.executionId(payload))
          expect(yield* ReleaseList.find("twice")).toMatchObject({ executionId: third, attempt: 3 })
          const ambiguous = yield* Effect.flip(ReleaseList.find("shared"))
          expect(ambiguous._tag).toBe("AmbiguousRelease")
          for (const id of ids) expect(ambiguous.message).toContain(id)
          expect(yield* Effect.flip(ReleaseList.show("nowhere"))).toMatchObject({
            _tag: "UnknownExecution"
          })
        }).pipe(Effect.provide(runner().pipe(Layer.provideMerge(yield* engine.layer))))
      }).pipe(Effect.provide(place()))
    )
  })
}

describe("the tables of the list", () => {
  const execute = (file: string, ...statements: ReadonlyArray<string>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => createClient({ url: pathToFileURL(file).href })),
      (client) => Effect.promise(() => client.batch([...statements])),
      (client) => Effect.sync(() => client.close())
    )

  const on = (file: string) =>
    runner().pipe(Layer.provideMerge(EngineSqlite.layer(file, { pollInterval: "100 millis" })))

  it.scopedLive("outlive the process, and are put right from what the engine knows", () =>
    Effect.gen(function* () {
      const file = yield* databaseFile
      const { executionId, payload } = yield* newRelease()
      const failing = yield* newRelease({ extension: ReleaseTarget.id("404404") })
      yield* Effect.gen(function* () {
        yield* ExtensionRelease.execute(payload)
        yield* Effect.flip(ExtensionRelease.execute(failing.payload))
      }).pipe(Effect.provide(on(file)))
      yield* execute(file, "UPDATE release_list SET state = 'running', failure = NULL, updated_at = 0")
      yield* Effect.gen(function* () {
        yield* untilListed(executionId, "done")
        const failed = yield* untilListed(failing.executionId, "failed")
        expect(failed.failure?.tag).toBe("ExtensionNotFound")
        expect((yield* ReleaseList.show(executionId)).steps).toHaveLength(6)
      }).pipe(Effect.provide(on(file)))
    }).pipe(Effect.provide(place()))
  )

  it.scopedLive("that cannot be written hold up no release, and are not done twice for it", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const file = yield* databaseFile
      yield* Effect.scoped(Layer.build(on(file)))
      yield* execute(
        file,
        "CREATE TRIGGER no_steps BEFORE INSERT ON release_steps BEGIN SELECT RAISE(ABORT, 'refused'); END",
        "CREATE TRIGGER no_list BEFORE UPDATE ON release_list BEGIN SELECT RAISE(ABORT, 'refused'); END"
      )
      const { executionId, payload } = yield* newRelease()
      yield* Effect.gen(function* () {
        const receipt = yield* ExtensionRelease.execute(payload)
        expect(receipt.proof).toBe("hash")
        const shown = yield* ReleaseList.show(executionId)
        expect(shown).toMatchObject({ summary: { state: "done" }, steps: [], receipt: { executionId } })
      }).pipe(Effect.provide(on(file)))
      expect(yield* cloud.extensions).toMatchObject([{ name: "words", uploads: 1 }])
    }).pipe(Effect.provide(place()))
  )
})

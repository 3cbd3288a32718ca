import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Option } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"
import { held, journaled, puts, seed, sha256 } from "../support/upload/world.ts"
import { begin, inMemory, newRelease, record, untilStatus } from "../support/workflow/releases.ts"

const ada = { by: "ada", note: "looks good" }
const bob = { by: "bob" }

/** A release that is held: its archive is in place, and nobody was told. */
const heldRelease = Effect.gen(function* () {
  const release = yield* newRelease({ holdForApproval: true })
  const outcome = yield* begin(release.payload)
  yield* untilStatus(release.executionId, "Waiting")
  return { ...release, outcome: Effect.either(outcome) }
})

describe("a release held for approval", () => {
  it.scopedLive("asks, waits, and goes on when it is approved", () => {
    const seen = record()
    return Effect.gen(function* () {
      const { content, executionId, outcome } = yield* heldRelease
      expect(seen.requested).toMatchObject([{ receipt: { executionId, decision: null } }])
      expect(seen.released).toEqual([])
      const [asked] = seen.requested
      expect(yield* held(asked?.receipt.extensionId ?? "")).toMatchObject({ sha256: sha256(content) })

      const decision = { verdict: "approved", ...ada }
      expect(yield* ExtensionRelease.approve(executionId, ada)).toMatchObject({
        isFirst: true,
        inForce: Option.some(decision)
      })
      expect(yield* outcome).toMatchObject({ _tag: "Right", right: { decision } })
      expect(seen.released).toMatchObject([{ receipt: { decision } }])
      expect(seen.requested).toHaveLength(1)
    }).pipe(Effect.provide(inMemory(seen.layer)))
  })

  it.scopedLive("keeps the first of two decisions, and tells the second", () => {
    const seen = record()
    return Effect.gen(function* () {
      const { executionId, outcome } = yield* heldRelease
      yield* ExtensionRelease.approve(executionId, ada)
      const told = { isFirst: false, inForce: { value: { verdict: "approved", by: "ada" } } }
      expect(yield* ExtensionRelease.reject(executionId, bob)).toMatchObject(told)
      expect(yield* ExtensionRelease.approve(executionId, ada)).toMatchObject(told)
      expect(yield* outcome).toMatchObject({ _tag: "Right", right: { decision: { by: "ada" } } })
      expect(yield* ExtensionRelease.approve(executionId, bob)).toMatchObject(told)
      expect(seen.released).toHaveLength(1)
    }).pipe(Effect.provide(inMemory(seen.layer)))
  })

  it.scopedLive("may be approved before it is held", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { executionId, payload } = yield* newRelease({ holdForApproval: true })
      const atPut = yield* Deferred.make<void>()
      const approved = yield* Deferred.make<void>()
      const pause = Deferred.succeed(atPut, undefined).pipe(Effect.zipRight(Deferred.await(approved)))
      yield* cloud.plan({ method: "PUT", fault: Fault.run("arrival", pause) })
      const outcome = yield* begin(payload)
      yield* Deferred.await(atPut)
      expect(yield* ExtensionRelease.poll(executionId)).toEqual({ _tag: "Running" })
      expect(yield* ExtensionRelease.approve(executionId, ada)).toMatchObject({ isFirst: true })
      yield* Deferred.succeed(approved, undefined)
      expect(yield* outcome).toMatchObject({ decision: { by: "ada" } })
    }).pipe(Effect.provide(inMemory()))
  )

  it.scopedLive("ends when it is rejected, and nobody is told", () => {
    const seen = record()
    return Effect.gen(function* () {
      const { executionId, outcome } = yield* heldRelease
      yield* ExtensionRelease.reject(executionId, { by: "bob", note: "wrong branch" })
      const rejected = { _tag: "ReleaseRejected", executionId, by: "bob", note: "wrong branch" }
      expect(yield* outcome).toMatchObject({ _tag: "Left", left: rejected })
      expect(seen.released).toEqual([])
      const status = yield* ExtensionRelease.poll(executionId)
      expect(status).toMatchObject({ _tag: "Done", exit: { cause: { error: rejected } } })
    }).pipe(Effect.provide(inMemory(seen.layer)))
  })

  it.scopedLive("goes on waiting when it is taken up without a decision", () =>
    Effect.gen(function* () {
      const { executionId } = yield* heldRelease
      yield* ExtensionRelease.resume(executionId)
      yield* Effect.sleep("50 millis")
      expect(yield* ExtensionRelease.poll(executionId)).toMatchObject({ _tag: "Waiting" })
    }).pipe(Effect.provide(inMemory()))
  )
})

describe("a decision about a release", () => {
  it.scopedLive("that has ended without one is refused", () =>
    Effect.gen(function* () {
      const { executionId, payload } = yield* newRelease()
      yield* ExtensionRelease.execute(payload)
      expect(yield* Effect.flip(ExtensionRelease.approve(executionId, ada))).toMatchObject({
        _tag: "NothingToDecide",
        executionId
      })
      const status = yield* ExtensionRelease.poll(executionId)
      expect(status._tag === "Done" && Exit.isSuccess(status.exit)).toBe(true)
    }).pipe(Effect.provide(inMemory()))
  )
})

describe("an execution id that was never given out", () => {
  const unknown = "0123456789abcdef0123456789abcdef"
  const questions = {
    poll: ExtensionRelease.poll(unknown),
    resume: ExtensionRelease.resume(unknown),
    cancel: ExtensionRelease.cancel(unknown),
    approve: ExtensionRelease.approve(unknown, ada),
    reject: ExtensionRelease.reject(unknown, ada)
  }
  for (const [name, question] of Object.entries(questions)) {
    it.scopedLive(`is refused by ${name}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(question)
        expect(error).toMatchObject({ _tag: "UnknownExecution", executionId: unknown })
      }).pipe(Effect.provide(inMemory()))
    )
  }
})

describe("a release that is cancelled", () => {
  /** Its upload hangs in the middle, which takes nobody's patience but the operator's. */
  const stuckRelease = (request: Parameters<typeof newRelease>[0]) =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const release = yield* newRelease(request, 300_000)
      const reached = yield* Deferred.make<void>()
      yield* cloud.plan({
        method: "PUT",
        fault: [
          Fault.run({ afterBodyBytes: 100_000 }, Effect.asVoid(Deferred.succeed(reached, undefined))),
          Fault.hang({ afterBodyBytes: 100_000 })
        ]
      })
      const outcome = yield* begin(release.payload)
      yield* Deferred.await(reached)
      return { ...release, cloud, error: Effect.flip(outcome) }
    })

  it.scopedLive("in the middle of its transfer stops within seconds, and gives up what it sent", () =>
    Effect.gen(function* () {
      const { cloud, error, executionId } = yield* stuckRelease({})
      yield* ExtensionRelease.cancel(executionId)
      expect(yield* error).toMatchObject({
        _tag: "ReleaseCancelled",
        executionId
      })
      expect(yield* journaled).toEqual([])
      expect(yield* puts).toMatchObject([{ complete: false }])
      expect(yield* cloud.extensions).toMatchObject([{ name: "words", uploads: 0 }])
    }).pipe(Effect.provide(inMemory()))
  )

  it.scopedLive("deletes the extension it created and did not fill, if asked to", () =>
    Effect.gen(function* () {
      const { cloud, error, executionId } = yield* stuckRelease({ deleteUnfilledOnCancel: true })
      yield* ExtensionRelease.cancel(executionId)
      expect((yield* error)._tag).toBe("ReleaseCancelled")
      expect(yield* cloud.extensions).toEqual([])
    }).pipe(Effect.provide(inMemory()))
  )

  it.scopedLive("leaves an extension it did not create, filled or not", () =>
    Effect.gen(function* () {
      const id = yield* seed({ name: "words" })
      const { cloud, error, executionId } = yield* stuckRelease({ deleteUnfilledOnCancel: true })
      yield* ExtensionRelease.cancel(executionId)
      expect((yield* error)._tag).toBe("ReleaseCancelled")
      expect(yield* cloud.extensions).toMatchObject([{ id, uploads: 0 }])
    }).pipe(Effect.provide(inMemory()))
  )

  it.scopedLive("while it is held leaves the archive where it is, and takes no decision any more", () => {
    const seen = record()
    return Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { content, executionId, payload } = yield* newRelease({
        holdForApproval: true,
        deleteUnfilledOnCancel: true
      })
      const outcome = yield* begin(payload)
      yield* untilStatus(executionId, "Waiting")
      yield* ExtensionRelease.cancel(executionId)
      expect((yield* Effect.flip(outcome))._tag).toBe("ReleaseCancelled")
      expect(yield* cloud.extensions).toMatchObject([{ file: { sha256: sha256(content) } }])
      expect((yield* Effect.flip(ExtensionRelease.approve(executionId, ada)))._tag).toBe("NothingToDecide")
      expect(seen.released).toEqual([])
    }).pipe(Effect.provide(inMemory(seen.layer)))
  })

  it.scopedLive("while it waits for its next try does not wait any longer", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({
        method: "PUT",
        fault: Fault.answer({ status: 503, headers: { "retry-after": "3600" } })
      })
      const { executionId, payload } = yield* newRelease({ deleteUnfilledOnCancel: true })
      const outcome = yield* begin(payload)
      yield* untilStatus(executionId, "Waiting")
      yield* ExtensionRelease.cancel(executionId)
      expect((yield* Effect.flip(outcome))._tag).toBe("ReleaseCancelled")
      expect(yield* cloud.extensions).toEqual([])
    }).pipe(Effect.provide(inMemory()))
  )

  it.scopedLive("after its end is as it was", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { executionId, payload } = yield* newRelease({ deleteUnfilledOnCancel: true })
      const { extensionId } = yield* ExtensionRelease.execute(payload)
      yield* ExtensionRelease.cancel(executionId)
      const status = yield* ExtensionRelease.poll(executionId)
      expect(status._tag === "Done" && Exit.isSuccess(status.exit)).toBe(true)
      expect(Option.isSome(yield* cloud.extension(extensionId))).toBe(true)
    }).pipe(Effect.provide(inMemory()))
  )
})

import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schedule } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import { UploadJournal } from "../../src/journal/UploadJournal.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import type { UploadOptions } from "../../src/upload/UploadSettings.ts"
import { zipOf } from "../support/upload/archives.ts"
import { held, journaled, puts, recordEvents, seed, sha256, traffic, world } from "../support/upload/world.ts"

const deploymentIds = (count: number) => Array.from({ length: count }, (_, n) => `deployment-${n + 1}`)

/** An extension with a file that so many deployments use, and an upload of another file to it. */
const inUse = (count: number, options: Partial<UploadOptions> = {}, bytes = 5000) =>
  Effect.gen(function* () {
    const before = yield* zipOf(1000)
    const content = yield* zipOf(bytes)
    const id = yield* seed({ file: before, deployments: deploymentIds(count) })
    const { events, milestones, onEvent } = recordEvents()
    const upload = (more: Partial<UploadOptions> = {}) =>
      ExtensionUpload.upload({
        extensionId: id,
        archive: Archive.bytes({ name: "a.zip", bytes: content }),
        onEvent,
        ...options,
        ...more
      })
    const warnings = () => events.flatMap((event) => (event._tag === "Warning" ? [event] : []))
    return { before, content, events, id, milestones, upload, warnings }
  })

const questions = Effect.gen(function* () {
  const requests = yield* (yield* LocalElasticCloud).requests
  return requests
    .filter(({ method, path }) => method === "GET" && path.includes("/extensions/"))
    .map(({ path }) => (path.includes("?include_deployments=true") ? "with deployments" : "without"))
})

describe("an extension that deployments use", () => {
  it.live("is replaced with a warning that names them; they are asked for once", () =>
    Effect.gen(function* () {
      const { content, id, upload, warnings } = yield* inUse(2)
      expect(yield* upload()).toMatchObject({ _tag: "Uploaded", proof: "hash" })
      expect(warnings()).toEqual([
        {
          _tag: "Warning",
          code: "InUse",
          message: `Extension ${id} is used by 2 deployments: deployment-1, deployment-2. A deployment takes the new file when its nodes next start.`
        }
      ])
      expect(yield* questions).toEqual(["with deployments", "without"])
      expect((yield* held(id)).sha256).toBe(sha256(content))
    }).pipe(Effect.provide(world()))
  )

  it.live.each([
    [1, "used by deployment deployment-1."],
    [10, "used by 10 deployments: deployment-1, deployment-2, "],
    [10, ", deployment-10. A"],
    [11, ", deployment-10 and 1 more. A"],
    [500, "used by 500 deployments: deployment-1, "],
    [500, ", deployment-10 and 490 more. A"]
  ] as const)("is said to be in use in one line, however many they are: %i %s", ([count, says]) =>
    Effect.gen(function* () {
      const { upload, warnings } = yield* inUse(count)
      yield* upload()
      expect(warnings().map(({ message }) => message)).toEqual([expect.stringContaining(says)])
    }).pipe(Effect.provide(world()))
  )

  it.live("is not replaced where it is protected: nothing is sent, and nothing left behind", () =>
    Effect.gen(function* () {
      const { before, id, milestones, upload } = yield* inUse(12, { protectInUse: true })
      const error = yield* Effect.flip(upload())
      expect(error).toMatchObject({
        _tag: "ExtensionProtected",
        extensionId: id,
        deployments: deploymentIds(12),
        isRetryable: false
      })
      expect(error.message).toContain(`extension ${id} was not replaced`)
      expect(error.message).toContain("12 deployments: deployment-1, ")
      expect(error.message).toContain(", deployment-10 and 2 more. Upload to another extension")
      expect(milestones()).not.toContain("AttemptStarted")
      expect(yield* puts).toEqual([])
      expect(yield* traffic).toEqual(["GET 200"])
      expect(yield* held(id)).toMatchObject({ uploads: 0, resourceVersion: 1, sha256: sha256(before) })
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live("is already current, protected or not, where it holds the very content", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(1000)
      const extensionId = yield* seed({ file: content, deployments: deploymentIds(1) })
      const { events, onEvent } = recordEvents()
      const receipt = yield* ExtensionUpload.upload({
        extensionId,
        archive: Archive.bytes({ name: "a.zip", bytes: content }),
        protectInUse: true,
        onEvent
      })
      expect(receipt._tag).toBe("AlreadyCurrent")
      expect(events.filter(({ _tag }) => _tag === "Warning")).toEqual([])
    }).pipe(Effect.provide(world()))
  )
})

describe("an extension that no deployment uses", () => {
  it.live("is replaced without a word, protected or not", () =>
    Effect.gen(function* () {
      const { content, id, upload, warnings } = yield* inUse(0)
      expect(yield* upload()).toMatchObject({ _tag: "Uploaded" })
      expect(warnings()).toEqual([])
      expect((yield* held(id)).sha256).toBe(sha256(content))
    }).pipe(Effect.provide(world({ settings: { protectInUse: true } })))
  )
})

describe("an upload that goes on", () => {
  /** The server may be further than the client, which hears of the upload's address in its own time. */
  const addressKnown = Effect.flatMap(UploadJournal, ({ list }) => list).pipe(
    Effect.repeat({
      until: ({ records }) => records.some(({ upload }) => upload !== undefined),
      schedule: Schedule.spaced("10 millis")
    })
  )

  const interruptedAt = <A, E, R, E1, R1>(
    moment: Fault.Moment,
    upload: Effect.Effect<A, E, R>,
    first: Effect.Effect<unknown, E1, R1>
  ) =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const reached = yield* Deferred.make<void>()
      yield* cloud.plan({
        method: "PUT",
        fault: [Fault.run(moment, Effect.asVoid(Deferred.succeed(reached, undefined))), Fault.hang(moment)]
      })
      const fiber = yield* Effect.fork(Effect.ignore(upload))
      yield* Deferred.await(reached)
      yield* first
      yield* Fiber.interrupt(fiber)
      yield* cloud.settled
      yield* cloud.clearRequests
    })

  const servers = [
    ["ordinary", undefined],
    ["resumable", {}]
  ] as const

  for (const [kind, resumable] of servers) {
    it.live(`is refused where there is still something to send, and keeps what it has: ${kind}`, () =>
      Effect.gen(function* () {
        const cloud = yield* LocalElasticCloud
        const { before, content, events, id, upload, warnings } = yield* inUse(3, {}, 300_000)
        const first = resumable === undefined ? Effect.void : addressKnown
        yield* interruptedAt({ afterBodyBytes: 100_000 }, upload(), first)
        const kept = (yield* cloud.uploads).length
        events.length = 0

        expect(yield* Effect.flip(upload({ protectInUse: true }))).toMatchObject({
          _tag: "ExtensionProtected",
          deployments: deploymentIds(3)
        })
        expect((yield* traffic).filter((line) => !line.startsWith("GET"))).toEqual([])
        expect(yield* held(id)).toMatchObject({ uploads: 0, sha256: sha256(before) })
        expect(yield* journaled).toEqual(["Sending"])
        expect((yield* cloud.uploads).length).toBe(kept)
        expect(warnings()).toEqual([])

        const receipt = yield* upload()
        expect(receipt.bytesResumed).toBe(resumable === undefined ? 0 : 100_000)
        expect(warnings().map(({ code }) => code)).toEqual(["InUse"])
        expect((yield* held(id)).sha256).toBe(sha256(content))
      }).pipe(Effect.provide(world({ cloud: { resumable } })))
    )
  }

  it.live("is not refused where all of it has arrived", () =>
    Effect.gen(function* () {
      const { content, id, upload } = yield* inUse(1)
      yield* interruptedAt("applied", upload(), Effect.void)
      expect(yield* upload({ protectInUse: true })).toMatchObject({ _tag: "Uploaded", attempts: 0 })
      expect(yield* puts).toEqual([])
      expect(yield* held(id)).toMatchObject({ uploads: 1, sha256: sha256(content) })
    }).pipe(Effect.provide(world()))
  )
})

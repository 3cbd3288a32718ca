import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as ExtensionPublish from "../../src/publish/ExtensionPublish.ts"
import type { PublishEvent } from "../../src/publish/PublishEvent.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import { archiveHost, changes, only } from "../support/publish/publishing.ts"
import { zipOf } from "../support/upload/archives.ts"
import { journaled, seed, sha256, world } from "../support/upload/world.ts"

/** Interrupts at a moment that the request itself signals, and lets the server come to rest. */
const interrupted = <A, E, R>(run: (reached: Effect.Effect<void>) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const cloud = yield* LocalElasticCloud
    const moment = yield* Deferred.make<void>()
    const fiber = yield* Effect.fork(run(Effect.asVoid(Deferred.succeed(moment, undefined))))
    yield* Deferred.await(moment)
    yield* Fiber.interrupt(fiber)
    yield* cloud.clearPlan
    yield* cloud.settled
  })

/** Stops for good at the first event of this kind. */
const stopAt = (tag: PublishEvent["_tag"], reached: Effect.Effect<void>) => (event: PublishEvent) =>
  event._tag === tag ? Effect.zipRight(reached, Effect.never) : Effect.void

const request = (content: Uint8Array) =>
  ({
    name: "dictionary",
    type: "bundle",
    version: "8.*",
    description: "Words",
    archive: Archive.bytes({ name: "words.zip", bytes: content })
  }) as const

describe("interrupted at an event, and run again", () => {
  const events = [
    "ExtensionCreated",
    "DigestProgress",
    "DigestComputed",
    "AttemptStarted",
    "SendingStarted",
    "BytesWritten",
    "VerificationProgress",
    "Verified",
    "Completed"
  ] as const
  it.live.each(events)("%s: one extension, with this file", (tag) =>
    Effect.gen(function* () {
      const content = yield* zipOf(50_000)
      yield* interrupted((reached) =>
        ExtensionPublish.publish({ ...request(content), onEvent: stopAt(tag, reached) })
      )
      const receipt = yield* ExtensionPublish.publish(request(content))
      expect(receipt).toMatchObject({ created: false, proof: "hash", extensionId: (yield* only).id })
      expect(yield* only).toMatchObject({ version: "8.*", description: "Words" })
      expect((yield* only).file?.sha256).toBe(sha256(content))
      expect((yield* changes).creates).toBe(1)
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live.each(["ExtensionFound", "MetadataUpdated"] as const)(
    "%s: the old file until it is replaced",
    (tag) =>
      Effect.gen(function* () {
        const [old, next] = [yield* zipOf(5000), yield* zipOf(5000)]
        yield* seed({ version: "7.*", file: old })
        yield* interrupted((reached) =>
          ExtensionPublish.publish({ ...request(next), onEvent: stopAt(tag, reached) })
        )
        expect(yield* only).toMatchObject({
          version: tag === "MetadataUpdated" ? "8.*" : "7.*",
          file: { sha256: sha256(old) }
        })
        yield* ExtensionPublish.publish(request(next))
        expect(yield* only).toMatchObject({ version: "8.*", file: { sha256: sha256(next) } })
        expect(yield* changes).toEqual({ creates: 0, updates: 1, uploads: 1 })
      }).pipe(Effect.provide(world()))
  )
})

describe("interrupted during a request, and run again", () => {
  const requests: ReadonlyArray<readonly [string, string, RegExp]> = [
    ["the listing", "GET", /\/extensions$/],
    ["the creation", "POST", /\/extensions$/],
    ["the reading", "GET", /\/extensions\/[^/]+$/],
    ["the upload", "PUT", /\/extensions\/[^/]+$/],
    ["the verification", "GET", /\/files\//]
  ]
  const cases = requests.flatMap((row) =>
    (["arrival", "applied"] as const).map((at) => [...row, at] as const)
  )
  it.live.each(cases)("%s (%s %s), at its %s", ([, method, path, at]) =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const content = yield* zipOf(5000)
      yield* interrupted((reached) =>
        Effect.zipRight(
          cloud.plan({ method, path, fault: [Fault.run(at, reached), Fault.hang(at)] }),
          ExtensionPublish.publish(request(content))
        )
      )
      const receipt = yield* ExtensionPublish.publish(request(content))
      expect(receipt.extensionId).toBe((yield* only).id)
      expect((yield* only).file?.sha256).toBe(sha256(content))
      expect((yield* only).uploads).toBe(1)
    }).pipe(Effect.provide(world()))
  )
})

describe("interrupted while the service fetches, and run again", () => {
  it.scopedLive.each(["DownloadStarted", "DownloadPolled", "Verified"] as const)("at %s", (tag) =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const host = yield* archiveHost(content)
      const publishing = { ...request(content), downloadUrl: host.url }
      yield* interrupted((reached) =>
        ExtensionPublish.publish({ ...publishing, onEvent: stopAt(tag, reached) })
      )
      const receipt = yield* ExtensionPublish.publish(publishing)
      expect(receipt).toMatchObject({ way: "download", proof: "hash", created: false })
      expect(yield* only).toMatchObject({ description: "Words", file: { sha256: sha256(content) } })
      // One that tells the service to fetch, and one that takes the signed URL away, by whichever run it is.
      expect(yield* changes).toEqual({ creates: 1, updates: 2, uploads: 0 })
      expect(yield* only).toMatchObject({ downloadUrl: undefined })
      expect(host.requests).toHaveLength(1)
    }).pipe(Effect.provide(world({ settings: { directUploadLimitBytes: 1000 } })))
  )
})

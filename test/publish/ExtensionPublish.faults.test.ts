import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import * as ExtensionPublish from "../../src/publish/ExtensionPublish.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import { changes, isCreate, isUpdate, only, recordPublishing, stored } from "../support/publish/publishing.ts"
import { zipOf } from "../support/upload/archives.ts"
import { client, seed, sha256, traffic, world } from "../support/upload/world.ts"

const request = (content: Uint8Array) =>
  ({
    name: "dictionary",
    type: "bundle",
    version: "8.*",
    archive: Archive.bytes({ name: "words.zip", bytes: content })
  }) as const

const whole = { status: 200, headers: { "content-type": "application/json" } } as const

describe("a create whose answer is lost", () => {
  const lost: ReadonlyArray<readonly [string, Fault.Fault]> = [
    ["to a connection that closes", Fault.cut("applied")],
    ["to a reset", Fault.cut("applied", "reset")],
    ["in its middle", Fault.cutAnswer()]
  ]
  it.live.each(lost)("%s: what it created is found, and not created again", ([, fault]) =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const content = yield* zipOf(2000)
      yield* cloud.plan({ method: "POST", path: isCreate, fault })
      const { onEvent, steps } = recordPublishing()
      const receipt = yield* ExtensionPublish.publish({ ...request(content), onEvent })
      expect(receipt).toMatchObject({ _tag: "Published", created: true })
      expect(steps().slice(0, 3)).toEqual(["ReconciliationStarted", "Reconciled", "ExtensionCreated"])
      expect(yield* only).toMatchObject({ uploads: 1, file: { sha256: sha256(content) } })
      expect(yield* changes).toEqual({ creates: 1, updates: 0, uploads: 1 })
    }).pipe(Effect.provide(world()))
  )

  it.live("in an answer that makes no sense", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const elsewhere = cloud.seed({ name: "dictionary", extension_type: "bundle", version: "8.*" })
      yield* cloud.plan({
        method: "POST",
        fault: [Fault.run("arrival", Effect.asVoid(elsewhere)), Fault.answer({ ...whole, body: "created!" })]
      })
      const receipt = yield* ExtensionPublish.publish(request(yield* zipOf(2000)))
      expect(receipt).toMatchObject({ _tag: "Published", created: true })
      expect(yield* changes).toEqual({ creates: 1, updates: 0, uploads: 1 })
      expect((yield* only).uploads).toBe(1)
    }).pipe(Effect.provide(world()))
  )

  it.live("and that takes effect only later: it is waited for", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const late = cloud
        .seed({ name: "dictionary", extension_type: "bundle", version: "8.*" })
        .pipe(Effect.delay("300 millis"), Effect.forkDaemon, Effect.asVoid)
      yield* cloud.plan({
        method: "POST",
        fault: [Fault.run("arrival", late), Fault.answer({ status: 504, body: "Gateway Timeout" })]
      })
      const receipt = yield* ExtensionPublish.publish(request(yield* zipOf(2000)))
      expect(receipt.created).toBe(true)
      expect(yield* changes).toEqual({ creates: 1, updates: 0, uploads: 1 })
      expect((yield* only).uploads).toBe(1)
    }).pipe(Effect.provide(world({ settings: { reconcileWindow: "2 seconds" } })))
  )

  it.live("and that did not take effect is made again, after looking", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({ method: "POST", path: isCreate, fault: Fault.cut("body"), times: 2 })
      const { onEvent, steps } = recordPublishing()
      const receipt = yield* ExtensionPublish.publish({ ...request(yield* zipOf(2000)), onEvent })
      expect(receipt).toMatchObject({ _tag: "Published", created: true })
      const attempt = ["ReconciliationStarted", "Reconciled", "RetryScheduled"]
      expect(steps().slice(0, 7)).toEqual([...attempt, ...attempt, "ExtensionCreated"])
      const posts = (yield* traffic).slice(0, 8)
      expect(posts.filter((line) => line === "POST unanswered")).toHaveLength(2)
      expect(
        posts.some((line, index) => line.startsWith("POST") && posts[index + 1]?.startsWith("POST"))
      ).toBe(false)
      expect((yield* only).uploads).toBe(1)
    }).pipe(Effect.provide(world()))
  )
})

describe("a create that is refused", () => {
  const passing: ReadonlyArray<readonly [string, Fault.Fault]> = [
    ["429", Fault.answer({ status: 429, headers: { "retry-after": "0" } })],
    ["503", Fault.answer({ status: 503 })],
    ["409, an id that exists", Fault.refuse(409, "extensions.id_already_exists")]
  ]
  it.live.each(passing)("for now, with %s, is tried again", ([, fault]) =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({ method: "POST", path: isCreate, fault })
      const receipt = yield* ExtensionPublish.publish(request(yield* zipOf(2000)))
      expect(receipt).toMatchObject({ _tag: "Published", created: true })
      expect(yield* changes).toEqual({ creates: 2, updates: 0, uploads: 1 })
      expect((yield* only).uploads).toBe(1)
    }).pipe(Effect.provide(world()))
  )

  it.live("for good is the service's own error", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({
        method: "POST",
        path: isCreate,
        fault: Fault.refuse(404, "extensions.no_user_id")
      })
      const error = yield* Effect.flip(ExtensionPublish.publish(request(yield* zipOf(2000))))
      expect(error).toMatchObject({ _tag: "NoUserId", operation: "create" })
      expect(yield* changes).toEqual({ creates: 1, updates: 0, uploads: 0 })
    }).pipe(Effect.provide(world()))
  )

  it.live("where the other type has the name, says so", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const takenBy = yield* seed({ extension_type: "plugin", version: "8.17.0" })
      yield* cloud.plan({
        method: "POST",
        path: isCreate,
        fault: Fault.refuse(400, "extensions.request_execution_failed", "The name is taken.")
      })
      const error = yield* Effect.flip(ExtensionPublish.publish(request(yield* zipOf(2000))))
      expect(error).toMatchObject({ _tag: "NameTaken", type: "bundle", takenBy })
      expect(error.message).toContain("The name is taken.")
      expect(error.message).toContain("Publish it as a plugin")
      expect(yield* changes).toEqual({ creates: 1, updates: 0, uploads: 0 })
    }).pipe(Effect.provide(world()))
  )
})

describe("a key that is not accepted", () => {
  it.live("ends it at the first request", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(ExtensionPublish.publish(request(yield* zipOf(2000))))
      expect(error).toMatchObject({ _tag: "AuthenticationFailed", operation: "list" })
      expect(yield* traffic).toEqual(["GET 401"])
    }).pipe(Effect.provide(world({ apiKey: "another-key" })))
  )
})

describe("an update", () => {
  const outdated = (content: Uint8Array) => seed({ version: "7.*", file: content })

  it.live("whose answer is lost shows to be done, and is not sent again", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const content = yield* zipOf(2000)
      yield* outdated(content)
      yield* cloud.plan({ method: "POST", path: isUpdate, fault: Fault.cut("applied") })
      const receipt = yield* ExtensionPublish.publish(request(content))
      expect(receipt).toMatchObject({ _tag: "Published", updated: ["version"] })
      expect(yield* changes).toEqual({ creates: 0, updates: 1, uploads: 0 })
      expect(yield* only).toMatchObject({ version: "8.*", resourceVersion: 2 })
    }).pipe(Effect.provide(world()))
  )

  it.live("that did not arrive is sent again, on what is there by then", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const content = yield* zipOf(2000)
      const id = yield* outdated(content)
      const other = seed({ id, version: "7.*", description: "Written meanwhile" })
      yield* cloud.plan({
        method: "POST",
        path: isUpdate,
        fault: [
          Fault.run("arrival", Effect.provideService(Effect.asVoid(other), LocalElasticCloud, cloud)),
          Fault.answer({ status: 503 })
        ]
      })
      const receipt = yield* ExtensionPublish.publish(request(content))
      expect(receipt.updated).toEqual(["version"])
      expect(yield* changes).toEqual({ creates: 0, updates: 2, uploads: 0 })
      expect(yield* only).toMatchObject({ version: "8.*", description: "Written meanwhile" })
    }).pipe(Effect.provide(world()))
  )

  it.live("against which someone else was first fails, before the file is touched", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      yield* outdated(yield* zipOf(2000))
      const before = yield* only
      yield* cloud.plan({
        method: "POST",
        path: isUpdate,
        fault: Fault.refuse(409, "extensions.version_conflict")
      })
      const error = yield* Effect.flip(ExtensionPublish.publish(request(yield* zipOf(2000))))
      expect(error).toMatchObject({ _tag: "VersionConflict", operation: "update" })
      expect(yield* only).toEqual(before)
      expect(yield* changes).toEqual({ creates: 0, updates: 1, uploads: 0 })
    }).pipe(Effect.provide(world()))
  )
})

describe("an upload that fails for good", () => {
  it.live("leaves an extension that the next run finds and fills", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const content = yield* zipOf(2000)
      yield* cloud.plan({ method: "PUT", fault: Fault.answer({ status: 413 }) })
      const error = yield* Effect.flip(ExtensionPublish.publish(request(content)))
      expect(error._tag).toBe("PayloadTooLarge")
      expect((yield* only).file).toBeUndefined()

      const receipt = yield* ExtensionPublish.publish(request(content))
      expect(receipt).toMatchObject({ _tag: "Published", created: false })
      expect(yield* only).toMatchObject({ uploads: 1, file: { sha256: sha256(content) } })
      expect(yield* changes).toEqual({ creates: 1, updates: 0, uploads: 2 })
    }).pipe(Effect.provide(world()))
  )
})

describe("two at once for the same new name", () => {
  it.live("that share a journal: one publishes, the other is told who does", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const content = yield* zipOf(2000)
      const isCreating = yield* Effect.makeLatch(false)
      const other = yield* Effect.makeLatch(false)
      yield* cloud.plan({
        method: "POST",
        path: isCreate,
        fault: Fault.run("arrival", Effect.zipRight(isCreating.open, other.await))
      })
      const first = yield* Effect.fork(ExtensionPublish.publish(request(content)))
      yield* isCreating.await
      const error = yield* Effect.flip(ExtensionPublish.publish(request(content)))
      expect(error).toMatchObject({ _tag: "JournalLocked", isRetryable: true })
      expect(error.message).toContain('Extension "bundle/dictionary" is in use by')
      yield* other.open
      expect(yield* Fiber.join(first)).toMatchObject({ _tag: "Published", created: true })
      expect(yield* ExtensionPublish.publish(request(content))).toMatchObject({ _tag: "AlreadyPublished" })
      expect((yield* only).uploads).toBe(1)
    }).pipe(Effect.provide(world()))
  )

  it.live("on two machines: neither fills one of two without a word", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const content = yield* zipOf(2000)
      const bothHaveLooked = yield* Effect.makeLatch(false)
      const arrivals = { count: 0 }
      const meet = Effect.suspend(() => {
        arrivals.count += 1
        return arrivals.count === 2 ? Effect.asVoid(bothHaveLooked.open) : bothHaveLooked.await
      })
      yield* cloud.plan({
        method: "POST",
        path: isCreate,
        times: 2,
        fault: [Fault.run("arrival", meet), Fault.delay(100)]
      })
      const publish = Effect.flip(ExtensionPublish.publish(request(content))).pipe(
        Effect.provide(Layer.merge(client(), UploadJournal.layerMemory))
      )
      const errors = yield* Effect.all([publish, publish], { concurrency: 2 })
      const ids = (yield* cloud.extensions).map(({ id }) => id)
      for (const error of errors)
        expect(error).toMatchObject({ _tag: "AmbiguousExtension", ids, emptyIds: ids })
      expect((yield* stored).map(({ uploads }) => uploads)).toEqual([0, 0])
    }).pipe(Effect.provide(world()))
  )
})

/** What a plan says is what the run then does, whatever the journal, the settings and the server are. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Either, Fiber, FastCheck as fc, Option } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import { UploadJournal } from "../../src/journal/UploadJournal.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import type { UploadOptions } from "../../src/upload/UploadSettings.ts"
import { zipOf } from "../support/upload/archives.ts"
import { otherWriter, recordEvents, seed, world } from "../support/upload/world.ts"

/** How the run before this one ended. */
type Earlier = "there was none" | "cut off" | "arrived, unheard" | "cut off with another archive"

interface Situation {
  readonly earlier: Earlier
  readonly earlierContentType: UploadOptions["contentType"]
  readonly serverResumes: boolean
  readonly othersWrote: boolean
  readonly holds: "nothing" | "another archive" | "this archive"
  readonly isUsed: boolean
  readonly settings: Pick<UploadOptions, "contentType" | "onConflict" | "protectInUse" | "resumable">
}

const situations: fc.Arbitrary<Situation> = fc.record({
  earlier: fc.constantFrom<Earlier[]>(
    "there was none",
    "cut off",
    "arrived, unheard",
    "cut off with another archive"
  ),
  earlierContentType: fc.constantFrom("raw", "multipart"),
  serverResumes: fc.boolean(),
  othersWrote: fc.boolean(),
  holds: fc.constantFrom("nothing", "another archive", "this archive"),
  isUsed: fc.boolean(),
  settings: fc.record({
    contentType: fc.constantFrom("raw", "multipart"),
    onConflict: fc.constantFrom("fail", "overwrite"),
    protectInUse: fc.boolean(),
    resumable: fc.constantFrom("auto", "never")
  })
})

const listed = Effect.flatMap(UploadJournal, (journal) => journal.list)

/** A run that ends in the middle of its PUT, or after the PUT was applied. */
const leaveUnfinished = (
  id: string,
  content: Uint8Array,
  { earlier, earlierContentType, serverResumes }: Situation
) =>
  Effect.gen(function* () {
    if (earlier === "there was none") return
    const cloud = yield* LocalElasticCloud
    const moment = earlier === "arrived, unheard" ? "applied" : { afterBodyBytes: 2000 }
    const reached = yield* Deferred.make<void>()
    yield* cloud.plan({
      method: "PUT",
      fault: [Fault.run(moment, Effect.asVoid(Deferred.succeed(reached, undefined))), Fault.hang(moment)]
    })
    const bytes = earlier === "cut off with another archive" ? yield* zipOf(6000) : content
    const run = yield* Effect.fork(
      ExtensionUpload.upload({
        extensionId: id,
        archive: Archive.bytes({ name: "words.zip", bytes }),
        contentType: earlierContentType
      })
    )
    // An archive that is there already is not sent again: then there is nothing to leave unfinished.
    const hasReached = yield* Effect.raceFirst(
      Effect.as(Deferred.await(reached), true),
      Effect.as(Fiber.await(run), false)
    )
    // The server has told where the upload can be resumed, but the client may not have heard it yet.
    if (hasReached && serverResumes) {
      yield* Effect.sleep("5 millis").pipe(
        Effect.zipRight(listed),
        Effect.repeat({ until: ({ records }) => records.some(({ upload }) => upload !== undefined) })
      )
    }
    yield* Fiber.interrupt(run)
    yield* cloud.clearPlan
  })

const methods = Effect.gen(function* () {
  const cloud = yield* LocalElasticCloud
  yield* cloud.settled
  return (yield* cloud.requests).filter(({ path }) => !path.startsWith("/files/")).map(({ method }) => method)
})

const check = (situation: Situation) =>
  Effect.gen(function* () {
    const cloud = yield* LocalElasticCloud
    const content = yield* zipOf(5000)
    const held = { nothing: undefined, "another archive": yield* zipOf(4000), "this archive": content }
    const id = yield* seed({
      file: held[situation.holds],
      deployments: situation.isUsed ? ["deployment-1"] : []
    })
    yield* leaveUnfinished(id, content, situation)
    if (situation.othersWrote) yield* otherWriter(id, yield* zipOf(3000))
    yield* cloud.settled
    yield* cloud.clearRequests

    const { events, onEvent } = recordEvents()
    const request = {
      extensionId: id,
      archive: Archive.bytes({ name: "words.zip", bytes: content }),
      ...situation.settings
    }
    const before = yield* listed
    const planned = yield* Effect.either(ExtensionUpload.plan(request))
    expect(yield* listed).toEqual(before)
    expect(new Set(yield* methods)).toEqual(new Set(["GET"]))
    yield* cloud.clearRequests

    const ended = yield* Effect.either(ExtensionUpload.upload({ ...request, onEvent }))
    const sent = (yield* methods).filter((method) => method === "PUT" || method === "PATCH")
    if (Either.isLeft(planned)) {
      expect(Either.flip(ended)).toMatchObject({ right: { _tag: planned.left._tag } })
      expect(sent).toEqual([])
      return planned.left._tag
    }
    const plan = planned.right
    const receipt = yield* ended
    const tags = new Set(events.map(({ _tag }) => _tag))
    expect(tags.has("UploadContinued")).toBe(
      plan._tag === "Continue" || plan._tag === "SendAgain" || plan._tag === "AlreadyApplied"
    )
    expect(tags.has("StaleUploadDiscarded")).toBe(plan._tag === "Send" && Option.isSome(plan.discards))
    expect(receipt._tag).toBe(plan._tag === "AlreadyCurrent" ? "AlreadyCurrent" : "Uploaded")
    switch (plan._tag) {
      case "AlreadyCurrent":
      case "AlreadyApplied":
        expect(sent).toEqual([])
        expect(receipt.bytesSent).toBe(0)
        break
      case "Continue":
        expect(new Set(sent)).toEqual(new Set(["PATCH"]))
        expect(receipt.bytesResumed).toBeGreaterThanOrEqual(plan.acknowledged)
        break
      case "SendAgain":
      case "Send":
        expect(sent).toEqual(["PUT"])
        expect(receipt.bytesResumed).toBe(0)
    }
    return plan._tag
  }).pipe(Effect.provide(world({ cloud: situation.serverResumes ? { resumable: {} } : {} })))

describe("the plan of an upload", () => {
  it.live.prop(
    "is what the run then does, and changes nothing",
    { situation: situations },
    ({ situation }) => Effect.asVoid(check(situation)),
    { timeout: 300_000, fastCheck: { numRuns: 40 } }
  )

  const undisturbed: Situation = {
    earlier: "there was none",
    earlierContentType: "raw",
    serverResumes: false,
    othersWrote: false,
    holds: "nothing",
    isUsed: false,
    settings: { contentType: "raw", onConflict: "fail", protectInUse: false, resumable: "auto" }
  }
  const cases: ReadonlyArray<readonly [string, Partial<Situation>]> = [
    ["Send", {}],
    ["AlreadyCurrent", { holds: "this archive" }],
    ["AlreadyApplied", { earlier: "arrived, unheard" }],
    ["Continue", { earlier: "cut off", serverResumes: true }],
    ["SendAgain", { earlier: "cut off" }],
    ["UploadConflict", { earlier: "cut off", othersWrote: true }],
    ["ExtensionProtected", { isUsed: true, settings: { ...undisturbed.settings, protectInUse: true } }],
    [
      "Send",
      {
        earlier: "cut off",
        serverResumes: true,
        settings: { ...undisturbed.settings, contentType: "multipart" }
      }
    ]
  ]
  it.live.each(cases)("%s: %o", ([expected, situation]) =>
    Effect.map(check({ ...undisturbed, ...situation }), (end) => expect(end).toBe(expected))
  )
})

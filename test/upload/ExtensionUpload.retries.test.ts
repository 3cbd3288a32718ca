import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import { zipOf } from "../support/upload/archives.ts"
import {
  broughtOnly,
  held,
  journaled,
  puts,
  recordEvents,
  seed,
  sha256,
  traffic,
  world
} from "../support/upload/world.ts"

/** Uploads an archive of about so many bytes while the fault strikes the first PUTs. */
const uploadThrough = (fault: Fault.FaultRule["fault"], { bytes = 100_000, times = 1 } = {}) =>
  Effect.gen(function* () {
    const content = yield* zipOf(bytes)
    const id = yield* seed()
    const cloud = yield* LocalElasticCloud
    yield* cloud.plan({ method: "PUT", times, fault })
    const { events, onEvent } = recordEvents()
    const result = yield* Effect.either(
      ExtensionUpload.upload({
        extensionId: id,
        archive: Archive.bytes({ name: "a.zip", bytes: content }),
        onEvent
      })
    )
    expect(yield* broughtOnly(content)).toBe(true)
    return { content, id, result, events, whole: `PUT ${content.length}/${content.length} whole` }
  })

const isOurs = (id: string, content: Uint8Array) =>
  Effect.map(held(id), (now) => now.sha256 === sha256(content))

describe("a connection that breaks", () => {
  // Far more than the kernel takes ahead of a server that has stopped reading.
  const large = 32_000_000

  it.live.each([
    ["before anything is read", Fault.cut("arrival"), "PUT 0/SIZE cut unanswered"],
    ["before anything is read, by a reset", Fault.cut("arrival", "reset"), "PUT 0/SIZE cut unanswered"],
    ["by a server that stops reading", Fault.cut("arrival", "end"), "PUT 0/SIZE cut unanswered"],
    ["at the first byte", Fault.cut({ afterBodyBytes: 1 }, "reset"), "PUT 1/SIZE cut unanswered"],
    ["in the middle", Fault.cut({ afterBodyBytes: 2_000_000 }, "reset"), "PUT 2000000/SIZE cut unanswered"]
  ] as const)("is made again, %s", ([, fault, cut]) =>
    Effect.gen(function* () {
      const { content, id, result, whole } = yield* uploadThrough(fault, { bytes: large })
      expect(result).toMatchObject({
        _tag: "Right",
        right: { _tag: "Uploaded", proof: "hash", attempts: 2, bytesResumed: 0 }
      })
      const seen = yield* puts
      expect(yield* traffic).toEqual([
        "GET 200",
        cut.replace("SIZE", String(content.length)),
        "GET 200",
        // Once something was sent in vain, it is asked whether that can be avoided.
        ...(cut.startsWith("PUT 0/") ? [] : ["OPTIONS 405"]),
        `${whole} 200`,
        "GET 200",
        "LINK 200"
      ])
      // A fresh connection for every attempt, and no request behind the caller's back.
      expect(new Set(seen.map(({ connection }) => connection)).size).toBe(2)
      expect(yield* isOurs(id, content)).toBe(true)
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live("counts the bytes of every attempt", () =>
    Effect.gen(function* () {
      const { content, result } = yield* uploadThrough(Fault.cut({ afterBodyBytes: 2_000_000 }, "reset"), {
        bytes: large
      })
      const sent = result._tag === "Right" ? result.right.bytesSent : 0
      expect(sent).toBeGreaterThanOrEqual(content.length + 2_000_000)
      expect(sent).toBeLessThan(2 * content.length)
    }).pipe(Effect.provide(world()))
  )

  it.live("after the whole body is settled by asking, then made again", () =>
    Effect.gen(function* () {
      const { content, events, id, result, whole } = yield* uploadThrough(Fault.cut("body"))
      expect(result).toMatchObject({
        _tag: "Right",
        right: { attempts: 2, bytesSent: 2 * content.length, proof: "hash" }
      })
      expect(events).toContainEqual({ _tag: "Reconciled", outcome: "NotApplied" })
      const lines = yield* traffic
      expect(lines.filter((line) => line.startsWith("PUT"))).toEqual([`${whole} unanswered`, `${whole} 200`])
      // All that is asked before, meanwhile and afterwards shares one connection; each PUT has one of its own.
      const { requests } = yield* LocalElasticCloud
      const all = yield* requests
      const connections = (method: string) =>
        new Set(all.filter((one) => one.method === method).map(({ connection }) => connection))
      expect(all.filter(({ method }) => method === "GET").length).toBeGreaterThan(3)
      expect(connections("GET").size).toBe(1)
      expect(connections("PUT").size).toBe(2)
      expect(yield* held(id)).toMatchObject({ sha256: sha256(content), uploads: 1 })
    }).pipe(Effect.provide(world()))
  )

  it.live.each([
    ["before the answer", Fault.cut("applied"), "unanswered"],
    ["in the middle of the answer", Fault.cutAnswer(), "200"],
    ["before the answer's first byte", Fault.cutAnswer(0), "200"]
  ] as const)("after the upload took effect is not made again (%s)", ([, fault, status]) =>
    Effect.gen(function* () {
      const { content, events, id, result, whole } = yield* uploadThrough(fault)
      expect(result).toMatchObject({
        _tag: "Right",
        right: {
          _tag: "Uploaded",
          proof: "hash",
          attempts: 1,
          bytesSent: content.length,
          resourceVersion: { before: "1", after: "2" }
        }
      })
      expect(events).toContainEqual({ _tag: "Reconciled", outcome: "Applied" })
      expect(yield* traffic).toEqual(["GET 200", `${whole} ${status}`, "GET 200", "LINK 200"])
      expect(yield* held(id)).toMatchObject({ sha256: sha256(content), uploads: 1 })
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live("every time ends in the last error, with the journal kept", () =>
    Effect.gen(function* () {
      const { content, id, result } = yield* uploadThrough(Fault.cut({ afterBodyBytes: 100_000 }, "reset"), {
        bytes: large,
        times: 99
      })
      expect(result).toMatchObject({
        _tag: "Left",
        left: { _tag: "ConnectionFailed", phase: "sending", bytesTotal: content.length }
      })
      const cut = `PUT 100000/${content.length} cut unanswered`
      expect(yield* traffic).toEqual([
        ...["GET 200", cut],
        ...["GET 200", "OPTIONS 405", cut],
        ...["GET 200", cut],
        ...["GET 200", cut]
      ])
      expect(yield* held(id)).toMatchObject({ uploads: 0, sha256: undefined })
      expect(yield* journaled).toEqual(["Sending"])
    }).pipe(Effect.provide(world()))
  )
})

describe("a server that asks for patience", () => {
  it.live.each([
    ["429", "seconds"],
    ["503", "a date"]
  ] as const)("gets it: %s with Retry-After as %s", ([status, form]) =>
    Effect.gen(function* () {
      const header = form === "seconds" ? "1" : new Date(Date.now() + 2000).toUTCString()
      const { content, events, id, result, whole } = yield* uploadThrough(
        Fault.answer({ status: Number(status), headers: { "retry-after": header } })
      )
      expect(result).toMatchObject({ _tag: "Right", right: { attempts: 2, bytesSent: 2 * content.length } })
      const retries = events.flatMap((event) => (event._tag === "RetryScheduled" ? [event] : []))
      expect(retries).toMatchObject([
        { attempt: 1, reason: status === "429" ? "RateLimited" : "ServiceUnavailable" }
      ])
      if (form === "seconds") expect(retries).toMatchObject([{ delayMillis: 1000 }])
      else expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(header))
      const lines = yield* traffic
      expect(lines.filter((line) => line.startsWith("PUT"))).toEqual([`${whole} ${status}`, `${whole} 200`])
      expect(yield* isOurs(id, content)).toBe(true)
    }).pipe(Effect.provide(world()))
  )

  it.live.each([408, 429, 500, 502, 503, 504])("is asked again after a %i", (status) =>
    Effect.gen(function* () {
      const { content, id, result } = yield* uploadThrough(Fault.answer({ status }), { times: 2 })
      expect(result).toMatchObject({ _tag: "Right", right: { attempts: 3, bytesSent: 3 * content.length } })
      expect((yield* puts).map((put) => put.status)).toEqual([status, status, 200])
      expect(yield* held(id)).toMatchObject({ sha256: sha256(content), uploads: 1 })
    }).pipe(Effect.provide(world()))
  )

  it.live("that answers 5xx though it took the archive is believed to hold it once that is proved", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(1000)
      const id = yield* seed()
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({
        method: "PUT",
        fault: [
          Fault.run(
            "arrival",
            Effect.asVoid(
              cloud.seed({ id, name: "n", extension_type: "bundle", version: "*", file: content })
            )
          ),
          Fault.answer({ status: 504 })
        ]
      })
      const archive = Archive.bytes({ name: "a.zip", bytes: content })
      const receipt = yield* ExtensionUpload.upload({ extensionId: id, archive })
      expect(receipt).toMatchObject({ _tag: "Uploaded", proof: "hash", attempts: 1 })
      expect((yield* puts).map((put) => put.status)).toEqual([504])
    }).pipe(Effect.provide(world()))
  )

  it.live("longer than the deadline ends the upload at once", () =>
    Effect.gen(function* () {
      const { content, result } = yield* uploadThrough(
        Fault.answer({ status: 429, headers: { "retry-after": "3600" } })
      )
      expect(result).toMatchObject({
        _tag: "Left",
        left: { _tag: "RateLimited", retryAfterMillis: 3_600_000 }
      })
      expect((yield* puts).map((put) => put.bodyBytes)).toEqual([content.length])
      expect(yield* journaled).toEqual(["Sending"])
    }).pipe(Effect.provide(world({ retry: { deadline: "1 minute" } })))
  )

  it.live("counts as an attempt only what was sent", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(1000)
      const id = yield* seed()
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({ method: "PUT", fault: Fault.answer({ status: 429 }) })
      yield* cloud.plan({ method: "GET", fault: [] })
      yield* cloud.plan({
        method: "GET",
        fault: Fault.run(
          "arrival",
          Effect.asVoid(cloud.seed({ id, name: "n", extension_type: "bundle", version: "*", file: content }))
        )
      })
      const archive = Archive.bytes({ name: "a.zip", bytes: content })
      const receipt = yield* ExtensionUpload.upload({ extensionId: id, archive })
      expect(receipt).toMatchObject({ attempts: 1, bytesSent: content.length, proof: "hash" })
      expect(yield* puts).toHaveLength(1)
    }).pipe(Effect.provide(world()))
  )
})

describe("a server that falls silent", () => {
  it.live.each([
    ["while it reads", Fault.hang({ afterBodyBytes: 100_000 }), "UploadStalled", "cut"],
    ["after it has read everything", Fault.hang("body"), "UploadStalled", "whole"]
  ] as const)("is given up and tried again (%s)", ([, fault, reason, extent]) =>
    Effect.gen(function* () {
      const { content, events, id, result } = yield* uploadThrough(fault, { bytes: 10_000_000 })
      expect(result).toMatchObject({ _tag: "Right", right: { attempts: 2, proof: "hash" } })
      expect(events).toContainEqual(expect.objectContaining({ _tag: "RetryScheduled", reason }))
      expect((yield* puts).map(({ complete }) => (complete ? "whole" : "cut"))).toEqual([extent, "whole"])
      expect(yield* isOurs(id, content)).toBe(true)
    }).pipe(Effect.provide(world({ http: { stallTimeout: "2 seconds", responseTimeout: "2 seconds" } })))
  )

  it.live("past the deadline of one exchange is an error that keeps the journal", () =>
    Effect.gen(function* () {
      const { id, result } = yield* uploadThrough(Fault.readSlowly(2_000_000), { bytes: 10_000_000 })
      expect(result).toMatchObject({ _tag: "Left", left: { _tag: "DeadlineExceeded", limitMillis: 2000 } })
      expect(yield* journaled).toEqual(["Sending"])
      expect(yield* held(id)).toMatchObject({ uploads: 0 })
    }).pipe(Effect.provide(world({ http: { deadline: "2 seconds" } })))
  )
})

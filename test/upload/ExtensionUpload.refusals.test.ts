import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import { zipOf } from "../support/upload/archives.ts"
import { broughtOnly, held, journaled, puts, seed, traffic, world } from "../support/upload/world.ts"

/** The end of an upload whose every PUT meets the fault, and what the server saw of it. */
const refused = (fault: Fault.Fault, bytes = 2000) =>
  Effect.gen(function* () {
    const content = yield* zipOf(bytes)
    const id = yield* seed()
    yield* (yield* LocalElasticCloud).plan({ method: "PUT", times: 99, fault })
    const archive = Archive.bytes({ name: "words.zip", bytes: content })
    const error = yield* Effect.flip(ExtensionUpload.upload({ extensionId: id, archive }))
    expect(error.message).toContain(id)
    expect(yield* broughtOnly(content)).toBe(true)
    expect(yield* held(id)).toMatchObject({ uploads: 0, sha256: undefined, resourceVersion: 1 })
    return { content, error, received: (yield* puts).map((put) => put.bodyBytes) }
  })

const json = { "content-type": "application/json" }

describe("a documented refusal", () => {
  it.live.each([
    ["RequestExecutionFailed", 400, "extensions.request_execution_failed", "intact ZIP file"],
    ["Unauthorised", 401, "extensions.unauthorised", "does not belong to the owner"],
    ["NoUserId", 401, "extensions.no_user_id", "has no user id"],
    ["ExtensionNotFound", 404, "extensions.not_found", "no such extension"],
    ["VersionConflict", 409, "extensions.version_conflict", "someone else changed the extension"],
    ["ExtensionInUse", 400, "extensions.extension_in_use", "deployments still use"]
  ] as const)("is a %s (%i %s): one PUT, and the upload is over", ([tag, status, code, message]) =>
    Effect.gen(function* () {
      const { content, error, received } = yield* refused(
        Fault.refuse(status, code, "What the service says.")
      )
      expect(error).toMatchObject({
        _tag: tag,
        status,
        errors: [{ code, message: "What the service says." }]
      })
      expect(error.message).toContain(message)
      expect(received).toEqual([content.length])
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live("of a file that is no ZIP archive, where that is allowed, comes from the service itself", () =>
    Effect.gen(function* () {
      const content = Buffer.from("this is no archive")
      const id = yield* seed()
      const archive = Archive.bytes({ name: "words.zip", bytes: content })
      const error = yield* Effect.flip(
        ExtensionUpload.upload({ extensionId: id, archive, allow: ["not-a-zip"] })
      )
      expect(error).toMatchObject({ _tag: "RequestExecutionFailed", status: 400 })
      expect(error.message).toContain("not a ZIP archive")
      expect(yield* traffic).toEqual(["GET 200", "PUT 18/18 whole 400"])
      expect(yield* held(id)).toMatchObject({ uploads: 0, sha256: undefined })
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )
})

describe("an undocumented answer", () => {
  it.live.each([
    ["AuthenticationFailed", { status: 401 }, "API key was not accepted"],
    ["Forbidden", { status: 403, headers: json, body: "{}" }, "API key does not allow it"],
    ["Forbidden", { status: 403, body: "<html>blocked</html>" }, "a firewall in front of the API"],
    ["UnexpectedResponse", { status: 404, body: "nothing here" }, "check EC_ENDPOINT"],
    ["Conflict", { status: 409 }, "conflicts with the present state"],
    ["UnexpectedResponse", { status: 422, headers: json, body: "{}" }, "not one this operation can give"],
    ["ElevatedPermissionsRequired", { status: 449 }, "needs elevated permissions"],
    [
      "RedirectRefused",
      { status: 307, headers: { location: "https://elsewhere.example/x?y" } },
      "https://elsewhere.example."
    ]
  ] as const)("is a %s: one PUT, and the upload is over", ([tag, answer, message]) =>
    Effect.gen(function* () {
      const content = yield* zipOf(2000)
      const id = yield* seed()
      yield* (yield* LocalElasticCloud).plan({ method: "PUT", times: 99, fault: Fault.answer(answer) })
      const archive = Archive.bytes({ name: "words.zip", bytes: content })
      const error = yield* Effect.flip(ExtensionUpload.upload({ extensionId: id, archive }))
      expect(error._tag).toBe(tag)
      expect(error.message).toContain(message)
      expect(yield* traffic).toEqual([
        "GET 200",
        `PUT ${content.length}/${content.length} whole ${answer.status}`
      ])
      expect(yield* held(id)).toMatchObject({ uploads: 0, sha256: undefined })
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live.each([
    ["RequestTimeout", 408, "gave up waiting", "Sending"],
    ["RateLimited", 429, "too many requests", "Sending"],
    ["ServiceUnavailable", 500, "not able to answer (status 500)", "Sent"],
    ["ServiceUnavailable", 502, "not able to answer (status 502)", "Sent"],
    ["ServiceUnavailable", 503, "not able to answer (status 503)", "Sent"],
    ["ServiceUnavailable", 504, "not able to answer (status 504)", "Sent"]
  ] as const)(
    "that may pass is a %s (%i) after every retry, and the journal is kept",
    ([tag, status, message, phase]) =>
      Effect.gen(function* () {
        const { content, error, received } = yield* refused(Fault.answer({ status, body: "busy" }))
        expect(error).toMatchObject({ _tag: tag, status, body: "busy", isRetryable: true })
        expect(error.message).toContain(message)
        expect(received).toEqual([content.length, content.length, content.length])
        expect(yield* journaled).toEqual([phase])
      }).pipe(Effect.provide(world({ retry: { maxRetries: 2 } })))
  )

  it.live("501 does not pass: it is not tried again, though it was asked whether it took effect", () =>
    Effect.gen(function* () {
      const { content, error, received } = yield* refused(Fault.answer({ status: 501 }))
      expect(error).toMatchObject({ _tag: "ServiceUnavailable", status: 501, isRetryable: false })
      expect(received).toEqual([content.length])
      expect((yield* traffic).filter((line) => line === "GET 200").length).toBeGreaterThan(1)
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live.each([
    ["Empty", { status: 200 }],
    ["NotJson", { status: 200, body: "<html>welcome to the airport</html>" }],
    ["WrongShape", { status: 200, headers: json, body: '{"id":7}' }]
  ] as const)(
    "with a success and no sense (%s) is an InvalidResponse where nothing was applied",
    ([reason, answer]) =>
      Effect.gen(function* () {
        const { content, error, received } = yield* refused(Fault.answer(answer))
        expect(error).toMatchObject({ _tag: "InvalidResponse", reason, status: 200 })
        expect(error.message).toContain("It may have taken effect all the same")
        expect(received).toEqual([content.length])
      }).pipe(Effect.provide(world()))
  )
})

describe("a refusal before the body", () => {
  it.live.each([
    ["Unauthorised", 401, "extensions.unauthorised", "keeps"],
    ["AuthenticationFailed", 401, undefined, "closes"],
    ["Forbidden", 403, undefined, "keeps"],
    ["ExtensionNotFound", 404, "extensions.not_found", "keeps"],
    ["ExtensionNotFound", 404, "extensions.not_found", "closes"],
    ["PayloadTooLarge", 413, undefined, "keeps"],
    ["PayloadTooLarge", 413, undefined, "closes"]
  ] as const)(
    "costs not one byte of an archive above 1 MiB: %s (%i %s, and the server %s the connection)",
    ([tag, status, code, connection]) =>
      Effect.gen(function* () {
        const answer = {
          status,
          headers: { ...json, ...(code === undefined ? {} : { "x-cloud-error-codes": code }) },
          body: JSON.stringify({ errors: code === undefined ? [] : [{ code, message: "no" }] }),
          close: connection === "closes"
        }
        const { error, received } = yield* refused(Fault.answerEarly(answer), 3_000_000)
        expect(error._tag).toBe(tag)
        expect(received).toEqual([0])
        expect(yield* journaled).toEqual([])
      }).pipe(Effect.provide(world({ http: { continueTimeout: "10 seconds" } })))
  )

  it.live("by the service's own limit is a PayloadTooLarge that costs nothing either", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(3_000_000)
      const archive = Archive.bytes({ name: "words.zip", bytes: content })
      const error = yield* Effect.flip(ExtensionUpload.upload({ extensionId: yield* seed(), archive }))
      expect(error._tag).toBe("PayloadTooLarge")
      // Asked whether it takes smaller parts, it knows nothing of that.
      expect(yield* traffic).toEqual(["GET 200", `PUT 0/${content.length} cut 413`, "OPTIONS 405"])
    }).pipe(
      Effect.provide(
        world({ cloud: { maxArchiveBytes: 2_000_000 }, http: { continueTimeout: "10 seconds" } })
      )
    )
  )

  it.live.each([
    ["417 Expectation Failed", Fault.expectationFailed],
    ["silence", Fault.ignoreExpect]
  ] as const)("is not what %s means: the body follows without being asked for", ([, fault]) =>
    Effect.gen(function* () {
      const content = yield* zipOf(3_000_000)
      const id = yield* seed()
      yield* (yield* LocalElasticCloud).plan({ method: "PUT", fault })
      const archive = Archive.bytes({ name: "words.zip", bytes: content })
      const receipt = yield* ExtensionUpload.upload({ extensionId: id, archive })
      expect(receipt).toMatchObject({ attempts: 1, bytesSent: content.length, proof: "hash" })
      expect((yield* puts).filter((put) => put.bodyBytes > 0)).toHaveLength(1)
      expect(yield* held(id)).toMatchObject({ uploads: 1, size: content.length })
    }).pipe(Effect.provide(world()))
  )
})

describe("a refusal of the first question", () => {
  it.live.each([
    ["AuthenticationFailed", { status: 401 }],
    ["Forbidden", { status: 403 }],
    ["InvalidResponse", { status: 200, body: "not json" }]
  ] as const)("ends the upload before anything is sent: %s", ([tag, answer]) =>
    Effect.gen(function* () {
      const id = yield* seed()
      yield* (yield* LocalElasticCloud).plan({ method: "GET", times: 99, fault: Fault.answer(answer) })
      const archive = Archive.bytes({ name: "words.zip", bytes: yield* zipOf(2000) })
      const error = yield* Effect.flip(ExtensionUpload.upload({ extensionId: id, archive }))
      expect(error._tag).toBe(tag)
      expect(yield* traffic).toEqual([`GET ${answer.status}`])
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live("is an ExtensionNotFound for an id that is not there", () =>
    Effect.gen(function* () {
      const archive = Archive.bytes({ name: "words.zip", bytes: yield* zipOf(2000) })
      const error = yield* Effect.flip(ExtensionUpload.upload({ extensionId: "4711", archive }))
      expect(error).toMatchObject({ _tag: "ExtensionNotFound", extensionId: "4711", status: 404 })
      expect(yield* traffic).toEqual(["GET 404"])
    }).pipe(Effect.provide(world()))
  )

  it.live("is asked again while it may pass", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(2000)
      const id = yield* seed()
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({ method: "GET", times: 2, fault: Fault.answer({ status: 503 }) })
      const archive = Archive.bytes({ name: "words.zip", bytes: content })
      expect(yield* ExtensionUpload.upload({ extensionId: id, archive })).toMatchObject({ attempts: 1 })
      expect(yield* traffic).toEqual([
        "GET 503",
        "GET 503",
        "GET 200",
        `PUT ${content.length}/${content.length} whole 200`,
        "GET 200",
        "LINK 200"
      ])
    }).pipe(Effect.provide(world()))
  )
})

import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import { Uploaded } from "../../src/upload/UploadReceipt.ts"
import type { UploadOptions } from "../../src/upload/UploadSettings.ts"
import { zipOf } from "../support/upload/archives.ts"
import {
  held,
  journaled,
  otherWriter,
  recordEvents,
  seed,
  sha256,
  traffic,
  world
} from "../support/upload/world.ts"

const upload = (options: Partial<UploadOptions> & { readonly onto?: Uint8Array } = {}) =>
  Effect.gen(function* () {
    const { onto, ...settings } = options
    const content = yield* zipOf(5000)
    const id = yield* seed({ file: onto })
    const { events, onEvent } = recordEvents()
    const receipt = yield* ExtensionUpload.upload({
      extensionId: id,
      archive: Archive.bytes({ name: "a.zip", bytes: content }),
      onEvent,
      ...settings
    })
    expect(yield* held(id)).toMatchObject({ sha256: sha256(content), uploads: 1 })
    expect(yield* journaled).toEqual([])
    const warnings = events.flatMap((event) => (event._tag === "Warning" ? [event] : []))
    return { receipt, warnings, events, size: content.length }
  })

const planned = (rule: Fault.FaultRule) => Effect.flatMap(LocalElasticCloud, (cloud) => cloud.plan(rule))

describe("the proof of an upload", () => {
  it.live("is the size when that is all that is asked for: nothing is downloaded", () =>
    Effect.gen(function* () {
      const { receipt, size, warnings } = yield* upload({ verification: "size" })
      expect(receipt).toMatchObject({ proof: "size", resourceVersion: { before: "1", after: "2" } })
      expect(warnings).toEqual([])
      expect(yield* traffic).toEqual(["GET 200", `PUT ${size}/${size} whole 200`, "GET 200"])
    }).pipe(Effect.provide(world()))
  )

  it.live("is the answer when that is all that is asked for: nothing is asked afterwards", () =>
    Effect.gen(function* () {
      const { receipt, size } = yield* upload({ verification: "response" })
      expect(receipt).toMatchObject({ proof: "response", resourceVersion: { before: "1", after: "2" } })
      expect(yield* traffic).toEqual(["GET 200", `PUT ${size}/${size} whole 200`])
    }).pipe(Effect.provide(world()))
  )

  it.live("is the size where the service gives no link", () =>
    Effect.gen(function* () {
      const { receipt, size } = yield* upload()
      expect(receipt.proof).toBe("size")
      expect(yield* traffic).toEqual(["GET 200", `PUT ${size}/${size} whole 200`, "GET 200"])
    }).pipe(Effect.provide(world({ cloud: { verificationLinks: false } })))
  )

  it.live("is the size, with a warning, where the link is refused and there is no other", () =>
    Effect.gen(function* () {
      yield* planned({ path: "/files/", fault: Fault.answer({ status: 403, body: "<Error/>" }) })
      const { receipt, size, warnings } = yield* upload()
      expect(receipt.proof).toBe("size")
      expect(warnings).toEqual([
        { _tag: "Warning", code: "WeakerProof", message: expect.stringContaining("refused the link") }
      ])
      expect(yield* traffic).toEqual([
        "GET 200",
        `PUT ${size}/${size} whole 200`,
        "GET 200",
        "LINK 403",
        "GET 200"
      ])
    }).pipe(Effect.provide(world()))
  )

  it.live("is still the hash when the download breaks off once", () =>
    Effect.gen(function* () {
      yield* planned({ path: "/files/", fault: Fault.cutAnswer(100) })
      const { events, receipt, size, warnings } = yield* upload()
      expect(receipt).toMatchObject({ proof: "hash", attempts: 1, bytesSent: size })
      expect(warnings).toEqual([])
      expect(events).toContainEqual(expect.objectContaining({ _tag: "RetryScheduled", attempt: 0 }))
      expect(yield* traffic).toEqual([
        "GET 200",
        `PUT ${size}/${size} whole 200`,
        "GET 200",
        "LINK 200",
        "LINK 200"
      ])
    }).pipe(Effect.provide(world()))
  )

  it.live("is the size, with a warning, when the download never comes to its end", () =>
    Effect.gen(function* () {
      yield* planned({ path: "/files/", times: 99, fault: Fault.answer({ status: 503 }) })
      const { receipt, warnings } = yield* upload()
      expect(receipt).toMatchObject({ proof: "size", attempts: 1 })
      expect(warnings).toEqual([
        { _tag: "Warning", code: "WeakerProof", message: expect.stringContaining("503") }
      ])
    }).pipe(Effect.provide(world({ retry: { maxRetries: 1 } })))
  )

  it.live("is the answer, with a warning, where the service does not tell what it holds", () =>
    Effect.gen(function* () {
      // The baseline first, then the question after the upload.
      yield* planned({ method: "GET", fault: [] })
      yield* planned({
        method: "GET",
        fault: Fault.alterAnswer(({ body }) => {
          const { id, name, version, extension_type, url } = JSON.parse(Buffer.from(body).toString())
          return { status: 200, body: JSON.stringify({ id, name, version, extension_type, url }) }
        })
      })
      const { receipt, warnings } = yield* upload()
      expect(receipt).toMatchObject({ proof: "response", resourceVersion: { before: "1", after: null } })
      expect(warnings.map(({ code }) => code)).toEqual(["WeakerProof"])
    }).pipe(Effect.provide(world()))
  )
})

describe("a link that cannot be followed before the upload", () => {
  it.live.each([
    ["refused", Fault.answer({ status: 403 })],
    ["out of order", Fault.answer({ status: 503 })],
    ["cut", Fault.cutAnswer()]
  ] as const)("does not stand in its way (%s)", ([, fault]) =>
    Effect.gen(function* () {
      yield* planned({ path: "/files/", fault })
      const { receipt, size } = yield* upload({ onto: yield* zipOf(5000) })
      expect(receipt).toMatchObject({ _tag: "Uploaded", proof: "hash", attempts: 1, bytesSent: size })
    }).pipe(Effect.provide(world()))
  )
})

describe("content that is not ours after the upload", () => {
  const uploadThen = (after: (id: string) => Effect.Effect<void, never, LocalElasticCloud>) =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const id = yield* seed()
      const cloud = yield* LocalElasticCloud
      const context = yield* Effect.context<LocalElasticCloud>()
      yield* cloud.plan({ method: "GET", fault: [] })
      yield* cloud.plan({ method: "GET", fault: Fault.run("arrival", Effect.provide(after(id), context)) })
      const archive = Archive.bytes({ name: "a.zip", bytes: content })
      const error = yield* Effect.flip(ExtensionUpload.upload({ extensionId: id, archive }))
      return { content, error, id }
    })

  it.live("is a conflict when somebody wrote since, and theirs stays", () =>
    Effect.gen(function* () {
      const theirs = yield* zipOf(7000)
      const { content, error, id } = yield* uploadThen((id) => otherWriter(id, theirs))
      expect(error).toMatchObject({
        _tag: "UploadConflict",
        before: { resourceVersion: "2", size: content.length },
        now: { resourceVersion: "3", size: theirs.length }
      })
      expect(yield* held(id)).toMatchObject({ sha256: sha256(theirs), uploads: 1 })
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live.each(["Size", "Hash"] as const)("is a failed verification when nobody wrote since (%s)", (reason) =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const id = yield* seed()
      const cloud = yield* LocalElasticCloud
      if (reason === "Hash") {
        yield* cloud.plan({ path: "/files/", fault: Fault.answer({ status: 200, body: "not the archive" }) })
      } else {
        yield* cloud.plan({ method: "GET", fault: [] })
        yield* cloud.plan({
          method: "GET",
          fault: Fault.answer({
            status: 200,
            headers: { "x-cloud-resource-version": "2" },
            body: JSON.stringify({
              id,
              name: "n",
              version: "*",
              extension_type: "bundle",
              url: "repo://1",
              file_metadata: { size: 12 }
            })
          })
        })
      }
      const archive = Archive.bytes({ name: "a.zip", bytes: content })
      const error = yield* Effect.flip(ExtensionUpload.upload({ extensionId: id, archive }))
      expect(error).toMatchObject({
        _tag: "VerificationFailed",
        reason,
        expected: reason === "Size" ? String(content.length) : sha256(content),
        actual: reason === "Size" ? "12" : sha256(Buffer.from("not the archive"))
      })
      expect(error.message).toContain(`Extension ${id} does not hold the archive that was sent`)
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )
})

describe("verify, later", () => {
  const uploaded = Effect.gen(function* () {
    const content = yield* zipOf(5000)
    const id = yield* seed()
    const archive = Archive.bytes({ name: "a.zip", bytes: content })
    const receipt = yield* ExtensionUpload.upload({ extensionId: id, archive })
    yield* (yield* LocalElasticCloud).clearRequests
    return { content, id, receipt }
  })

  it.live("costs one question as long as the version is the same", () =>
    Effect.gen(function* () {
      const { receipt } = yield* uploaded
      expect(yield* ExtensionUpload.verify(receipt)).toBe("hash")
      expect(yield* traffic).toEqual(["GET 200"])
    }).pipe(Effect.provide(world()))
  )

  it.live("compares the content where the version is another, which a description makes it", () =>
    Effect.gen(function* () {
      const { id, receipt } = yield* uploaded
      yield* seed({ id, description: "new" })
      expect(yield* ExtensionUpload.verify(receipt)).toBe("hash")
      expect(yield* traffic).toEqual(["GET 200", "LINK 200"])
    }).pipe(Effect.provide(world()))
  )

  it.live("names who wrote since, as far as the versions tell", () =>
    Effect.gen(function* () {
      const { content, id, receipt } = yield* uploaded
      const theirs = yield* zipOf(7000)
      yield* otherWriter(id, theirs)
      expect(yield* Effect.flip(ExtensionUpload.verify(receipt))).toMatchObject({
        _tag: "UploadConflict",
        before: { resourceVersion: "2", size: content.length },
        now: { resourceVersion: "3", size: theirs.length }
      })
      const differs = {
        _tag: "VerificationFailed",
        reason: "Size",
        expected: String(content.length),
        actual: String(theirs.length)
      }
      const unversioned = new Uploaded({ ...receipt, resourceVersion: { before: null, after: null } })
      expect(yield* Effect.flip(ExtensionUpload.verify(unversioned))).toMatchObject(differs)
      yield* planned({ method: "GET", fault: Fault.dropHeaders("x-cloud-resource-version") })
      expect(yield* Effect.flip(ExtensionUpload.verify(receipt))).toMatchObject(differs)
    }).pipe(Effect.provide(world()))
  )

  it.live("fails where another archive of the same size is there", () =>
    Effect.gen(function* () {
      const { content, id, receipt } = yield* uploaded
      const theirs = Buffer.from(content)
      theirs.writeUInt8(theirs.readUInt8(40) ^ 1, 40)
      yield* otherWriter(id, theirs)
      const unversioned = new Uploaded({ ...receipt, resourceVersion: { before: null, after: null } })
      expect(yield* Effect.flip(ExtensionUpload.verify(unversioned))).toMatchObject({
        _tag: "VerificationFailed",
        reason: "Hash",
        expected: sha256(content),
        actual: sha256(theirs)
      })
    }).pipe(Effect.provide(world()))
  )
})

import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import { zipOf } from "../support/upload/archives.ts"
import { held, journaled, puts, recordEvents, seed, sha256, traffic, world } from "../support/upload/world.ts"

const transports = [
  ["NodeHttpClient.layerUndici", NodeHttpClient.layerUndici],
  ["FetchHttpClient.layer", FetchHttpClient.layer]
] as const

const request = (bytes: number) =>
  Effect.gen(function* () {
    const content = yield* zipOf(bytes)
    const extensionId = yield* seed({ file: yield* zipOf(1000) })
    return { content, extensionId, archive: Archive.bytes({ name: "a.zip", bytes: content }) }
  })

describe.each(transports)("over %s", (name, transport) => {
  const Live = world({ transport })
  const isFetch = name.startsWith("Fetch")

  it.live("an upload works, and its receipt is as right", () =>
    Effect.gen(function* () {
      const { content, ...upload } = yield* request(3_000_000)
      const { milestones, onEvent } = recordEvents()
      const receipt = yield* ExtensionUpload.upload({ ...upload, onEvent })
      expect(receipt).toMatchObject({
        _tag: "Uploaded",
        archive: { name: "a.zip", size: content.length, sha256: sha256(content) },
        proof: "hash",
        attempts: 1,
        bytesSent: content.length,
        bytesResumed: 0,
        resourceVersion: { before: "1", after: "2" }
      })
      expect(milestones()).toEqual([
        "ArchiveInspected",
        "DigestStarted",
        "DigestComputed",
        "AttemptStarted",
        "SendingStarted",
        "VerificationStarted",
        "Verified",
        "Completed"
      ])
      const [put, ...others] = yield* puts
      expect(others).toEqual([])
      expect(put).toMatchObject({ complete: true, bodyBytes: content.length, bodySha256: sha256(content) })
      expect(put?.headers["expect"]).toBeUndefined()
      // `fetch` does not let a streamed body have a length.
      expect(put?.headers["content-length"]).toBe(isFetch ? undefined : String(content.length))
      expect(yield* held(upload.extensionId)).toMatchObject({ sha256: sha256(content), uploads: 1 })
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(Live))
  )

  it.live("no request carries the trace of the caller", () =>
    Effect.gen(function* () {
      const { content: _, ...upload } = yield* request(2000)
      yield* ExtensionUpload.upload(upload)
      const { requests } = yield* LocalElasticCloud
      for (const { headers, path } of yield* requests) {
        expect(Object.keys(headers)).not.toContain("traceparent")
        expect(Object.keys(headers)).not.toContain("b3")
        expect(headers["authorization"]).toBe(path.startsWith("/files/") ? undefined : "ApiKey ****")
      }
    }).pipe(Effect.provide(Live))
  )

  it.live("the server is asked whether it can resume before the archive is sent", () =>
    Effect.gen(function* () {
      const { content: _, ...upload } = yield* request(2000)
      yield* ExtensionUpload.upload(upload)
      const methods = (yield* traffic).map((line) => line.split(" ")[0])
      expect(methods.slice(0, 2)).toEqual(["GET", "OPTIONS"])
      expect(methods.filter((method) => method === "PUT")).toHaveLength(1)
    }).pipe(Effect.provide(Live))
  )

  it.live("a lost answer is settled by asking", () =>
    Effect.gen(function* () {
      const { content, ...upload } = yield* request(5000)
      yield* (yield* LocalElasticCloud).plan({ method: "PUT", fault: Fault.cut("applied") })
      expect(yield* ExtensionUpload.upload(upload)).toMatchObject({ attempts: 1, proof: "hash" })
      expect(yield* puts).toHaveLength(1)
      expect(yield* held(upload.extensionId)).toMatchObject({ sha256: sha256(content), uploads: 1 })
    }).pipe(Effect.provide(Live))
  )

  it.live("a lost line is made again", () =>
    Effect.gen(function* () {
      const { content, ...upload } = yield* request(10_000_000)
      yield* (yield* LocalElasticCloud).plan({
        method: "PUT",
        fault: Fault.cut({ afterBodyBytes: 10 }, "reset")
      })
      expect(yield* ExtensionUpload.upload(upload)).toMatchObject({ attempts: 2, proof: "hash" })
      expect((yield* puts).map(({ bodyBytes }) => bodyBytes)).toEqual([10, content.length])
      expect((yield* held(upload.extensionId)).sha256).toBe(sha256(content))
    }).pipe(Effect.provide(Live))
  )

  it.live("a refusal is the same error", () =>
    Effect.gen(function* () {
      const { content: _, ...upload } = yield* request(5000)
      const refusal = Fault.refuse(400, "extensions.request_execution_failed", "no")
      yield* (yield* LocalElasticCloud).plan({ method: "PUT", fault: refusal })
      expect(yield* Effect.flip(ExtensionUpload.upload(upload))).toMatchObject({
        _tag: "RequestExecutionFailed"
      })
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(Live))
  )

  it.live("an archive that changes is not sent to its end", () =>
    Effect.gen(function* () {
      const { content, extensionId } = yield* request(3_000_000)
      const archive = Archive.bytes({ name: "a.zip", bytes: content })
      const error = yield* Effect.flip(
        ExtensionUpload.upload({
          extensionId,
          archive,
          onEvent: ({ _tag }) =>
            Effect.sync(() =>
              _tag === "AttemptStarted" ? void content.fill(0, content.length - 10) : undefined
            )
        })
      )
      expect(error).toMatchObject({ _tag: "ArchiveChanged", reason: "Modified" })
      expect((yield* puts).filter(({ complete }) => complete)).toEqual([])
      expect(yield* held(extensionId)).toMatchObject({ uploads: 0 })
    }).pipe(Effect.provide(Live))
  )

  it.live("resumption cannot be required of a server that does not offer it: nothing is sent", () =>
    Effect.gen(function* () {
      const { content: _, ...upload } = yield* request(5000)
      const error = yield* Effect.flip(ExtensionUpload.upload({ ...upload, resumable: "required" }))
      expect(error).toMatchObject({ _tag: "ResumptionUnsupported" })
      expect(yield* traffic).toEqual(["GET 200", "OPTIONS 405"])
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(Live))
  )
})

describe("over UploadHttpClient", () => {
  it.live("an upload that must not offer to resume says nothing of it", () =>
    Effect.gen(function* () {
      const { content: _, ...upload } = yield* request(2000)
      yield* ExtensionUpload.upload({ ...upload, resumable: "never" })
      yield* ExtensionUpload.upload({
        ...upload,
        archive: Archive.bytes({ name: "b.zip", bytes: yield* zipOf(10) })
      })
      const offered = (yield* puts).map(({ headers }) => [
        headers["upload-complete"],
        headers["upload-length"] !== undefined,
        headers["upload-draft-interop-version"]
      ])
      expect(offered).toEqual([
        [undefined, false, undefined],
        ["?1", true, "7"]
      ])
    }).pipe(Effect.provide(world({ settings: { interopVersion: 7 } })))
  )
})

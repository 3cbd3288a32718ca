/** Resumable uploads with something in between, told by what arrives and what the extension holds in the end. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Layer, Redacted, Runtime } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as ElasticCloudConfig from "../../src/cloud/ElasticCloudConfig.ts"
import * as ExtensionsClient from "../../src/cloud/ExtensionsClient.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import type { ResumableOptions } from "../../src/testing/ResumableUploads.ts"
import * as RetryPolicy from "../../src/transfer/RetryPolicy.ts"
import * as UploadHttpClient from "../../src/transfer/UploadHttpClient.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import * as UploadSettings from "../../src/upload/UploadSettings.ts"
import { zipOf } from "../support/upload/archives.ts"
import { type Meddling, meddler } from "../support/upload/meddler.ts"
import { apiKey, held, journaled, seed, sha256 } from "../support/upload/world.ts"

interface Scene extends Meddling {
  readonly settings?: Partial<UploadSettings.UploadOptions>
  /** Runs of the command, one after the other, in which nothing is retried; without it one, in which things are. */
  readonly runs?: number
  /** When the second run asks for the upload resource, it is gone, because the archive is being applied at last. */
  readonly isAppliedLate?: boolean
}

const MiB = 1024 * 1024

/** One upload of 3 MiB and a bit to the stand-in behind a proxy. */
const uploadThrough = ({ isAppliedLate = false, runs, settings = {}, ...meddling }: Scene) =>
  Effect.gen(function* () {
    const content = yield* zipOf(3 * MiB)
    const id = yield* seed()
    const { url } = yield* LocalElasticCloud.LocalElasticCloud
    const apply = Runtime.runFork(yield* Effect.runtime<LocalElasticCloud.LocalElasticCloud>())
    const applyLate: Meddling["refuse"] = ({ method }, count) => {
      if (method !== "HEAD" || count < 2) return undefined
      apply(seed({ id, file: content }))
      return { status: 404 }
    }
    const proxy = yield* meddler(url, isAppliedLate ? { ...meddling, refuse: applyLate } : meddling)
    const run = ExtensionUpload.upload({
      extensionId: id,
      archive: Archive.bytes({ name: "words.zip", bytes: content })
    }).pipe(Effect.either)
    const result = yield* Effect.repeatN(run, (runs ?? 1) - 1).pipe(
      Effect.provide(
        Layer.mergeAll(
          ExtensionsClient.layer.pipe(
            Layer.provide(UploadHttpClient.layer({ proxy: false })),
            Layer.provide(ElasticCloudConfig.layer({ endpoint: proxy.url, apiKey: Redacted.make(apiKey) }))
          ),
          RetryPolicy.layer({
            baseDelay: "5 millis",
            maxDelay: "20 millis",
            maxRetries: runs === undefined ? 4 : 0
          }),
          UploadSettings.layer({ reconcileWindow: "60 millis", verification: "size", ...settings })
        )
      )
    )
    const size = content.length
    const sent = proxy.requests
      .filter((line) => line !== "GET")
      .map((line) => line.replace(String(size), "N").replace(String(size - MiB), "N-1M"))
    const isOurs = (yield* held(id)).sha256 === sha256(content)
    const { uploads } = yield* LocalElasticCloud.LocalElasticCloud
    const left = (yield* uploads).filter(({ complete }) => !complete).length
    return { result: Either.merge(result), sent, isOurs, applied: (yield* held(id)).uploads, left }
  }).pipe(Effect.scoped)

const world = (resumable: ResumableOptions = {}) =>
  UploadJournal.layerMemory.pipe(
    Layer.provideMerge(LocalElasticCloud.layer({ resumable })),
    Layer.provideMerge(NodeContext.layer),
    Layer.orDie
  )

const uploaded = { result: { _tag: "Uploaded" }, isOurs: true, applied: 1 }
const withoutCompletion: Meddling = {
  answer: ({ method }, headers) => {
    if (method === "PUT") delete headers["upload-complete"]
  }
}

describe("a proxy that lets no 104 through", () => {
  const cutAfter = { method: "PUT", bytes: MiB }

  it.live("costs the beginning of the archive once: the second attempt creates the upload first", () =>
    Effect.gen(function* () {
      const run = yield* uploadThrough({ cutAfter })
      expect(run).toMatchObject(uploaded)
      expect(run.sent).toEqual(["PUT N", "OPTIONS", "PUT 0", "HEAD", "PATCH N"])
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world({ interimResponses: false })))
  )

  it.live("costs nothing twice when the appends are cut", () =>
    Effect.gen(function* () {
      const run = yield* uploadThrough({
        cutAfter: { method: "PATCH", bytes: MiB },
        settings: { resumable: "required" }
      })
      expect(run).toMatchObject(uploaded)
      expect(run.sent.slice(0, 5)).toEqual(["OPTIONS", "PUT N", "PUT 0", "HEAD", "PATCH N"])
      expect(run.sent.slice(5)).toEqual(["HEAD", expect.stringMatching(/^PATCH /)])
      expect(run.sent.at(-1)).not.toBe("PATCH N")
    }).pipe(Effect.provide(world({ interimResponses: false })))
  )
})

describe("an upload that is over by the clock of this machine", () => {
  const cutAfter = { method: "PATCH", bytes: MiB }

  it.live("is asked for, and goes on where its server still has it", () =>
    Effect.gen(function* () {
      const run = yield* uploadThrough({
        cutAfter,
        runs: 2,
        answer: (_, headers) => {
          headers["upload-limit"] = "max-age=0"
        },
        settings: { resumable: "required" }
      })
      expect(run).toMatchObject(uploaded)
      expect(run.sent.slice(0, 5)).toEqual(["OPTIONS", "PUT N", "PUT 0", "HEAD", "PATCH N"])
      expect(run.sent.slice(5)).toEqual(["HEAD", expect.stringMatching(/^PATCH /)])
      expect(run.sent.at(-1)).not.toBe("PATCH N")
    }).pipe(Effect.provide(world({ interimResponses: false })))
  )
})

describe("an upload resource that is gone when the next run asks for it", () => {
  const scene = {
    cutAfter: { method: "PATCH", bytes: MiB },
    runs: 2,
    settings: { resumable: "required" }
  } as const satisfies Scene
  const created = ["OPTIONS", "PUT N", "PUT 0", "HEAD", "PATCH N"]
  const gone =
    (isGone: (count: number) => boolean): NonNullable<Meddling["refuse"]> =>
    ({ method }, count) =>
      method === "HEAD" && isGone(count) ? { status: 404 } : undefined

  it.live("costs no attempt: the same run starts over at once", () =>
    Effect.gen(function* () {
      const run = yield* uploadThrough({ ...scene, refuse: gone((count) => count === 2) })
      expect(run).toMatchObject(uploaded)
      expect(run.sent).toEqual([...created, "HEAD", ...created])
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world({ interimResponses: false })))
  )

  it.live("is a failure where the server says so again and again", () =>
    Effect.gen(function* () {
      const run = yield* uploadThrough({ ...scene, refuse: gone((count) => count >= 2) })
      expect(run).toMatchObject({ result: { _tag: "UploadResourceLost", reason: "Gone" }, applied: 0 })
      expect(run.sent).toEqual([...created, "HEAD", ...created.slice(0, 4)])
    }).pipe(Effect.provide(world({ interimResponses: false })))
  )

  it.live("is no reason to send again what is applied meanwhile", () =>
    Effect.gen(function* () {
      const settings = { ...scene.settings, reconcileWindow: "30 seconds" } as const
      const run = yield* uploadThrough({ ...scene, settings, isAppliedLate: true })
      expect(run).toMatchObject({ result: { _tag: "Uploaded", proof: "hash" }, isOurs: true })
      expect(run.sent).toEqual([...created, "HEAD"])
    }).pipe(Effect.provide(world({ interimResponses: false })))
  )
})

describe("a proxy that refuses PATCH", () => {
  const refuse: Meddling["refuse"] = ({ method }) => (method === "PATCH" ? { status: 405 } : undefined)
  const cutAfter = { method: "PUT", bytes: MiB }

  it.live("gets an ordinary upload in the end, and no unfinished one is left", () =>
    Effect.gen(function* () {
      const run = yield* uploadThrough({ cutAfter, refuse })
      expect(run).toMatchObject({ ...uploaded, left: 0 })
      expect(run.sent).toEqual(["PUT N", "OPTIONS", "PUT 0", "HEAD", "PATCH N", "HEAD", "DELETE", "PUT N"])
    }).pipe(Effect.provide(world({ interimResponses: false })))
  )

  it.live("fails an upload that has to be resumable, and nothing was applied", () =>
    Effect.gen(function* () {
      const run = yield* uploadThrough({ refuse, settings: { resumable: "required" } })
      expect(run).toMatchObject({
        result: { _tag: "ResumptionUnsupported", status: 405 },
        isOurs: false,
        applied: 0
      })
      expect(run.sent.at(-1)).toBe("DELETE")
    }).pipe(Effect.provide(world({ interimResponses: false })))
  )
})

describe("answers that lose their Upload-Complete", () => {
  const careful = { resumable: "required" } as const
  const silent: Meddling = {
    answer: ({ method }, headers) => {
      if (method === "PATCH") delete headers["upload-complete"]
    }
  }

  it.live("are the extension's own under interop version 6", () =>
    Effect.gen(function* () {
      const run = yield* uploadThrough({ ...silent, settings: { ...careful, interopVersion: 6 } })
      expect(run).toMatchObject(uploaded)
      expect(run.sent).toEqual(["OPTIONS", "PUT N", "PUT 0", "HEAD", "PATCH N"])
    }).pipe(Effect.provide(world({ interimResponses: false })))
  )

  it.live.each([7, 8, 9, 10] as const)(
    "under %i have the resource asked, then the extension, and nothing is cancelled",
    (interopVersion) =>
      Effect.gen(function* () {
        const run = yield* uploadThrough({ ...silent, settings: { ...careful, interopVersion } })
        expect(run).toMatchObject(uploaded)
        expect(run.sent).toEqual(["OPTIONS", "PUT N", "PUT 0", "HEAD", "PATCH N", "HEAD", "PATCH 0"])
      }).pipe(Effect.provide(world({ interimResponses: false })))
  )

  it.live("and whose resource is gone have the extension asked", () =>
    Effect.gen(function* () {
      const run = yield* uploadThrough({
        ...silent,
        refuse: ({ method }, count) => (method === "HEAD" && count > 1 ? { status: 404 } : undefined),
        settings: careful
      })
      expect(run).toMatchObject(uploaded)
      expect(run.sent).toEqual(["OPTIONS", "PUT N", "PUT 0", "HEAD", "PATCH N", "HEAD"])
    }).pipe(Effect.provide(world({ interimResponses: false })))
  )

  it.live("to the creation are the extension's, as they always were", () =>
    Effect.gen(function* () {
      expect(yield* uploadThrough(withoutCompletion)).toMatchObject({ ...uploaded, sent: ["PUT N"] })
    }).pipe(Effect.provide(world()))
  )
})

describe("a lock that is still held", () => {
  it.live.each([
    ["HEAD", 423],
    ["HEAD", 409],
    ["PATCH", 423]
  ] as const)("(%s answered with %i) is waited for, and the upload goes on", ([method, status]) =>
    Effect.gen(function* () {
      const started = Date.now()
      const run = yield* uploadThrough({
        refuse: (request, count) =>
          request.method === method && count <= 2
            ? { status, headers: { "retry-after": "1", date: new Date().toUTCString() } }
            : undefined,
        settings: { resumable: "required" }
      })
      expect(run).toMatchObject(uploaded)
      expect(run.sent.filter((line) => line.startsWith("PUT"))).toEqual(["PUT N", "PUT 0"])
      expect(run.sent).not.toContain("DELETE")
      expect(run.sent.filter((line) => line.startsWith(method))).toHaveLength(3)
      expect(Date.now() - started).toBeGreaterThan(2000)
    }).pipe(Effect.provide(world({ interimResponses: false })))
  )
})

/** What can happen to an upload resource between an interruption and the attempt to go on. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Layer } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import type { ResumableOptions } from "../../src/testing/ResumableUploads.ts"
import type { RetryPolicyOptions } from "../../src/transfer/RetryPolicy.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import type { UploadOptions } from "../../src/upload/UploadSettings.ts"
import { ledger } from "../support/faults/ledger.ts"
import { zipOf } from "../support/upload/archives.ts"
import { client, held, journaled, seed, sha256 } from "../support/upload/world.ts"

const MiB = 1024 * 1024

interface Row {
  readonly name: string
  readonly server?: ResumableOptions
  readonly settings?: Partial<UploadOptions>
  readonly retry?: RetryPolicyOptions
  /** Done to the first upload resource after the line was cut at 1 MiB. */
  readonly meanwhile?: (cloud: LocalElasticCloud.LocalElasticCloudService, url: string) => Effect.Effect<void>
  /** `Uploaded` unless named. */
  readonly ends?: string
  /** Requests with content as the server received them; `N` stands for the archive's size. */
  readonly requests: ReadonlyArray<string>
  /** Upload resources left on the server. */
  readonly left?: number
}

const rows: ReadonlyArray<Row> = [
  { name: "it is as it was", requests: ["PUT 1M/N", "PATCH N-1M/N-1M"] },
  {
    name: "the server has forgotten it",
    meanwhile: (cloud, url) => cloud.forgetUpload(url),
    requests: ["PUT 1M/N", "PUT N/N"]
  },
  {
    name: "the server has lost the second half of what it had",
    meanwhile: (cloud, url) => cloud.setUploadOffset(url, MiB / 2),
    requests: ["PUT 1M/N", "PATCH N-512k/N-512k"]
  },
  {
    name: "the server claims bytes that were never sent, and its own check of the digest refuses the result",
    meanwhile: (cloud, url) => cloud.setUploadOffset(url, MiB + 4096),
    ends: "RequestExecutionFailed",
    requests: ["PUT 1M/N", "PATCH N-1M-4k/N-1M-4k"]
  },
  {
    name: "the server claims more bytes than the archive has",
    meanwhile: (cloud, url) => cloud.setUploadOffset(url, 10 * MiB),
    ends: "UploadProtocolViolation",
    requests: ["PUT 1M/N"],
    left: 0
  },
  {
    name: "the server restarts",
    meanwhile: (cloud) => cloud.restart,
    // A restart takes as long as it takes; nothing is waited out when the server is there again.
    settings: { reconcileWindow: "15 seconds" },
    retry: { maxRetries: 1000 },
    requests: ["PUT 1M/N", "PATCH N-1M/N-1M"]
  },
  {
    name: "appends are limited",
    server: { limits: { maxAppendSize: MiB } },
    requests: ["PUT 0/N", "PUT 0/0", "PATCH 1M/1M", "PATCH 1M/1M", "PATCH N-2M/N-2M"]
  },
  {
    name: "the archive is over the server's limit",
    server: { limits: { maxSize: MiB } },
    ends: "PayloadTooLarge",
    requests: ["PUT 0/N"],
    left: 0
  },
  {
    name: "interop version 7",
    server: { interopVersions: [7] },
    settings: { interopVersion: 7 },
    requests: ["PUT 1M/N", "PATCH N-1M/N-1M"]
  },
  {
    name: "interop version 6",
    server: { interopVersions: [6] },
    settings: { interopVersion: 6 },
    requests: ["PUT 1M/N", "PATCH N-1M/N-1M"]
  },
  {
    name: "the server speaks another version, so it is an ordinary upload",
    server: { interopVersions: [7] },
    // OPTIONS promises what the empty creation does not keep.
    requests: ["PUT 1M/N", "PUT 0/0", "PUT N/N"]
  },
  {
    name: "it is not wanted, so it is an ordinary upload",
    settings: { resumable: "never" },
    requests: ["PUT 1M/N", "PUT N/N"]
  },
  {
    name: "it is required, and found out before the first byte",
    settings: { resumable: "required" },
    requests: ["PUT 1M/N", "PATCH N-1M/N-1M"]
  },
  {
    name: "offsets count the multipart form",
    settings: { contentType: "multipart" },
    requests: ["PUT 1M/F", "PATCH F-1M/F-1M"]
  }
]

/** Sizes by their names in the table. */
const named = (line: string, archive: number): string => {
  const framed = [...line.matchAll(/\d+/g)].map(([digits]) => Number(digits))
  const names = new Map<number, string>([
    [MiB, "1M"],
    [archive, "N"],
    [archive - MiB, "N-1M"],
    [archive - 2 * MiB, "N-2M"],
    [archive - MiB / 2, "N-512k"],
    [archive - MiB - 4096, "N-1M-4k"]
  ])
  const form = framed.find((bytes) => bytes > archive && bytes < archive + 1000)
  const formRest = framed.find((bytes) => bytes > archive - MiB && bytes < archive - MiB + 1000)
  if (form !== undefined) names.set(form, "F")
  if (formRest !== undefined) names.set(formRest, "F-1M")
  return line.replace(/\d+/g, (digits) => names.get(Number(digits)) ?? digits)
}

describe("an upload resource after the line was cut", () => {
  it.live.each(rows)("$name", (row) =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const content = yield* zipOf(2 * MiB + 512 * 1024)
      const extension = yield* seed()
      const onUpload = Effect.flatMap(cloud.uploads, ([first]) =>
        first === undefined ? Effect.void : (row.meanwhile?.(cloud, first.url) ?? Effect.void)
      )
      yield* cloud.plan({ method: "PUT", fault: Fault.cut({ afterBodyBytes: MiB }) })
      // The baseline is read again between the cut and the next attempt: the moment for the server to change.
      yield* cloud.plan({ method: "GET", fault: [] })
      yield* cloud.plan({ method: "GET", fault: Fault.run("arrival", onUpload) })

      const outcome = yield* Effect.either(
        ExtensionUpload.upload({
          extensionId: extension,
          archive: Archive.bytes({ name: "words.zip", bytes: content })
        })
      )

      const { requests } = yield* ledger(content.length)
      expect(Either.merge(outcome)._tag, requests.join(", ")).toBe(row.ends ?? "Uploaded")
      expect(requests.map((line) => named(line, content.length))).toEqual(row.requests)
      expect((yield* held(extension)).sha256).toBe(row.ends === undefined ? sha256(content) : undefined)
      expect(yield* journaled).toEqual([])
      if (row.left !== undefined) expect((yield* cloud.uploads).length).toBe(row.left)
    }).pipe(
      Effect.provide(
        Layer.mergeAll(
          client({
            settings: { reconcileWindow: "60 millis", ...row.settings },
            retry: row.retry ?? {},
            http: { continueTimeout: "10 seconds" }
          }),
          UploadJournal.layerMemory
        ).pipe(
          Layer.provideMerge(LocalElasticCloud.layer({ resumable: row.server ?? {} })),
          Layer.provideMerge(NodeContext.layer),
          Layer.orDie
        )
      )
    )
  )
})

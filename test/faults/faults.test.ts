/**
 * Faults × phases, against a server that cannot resume (as today's service) and one that can. Every row asserts the
 * receipt or the error, and from the server's record: the content, what was sent twice, and whom it overwrote.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Layer, Option } from "effect"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import type { StoredExtension } from "../../src/testing/StoredExtension.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import { ledger } from "../support/faults/ledger.ts"
import { archiveFor, ways, zipOf } from "../support/upload/archives.ts"
import { client, held, journaled, otherWriter, recordEvents, seed, sha256 } from "../support/upload/world.ts"

const MiB = 1024 * 1024
const contentBytes = 2 * MiB + 512 * 1024

interface Scene {
  readonly cloud: LocalElasticCloud.LocalElasticCloudService
  readonly extension: string
  readonly stored: StoredExtension
  readonly size: number
  readonly theirs: Uint8Array
  readonly write: (extension: string, file: Uint8Array) => Effect.Effect<void>
}

/** What a restart loses: bytes the stand-in had read and not yet written. */
const inFlight = 2 * MiB

interface Row {
  readonly name: string
  readonly plan: (scene: Scene) => ReadonlyArray<Fault.FaultRule>
  /** `Uploaded`, or the tag of the error. */
  readonly ends?: string
  /** Bytes that this fault forces to be sent a second time. */
  readonly repeated: {
    readonly ordinary: (size: number) => number
    readonly resumable: (size: number) => number
  }
}

const none = () => 0
const cutDuring =
  (at: Fault.Moment, how?: Fault.CutKind): Row["plan"] =>
  () => [{ method: "PUT", fault: Fault.cut(at, how) }]
const atByte = (bytes: number): Row => ({
  name: `cut at byte ${bytes}`,
  plan: cutDuring({ afterBodyBytes: bytes }),
  repeated: { ordinary: () => bytes, resumable: none }
})

const rows: ReadonlyArray<Row> = [
  {
    name: "cut before the body is read",
    plan: cutDuring("arrival"),
    repeated: { ordinary: none, resumable: none }
  },
  atByte(0),
  atByte(1),
  atByte(MiB - 1),
  atByte(MiB),
  atByte(MiB + 1),
  {
    name: "reset at the last byte",
    plan: ({ size }) => [{ method: "PUT", fault: Fault.cut({ afterBodyBytes: size - 1 }, "reset") }],
    repeated: { ordinary: (size) => size - 1, resumable: none }
  },
  {
    name: "half closed in the middle",
    plan: cutDuring({ afterBodyBytes: MiB }, "end"),
    repeated: { ordinary: () => MiB, resumable: none }
  },
  {
    name: "cut after the whole body, before it is applied",
    plan: cutDuring("body"),
    repeated: { ordinary: (size) => size, resumable: none }
  },
  {
    name: "applied, and the answer lost",
    plan: cutDuring("applied"),
    repeated: { ordinary: none, resumable: none }
  },
  {
    name: "applied, and the answer cut in its middle",
    plan: () => [{ method: "PUT", fault: Fault.cutAnswer() }],
    repeated: { ordinary: none, resumable: none }
  },
  {
    name: "cut again and again",
    plan: () => [
      { method: "PUT", fault: Fault.cut({ afterBodyBytes: MiB }) },
      { method: "PATCH", fault: Fault.cut({ afterBodyBytes: 1000 }) },
      { method: "PATCH", fault: Fault.cut({ afterBodyBytes: 0 }) }
    ],
    repeated: { ordinary: () => MiB, resumable: none }
  },
  {
    name: "a gateway's 503 after the whole body, in place of any upload resource",
    plan: () => [{ method: "PUT", fault: Fault.answer({ status: 503 }) }],
    repeated: { ordinary: (size) => size, resumable: (size) => size }
  },
  {
    name: "the server restarts in the middle",
    plan: ({ cloud }) => [{ method: "PUT", fault: Fault.run({ afterBodyBytes: MiB }, cloud.restart) }],
    repeated: { ordinary: () => inFlight, resumable: () => inFlight }
  },
  {
    name: "a success that was not carried out",
    plan: ({ stored }) => [{ method: "PUT", fault: Fault.falseSuccess(stored) }],
    repeated: { ordinary: (size) => size, resumable: (size) => size }
  },
  {
    name: "a success before the body",
    plan: ({ stored }) => [{ method: "PUT", fault: Fault.falseSuccess(stored, { early: true }) }],
    repeated: { ordinary: none, resumable: none }
  },
  {
    name: "delivered twice",
    plan: () => [{ method: "PUT", fault: Fault.duplicate() }],
    repeated: { ordinary: none, resumable: none }
  },
  {
    name: "delivered twice, the second time after the answer",
    plan: () => [{ method: "PUT", fault: Fault.duplicate(20) }],
    repeated: { ordinary: none, resumable: none }
  },
  {
    name: "told to come back later",
    plan: () => [
      { method: "PUT", fault: Fault.retryAfter(503, 0) },
      { method: "PUT", fault: Fault.retryAfter(429, new Date(0)) }
    ],
    repeated: { ordinary: (size) => 2 * size, resumable: (size) => 2 * size }
  },
  {
    name: "locked by an earlier request",
    plan: () => [
      { method: "PUT", fault: Fault.cut({ afterBodyBytes: MiB }) },
      { method: "HEAD", fault: Fault.retryAfter(423, 0) },
      { method: "PATCH", fault: Fault.retryAfter(423, 0) }
    ],
    repeated: { ordinary: () => MiB, resumable: (size) => size - MiB }
  },
  {
    name: "an answer about another extension",
    plan: () => [{ method: "PUT", fault: Fault.mistakenIdentity("1111111111") }],
    repeated: { ordinary: none, resumable: none }
  },
  {
    name: "answers that come compressed",
    plan: () => [
      { method: "GET", times: 9, fault: Fault.gzipAnswer },
      { method: "PUT", fault: Fault.gzipAnswer }
    ],
    repeated: { ordinary: none, resumable: none }
  },
  {
    name: "an answer without its headers",
    plan: () => [
      {
        method: "PUT",
        fault: Fault.dropHeaders(
          "upload-complete",
          "upload-offset",
          "x-cloud-resource-version",
          "x-cloud-resource-last-modified"
        )
      }
    ],
    repeated: { ordinary: none, resumable: none }
  },
  {
    name: "a final answer of an append without Upload-Complete",
    plan: () => [
      { method: "PUT", fault: Fault.cut({ afterBodyBytes: MiB }) },
      { method: "PATCH", fault: Fault.dropHeaders("upload-complete", "upload-offset") }
    ],
    repeated: { ordinary: () => MiB, resumable: none }
  },
  {
    name: "a proxy that knows no PATCH",
    plan: () => [
      { method: "PUT", fault: Fault.cut({ afterBodyBytes: MiB }) },
      { method: "PATCH", fault: Fault.answerEarly({ status: 405, close: true }) }
    ],
    repeated: { ordinary: () => MiB, resumable: () => MiB }
  },
  ...[201, 202, 204, 206, 207, 304].map((status): Row => {
    const altered = Fault.alterAnswer((answer) => ({ ...answer, status }))
    return {
      name: `applied, and answered ${status}`,
      plan: () => [{ method: "PUT", fault: altered }],
      repeated: { ordinary: none, resumable: none }
    }
  }),
  {
    name: "applied, and answered by a page",
    plan: () => [
      { method: "PUT", fault: Fault.alterAnswer(() => ({ status: 200, body: "<html>welcome</html>" })) }
    ],
    repeated: { ordinary: none, resumable: none }
  },
  {
    name: "another writer, and a cut",
    plan: ({ extension, theirs, write }) => [
      {
        method: "PUT",
        fault: [
          Fault.run({ afterBodyBytes: MiB }, write(extension, theirs)),
          Fault.cut({ afterBodyBytes: MiB })
        ]
      }
    ],
    ends: "UploadConflict",
    repeated: { ordinary: none, resumable: none }
  },
  {
    name: "another writer after the answer was lost",
    plan: ({ extension, theirs, write }) => [
      {
        method: "PUT",
        fault: [Fault.run("applied", write(extension, theirs)), Fault.cut("applied")]
      }
    ],
    ends: "UploadConflict",
    repeated: { ordinary: none, resumable: none }
  }
]

const servers = [
  ["ordinary", undefined],
  ["resumable", {}]
] as const
const settings = { reconcileWindow: "60 millis" } as const
/** Outlasts a restart of the server on a busy machine. */
const retry = { maxRetries: 30 } as const

const sides = servers.flatMap(([kind, resumable]) => ways.map((way) => ({ kind, resumable, way })))

describe.each(sides)("a server with $kind uploads, hashed $way", ({ kind, resumable, way }) => {
  it.live.each(rows)("$name", (row) =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const context = yield* Effect.context<LocalElasticCloud.LocalElasticCloud>()
      const content = yield* zipOf(contentBytes)
      const theirs = yield* zipOf(1000)
      const extension = yield* seed()
      const write = (id: string, file: Uint8Array) => Effect.provide(otherWriter(id, file), context)
      const size = content.length
      const stored = Option.getOrThrow(yield* cloud.extension(extension))
      yield* Effect.forEach(row.plan({ cloud, extension, size, stored, theirs, write }), cloud.plan)

      const { events, onEvent } = recordEvents()
      const outcome = yield* Effect.either(
        ExtensionUpload.upload({
          extensionId: extension,
          archive: archiveFor(way, content),
          onEvent
        })
      )

      const ending = Either.merge(outcome)
      expect(events.find(({ _tag }) => _tag === "DigestStarted")).toMatchObject({ way })
      const { repeated, requests } = yield* ledger(size)
      expect(ending._tag, `${JSON.stringify(ending)} after ${requests.join(", ")}`).toBe(
        row.ends ?? "Uploaded"
      )
      expect((yield* held(extension)).sha256).toBe(sha256(row.ends === undefined ? content : theirs))
      expect(repeated, requests.join(", ")).toBeLessThanOrEqual(row.repeated[kind](size))
      expect(yield* journaled).toEqual([])
      yield* locksFree(extension)
    }).pipe(
      Effect.provide(
        Layer.mergeAll(client({ settings, retry }), UploadJournal.layerMemory).pipe(
          Layer.provideMerge(LocalElasticCloud.layer({ resumable })),
          Layer.provideMerge(NodeContext.layer),
          Layer.orDie
        )
      )
    )
  )
})

/** A lock left behind would refuse the next run. */
const locksFree = (extension: string) => ExtensionUpload.cancel(extension)

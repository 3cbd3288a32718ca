import { describe, expect, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import { ExtensionId } from "../../src/cloud/ExtensionId.ts"
import { AuthenticationFailed } from "../../src/cloud/ExtensionsError.ts"
import * as UploadMetrics from "../../src/upload/UploadMetrics.ts"
import { AlreadyCurrent, Uploaded } from "../../src/upload/UploadReceipt.ts"

const extensionId = ExtensionId.make("1")
const fields = {
  extensionId,
  archive: { name: "a.zip", size: 100, sha256: "ab".repeat(32) },
  proof: "hash",
  attempts: 2,
  bytesSent: 70,
  bytesResumed: 40,
  resourceVersion: { before: null, after: null },
  lastModified: null,
  durationMillis: 5
} as const

const uploaded = new Uploaded(fields)
const current = new AlreadyCurrent({ ...fields, attempts: 0, bytesSent: 0, bytesResumed: 0 })
const refused = new AuthenticationFailed({
  operation: "upload",
  status: 401,
  requestContext: {},
  errors: [],
  body: ""
})

const ended = (outcome: string, proof: string) =>
  UploadMetrics.uploads.pipe(Metric.tagged("outcome", outcome), Metric.tagged("proof", proof))

const counters = {
  uploaded: ended("uploaded", "hash"),
  current: ended("already_current", "hash"),
  failed: ended("failed", "none"),
  interrupted: ended("interrupted", "none"),
  refused: Metric.tagged(UploadMetrics.failures, "error_type", "AuthenticationFailed"),
  sent: UploadMetrics.bytesSent,
  resumed: Metric.tagged(UploadMetrics.bytesSaved, "reason", "resumed"),
  saved: Metric.tagged(UploadMetrics.bytesSaved, "reason", "already_current")
}

const counted = Effect.map(Effect.forEach(Object.values(counters), Metric.value), (states) =>
  Object.fromEntries(Object.keys(counters).map((name, at) => [name, states[at]?.count ?? 0]))
)

/** What an upload that ends like this adds to the counters, where that is something. */
const added = (self: Effect.Effect<Uploaded | AlreadyCurrent, AuthenticationFailed>) =>
  Effect.gen(function* () {
    const before = yield* counted
    const exit = yield* self.pipe(
      UploadMetrics.observed(
        { extensionId, archiveName: "a.zip" },
        Effect.succeed({ attempts: 1, bytesSent: 30 })
      ),
      Effect.exit
    )
    const inFlight = yield* Metric.value(UploadMetrics.inFlight)
    const after = yield* counted
    const more = Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)] as const)
    return {
      exit,
      inFlight: inFlight.value,
      more: Object.fromEntries(more.filter(([, count]) => count !== 0))
    }
  })

type Upload = Parameters<typeof added>[0]

const ways: ReadonlyArray<readonly [how: string, self: Upload, counts: Readonly<Record<string, number>>]> = [
  ["was sent", Effect.succeed(uploaded), { uploaded: 1, sent: 70, resumed: 40 }],
  ["was there", Effect.succeed(current), { current: 1, saved: 100 }],
  ["failed", Effect.fail(refused), { failed: 1, refused: 1, sent: 30 }],
  ["was interrupted", Effect.interrupt, { interrupted: 1, sent: 30 }]
]

describe("observed", () => {
  it.effect.each(ways)("counts an archive that %s", ([, self, expected]) =>
    Effect.gen(function* () {
      const { exit, inFlight, more } = yield* added(self)
      expect(more).toEqual(expected)
      expect(inFlight).toBe(0)
      expect(exit).toEqual(yield* Effect.exit(self))
    })
  )

  it.effect("counts an upload as under way for as long as it is", () =>
    Effect.gen(function* () {
      const state = yield* Effect.succeed(uploaded).pipe(
        Effect.zipRight(Metric.value(UploadMetrics.inFlight)),
        UploadMetrics.counting(UploadMetrics.inFlight)
      )
      expect(state.value).toBe(1)
    })
  )
})

describe("initialize", () => {
  it.effect("makes what somebody has to be told of exist before it happens", () =>
    Effect.gen(function* () {
      yield* UploadMetrics.initialize
      const names = (yield* Metric.snapshot).map(({ metricKey }) => [
        metricKey.name,
        ...metricKey.tags.map(({ value }) => value)
      ])
      for (const expected of [
        ["elastic_extensions_uploads_total", "failed", "none"],
        ["elastic_extensions_uploads_total", "uploaded", "size"],
        ["elastic_extensions_upload_failures_total", "OutcomeUnknown"],
        ["elastic_extensions_uploads_in_flight"]
      ]) {
        expect(names.some((name) => expected.every((part) => name.includes(part)))).toBe(true)
      }
    })
  )
})

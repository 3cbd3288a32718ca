/** When an upload counts as done: the decision table of docs/resumability.md, row by row. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Ref } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import * as RetryPolicy from "../../src/transfer/RetryPolicy.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import type { UploadOptions } from "../../src/upload/UploadSettings.ts"
import { zipOf } from "../support/upload/archives.ts"
import {
  extensionId,
  inPieces,
  modelCloud,
  type Put,
  type Tells,
  tellsAll,
  withoutWaiting
} from "../support/upload/modelCloud.ts"
import { journaled, sha256 } from "../support/upload/world.ts"

interface Row {
  /** One move for each PUT; the last one for all that follow. */
  readonly puts: readonly [Put, ...ReadonlyArray<Put>]
  readonly tells?: Partial<Tells>
  readonly before?: "nothing" | "another archive" | "another of this size" | "this archive"
  readonly verification?: UploadOptions["verification"]
  readonly outcome: Record<string, unknown>
  readonly sent: number
  readonly holdsOurs: boolean
}

const retries = 2

const rows: Readonly<Record<string, Row>> = {
  "whole body, 200, version moved, hash of ours": {
    puts: ["applied"],
    outcome: { _tag: "Uploaded", proof: "hash" },
    sent: 1,
    holdsOurs: true
  },
  "whole body, 200, version moved, size of ours, no link": {
    puts: ["applied"],
    tells: { link: false },
    outcome: { _tag: "Uploaded", proof: "size" },
    sent: 1,
    holdsOurs: true
  },
  "whole body, 200, version moved, neither size nor link": {
    puts: ["applied"],
    tells: { link: false, size: false },
    outcome: { _tag: "Uploaded", proof: "response" },
    sent: 1,
    holdsOurs: true
  },
  "whole body, 200, no version told, hash of ours": {
    puts: ["applied"],
    tells: { version: false },
    before: "another archive",
    outcome: { _tag: "Uploaded", proof: "hash" },
    sent: 1,
    holdsOurs: true
  },
  "whole body, 200, nothing told at all": {
    puts: ["applied"],
    tells: { version: false, size: false, link: false },
    outcome: { _tag: "OutcomeUnknown" },
    sent: 1,
    holdsOurs: true
  },
  "whole body, 200, version moved, nothing verified": {
    puts: ["applied"],
    verification: "response",
    outcome: { _tag: "Uploaded", proof: "response" },
    sent: 1,
    holdsOurs: true
  },
  "whole body, 200, nothing changed; then applied": {
    puts: ["hollow 200", "applied"],
    outcome: { _tag: "Uploaded", proof: "hash", attempts: 2 },
    sent: 2,
    holdsOurs: true
  },
  "whole body, 200, nothing changed, each time": {
    puts: ["hollow 200"],
    outcome: { _tag: "VerificationFailed", reason: "Unchanged", isRetryable: true },
    sent: 1 + retries,
    holdsOurs: false
  },
  "whole body, 200, nothing changed, nothing verified": {
    puts: ["hollow 200"],
    verification: "response",
    outcome: { _tag: "VerificationFailed", reason: "Unchanged" },
    sent: 1 + retries,
    holdsOurs: false
  },
  "whole body, 200, nothing changed, and a file of this size was there before": {
    puts: ["hollow 200"],
    tells: { link: false },
    before: "another of this size",
    outcome: { _tag: "VerificationFailed", reason: "Unchanged" },
    sent: 1 + retries,
    holdsOurs: false
  },
  "part of the body, 200; then applied": {
    puts: ["early 200", "applied"],
    outcome: { _tag: "Uploaded", proof: "hash", attempts: 2 },
    sent: 2,
    holdsOurs: true
  },
  "part of the body, 200, each time": {
    puts: ["early 200"],
    outcome: { _tag: "VerificationFailed", reason: "Incomplete", isRetryable: true },
    sent: 1 + retries,
    holdsOurs: false
  },
  "part of the body, 200, and a file of this size was there before": {
    puts: ["early 200"],
    tells: { link: false },
    before: "another of this size",
    verification: "size",
    outcome: { _tag: "VerificationFailed", reason: "Incomplete" },
    sent: 1 + retries,
    holdsOurs: false
  },
  "part of the body, 200, nothing verified": {
    puts: ["early 200"],
    verification: "response",
    outcome: { _tag: "VerificationFailed", reason: "Incomplete" },
    sent: 1 + retries,
    holdsOurs: false
  },
  "whole body, 200, other bytes stored": {
    puts: ["corrupted"],
    outcome: { _tag: "VerificationFailed", reason: "Hash", isRetryable: false },
    sent: 1,
    holdsOurs: false
  },
  "whole body, no answer, version moved, hash of ours": {
    puts: ["answer lost"],
    outcome: { _tag: "Uploaded", proof: "hash", attempts: 1 },
    sent: 1,
    holdsOurs: true
  },
  "whole body, no answer, nothing changed; then applied": {
    puts: ["dropped", "applied"],
    outcome: { _tag: "Uploaded", proof: "hash", attempts: 2 },
    sent: 2,
    holdsOurs: true
  },
  "part of the body, no answer; then applied": {
    puts: ["cut", "applied"],
    outcome: { _tag: "Uploaded", proof: "hash", attempts: 2 },
    sent: 2,
    holdsOurs: true
  },
  "whole body, 503, nothing changed; then applied": {
    puts: ["unavailable", "applied"],
    outcome: { _tag: "Uploaded", proof: "hash", attempts: 2 },
    sent: 2,
    holdsOurs: true
  },
  "whole body, 504, applied within the window": {
    puts: ["applied later"],
    outcome: { _tag: "Uploaded", proof: "hash", attempts: 1 },
    sent: 1,
    holdsOurs: true
  },
  "nothing sent: the extension holds this archive": {
    puts: ["applied"],
    before: "this archive",
    outcome: { _tag: "AlreadyCurrent", proof: "hash", attempts: 0 },
    sent: 0,
    holdsOurs: true
  }
}

const contentBefore = (before: Row["before"], content: Uint8Array) => {
  switch (before ?? "nothing") {
    case "nothing":
      return undefined
    case "another archive":
      return content.subarray(1)
    case "another of this size":
      return content.toReversed()
    case "this archive":
      return content
  }
}

describe("evidence of success", () => {
  it.effect.each(Object.entries(rows))("%s", ([, row]) =>
    Effect.gen(function* () {
      const content = yield* zipOf(500)
      const moves = yield* Ref.make<readonly [Put, ...ReadonlyArray<Put>]>(row.puts)
      const cloud = modelCloud({
        tells: { ...tellsAll, ...row.tells },
        holds: contentBefore(row.before, content),
        onPut: Ref.modify(moves, ([next, ...rest]) => {
          const [second, ...others] = rest
          return [next, second === undefined ? ([next] as const) : ([second, ...others] as const)]
        })
      })
      const outcome = yield* ExtensionUpload.upload({
        extensionId,
        archive: inPieces(Archive.bytes({ name: "words.zip", bytes: content })),
        verification: row.verification
      }).pipe(
        Effect.merge,
        withoutWaiting,
        Effect.provide(Layer.merge(cloud.layer, RetryPolicy.layer({ maxRetries: retries })))
      )
      expect(outcome).toMatchObject(row.outcome)
      expect(cloud.requests.filter((line) => line.startsWith("PUT"))).toHaveLength(row.sent)
      expect(cloud.holds().sha256 === sha256(content)).toBe(row.holdsOurs)
      const isDone = outcome._tag === "Uploaded" || outcome._tag === "AlreadyCurrent"
      if (isDone) expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(UploadJournal.layerMemory))
  )
})

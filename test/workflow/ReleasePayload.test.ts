import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"
import * as ReleasePayload from "../../src/workflow/ReleasePayload.ts"
import { traffic } from "../support/upload/world.ts"
import { inMemory, newRelease } from "../support/workflow/releases.ts"

/** As a library that knew nothing of attempts, approvals and versions would have written it. */
const oldest = {
  releaseId: "words-1",
  extension: { _tag: "Id", id: "882519870" },
  archive: { _tag: "Path", path: "dist/words.zip" },
  sha256: "0".repeat(64)
}

const decode = (changes: object) => ReleasePayload.decode({ ...oldest, ...changes })
const idOf = (changes: object) => Effect.flatMap(decode(changes), ExtensionRelease.executionId)

describe("a payload", () => {
  it.effect("of an older library gets what it lacks", () =>
    Effect.gen(function* () {
      expect(yield* decode({})).toEqual({
        ...oldest,
        version: 1,
        policy: "queue",
        attempt: 1,
        allow: [],
        holdForApproval: false,
        deleteUnfilledOnCancel: false
      })
    })
  )

  it.effect("that is none is refused by its fields, without what they hold", () =>
    Effect.gen(function* () {
      const url = "https://user:hunter2@example.org/words.zip?signature=secret"
      const error = yield* Effect.flip(decode({ attempt: 0, sha256: "abc", archive: { _tag: "Url", url } }))
      expect(error).toMatchObject({ _tag: "InvalidPayload" })
      expect(error.message).toContain("attempt")
      expect(error.message).toContain("sha256")
      expect(error.message).toContain("archive.url")
      expect(error.message).not.toMatch(/hunter2|secret|abc/)
      expect((yield* Effect.flip(ReleasePayload.decode("words"))).fields).toEqual(["the payload itself"])
    })
  )

  it.scopedLive("of a newer library is refused by an older runner, before anything is asked", () =>
    Effect.gen(function* () {
      const { payload } = yield* newRelease()
      const error = yield* Effect.flip(ExtensionRelease.execute({ ...payload, version: 2 }))
      expect(error).toMatchObject({ _tag: "UnsupportedPayload", version: 2, newestKnown: 1 })
      expect(yield* traffic).toEqual([])
    }).pipe(Effect.provide(inMemory()))
  )

  const differences = {
    "another archive": { sha256: "1".repeat(64) },
    "another release": { releaseId: "words-2" },
    "another attempt": { attempt: 2 },
    "another extension": { extension: { _tag: "Id", id: "882519871" } },
    "an extension by name": { extension: { _tag: "Named", name: "882519870", type: "bundle", version: "*" } }
  }
  for (const [name, change] of Object.entries(differences)) {
    it.effect(`with ${name} is another execution`, () =>
      Effect.gen(function* () {
        expect(yield* idOf(change)).not.toBe(yield* idOf({}))
      })
    )
  }

  it.effect("whose archive lies elsewhere is the same execution", () =>
    Effect.gen(function* () {
      expect(yield* idOf({ archive: { _tag: "Path", path: "/mnt/words.zip" } })).toBe(yield* idOf({}))
    })
  )

  it.effect("of the next attempt differs in nothing else", () =>
    Effect.gen(function* () {
      const payload = yield* decode({})
      expect(ReleasePayload.nextAttempt(payload)).toEqual({ ...payload, attempt: 2 })
    })
  )
})

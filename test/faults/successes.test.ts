/**
 * Successes that are none: said before the body, or with nothing stored. Whatever is verified, and over whatever transport,
 * none of them is believed.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Option, Struct } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import type { UploadOptions } from "../../src/upload/UploadSettings.ts"
import * as Cli from "../support/cli/world.ts"
import { zipOf } from "../support/upload/archives.ts"
import { held, journaled, puts, seed, sha256, world } from "../support/upload/world.ts"

const retries = 2

/**
 * Our own transport waits for `100 Continue` with so large a body, so that none of it is sent. `fetch` does not: the body is
 * what its socket takes at once, for it would wait forever for a server that does not read.
 */
const transports = {
  UploadHttpClient: { bytes: 1_200_000 },
  FetchHttpClient: { bytes: 50_000, transport: FetchHttpClient.layer }
} as const

const lies = { "before the body": { early: true }, "with nothing stored": {} } as const
const proofs: ReadonlyArray<UploadOptions["verification"]> = ["hash", "size", "response"]

const combinations = (Object.keys(transports) as ReadonlyArray<keyof typeof transports>).flatMap(
  (transport) =>
    (Object.keys(lies) as ReadonlyArray<keyof typeof lies>).flatMap((lie) =>
      proofs.flatMap((verification) =>
        [true, false].map((links) => ({ transport, lie, verification, links }))
      )
    )
)

const falselyAnswered = (id: string, lie: keyof typeof lies, times: number) =>
  Effect.gen(function* () {
    const cloud = yield* LocalElasticCloud
    const lied = Fault.falseSuccess(Option.getOrThrow(yield* cloud.extension(id)), lies[lie])
    // `fetch` would send its next request down the line whose body nobody reads.
    const fault =
      lied._tag === "AnswerEarly" ? { ...lied, headers: { ...lied.headers, connection: "close" } } : lied
    yield* cloud.plan({ method: "PUT", times, fault })
  })

describe("a success that is none, said", () => {
  it.live.each(combinations)(
    "$lie, over $transport, verified by $verification, with links: $links",
    ({ lie, links, transport, verification }) =>
      Effect.gen(function* () {
        const { bytes } = transports[transport]
        const content = yield* zipOf(bytes)
        // Of the same size: the size alone proves nothing.
        const before = yield* zipOf(bytes)
        expect(before.length).toBe(content.length)
        const id = yield* seed({ file: before })
        const upload = ExtensionUpload.upload({
          extensionId: id,
          archive: Archive.bytes({ name: "words.zip", bytes: content }),
          verification
        })

        yield* falselyAnswered(id, lie, 1 + retries)
        const failed = yield* Effect.either(upload)
        expect(Either.merge(failed)._tag).toBe("VerificationFailed")
        expect(yield* held(id)).toMatchObject({ sha256: sha256(before), uploads: 0, resourceVersion: 1 })
        expect(yield* puts).toHaveLength(1 + retries)
        // What may pass is kept on record: the next run looks first.
        expect(yield* journaled).toHaveLength(1)

        yield* falselyAnswered(id, lie, 1)
        const receipt = yield* upload
        const proof = verification === "hash" && !links ? "size" : verification
        expect(receipt).toMatchObject({ _tag: "Uploaded", attempts: 2, proof })
        expect(receipt.resourceVersion).toEqual({ before: "1", after: "2" })
        expect(yield* held(id)).toMatchObject({ sha256: sha256(content), uploads: 1 })
        const received = (yield* puts).filter(({ bodySha256 }) => bodySha256 === sha256(content))
        expect(received.length).toBeGreaterThanOrEqual(1)
        expect(yield* journaled).toEqual([])
      }).pipe(
        Effect.provide(
          world({
            cloud: { verificationLinks: links },
            retry: { maxRetries: retries },
            ...Struct.omit(transports[transport], "bytes")
          })
        )
      )
  )
})

describe("a success that is none, and another change of the extension", () => {
  it.live.each(proofs.flatMap((verification) => [200, 504].map((status) => [verification, status] as const)))(
    "are not taken for an upload by its size: verified by %s, after a %i",
    ([verification, status]) =>
      Effect.gen(function* () {
        const content = yield* zipOf(20_000)
        const before = yield* zipOf(20_000)
        const id = yield* seed({ file: before })
        const cloud = yield* LocalElasticCloud
        const renamed = Effect.asVoid(
          cloud.seed({ id, name: "renamed", extension_type: "bundle", version: "*" })
        )
        const lied = Fault.falseSuccess({
          ...Option.getOrThrow(yield* cloud.extension(id)),
          name: "renamed",
          resourceVersion: 2
        })
        const said = status === 200 ? lied : Fault.answer({ status })
        yield* cloud.plan({ method: "PUT", fault: [Fault.run("body", renamed), said] })
        const error = yield* Effect.flip(
          ExtensionUpload.upload({
            extensionId: id,
            archive: Archive.bytes({ name: "words.zip", bytes: content }),
            verification
          })
        )
        expect(error).toMatchObject({ _tag: "UploadConflict", now: { resourceVersion: "2" } })
        expect(yield* puts).toHaveLength(1)
        expect(yield* held(id)).toMatchObject({ sha256: sha256(before), uploads: 0 })
      }).pipe(Effect.provide(world({ cloud: { verificationLinks: false } })))
  )
})

describe("an answer and an extension that disagree", () => {
  const scene = Effect.gen(function* () {
    const content = yield* zipOf(20_000)
    const before = yield* zipOf(20_000)
    const id = yield* seed({ file: before })
    const cloud = yield* LocalElasticCloud
    const upload = ExtensionUpload.upload({
      extensionId: id,
      archive: Archive.bytes({ name: "words.zip", bytes: content }),
      verification: "size"
    })
    return { before, cloud, content, id, upload }
  })

  it.live("are no success where only the answer has moved on", () =>
    Effect.gen(function* () {
      const { before, cloud, id, upload } = yield* scene
      const extension = Option.getOrThrow(yield* cloud.extension(id))
      const lied = Fault.falseSuccess({ ...extension, resourceVersion: 2 })
      yield* cloud.plan({ method: "PUT", times: 9, fault: lied })
      expect(yield* Effect.flip(upload)).toMatchObject({ _tag: "VerificationFailed", reason: "Unchanged" })
      expect(yield* held(id)).toMatchObject({ sha256: sha256(before), uploads: 0 })
    }).pipe(Effect.provide(world({ retry: { maxRetries: 1 } })))
  )

  it.live("are one as soon as a cache in between has caught up", () =>
    Effect.gen(function* () {
      const { cloud, content, id, upload } = yield* scene
      let old: Fault.GivenAnswer | undefined
      const fresh = Fault.alterAnswer((answer) => {
        old = answer
        return answer
      })
      const stale = Fault.alterAnswer((answer) => ({ ...(old ?? answer), status: 200 }))
      yield* cloud.plan({ method: "GET", fault: fresh })
      yield* cloud.plan({ method: "GET", times: 2, fault: stale })
      expect(yield* upload).toMatchObject({
        _tag: "Uploaded",
        attempts: 1,
        resourceVersion: { before: "1", after: "2" }
      })
      expect(yield* puts).toHaveLength(1)
      expect(yield* held(id)).toMatchObject({ sha256: sha256(content), uploads: 1 })
    }).pipe(Effect.provide(world({ settings: { reconcileWindow: "10 seconds" } })))
  )
})

describe("the command line, told of a success", () => {
  it.scopedLive.each(Object.keys(lies) as ReadonlyArray<keyof typeof lies>)("%s, exits with 2", (lie) =>
    Effect.gen(function* () {
      const { archive, cli, content } = yield* Cli.place(1_200_000)
      const id = yield* seed()
      yield* falselyAnswered(id, lie, 99)
      const ran = yield* cli(["upload", id, archive, "--retries", "1"])
      expect(ran).toMatchObject({ code: 2, out: "" })
      expect(ran.err).toContain("does not hold the archive that was sent")
      expect(yield* held(id)).toMatchObject({ sha256: undefined, uploads: 0 })
      expect(yield* puts).toHaveLength(2)

      yield* (yield* LocalElasticCloud).clearPlan
      expect((yield* cli(["upload", id, archive])).code).toBe(0)
      expect(yield* held(id)).toMatchObject({ sha256: sha256(content), uploads: 1 })
    }).pipe(Effect.provide(Cli.world()))
  )
})

import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Fiber } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import {
  append,
  begin,
  cancel,
  create,
  creationUnderWay,
  offsetOf,
  retrieve,
  stored,
  withResumable
} from "../support/testing/resumable.ts"
import { bigZip, seedBundle, sha256 } from "../support/testing/server.ts"

/** Waits until the upload holds so many bytes. */
const reaches = (bytes: number) =>
  Effect.flatMap(LocalElasticCloud, (cloud) =>
    cloud.uploads.pipe(
      Effect.delay("5 millis"),
      Effect.repeat({ until: ([upload]) => upload?.offset === bytes })
    )
  )

describe("a request to an upload ends the transfer that is under way, and sees what it left:", () => {
  it.scopedLive("an offset retrieval, after which nothing moves the offset", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* bigZip(1_000_000)
      const { connection, path } = yield* creationUnderWay(id, archive, 70_001)
      expect(yield* offsetOf(path)).toBe(70_001)
      yield* connection.write(archive.subarray(70_001))
      yield* connection.untilClosed
      expect(yield* offsetOf(path)).toBe(70_001)
      expect((yield* stored(id)).uploads).toBe(0)
      expect((yield* append(path, 70_001, archive.subarray(70_001))).status).toBe(200)
      expect(yield* stored(id)).toMatchObject({ uploads: 1, file: { sha256: sha256(archive) } })
    }).pipe(withResumable())
  )

  it.scopedLive("an append, at the offset the other reached", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* bigZip(1_000_000)
      const { connection, path } = yield* creationUnderWay(id, archive, 5)
      expect((yield* append(path, 5, archive.subarray(5))).status).toBe(200)
      expect(yield* connection.untilClosed).not.toContain("HTTP/1.1 200")
      expect(yield* stored(id)).toMatchObject({ uploads: 1, file: { sha256: sha256(archive) } })
    }).pipe(withResumable())
  )

  it.scopedLive("a cancellation, which leaves nothing", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      const { connection, path } = yield* creationUnderWay(id, yield* bigZip(1_000_000), 5)
      expect((yield* cancel(path)).status).toBe(204)
      yield* connection.untilClosed
      expect(yield* cloud.uploads).toStrictEqual([])
      expect((yield* retrieve(path)).status).toBe(404)
    }).pipe(withResumable())
  )

  it.live("even one that hangs after its last byte", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      const archive = yield* bigZip(10_000)
      yield* cloud.plan({ method: "PUT", fault: Fault.hang("body") })
      const creation = yield* Effect.fork(Effect.either(create(id, archive)))
      const [upload] = yield* reaches(archive.length)
      const { headers } = yield* retrieve(new URL(upload?.url ?? "").pathname)
      expect([headers["upload-offset"], headers["upload-complete"]]).toStrictEqual([
        String(archive.length),
        "?0"
      ])
      expect(Either.isLeft(yield* creation)).toBe(true)
    }).pipe(withResumable())
  )

  it.live("even one whose own fault makes the request", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      const archive = yield* bigZip(10_000)
      const path = yield* begin(id)
      const retrieval = retrieve(path).pipe(Effect.ignore, Effect.provideService(LocalElasticCloud, cloud))
      yield* cloud.plan({ method: "PATCH", fault: Fault.run({ afterBodyBytes: 100 }, retrieval) })
      yield* Effect.flip(append(path, 0, archive))
      expect(yield* offsetOf(path)).toBe(100)
    }).pipe(withResumable())
  )
})

describe("many requests at once", () => {
  it.live("end in one archive, applied once", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* bigZip(300_000)
      const path = yield* begin(id)
      const one = (from: number) =>
        append(path, from, archive.subarray(from)).pipe(
          Effect.either,
          Effect.map(Either.match({ onLeft: () => 0, onRight: ({ status }) => status }))
        )
      const statuses = yield* Effect.all([one(0), one(0), one(0), one(0)], { concurrency: "unbounded" })
      // Whoever came later ended those before, or came too late.
      expect(statuses.every((status) => [0, 200, 400, 409].includes(status))).toBe(true)
      const offset = yield* offsetOf(path)
      if (!statuses.includes(200)) expect((yield* one(offset)) === 200).toBe(true)
      expect(yield* stored(id)).toMatchObject({ uploads: 1, file: { sha256: sha256(archive) } })
    }).pipe(withResumable())
  )

  it.live("to retrieve the offset do not end each other", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const path = yield* begin(id, "1234")
      const offsets = yield* Effect.all(
        Array.from({ length: 8 }, () => offsetOf(path)),
        { concurrency: "unbounded" }
      )
      expect(offsets).toStrictEqual(Array(8).fill(4))
    }).pipe(withResumable())
  )

  it.live("for different uploads leave each other alone", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      yield* cloud.plan({ method: "PUT", fault: Fault.delay(200, "body") })
      const creation = yield* Effect.fork(create(id, yield* bigZip(10_000)))
      const other = yield* begin(id, "1234")
      expect(yield* offsetOf(other)).toBe(4)
      expect((yield* Fiber.join(creation)).status).toBe(200)
    }).pipe(withResumable())
  )
})

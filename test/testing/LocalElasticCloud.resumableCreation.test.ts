import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import {
  append,
  create,
  creationUnderWay,
  locationOf,
  offsetOf,
  stored,
  withResumable
} from "../support/testing/resumable.ts"
import {
  type Answer,
  ask,
  bigZip,
  codes,
  multipart,
  pathOf,
  put,
  rawConnection,
  rawPutHead,
  seedBundle,
  sha256,
  withCloud
} from "../support/testing/server.ts"

/** The 104s of an answer, each with its fields. */
const supported = ({ information }: Answer) =>
  information.filter(({ statusCode }) => statusCode === 104).map(({ headers }) => headers)

const uploads = Effect.flatMap(LocalElasticCloud, (cloud) => cloud.uploads)

describe("creation with the whole archive", () => {
  it.effect.each([
    ["that waits for 100", true, [104, 100]],
    ["that does not wait", false, [104]]
  ] as const)(
    "by a client %s announces the upload first, and answers as an ordinary one",
    ([, expect_, interim]) =>
      Effect.gen(function* () {
        const { id } = yield* seedBundle
        const archive = yield* bigZip(100_000)
        const answer = yield* create(id, archive, { expect: expect_ })
        expect(answer.interim).toStrictEqual(interim)
        expect(supported(answer)).toStrictEqual([
          {
            "upload-draft-interop-version": "8",
            location: expect.stringMatching(/^\/uploads\/[0-9a-f]{32}$/),
            "upload-limit": "min-size=0"
          }
        ])
        expect([answer.status, answer.headers["upload-complete"]]).toStrictEqual([200, "?1"])
        expect(answer.json()).toMatchObject({ id, file_metadata: { size: archive.length } })
        expect(answer.headers["x-cloud-resource-version"]).toBe("2")
        expect(yield* stored(id)).toMatchObject({ uploads: 1, file: { sha256: sha256(archive) } })
      }).pipe(withResumable())
  )

  it.effect("tells the offset every so many bytes, without the address", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* bigZip(1_000_000)
      const [first, ...rest] = supported(yield* create(id, archive))
      expect(first).toHaveProperty("location")
      const offsets = rest.map((headers) => Number(headers["upload-offset"]))
      expect(offsets.length).toBeGreaterThanOrEqual(3)
      expect(rest.every((headers) => headers["location"] === undefined)).toBe(true)
      const steps = offsets.map((offset, index) => offset - (offsets[index - 1] ?? 0))
      expect(Math.min(...steps)).toBeGreaterThanOrEqual(200_000)
    }).pipe(withResumable({ progressEveryBytes: 200_000 }))
  )

  it.effect("tells no offset when asked not to", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      expect(supported(yield* create(id, yield* bigZip(1_000_000)))).toHaveLength(1)
    }).pipe(withResumable({ progressEveryBytes: 0 }))
  )

  it.effect("of unknown length is taken all the same", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* bigZip(100_000)
      expect((yield* create(id, archive, { length: "chunked" })).status).toBe(200)
      expect(yield* uploads).toMatchObject([{ complete: true, length: archive.length }])
    }).pipe(withResumable())
  )

  it.effect("in multipart counts the bytes of the body, and stores those of the file", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* bigZip(100_000)
      const body = multipart("b", archive)
      const headers = { "content-type": "multipart/form-data; boundary=b" }
      const path = locationOf(yield* create(id, body.subarray(0, 70), { headers, complete: false }))
      const answer = yield* append(path, 70, body.subarray(70))
      expect(answer.status).toBe(200)
      expect(yield* stored(id)).toMatchObject({ file: { sha256: sha256(archive) } })
      expect(yield* offsetOf(path)).toBe(body.length)
      const cloud = yield* LocalElasticCloud
      expect((yield* cloud.requests)[1]).toMatchObject({
        bodyBytes: body.length - 70,
        contentFile: { sha256: sha256(archive), filename: "b.zip" }
      })
    }).pipe(withResumable())
  )

  it.effect("of something else is refused by the extension", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const answer = yield* create(id, "not a ZIP")
      expect([answer.status, codes(answer)]).toStrictEqual([400, ["extensions.request_execution_failed"]])
      expect(answer.headers["upload-complete"]).toBe("?1")
      expect((yield* stored(id)).uploads).toBe(0)
      expect(yield* uploads).toMatchObject([{ complete: true, offset: 9 }])
    }).pipe(withResumable())
  )

  it.scopedLive("keeps what arrived when the line breaks", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      const archive = yield* bigZip(3_000_000)
      const { connection, path } = yield* creationUnderWay(id, archive, 100_000)
      yield* connection.write(archive.subarray(100_000, 2_000_000))
      yield* connection.end
      yield* cloud.settled
      expect(yield* offsetOf(path)).toBe(2_000_000)
      expect((yield* append(path, 2_000_000, archive.subarray(2_000_000))).status).toBe(200)
      expect(yield* stored(id)).toMatchObject({ uploads: 1, file: { sha256: sha256(archive) } })
    }).pipe(withResumable())
  )
})

describe("creation with a part of the archive", () => {
  it.effect.each([
    ["nothing", 0, undefined],
    ["some bytes", 40_000, undefined],
    ["some bytes and the length", 40_000, 100_022]
  ] as const)("with %s answers where to go on", ([, bytes, uploadLength]) =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const body = Buffer.alloc(bytes)
      const answer = yield* create(id, body, {
        complete: false,
        ...(uploadLength === undefined ? {} : { uploadLength })
      })
      expect(answer.status).toBe(201)
      expect(answer.headers).toMatchObject({
        "upload-complete": "?0",
        "upload-offset": String(bytes),
        "upload-limit": "min-size=0"
      })
      expect(supported(answer)[0]?.["location"]).toBe(locationOf(answer))
      expect((yield* stored(id)).uploads).toBe(0)
      const cloud = yield* LocalElasticCloud
      const [upload] = yield* cloud.uploads
      expect(upload).toStrictEqual({
        token: locationOf(answer).slice("/uploads/".length),
        url: `${cloud.url}${locationOf(answer)}`,
        extensionId: id,
        offset: bytes,
        length: uploadLength,
        complete: false,
        expired: false
      })
    }).pipe(withResumable())
  )
})

describe("creation is refused before a byte is read, and nothing created,", () => {
  const accounts = [
    { apiKey: "local-key", owner: "local" },
    { apiKey: "other-key", owner: "other" },
    { apiKey: "no-user", owner: undefined }
  ]
  it.effect.each([
    ["without a key", { key: "" }, 401, "root.unauthenticated"],
    ["with the key of another", { key: "other-key" }, 401, "extensions.unauthorised"],
    ["without a user", { key: "no-user" }, 401, "extensions.no_user_id"],
    ["for no extension", { path: pathOf("1") }, 404, "extensions.not_found"],
    [
      "of another type",
      { headers: { "content-type": "text/plain" } },
      400,
      "extensions.request_execution_failed"
    ],
    ["of more than the service takes", { uploadLength: 1001 }, 413, "root.request_too_large"]
  ] as const)("%s", ([, options, status, code]) =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const answer = yield* create(id, Buffer.alloc(500), { expect: true, complete: false, ...options })
      expect([answer.status, codes(answer)]).toStrictEqual([status, [code]])
      expect(answer.headers["upload-complete"]).toBe("?1")
      expect(answer.interim).toStrictEqual([])
      const cloud = yield* LocalElasticCloud
      expect((yield* cloud.requests).at(-1)?.bodyBytes).toBe(0)
      expect(yield* cloud.uploads).toStrictEqual([])
    }).pipe(withResumable({}, { accounts, maxArchiveBytes: 1000 }))
  )
})

describe("a request is an ordinary upload", () => {
  it.effect.each([
    ["without Upload-Complete", { "upload-draft-interop-version": "8" }],
    ["without an interop version", { "upload-complete": "?1" }],
    ["in an iteration that is not spoken", { "upload-complete": "?1", "upload-draft-interop-version": "5" }],
    ["with a version that is no Integer", { "upload-complete": "?1", "upload-draft-interop-version": "8.0" }],
    ["with Upload-Complete of another type", { "upload-complete": "1", "upload-draft-interop-version": "8" }],
    ["with two of it", { "upload-complete": "?1, ?1", "upload-draft-interop-version": "8" }]
  ] as const)("%s", ([, headers]) =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const answer = yield* put(id, yield* bigZip(1000), { headers })
      expect([answer.status, answer.interim]).toStrictEqual([200, []])
      expect(answer.headers).not.toHaveProperty("upload-complete")
      expect(yield* uploads).toStrictEqual([])
    }).pipe(withResumable())
  )

  it.effect("to a service without resumable uploads, which says nothing of limits either", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const answer = yield* create(id, yield* bigZip(1000))
      expect([answer.status, answer.interim]).toStrictEqual([200, []])
      expect(answer.headers).not.toHaveProperty("upload-complete")
      const options = yield* ask({ method: "OPTIONS", path: pathOf(id) })
      expect(options.status).toBe(405)
      expect(options.headers).not.toHaveProperty("upload-limit")
      expect((yield* ask({ method: "HEAD", path: "/uploads/0" })).status).toBe(404)
      expect(yield* uploads).toStrictEqual([])
    }).pipe(withCloud())
  )

  it.effect("where no 104 can be sent, unless it leaves something to be appended", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* bigZip(1000)
      const whole = yield* create(id, archive, { expect: true })
      expect([whole.status, whole.interim]).toStrictEqual([200, [100]])
      expect(yield* uploads).toStrictEqual([])
      const part = yield* create(id, archive, { expect: true, complete: false })
      expect([part.status, part.interim]).toStrictEqual([201, [100]])
      expect((yield* append(locationOf(part), archive.length, "")).status).toBe(200)
    }).pipe(withResumable({ interimResponses: false }))
  )
})

describe("interop versions", () => {
  it.effect.each([
    [6, "expires"],
    [7, "max-age"],
    [8, "max-age"],
    [9, "max-age"],
    [10, "max-age"]
  ] as const)("%i is answered in kind, its lifetime called %s", ([version, lifetime]) =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const answer = yield* create(id, "", { complete: false, version, expect: true })
      expect(supported(answer)[0]).toMatchObject({
        "upload-draft-interop-version": String(version),
        "upload-limit": expect.stringMatching(new RegExp(`^${lifetime}=(3600|3599)$`))
      })
      expect(answer.headers["upload-limit"]).toMatch(new RegExp(`^${lifetime}=`))
      const head = yield* ask({ method: "HEAD", path: locationOf(answer) })
      expect(head.headers["upload-limit"]).toMatch(new RegExp(`^${lifetime}=`))
    }).pipe(withResumable({ limits: { maxAgeSeconds: 3600 } }))
  )

  it.effect("an append that does not name one is given no 104", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* bigZip(1_000_000)
      const path = locationOf(yield* create(id, "", { complete: false }))
      const first = yield* append(path, 0, archive.subarray(0, 500_000), { complete: false })
      expect(supported(first).length).toBeGreaterThan(0)
      const answer = yield* append(path, 500_000, archive.subarray(500_000), {
        headers: { "upload-draft-interop-version": "11" }
      })
      expect([answer.status, answer.interim]).toStrictEqual([200, []])
    }).pipe(withResumable({ progressEveryBytes: 100_000 }))
  )
})

describe("OPTIONS", () => {
  it.effect.each([
    [{}, undefined, "min-size=0"],
    [
      { maxSize: 10, minSize: 2, maxAppendSize: 5, minAppendSize: 1, maxAgeSeconds: 60 },
      8,
      "max-size=10, min-size=2, max-append-size=5, min-append-size=1, max-age=60"
    ],
    [{ maxAgeSeconds: 60 }, 6, "expires=60"]
  ] as const)("tells the limits %j to version %s", ([limits, version, value]) =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const answer = yield* ask({
        method: "OPTIONS",
        path: pathOf(id),
        headers: version === undefined ? {} : { "upload-draft-interop-version": version }
      })
      expect([answer.status, answer.headers["upload-limit"]]).toStrictEqual([204, value])
    }).pipe(withResumable({ interopVersions: [6, 8], limits }))
  )

  it.effect("is for who may upload", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      expect((yield* ask({ method: "OPTIONS", path: pathOf(id), key: "" })).status).toBe(401)
      expect((yield* ask({ method: "OPTIONS", path: pathOf("1") })).status).toBe(404)
    }).pipe(withResumable())
  )
})

describe("faults strike creations as they strike any request", () => {
  it.live("a cut after n bytes leaves an upload of n bytes", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      yield* cloud.plan({ method: "PUT", fault: Fault.cut({ afterBodyBytes: 12_345 }) })
      yield* Effect.flip(create(id, yield* bigZip(100_000)))
      yield* cloud.settled
      expect(yield* cloud.uploads).toMatchObject([{ offset: 12_345, complete: false }])
      expect((yield* cloud.requests)[0]).toMatchObject({ bodyBytes: 12_345, status: undefined })
    }).pipe(withResumable())
  )

  it.live("a cut before the 104 leaves none", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      yield* cloud.plan({ method: "PUT", fault: Fault.cut("arrival") })
      yield* Effect.flip(create(id, yield* bigZip(100_000)))
      expect(yield* cloud.uploads).toStrictEqual([])
    }).pipe(withResumable())
  )

  it.scopedLive("a client that waits for 100 can be left with the 104 alone", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      yield* cloud.plan({ method: "PUT", fault: Fault.ignoreExpect })
      const connection = yield* rawConnection
      const head = {
        "Content-Type": "application/zip",
        "Content-Length": 1,
        Expect: "100-continue",
        "Upload-Complete": "?1",
        "Upload-Draft-Interop-Version": 8
      }
      yield* connection.write(rawPutHead(id, head))
      yield* connection.received(/^HTTP\/1\.1 104 Upload Resumption Supported\r\n/)
      yield* connection.write("x")
      expect(yield* connection.received(/HTTP\/1\.1 400/)).not.toContain("100 Continue")
    }).pipe(withResumable())
  )
})

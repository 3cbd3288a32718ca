/** Faults that touch what is answered, or how often a request is delivered: what a plain socket gets, and what is stored. */
import * as Zlib from "node:zlib"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import {
  ask,
  bigZip,
  codes,
  EXTENSIONS,
  pathOf,
  post,
  put,
  rawConnection,
  rawPutHead,
  seedBundle,
  sha256,
  withCloud
} from "../support/testing/server.ts"

const storedOf = (id: string) =>
  Effect.flatMap(LocalElasticCloud, (cloud) => Effect.map(cloud.extension(id), Option.getOrThrow))

describe("false success", () => {
  it.live("is claimed after the whole body was read, and nothing is applied", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const extension = yield* seedBundle
      const archive = yield* bigZip(50_000)
      yield* cloud.plan({ method: "PUT", fault: Fault.falseSuccess(extension) })
      const answer = yield* put(extension.id, archive)
      const truth = yield* ask({ path: pathOf(extension.id) })
      expect([answer.status, answer.json()]).toStrictEqual([200, truth.json()])
      for (const name of ["version", "created", "last-modified"].map((end) => `x-cloud-resource-${end}`)) {
        expect(answer.headers[name]).toBe(truth.headers[name])
      }
      expect((yield* cloud.requests)[0]).toMatchObject({ bodyBytes: archive.length, complete: true })
      expect((yield* storedOf(extension.id)).uploads).toBe(0)
    }).pipe(withCloud())
  )

  it.live("is claimed before a byte of the body is read", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const extension = yield* seedBundle
      yield* cloud.plan({ method: "PUT", fault: Fault.falseSuccess(extension, { early: true }) })
      const connection = yield* rawConnection
      yield* connection.write(
        rawPutHead(extension.id, { "Content-Type": "application/zip", "Content-Length": 1000 })
      )
      expect(yield* connection.received(/\}$/)).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
      expect((yield* cloud.requests)[0]).toMatchObject({ bodyBytes: 0, complete: false, status: 200 })
      expect((yield* storedOf(extension.id)).uploads).toBe(0)
    }).pipe(Effect.scoped, withCloud())
  )

  it.live("speaks of the archive that was there before", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const file = yield* bigZip(1000)
      const seed = { name: "dictionary", extension_type: "bundle", version: "*", file } as const
      const extension = yield* cloud.seed(seed)
      yield* cloud.plan({ method: "PUT", fault: Fault.falseSuccess(extension) })
      const answer = yield* put(extension.id, yield* bigZip(1000))
      expect(answer.json()).toMatchObject({ file_metadata: { size: file.length, url: null } })
      expect((yield* storedOf(extension.id)).file?.sha256).toBe(sha256(file))
    }).pipe(withCloud())
  )
})

describe("a refusal that passes", () => {
  it.live.each([
    [423, 2, "2"],
    [429, new Date(Date.UTC(2026, 10, 26, 12)), "Thu, 26 Nov 2026 12:00:00 GMT"],
    [503, 0, "0"]
  ] as const)("%i says when to come again", ([status, after, field]) =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      yield* cloud.plan({ method: "PUT", fault: Fault.retryAfter(status, after) })
      const archive = yield* bigZip(1000)
      const answer = yield* put(id, archive)
      expect([answer.status, answer.headers["retry-after"], answer.text]).toStrictEqual([status, field, ""])
      expect((yield* storedOf(id)).uploads).toBe(0)
      expect((yield* put(id, archive)).status).toBe(200)
    }).pipe(withCloud())
  )
})

describe("an answer that is altered on its way", () => {
  it.live("comes of a request that was carried out, and is what the fault makes of it", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      yield* cloud.plan({
        method: "PUT",
        fault: Fault.alterAnswer(({ headers, status }) => ({
          status: status + 2,
          headers: { ...headers, "x-proxy": "was here" },
          body: "so"
        }))
      })
      const { headers, status, text } = yield* put(id, yield* bigZip(1000))
      expect([status, headers["x-proxy"], text]).toStrictEqual([202, "was here", "so"])
      expect(headers["x-cloud-resource-version"]).toBe("2")
      expect((yield* storedOf(id)).uploads).toBe(1)
    }).pipe(withCloud())
  )

  it.live("loses headers, however their names are spelled", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      yield* cloud.plan({ fault: Fault.dropHeaders("X-Cloud-Resource-Version", "content-type") })
      const answer = yield* ask({ path: pathOf(id) })
      expect(answer.status).toBe(200)
      expect(answer.headers).not.toHaveProperty("x-cloud-resource-version")
      expect(answer.headers).not.toHaveProperty("content-type")
      expect(answer.headers).toHaveProperty("x-cloud-resource-created")
    }).pipe(withCloud())
  )

  it.live("is about another extension", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      yield* cloud.plan({ method: "GET", fault: Fault.mistakenIdentity("another") })
      const truth = { id, name: "dictionary" }
      expect((yield* ask({ path: pathOf(id) })).json()).toMatchObject({ ...truth, id: "another" })
      expect((yield* ask({ path: pathOf(id) })).json()).toMatchObject(truth)
    }).pipe(withCloud())
  )

  it.live("is compressed", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      const plain = yield* ask({ path: pathOf(id) })
      yield* cloud.plan({ fault: Fault.gzipAnswer })
      const connection = yield* rawConnection
      yield* connection.write(
        `GET ${pathOf(id)} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ApiKey local-key\r\nConnection: close\r\n\r\n`
      )
      const [head = "", body = ""] = (yield* connection.untilClosed).split("\r\n\r\n", 2)
      expect(head).toMatch(/^content-encoding: gzip$/im)
      expect(Zlib.gunzipSync(Buffer.from(body, "latin1")).toString()).toBe(plain.text)
    }).pipe(Effect.scoped, withCloud())
  )

  it.live("can be one of the object store", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const file = yield* bigZip(1000)
      const seed = { name: "dictionary", extension_type: "bundle", version: "*", file } as const
      const { id } = yield* cloud.seed(seed)
      const { file_metadata } = (yield* ask({ path: pathOf(id) })).json() as {
        readonly file_metadata: { readonly url: string }
      }
      yield* cloud.plan({
        path: "/files/",
        fault: Fault.alterAnswer(({ body, ...rest }) => ({ ...rest, body: body.subarray(0, 10) }))
      })
      const { pathname, search } = new URL(file_metadata.url)
      const answer = yield* ask({ path: `${pathname}${search}`, key: "" })
      expect([answer.status, answer.headers["content-length"]]).toStrictEqual([200, "10"])
    }).pipe(withCloud())
  )
})

describe("a request that is delivered twice", () => {
  it.live("is applied twice before it is answered", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      const archive = yield* bigZip(50_000)
      yield* cloud.plan({ method: "PUT", fault: Fault.duplicate() })
      const answer = yield* put(id, archive)
      expect([answer.status, answer.headers["x-cloud-resource-version"]]).toStrictEqual([200, "2"])
      const stored = yield* storedOf(id)
      expect(stored).toMatchObject({ uploads: 2, resourceVersion: 3, file: { sha256: sha256(archive) } })
      expect(yield* cloud.requests).toHaveLength(1)
    }).pipe(withCloud())
  )

  it.live("is applied a second time after it was answered", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      yield* cloud.plan({ method: "PUT", fault: Fault.duplicate(200) })
      const archive = yield* bigZip(1000)
      expect((yield* put(id, archive)).status).toBe(200)
      expect((yield* storedOf(id)).uploads).toBe(1)
      yield* cloud.settled
      expect(yield* storedOf(id)).toMatchObject({ uploads: 2, file: { sha256: sha256(archive) } })
    }).pipe(withCloud())
  )

  it.live("overwrites who came in between", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      yield* cloud.plan({ method: "PUT", fault: Fault.duplicate(300) })
      const [first, second] = [yield* bigZip(1000), yield* bigZip(1000)]
      yield* put(id, first)
      yield* put(id, second)
      expect((yield* storedOf(id)).file?.sha256).toBe(sha256(second))
      yield* cloud.settled
      expect(yield* storedOf(id)).toMatchObject({ uploads: 3, file: { sha256: sha256(first) } })
    }).pipe(withCloud())
  )

  it.live("creates two extensions", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({ method: "POST", fault: Fault.duplicate() })
      const body = { name: "twins", extension_type: "bundle", version: "*" }
      const answer = yield* post(EXTENSIONS, body)
      expect(answer.status).toBe(201)
      const all = yield* cloud.extensions
      expect(all.map(({ name }) => name)).toStrictEqual(["twins", "twins"])
      expect(answer.json()).toMatchObject({ id: all[0]?.id })
    }).pipe(withCloud())
  )

  it.live("is refused once and for all", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      yield* cloud.plan({ method: "PUT", fault: Fault.duplicate() })
      const answer = yield* put(id, "no archive")
      expect([answer.status, codes(answer)]).toStrictEqual([400, ["extensions.request_execution_failed"]])
      yield* cloud.settled
      expect((yield* storedOf(id)).uploads).toBe(0)
    }).pipe(withCloud())
  )
})

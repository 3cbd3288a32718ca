/** What `ArchiveStaging` and `S3ObjectStore` promise, against a real store. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { expect, layer } from "@effect/vitest"
import { DateTime, Deferred, Effect, Either, Layer, Option, Redacted } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as ArchiveStaging from "../../src/staging/ArchiveStaging.ts"
import { ObjectStore } from "../../src/staging/ObjectStore.ts"
import type { StagingError } from "../../src/staging/StagingError.ts"
import * as ObjectServer from "../support/s3/objectServer.ts"
import { hasStranger, opened, stranger } from "../support/s3/opened.ts"
import { recorder } from "../support/s3/recorder.ts"
import { partOf } from "../support/staging/machine.ts"
import { settableClock } from "../support/transfer/clocks.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"
import { sha256 } from "../support/upload/world.ts"

const mebibyte = 1024 * 1024
const hour = 60 * 60 * 1000

const failure = <A, R>(effect: Effect.Effect<A, StagingError, R>) =>
  Effect.map(Effect.flip(effect), ({ message, ...error }) => ({ ...error, tag: error._tag, message }))

const fetched = (url: Redacted.Redacted, headers: Record<string, string> = {}) =>
  Effect.promise(async () => {
    const response = await fetch(Redacted.value(url), { headers })
    return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) }
  })

const bytesOf = (text: string) => new TextEncoder().encode(text)

layer(Layer.provideMerge(ObjectServer.layer, NodeContext.layer), {
  timeout: "60 seconds",
  excludeTestServices: true
})("staging in a real store", (it) => {
  it.scoped.each([
    "words.zip",
    "with spaces and  two.zip",
    "a+b=c&d?e#f.zip",
    "100%25.zip",
    "~'()*!$,;:@[]\"<>^`{|}.zip",
    "wörter 辞書 🗄.zip",
    "e\u0301 and \u00e9.zip"
  ])("keeps an archive called %s, and gives a link to it", (name) =>
    Effect.gen(function* () {
      const content = yield* zipOf(6 * mebibyte)
      const archive = Archive.file(yield* fileWith(content, name))
      const staged = yield* ArchiveStaging.stage(archive, { partBytes: 5 * mebibyte })
      expect(staged).toMatchObject({ bytesSent: content.length, bytesKept: 0, partsSent: 2, partsKept: 0 })

      const { url } = yield* ArchiveStaging.link(staged, { lifetime: "1 minute" })
      const whole = yield* fetched(url)
      expect({ status: whole.status, sha256: sha256(whole.bytes) }).toEqual({
        status: 200,
        sha256: sha256(content)
      })
      const range = yield* fetched(url, { range: "bytes=5242870-5242889" })
      expect(range).toEqual({ status: 206, bytes: content.subarray(5_242_870, 5_242_890) })
      expect(yield* Effect.promise(() => fetch(Redacted.value(url), { method: "HEAD" }))).toMatchObject({
        status: 403
      })

      const again = yield* ArchiveStaging.stage(archive, { partBytes: 5 * mebibyte })
      expect(again).toMatchObject({ bytesSent: 0, bytesKept: content.length, partsSent: 0, partsKept: 2 })
      yield* ArchiveStaging.remove(staged)
      yield* ArchiveStaging.remove(staged)
      expect(yield* fetched(url)).toMatchObject({ status: 404 })
    }).pipe(Effect.provide(opened({ prefix: "names of/ä+b" })))
  )

  it.scoped("gives links that expire", () =>
    Effect.gen(function* () {
      const staged = yield* ArchiveStaging.stage(
        Archive.bytes({ name: "words.zip", bytes: yield* zipOf(1000) })
      )
      const past = settableClock()
      past.jump(-2 * hour)
      const { url } = yield* ArchiveStaging.link(staged, { lifetime: "1 hour" }).pipe(
        Effect.withClock(past.clock)
      )
      expect(yield* fetched(url)).toMatchObject({ status: 403 })
      yield* ArchiveStaging.remove(staged)
    }).pipe(Effect.provide(opened()))
  )

  it.scoped("refuses bytes that are not those that were signed", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      const upload = yield* store.create("wrong-bytes")
      const part = { ...partOf(1, bytesOf("what arrives")), sha256: sha256(bytesOf("what was meant")) }
      expect(yield* failure(store.putPart(upload, part))).toMatchObject({
        tag: "StorePartRefused",
        reason: "WrongBytes"
      })
      expect(yield* store.parts(upload)).toEqual([])
      yield* store.abort(upload)
    }).pipe(Effect.provide(opened()))
  )

  it.scoped("refuses small parts when they are put together", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      const upload = yield* store.create("small-parts")
      const bytes = bytesOf("small")
      const parts = yield* Effect.forEach([1, 2], (number) => store.putPart(upload, partOf(number, bytes)))
      expect(yield* failure(store.complete(upload, parts))).toMatchObject({
        tag: "StorePartRefused",
        reason: "TooSmall"
      })
      yield* store.abort(upload)
    }).pipe(Effect.provide(opened()))
  )

  it.scoped("tells what became of an upload", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      const upload = yield* store.create("lost")
      const bytes = bytesOf("one part")
      const part = yield* store.putPart(upload, partOf(1, bytes))
      expect(yield* store.unfinishedOf("lost")).toMatchObject([{ key: "lost", uploadId: upload.uploadId }])
      expect(yield* store.parts(upload)).toEqual([part])
      expect(yield* store.part(upload, 1)).toEqual(Option.some(part))
      expect(yield* store.part(upload, 2)).toEqual(Option.none())
      expect(yield* store.head("lost")).toEqual(Option.none())
      yield* store.complete(upload, [part])
      expect(yield* store.head("lost")).toEqual(Option.some({ size: bytes.length }))
      expect(yield* failure(store.parts(upload))).toMatchObject({ tag: "StoreUploadLost" })
      expect(yield* failure(store.putPart(upload, partOf(1, bytes)))).toMatchObject({
        tag: "StoreUploadLost"
      })
      yield* store.abort(upload)
      yield* store.remove("lost")
      expect(yield* store.head("lost")).toEqual(Option.none())
    }).pipe(Effect.provide(opened()))
  )

  it.scoped("goes on when a lifecycle rule takes the upload away", () =>
    Effect.gen(function* () {
      const server = yield* ObjectServer.ObjectServer
      const proxy = yield* recorder(server.endpoint)
      const content = yield* zipOf(24 * mebibyte)
      const archive = Archive.bytes({ name: "words.zip", bytes: content })
      const dropped = yield* Deferred.make<void>()
      yield* proxy.watch(({ _tag, request }) => {
        if (_tag === "Answered" && request.part === 2) Deferred.unsafeDone(dropped, Effect.void)
      })
      const drop = Effect.gen(function* () {
        yield* Deferred.await(dropped)
        yield* ArchiveStaging.abandon({ name: "words.zip", sha256: sha256(content) })
      }).pipe(Effect.provide(opened({ prefix: "rule" })))
      const [staged] = yield* Effect.all(
        [
          ArchiveStaging.stage(archive, { partBytes: 5 * mebibyte, concurrency: 1 }).pipe(
            Effect.provide(opened({ prefix: "rule", endpoint: proxy.endpoint }))
          ),
          drop
        ],
        { concurrency: "unbounded" }
      )
      expect(staged).toMatchObject({ size: content.length, partsSent: 5, partsKept: 0 })
      const { body } = yield* ObjectServer.ask(server, { method: "GET", path: "?list-type=2&prefix=rule%2F" })
      expect(ObjectServer.elements(body, "Size")).toEqual([String(content.length)])
    })
  )

  it.scoped("lists what is unfinished, with spaces and all", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      const content = yield* zipOf(1000)
      const bytes = bytesOf("a part of it")
      const named = { name: "ä & b+c <d>.zip", sha256: sha256(content) }
      const upload = yield* store.create(ArchiveStaging.keyOf(named))
      yield* store.putPart(upload, partOf(1, bytes))
      expect(yield* ArchiveStaging.pending).toMatchObject([{ ...named, parts: 1, bytes: bytes.length }])
      expect(yield* ArchiveStaging.abandon(named)).toBe(1)
      expect(yield* ArchiveStaging.pending).toEqual([])
    }).pipe(Effect.provide(opened({ prefix: "to be listed" })))
  )

  it.scoped("tells a missing bucket", () =>
    Effect.gen(function* () {
      const error = yield* failure(Effect.flatMap(ObjectStore, (store) => store.create("any")))
      expect(error).toMatchObject({ tag: "BucketNotFound", bucket: "no-such-bucket-here" })
    }).pipe(Effect.provide(opened({ bucket: "no-such-bucket-here" })))
  )

  it.scoped("tells a key and a secret that are wrong", () =>
    Effect.gen(function* () {
      const { owner } = yield* ObjectServer.ObjectServer
      const create = Effect.flatMap(ObjectStore, (store) => store.create("any"))
      const with_ = (account: ObjectServer.Account) =>
        failure(create).pipe(Effect.provide(opened({ account })))
      expect(yield* with_({ ...owner, accessKeyId: "NOBODY" })).toMatchObject({
        tag: "StoreCredentialsRefused",
        reason: "UnknownKey"
      })
      expect(yield* with_({ ...owner, secretAccessKey: Redacted.make("guessed") })).toMatchObject({
        tag: "StoreCredentialsRefused",
        reason: "WrongSecret"
      })
    })
  )

  it.scoped("tells a clock that is wrong", () =>
    Effect.gen(function* () {
      const late = settableClock()
      late.jump(hour)
      const error = yield* failure(Effect.flatMap(ObjectStore, (store) => store.create("any"))).pipe(
        Effect.withClock(late.clock)
      )
      expect(error).toMatchObject({ tag: "StoreClockSkewed" })
    }).pipe(Effect.provide(opened()))
  )

  it.scoped.skipIf(!hasStranger)("tells who has no right at all", () =>
    Effect.gen(function* () {
      const account = yield* stranger
      const error = yield* failure(Effect.flatMap(ObjectStore, (store) => store.create("any"))).pipe(
        Effect.provide(opened({ account }))
      )
      expect(error).toMatchObject({ tag: "StoreAccessDenied", permission: "s3:PutObject" })
    })
  )

  it.scoped.skipIf(!hasStranger)("takes temporary credentials, and gives no link that outlives them", () =>
    Effect.gen(function* () {
      const { session } = yield* ObjectServer.ObjectServer
      const { account, endpoint } = yield* Option.getOrThrow(session)
      const expires = DateTime.addDuration(yield* DateTime.now, "15 minutes")
      yield* Effect.gen(function* () {
        const content = yield* zipOf(1000)
        const staged = yield* ArchiveStaging.stage(Archive.bytes({ name: "words.zip", bytes: content }))
        expect(yield* failure(ArchiveStaging.link(staged, { lifetime: "1 hour" }))).toMatchObject({
          tag: "LinkTooShort"
        })
        const link = yield* ArchiveStaging.link(staged, { lifetime: "1 hour", atLeast: "10 minutes" })
        expect(DateTime.lessThanOrEqualTo(link.expires, expires)).toBe(true)
        expect(yield* fetched(link.url)).toEqual({ status: 200, bytes: content })
        yield* ArchiveStaging.remove(staged)
      }).pipe(Effect.provide(opened({ account, endpoint, expires, prefix: "session" })))
    })
  )

  it.scoped("can do all of it with the rights of a bucket's owner", () =>
    Effect.gen(function* () {
      const steps = yield* ArchiveStaging.probe
      expect(steps.filter(({ result }) => Either.isLeft(result))).toEqual([])
      expect(steps.length).toBe(8)
    }).pipe(Effect.provide(opened({ prefix: "probed" })))
  )
})

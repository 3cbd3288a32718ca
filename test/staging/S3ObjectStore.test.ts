/** Requests as the S3 API takes them, and answers told apart: over sockets, against a store that checks every signature. */
import { inspect } from "node:util"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { describe, expect, it } from "@effect/vitest"
import {
  Cause,
  Clock,
  ConfigProvider,
  DateTime,
  Effect,
  Exit,
  FastCheck,
  Layer,
  Logger,
  LogLevel,
  Option,
  Redacted,
  Ref,
  Schema,
  Stream
} from "effect"
import { ObjectStore } from "../../src/staging/ObjectStore.ts"
import * as S3ObjectStore from "../../src/staging/S3ObjectStore.ts"
import {
  type StagingError,
  StoreCredentialsUnavailable,
  type StoreError
} from "../../src/staging/StagingError.ts"
import { chunksInUse } from "../../src/transfer/UploadHttpClient.ts"
import { credentialsOf, type MachineOptions, machine, partOf } from "../support/staging/machine.ts"
import {
  type Action,
  type Fault,
  type ObjectStoreServer,
  objectStore,
  rootKey
} from "../support/staging/objectStore.ts"
import { moment, whileTimePasses } from "../support/time.ts"
import { recordingTracer } from "../support/upload/tracer.ts"
import { sha256 } from "../support/upload/world.ts"

const ask = <A, E, R>(
  server: ObjectStoreServer,
  use: (store: typeof ObjectStore.Service) => Effect.Effect<A, E, R>,
  options: MachineOptions = {}
) => Effect.provide(Effect.flatMap(ObjectStore, use), machine(server, options))

const upload = (key: string, uploadId = "up") => ({ key, uploadId, initiated: Option.none() })

const bytes = new TextEncoder().encode("a part of an archive")
const part = partOf(7, bytes)

/** Every operation, and what the store calls it. */
const operations: ReadonlyArray<{
  readonly operation: string
  readonly action: Action
  readonly permission: string
  readonly run: (
    store: typeof ObjectStore.Service
  ) => Effect.Effect<unknown, StoreError | { readonly _tag: string }>
}> = [
  {
    operation: "unfinished",
    action: "ListMultipartUploads",
    permission: "s3:ListBucketMultipartUploads",
    run: (store) => store.unfinished
  },
  {
    operation: "parts",
    action: "ListParts",
    permission: "s3:ListMultipartUploadParts",
    run: (store) => store.parts(upload("k"))
  },
  {
    operation: "create",
    action: "CreateMultipartUpload",
    permission: "s3:PutObject",
    run: (store) => store.create("k")
  },
  {
    operation: "putPart",
    action: "UploadPart",
    permission: "s3:PutObject",
    run: (store) => store.putPart(upload("k"), part)
  },
  {
    operation: "complete",
    action: "CompleteMultipartUpload",
    permission: "s3:PutObject",
    run: (store) => store.complete(upload("k"), [{ number: 1, size: 1, etag: "e" }])
  },
  {
    operation: "abort",
    action: "AbortMultipartUpload",
    permission: "s3:AbortMultipartUpload",
    run: (store) => store.abort(upload("k"))
  },
  { operation: "head", action: "GetObject", permission: "s3:GetObject", run: (store) => store.head("k") },
  {
    operation: "remove",
    action: "DeleteObject",
    permission: "s3:DeleteObject",
    run: (store) => store.remove("k")
  }
]

describe("each operation", () => {
  it.scopedLive.each(operations)("$operation names the permission that is missing", (known) =>
    Effect.gen(function* () {
      const denied = new Set([known.permission])
      const server = yield* objectStore({ keys: [{ ...rootKey, denied }] })
      const failure = yield* Effect.flip(ask(server, known.run))
      expect(failure).toMatchObject({
        _tag: "StoreAccessDenied",
        operation: known.operation,
        permission: known.permission,
        status: 403,
        code: "AccessDenied",
        store: "s3://builds/elastic",
        requestId: "REQ1"
      })
      expect(server.received).toMatchObject([{ action: known.action, bodyBytes: 0 }])
    })
  )

  it.scopedLive.each(operations)("$operation takes a page for what it is, with any status", (known) =>
    Effect.gen(function* () {
      const server = yield* objectStore()
      const page = "<!DOCTYPE html><html><body>Sign in to the guest network</body></html>"
      for (const status of [200, 403, 404]) {
        server.plan(known.action, { _tag: "Answer", status, contentType: "text/html", body: page })
        const exit = yield* Effect.exit(ask(server, known.run))
        expect(exit).toMatchObject({
          cause: { error: { _tag: "StoreAnswerInvalid", reason: "Html", status, origin: server.url } }
        })
      }
    })
  )

  it.scopedLive.each(operations)(
    "$operation is tried again after what passes, and not after the rest",
    (known) =>
      Effect.gen(function* () {
        const server = yield* objectStore()
        const fail = (status: number, code: string) =>
          Effect.suspend(() => {
            server.plan(known.action, { _tag: "Fail", status, code, headers: { "retry-after": "2" } })
            return Effect.flip(ask(server, known.run))
          })
        for (const [status, code] of [
          [500, "InternalError"],
          [503, "SlowDown"],
          [429, "TooManyRequests"],
          [400, "RequestTimeout"],
          [409, "OperationAborted"]
        ] as const) {
          expect(yield* fail(status, code)).toMatchObject({
            _tag: "StoreUnavailable",
            isRetryable: true,
            status,
            code,
            retryAfterMillis: 2000
          })
        }
        expect(yield* fail(501, "NotImplemented")).toMatchObject({ _tag: "StoreRefused", isRetryable: false })
        expect(yield* fail(400, "InvalidRequest")).toMatchObject({ _tag: "StoreRefused", isRetryable: false })
      })
  )
})

describe("what is refused", () => {
  const refusal = (
    settings: Parameters<typeof objectStore>[0],
    s3: Partial<S3ObjectStore.S3Options> = {},
    run: (
      store: typeof ObjectStore.Service
    ) => Effect.Effect<unknown, StoreError | { readonly _tag: string }> = (store) => store.create("k")
  ) =>
    Effect.gen(function* () {
      const server = yield* objectStore(settings)
      return yield* Effect.flip(ask(server, run, { s3 }))
    })

  it.scopedLive("a bucket that is not there", () =>
    Effect.gen(function* () {
      const failure = yield* refusal({}, { location: "s3://elsewhere" })
      expect(failure).toMatchObject({ _tag: "BucketNotFound", bucket: "elsewhere", store: "s3://elsewhere" })
    })
  )

  it.scopedLive.each([
    {
      what: "an unknown key",
      credentials: { accessKeyId: "AKIDUNKNOWN000000001", secretAccessKey: rootKey.secret },
      reason: "UnknownKey"
    },
    {
      what: "another secret",
      credentials: { accessKeyId: rootKey.accessKeyId, secretAccessKey: "another" },
      reason: "WrongSecret"
    },
    {
      what: "a token that nobody gave",
      credentials: { ...credentialsOf(rootKey), sessionToken: "made/up==" },
      reason: "InvalidToken"
    }
  ])("$what", ({ credentials, reason }) =>
    Effect.gen(function* () {
      expect(yield* refusal({}, { credentials })).toMatchObject({ _tag: "StoreCredentialsRefused", reason })
    })
  )

  it.scopedLive.each([
    { side: "behind", offset: 3_600_000, sign: -1 },
    { side: "ahead of", offset: -3_600_000, sign: 1 }
  ])("a clock that is an hour $side the store's, with how far", ({ offset, side, sign }) =>
    Effect.gen(function* () {
      const failure = yield* refusal({ clockOffsetMillis: offset })
      expect(failure).toMatchObject({ _tag: "StoreClockSkewed" })
      if (failure._tag !== "StoreClockSkewed" || !("aheadMillis" in failure)) throw new Error("no clock")
      expect(Number(failure.aheadMillis) * sign).toBeGreaterThan(3_590_000)
      expect(failure.message).toContain(`${side} the store's`)
    })
  )

  it.scopedLive.each(["error", "redirect"] as const)("another region, told by an %s", (wrongRegion) =>
    Effect.gen(function* () {
      const failure = yield* refusal({ wrongRegion }, { region: "us-east-1" }, (store) =>
        store.putPart(upload("k"), part)
      )
      expect(failure).toMatchObject({
        _tag: "StoreRegionMismatch",
        region: "eu-test-1",
        configured: "us-east-1",
        bucket: "builds"
      })
      expect("message" in failure && failure.message).toContain("AWS_REGION=eu-test-1")
    })
  )

  it.scopedLive("in more words than anybody reads: the beginning is kept", () =>
    Effect.gen(function* () {
      const server = yield* objectStore()
      const body = `<Error><Code>${"C".repeat(1000)}</Code><Message>${"m".repeat(20_000)}</Message></Error>`
      server.plan("CreateMultipartUpload", {
        _tag: "Answer",
        status: 400,
        contentType: "application/xml",
        body
      })
      const failure = yield* Effect.flip(ask(server, (store) => store.create("k")))
      expect(failure).toMatchObject({
        _tag: "StoreRefused",
        code: "C".repeat(100),
        detail: "m".repeat(300)
      })
    })
  )

  it.scopedLive("a redirect to nowhere in particular", () =>
    Effect.gen(function* () {
      const server = yield* objectStore()
      server.plan("UploadPart", { _tag: "Answer", status: 307, contentType: "text/plain", body: "" })
      const failure = yield* Effect.flip(ask(server, (store) => store.putPart(upload("k"), part)))
      expect(failure).toMatchObject({ _tag: "StoreAnswerInvalid", reason: "Redirect" })
    })
  )

  it.scopedLive.each([
    { what: "nothing", body: "", reason: "NotXml" },
    { what: "text", body: "OK", reason: "NotXml" },
    { what: "half a document", body: "<InitiateMultipartUploadResult><UploadId>", reason: "NotXml" },
    {
      what: "another document",
      body: "<ListBucketResult><UploadId>u</UploadId></ListBucketResult>",
      reason: "WrongShape"
    },
    {
      what: "a document without its content",
      body: "<InitiateMultipartUploadResult/>",
      reason: "WrongShape"
    },
    {
      what: "two where one should be",
      body: "<InitiateMultipartUploadResult><UploadId>a</UploadId><UploadId>b</UploadId></InitiateMultipartUploadResult>",
      reason: "WrongShape"
    },
    {
      what: "entities of its own",
      body: '<!DOCTYPE a [<!ENTITY b "c">]><InitiateMultipartUploadResult><UploadId>&b;</UploadId></InitiateMultipartUploadResult>',
      reason: "NotXml"
    },
    { what: "a hundred thousand levels", body: "<a>".repeat(100_000), reason: "NotXml" },
    { what: "more than anyone can read", body: `<a>${" ".repeat(9 * 1024 * 1024)}</a>`, reason: "TooLarge" },
    { what: "an error without a code", body: "<Error><Message>no</Message></Error>", reason: "WrongShape" }
  ])("an answer of $what", ({ body, reason }) =>
    Effect.gen(function* () {
      const server = yield* objectStore()
      server.plan("CreateMultipartUpload", {
        _tag: "Answer",
        status: 200,
        contentType: "application/xml",
        body
      })
      const failure = yield* Effect.flip(ask(server, (store) => store.create("k")))
      expect(failure).toMatchObject({ _tag: "StoreAnswerInvalid", reason, status: 200 })
    })
  )

  /** What an operation fails with to which the store answers with spaces, and when. */
  const dripped = (
    action: Action,
    use: (store: typeof ObjectStore.Service) => Effect.Effect<unknown, StagingError>
  ) =>
    Effect.gen(function* () {
      // The time of the test begins in 1970.
      const server = yield* objectStore({ clockOffsetMillis: -Date.now() })
      server.plan(action, { _tag: "Drip" })
      // A transport without limits of its own.
      const asked = ask(server, use, { transport: NodeHttpClient.layer })
      const fiber = yield* Effect.fork(Effect.flip(asked))
      yield* Effect.repeat(moment, { until: () => server.of(action).some(({ status }) => status === 200) })
      const failure = yield* whileTimePasses("10 seconds", fiber)
      return { failure, seconds: (yield* Clock.currentTimeMillis) / 1000 }
    }).pipe(Effect.scoped)

  it.effect("a list that does not come to its end", () =>
    Effect.gen(function* () {
      const { failure, seconds } = yield* dripped("ListMultipartUploads", (store) => store.unfinished)
      expect(failure).toMatchObject({ _tag: "StoreAnswerInvalid", reason: "TooSlow", status: 200 })
      expect(failure.message).toContain("does not come to its end")
      expect(seconds).toBeLessThan(120)
    })
  )

  it.effect("parts that are put together for longer than S3 takes", () =>
    Effect.gen(function* () {
      const { failure, seconds } = yield* dripped("CompleteMultipartUpload", (store) =>
        Effect.flatMap(store.create("k"), (begun) =>
          Effect.flatMap(store.putPart(begun, { ...part, number: 1 }), (taken) =>
            store.complete(begun, [taken])
          )
        )
      )
      expect(failure).toMatchObject({ _tag: "StoreAnswerInvalid", reason: "TooSlow" })
      expect(seconds).toBeGreaterThanOrEqual(15 * 60)
    })
  )

  it.scopedLive("a list without an end", () =>
    Effect.gen(function* () {
      const server = yield* objectStore()
      const body =
        "<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>1</NextPartNumberMarker></ListPartsResult>"
      server.plan(
        "ListParts",
        { _tag: "Answer", status: 200, contentType: "application/xml", body },
        { times: 5000 }
      )
      const failure = yield* Effect.flip(ask(server, (store) => store.parts(upload("k"))))
      expect(failure).toMatchObject({
        _tag: "StoreAnswerInvalid",
        reason: "WrongShape",
        detail: "the list has no end"
      })
    })
  )

  it.scopedLive("a part that is too small, only at the end", () =>
    Effect.gen(function* () {
      const server = yield* objectStore()
      const failure = yield* Effect.flip(
        ask(server, (store) =>
          Effect.gen(function* () {
            const begun = yield* store.create("k")
            const first = yield* store.putPart(begun, { ...part, number: 1 })
            const second = yield* store.putPart(begun, { ...part, number: 2 })
            return yield* store.complete(begun, [first, second])
          })
        )
      )
      expect(failure).toMatchObject({ _tag: "StorePartRefused", reason: "TooSmall" })
    })
  )
})

describe("what is gone", () => {
  it.scopedLive("counts as removed, and as absent", () =>
    Effect.gen(function* () {
      const server = yield* objectStore()
      yield* ask(server, (store) => store.abort(upload("k")))
      yield* ask(server, (store) => store.remove("k"))
      expect(yield* ask(server, (store) => store.head("k"))).toEqual(Option.none())
    })
  )

  it.scopedLive.each([
    { code: "NoSuchUpload", reason: "Upload" },
    { code: "NoSuchKey", reason: "Upload" }
  ])("is a lost upload where it is called $code", ({ code, reason }) =>
    Effect.gen(function* () {
      const server = yield* objectStore()
      server.plan("ListParts", { _tag: "Fail", status: 404, code })
      const failure = yield* Effect.flip(ask(server, (store) => store.parts(upload("k"))))
      expect(failure).toMatchObject({ _tag: "StoreUploadLost", reason })
    })
  )
})

describe("head", () => {
  it.scopedLive("reads the size of any object, a byte at most", () =>
    Effect.gen(function* () {
      const server = yield* objectStore()
      const hold = (size: number) =>
        server.objects.set("elastic/k", {
          bytes: Buffer.alloc(size),
          contentType: "application/zip",
          etag: "e"
        })
      for (const size of [1, 5_000_000]) {
        hold(size)
        expect(yield* ask(server, (store) => store.head("k"))).toEqual(Option.some({ size }))
      }
      expect(server.received[0]?.headers.range).toBe("bytes=0-0")
    })
  )
})

describe("signatures", () => {
  it.scopedLive("fit whatever the key is made of", () =>
    Effect.gen(function* () {
      const server = yield* objectStore()
      const names = FastCheck.sample(
        FastCheck.string({ unit: "binary", minLength: 1, maxLength: 20 }),
        20
      ).filter((name) => !/^\.{0,2}$/.test(name))
      const ascii = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index)).join("")
      yield* ask(server, (store) =>
        Effect.forEach(
          [...names, ascii.replace("/", ""), "a/b//c", "%41", "a+b c"],
          (name) =>
            Effect.gen(function* () {
              const key = `keys/${name}/end`
              server.objects.set(`elastic/${key}`, {
                bytes: Buffer.from(name),
                contentType: "text/plain",
                etag: "e"
              })
              expect(yield* store.head(key)).toEqual(Option.some({ size: Buffer.byteLength(name) }))
              const { url } = yield* store.link(key, { lifetime: "1 minute" })
              const text = yield* Effect.promise(() =>
                fetch(Redacted.value(url)).then((answer) => answer.text())
              )
              expect(text).toBe(Buffer.from(name).toString())
            }),
          { discard: true }
        )
      )
    })
  )

  it.scopedLive("cover the bytes of a part", () =>
    Effect.gen(function* () {
      const server = yield* objectStore()
      const failure = yield* Effect.flip(
        ask(server, (store) =>
          Effect.flatMap(store.create("k"), (begun) =>
            store.putPart(begun, { ...part, sha256: sha256(new Uint8Array(3)) })
          )
        )
      )
      expect(failure).toMatchObject({ _tag: "StorePartRefused", reason: "WrongBytes", partNumber: 7 })
      expect([...server.uploads.values()].map(({ parts }) => parts.size)).toEqual([0])
    })
  )
})

/** Of this library, and another one. */
const transports: ReadonlyArray<readonly [string, MachineOptions]> = [
  // Without a word before it: what is refused has been begun.
  ["UploadHttpClient", { http: { expectThreshold: Number.POSITIVE_INFINITY } }],
  ["another client", { transport: NodeHttpClient.layer }]
]

class Gone extends Schema.TaggedError<Gone>()("Gone", {}) {}

describe.each(transports)("the body of a part, sent by %s", (_, options) => {
  const size = 3_000_000
  const content = Uint8Array.from({ length: size }, (_, index) => index % 251)
  const chunkBytes = 100_000

  /** The content, through as few buffers as may be. */
  const recycled = Stream.suspend(() => {
    const buffers = Array.from({ length: chunksInUse }, () => new Uint8Array(chunkBytes))
    return Stream.unfold(0, (index) => {
      const start = index * chunkBytes
      const buffer = buffers[index % chunksInUse]
      if (buffer === undefined || start >= size) return Option.none()
      buffer.set(content.subarray(start, start + chunkBytes))
      return Option.some([buffer, index + 1] as const)
    })
  })
  const large = { number: 1, size, sha256: sha256(content), body: recycled }

  it.scopedLive("arrives as it is, though its buffers are used again, and has a length", () =>
    Effect.gen(function* () {
      const server = yield* objectStore()
      const taken = yield* ask(
        server,
        (store) => Effect.flatMap(store.create("k"), (begun) => store.putPart(begun, large)),
        options
      )
      expect(taken).toMatchObject({ number: 1, size })
      expect(server.of("UploadPart")).toMatchObject([
        { status: 200, bodyBytes: size, headers: { "content-length": String(size) } }
      ])
    })
  )

  it.scopedLive("is read once more where the credentials were renewed", () =>
    Effect.gen(function* () {
      const server = yield* objectStore()
      server.plan("UploadPart", { _tag: "Fail", status: 400, code: "ExpiredToken" })
      const readings = yield* Ref.make(0)
      const body = Stream.unwrap(
        Effect.as(
          Ref.update(readings, (n) => n + 1),
          recycled
        )
      )
      const taken = yield* ask(
        server,
        (store) => Effect.flatMap(store.create("k"), (begun) => store.putPart(begun, { ...large, body })),
        { ...options, s3: { credentials: Effect.sync(() => credentialsOf(rootKey)) } }
      )
      expect(taken).toMatchObject({ number: 1, size })
      expect(yield* Ref.get(readings)).toBe(2)
      expect(server.of("UploadPart").map(({ code, status }) => [status, code])).toEqual([
        [400, "ExpiredToken"],
        [200, undefined]
      ])
      expect(server.of("UploadPart")[1]?.bodyBytes).toBe(size)
    })
  )

  it.scopedLive("fails as itself, lets go of what it holds, and nothing is taken of it", () =>
    Effect.gen(function* () {
      const server = yield* objectStore()
      const open = yield* Ref.make(0)
      const body = Stream.acquireRelease(
        Ref.update(open, (n) => n + 1),
        () => Ref.update(open, (n) => n - 1)
      ).pipe(Stream.flatMap(() => Stream.concat(Stream.take(recycled, 10), Stream.fail(new Gone()))))
      const failure = yield* ask(
        server,
        (store) =>
          Effect.flatMap(store.create("k"), (begun) =>
            Effect.flip(store.putPart(begun, { ...large, body })).pipe(
              Effect.tap(() => Effect.map(Ref.get(open), (count) => expect(count).toBe(0)))
            )
          ),
        options
      )
      expect(failure).toBeInstanceOf(Gone)
      expect(server.of("UploadPart").filter(({ status }) => status === 200)).toEqual([])
      expect([...server.uploads.values()].map(({ parts }) => parts.size)).toEqual([0])
    })
  )

  it.scopedLive.each([
    ["shorter", content.subarray(0, size - 1)],
    ["longer", Uint8Array.from([...content, 1])]
  ] as const)("is not taken where it is %s than it says", ([, bytes]) =>
    Effect.gen(function* () {
      const server = yield* objectStore()
      const body = Stream.succeed(bytes)
      const failure = yield* ask(
        server,
        (store) =>
          Effect.flatMap(store.create("k"), (begun) =>
            Effect.flip(store.putPart(begun, { ...large, body, sha256: sha256(bytes) }))
          ),
        options
      )
      expect(["BodyLengthMismatch", "StorePartRefused"]).toContain(failure._tag)
      expect([...server.uploads.values()].map(({ parts }) => parts.size)).toEqual([0])
    })
  )
})

describe("a link", () => {
  const held = (server: ObjectStoreServer) =>
    server.objects.set("elastic/k.zip", {
      bytes: Buffer.from("0123456789"),
      contentType: "application/zip",
      etag: "e"
    })

  const get = (url: Redacted.Redacted<string>, init?: RequestInit) =>
    Effect.promise(() => fetch(Redacted.value(url), init))

  it.scopedLive("is read by anyone, whole and in part, and by GET alone", () =>
    Effect.gen(function* () {
      const server = yield* objectStore({ keys: [{ ...rootKey, token: "tok/en+x==" }] })
      held(server)
      const { expires, url } = yield* ask(server, (store) => store.link("k.zip", { lifetime: "90 seconds" }))
      expect(yield* Effect.promise(() => fetch(Redacted.value(url)).then((answer) => answer.text()))).toBe(
        "0123456789"
      )
      const range = yield* get(url, { headers: { range: "bytes=2-4" } })
      expect([range.status, yield* Effect.promise(() => range.text())]).toEqual([206, "234"])
      expect((yield* get(url, { method: "HEAD" })).status).toBe(403)
      const left = DateTime.toEpochMillis(expires) - Date.now()
      expect(left).toBeGreaterThan(60_000)
      expect(left).toBeLessThanOrEqual(90_000)
      expect(new URL(Redacted.value(url)).searchParams.get("X-Amz-Expires")).toBe("90")
    })
  )

  it.scopedLive("expires", () =>
    Effect.gen(function* () {
      const server = yield* objectStore({ clockOffsetMillis: 120_000 })
      held(server)
      const { url } = yield* ask(server, (store) => store.link("k.zip", { lifetime: "1 minute" }))
      const answer = yield* get(url)
      expect([answer.status, yield* Effect.promise(() => answer.text())]).toEqual([
        403,
        expect.stringContaining("Request has expired")
      ])
    })
  )

  const temporary = (minutes: number) => ({
    ...credentialsOf(rootKey),
    expires: DateTime.unsafeMake(Date.now() + minutes * 60_000)
  })

  it.scopedLive("is not made where it would die with its credentials too soon", () =>
    Effect.gen(function* () {
      const server = yield* objectStore()
      const s3 = { credentials: temporary(20) }
      const failure = yield* Effect.flip(
        ask(server, (store) => store.link("k", { lifetime: "1 hour" }), { s3 })
      )
      expect(failure).toMatchObject({ _tag: "LinkTooShort", neededMillis: 3_600_000 })
      expect(failure.message).toMatch(
        /work for 1 hour, and the credentials expire in (19 minutes|20 minutes)/
      )
      const options = { lifetime: "1 hour", atLeast: "15 minutes" } as const
      const { expires } = yield* ask(server, (store) => store.link("k", options), { s3 })
      expect(DateTime.toEpochMillis(expires) - Date.now()).toBeLessThanOrEqual(20 * 60_000)
      expect(server.received).toEqual([])
    })
  )

  it.scopedLive("is signed by new credentials where these do not last", () =>
    Effect.gen(function* () {
      const server = yield* objectStore()
      held(server)
      const given = [temporary(20), temporary(120)]
      let asked = 0
      const credentials = Effect.sync(() => given[Math.min(asked++, 1)] ?? temporary(0))
      const { url } = yield* ask(server, (store) => store.link("k.zip", { lifetime: "1 hour" }), {
        s3: { credentials }
      })
      expect(asked).toBe(2)
      expect((yield* get(url)).status).toBe(200)
    })
  )
})

describe("credentials from an effect", () => {
  it.scopedLive(
    "are asked for once, also by many requests at the same time, and again before they expire",
    () =>
      Effect.gen(function* () {
        const server = yield* objectStore()
        const lives = [30_000, 3_600_000]
        let asked = 0
        const credentials = Effect.delay(
          Effect.sync(() => ({
            ...credentialsOf(rootKey),
            expires: DateTime.unsafeMake(Date.now() + (lives[asked++] ?? 3_600_000))
          })),
          "10 millis"
        )
        const many = (store: typeof ObjectStore.Service) =>
          Effect.all(
            Array.from({ length: 8 }, () => store.head("k")),
            { concurrency: "unbounded", discard: true }
          )
        yield* ask(server, (store) => Effect.zipRight(many(store), many(store)), { s3: { credentials } })
        expect(asked).toBe(2)
        expect(server.received.every(({ status }) => status === 404)).toBe(true)
      })
  )

  it.scopedLive("fail with what they fail with", () =>
    Effect.gen(function* () {
      const server = yield* objectStore()
      const credentials = Effect.fail(
        new StoreCredentialsUnavailable({ detail: "the vault is sealed", isRetryable: false })
      )
      const failure = yield* Effect.flip(ask(server, (store) => store.head("k"), { s3: { credentials } }))
      expect(failure.message).toBe(
        "There are no credentials for the object store: the vault is sealed. Check what gives out the credentials of the object store."
      )
    })
  )
})

/** The address that a request would go to. */
const addressed = (options: Partial<S3ObjectStore.S3Options>) => {
  const seen: Array<string> = []
  const client = HttpClient.make((request, url) => {
    seen.push(url.href)
    return Effect.succeed(HttpClientResponse.fromWeb(request, new Response(null, { status: 204 })))
  })
  return Effect.flatMap(ObjectStore, (store) => store.remove("d/n a+me.zip")).pipe(
    Effect.provide(
      Layer.provide(
        S3ObjectStore.layer({
          location: "s3://builds/pre fix",
          credentials: credentialsOf(rootKey),
          ...options
        }),
        Layer.succeed(HttpClient.HttpClient, client)
      )
    ),
    Effect.map(() => seen[0])
  )
}

describe("addresses", () => {
  const rest = "pre%20fix/d/n%20a%2Bme.zip"

  it.effect.each([
    { options: { region: "eu-central-1" }, address: `https://builds.s3.eu-central-1.amazonaws.com/${rest}` },
    {
      options: { region: "eu-central-1", pathStyle: true },
      address: `https://s3.eu-central-1.amazonaws.com/builds/${rest}`
    },
    { options: { region: "cn-north-1" }, address: `https://builds.s3.cn-north-1.amazonaws.com.cn/${rest}` },
    {
      options: { region: "eu-central-1", location: "s3://my.builds/pre fix" },
      address: `https://s3.eu-central-1.amazonaws.com/my.builds/${rest}`
    },
    {
      options: { endpoint: "https://minio.example:9000/" },
      address: `https://minio.example:9000/builds/${rest}`
    },
    {
      options: { endpoint: "https://host.example/store" },
      address: `https://host.example/store/builds/${rest}`
    },
    {
      options: { endpoint: "https://account.r2.example", pathStyle: false, region: "auto" },
      address: `https://builds.account.r2.example/${rest}`
    },
    {
      options: { region: "eu-1", location: "s3://builds" },
      address: `https://builds.s3.eu-1.amazonaws.com/d/n%20a%2Bme.zip`
    }
  ])("$address", ({ address, options }) =>
    Effect.gen(function* () {
      expect(yield* addressed(options)).toBe(address)
    })
  )

  it.effect.each([
    { setting: "location", options: { location: "https://builds.example" } },
    { setting: "location", options: { location: "s3://" } },
    { setting: "location", options: { location: "s3://b" } },
    { setting: "location", options: { location: "s3://builds/a/../b" } },
    { setting: "location", options: { location: "s3://builds/a//b" } },
    { setting: "location", options: { location: "s3://builds/a\u0000" } },
    { setting: "location", options: { location: `s3://builds/${"a".repeat(600)}` } },
    { setting: "region", options: {} },
    { setting: "region", options: { region: "eu central" } },
    { setting: "endpoint", options: { endpoint: "minio" } },
    { setting: "endpoint", options: { endpoint: "ftp://minio.example" } },
    { setting: "endpoint", options: { endpoint: "https://user:hunter2@minio.example" } },
    { setting: "endpoint", options: { endpoint: "https://minio.example/?a=b" } },
    { setting: "endpoint", options: { endpoint: "http://minio.example" } },
    {
      setting: "credentials",
      options: { region: "eu-1", credentials: { accessKeyId: "", secretAccessKey: "x" } }
    },
    {
      setting: "credentials",
      options: { region: "eu-1", credentials: { accessKeyId: "k", secretAccessKey: "hunter2\n" } }
    },
    {
      setting: "credentials",
      options: {
        region: "eu-1",
        credentials: { accessKeyId: "k", secretAccessKey: "x", sessionToken: "hunter2 " }
      }
    }
  ])("refuses a $setting: $options", ({ options, setting }) =>
    Effect.gen(function* () {
      const failure = yield* Effect.flip(addressed(options))
      expect(failure).toMatchObject({ _tag: "InvalidStoreConfig", setting })
      expect(failure.message).toMatch(/cannot be used: .*Correct this setting\.$/)
      expect(failure.message).not.toContain("hunter2")
    })
  )

  it.effect("may be plain where that was asked for", () =>
    Effect.gen(function* () {
      const options = { endpoint: "http://minio.example", allowInsecureHttp: true }
      expect(yield* addressed(options)).toBe(`http://minio.example/builds/${rest}`)
    })
  )
})

describe("layerConfig", () => {
  const variables = {
    EC_UPLOAD_STAGE: "s3://builds/elastic",
    AWS_ACCESS_KEY_ID: rootKey.accessKeyId,
    AWS_SECRET_ACCESS_KEY: rootKey.secret
  }
  const configured = (changes: Record<string, string>) =>
    Effect.withConfigProvider(
      S3ObjectStore.config,
      ConfigProvider.fromMap(new Map(Object.entries({ ...variables, ...changes })))
    )
  const located = (changes: Record<string, string>) =>
    Effect.map(ObjectStore, ({ location }) => location).pipe(
      Effect.provide(S3ObjectStore.layerConfig),
      Effect.provideService(
        HttpClient.HttpClient,
        HttpClient.make(() => Effect.never)
      ),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries({ ...variables, ...changes }))))
    )

  it.effect("reads the variables of everybody, and takes empty ones for unset", () =>
    Effect.gen(function* () {
      const options = yield* configured({
        AWS_REGION: "",
        AWS_DEFAULT_REGION: "eu-west-1",
        AWS_ENDPOINT_URL_S3: " ",
        AWS_ENDPOINT_URL: "https://minio.example",
        AWS_SESSION_TOKEN: "",
        EC_UPLOAD_STAGE_PATH_STYLE: "no"
      })
      expect(options).toMatchObject({
        region: "eu-west-1",
        endpoint: "https://minio.example",
        pathStyle: false
      })
      expect(options.credentials).toMatchObject({ sessionToken: undefined, expires: undefined })
    })
  )

  it.effect("prefers the variable that is about S3, and knows when credentials expire", () =>
    Effect.gen(function* () {
      const options = yield* configured({
        AWS_REGION: "eu-central-1",
        AWS_DEFAULT_REGION: "eu-west-1",
        AWS_ENDPOINT_URL_S3: "https://s3.example",
        AWS_ENDPOINT_URL: "https://minio.example",
        AWS_CREDENTIAL_EXPIRATION: "2026-11-26T18:00:00+01:00"
      })
      expect(options).toMatchObject({ region: "eu-central-1", endpoint: "https://s3.example" })
      expect(options.credentials).toMatchObject({ expires: DateTime.unsafeMake("2026-11-26T17:00:00Z") })
    })
  )

  it.effect("makes the store", () =>
    Effect.gen(function* () {
      expect(yield* located({ AWS_REGION: "eu-1" })).toBe("s3://builds/elastic")
    })
  )

  it.effect.each([
    { name: "EC_UPLOAD_STAGE", changes: { EC_UPLOAD_STAGE: "builds/hunter2" } },
    { name: "AWS_REGION", changes: { AWS_REGION: "" } },
    { name: "AWS_ENDPOINT_URL_S3", changes: { AWS_ENDPOINT_URL: "hunter2" } },
    { name: "AWS_ACCESS_KEY_ID", changes: { AWS_REGION: "eu-1", AWS_SECRET_ACCESS_KEY: "hunter2 hunter2" } },
    { name: "AWS_ACCESS_KEY_ID", changes: { AWS_ACCESS_KEY_ID: "" } },
    { name: "AWS_CREDENTIAL_EXPIRATION", changes: { AWS_CREDENTIAL_EXPIRATION: "hunter2" } }
  ])("names the variable that cannot be used: $changes", ({ changes, name }) =>
    Effect.gen(function* () {
      const text = String(yield* Effect.flip(located(changes)))
      expect(text).toContain(name)
      expect(text).not.toContain("hunter2")
    })
  )
})

describe("secrets", () => {
  const key = {
    accessKeyId: "ASIASECRETKEYID00001",
    secret: "sEcReT/access+key0001",
    token: "sEsSiOn/token+0001=="
  }
  const faults: ReadonlyArray<{ readonly what: string; readonly fault: Fault }> = [
    { what: "nothing", fault: { _tag: "Run", effect: () => {} } },
    {
      what: "an error that quotes them",
      fault: {
        _tag: "Answer",
        status: 400,
        contentType: "application/xml",
        body: `<Error><Code>${key.accessKeyId}</Code><Message>${key.secret} ${key.token} ${"a1".repeat(32)} https://h/p?X-Amz-Signature=abc&amp;b=c</Message></Error>`
      }
    },
    {
      what: "a page that quotes them",
      fault: {
        _tag: "Answer",
        status: 403,
        contentType: "text/html",
        body: `<html>${key.secret} ${key.token}</html>`
      }
    },
    { what: "a cut", fault: { _tag: "Cut", afterBytes: 1 } }
  ]

  it.scopedLive.each(faults)("are in no error, span or log: $what", ({ fault }) =>
    Effect.gen(function* () {
      const { spans, tracer } = recordingTracer()
      const logs: Array<unknown> = []
      for (const [given, keys] of [
        [key, [key]],
        [{ ...key, secret: `${key.secret}x` }, [key]]
      ] as const) {
        const server = yield* objectStore({ keys })
        const use = (store: typeof ObjectStore.Service) =>
          Effect.gen(function* () {
            yield* store.link("k", { lifetime: "1 minute" })
            return yield* Effect.flatMap(store.create("k"), (begun) => store.putPart(begun, part))
          }).pipe(Effect.tapErrorCause(Effect.logError), Effect.tap(Effect.log))
        server.plan("UploadPart", fault)
        const exit = yield* ask(server, use, { s3: { credentials: credentialsOf(given) } }).pipe(
          Effect.exit,
          Effect.withTracer(tracer),
          Logger.withMinimumLogLevel(LogLevel.All),
          Effect.provide(
            Logger.replace(
              Logger.defaultLogger,
              Logger.make(({ cause, message }) => logs.push(message, cause))
            )
          )
        )
        const told = [
          exit,
          ...logs,
          ...spans.flatMap((span) => [span.name, [...span.attributes], span.status])
        ]
        const text = told
          .map((value) => `${inspect(value, { depth: 20 })} ${String(value)}`)
          .concat(Exit.isFailure(exit) ? [Cause.pretty(exit.cause)] : [])
          .join("\n")
        for (const secret of [
          key.accessKeyId,
          key.secret,
          key.token,
          "X-Amz-Signature",
          "AWS4-HMAC",
          "a1a1a1a1"
        ]) {
          expect(text).not.toContain(secret)
        }
        expect(spans.length).toBeGreaterThan(2)
      }
    })
  )
})

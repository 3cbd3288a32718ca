import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpBody from "@effect/platform/HttpBody"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import { ExtensionId } from "../../src/cloud/ExtensionId.ts"
import type { ExtensionsClientService } from "../../src/cloud/ExtensionsClient.ts"
import { ExtensionsError } from "../../src/cloud/ExtensionsError.ts"
import {
  against,
  apiKey,
  extensionBody,
  type Script,
  scriptedServer
} from "../support/cloud/scriptedServer.ts"
import { whileTimePasses } from "../support/time.ts"

const id = ExtensionId.make("882519870")
const get = (client: ExtensionsClientService) => client.get(id)

const isExtensionsError = Schema.is(ExtensionsError)

const errorFrom = (
  script: Script,
  call: (client: ExtensionsClientService) => Effect.Effect<unknown, unknown> = get,
  httpClient = NodeHttpClient.layer
) =>
  Effect.gen(function* () {
    const { exit } = yield* against(script, call, httpClient)
    const error = Either.getOrThrow(Either.flip(exit))
    if (!isExtensionsError(error)) return yield* Effect.dieMessage(`not an ExtensionsError: ${error}`)
    return error
  })

const errorBody = (...codes: ReadonlyArray<string>) => ({
  errors: codes.map((code) => ({ code, message: `about ${code}` }))
})

const documented: ReadonlyArray<readonly [code: string, status: number, tag: string, retryable: boolean]> = [
  ["extensions.request_execution_failed", 400, "RequestExecutionFailed", false],
  ["extensions.extension_in_use", 400, "ExtensionInUse", false],
  ["extensions.unauthorised", 401, "Unauthorised", false],
  ["extensions.no_user_id", 401, "NoUserId", false],
  ["extensions.no_user_id", 404, "NoUserId", false],
  ["extensions.not_found", 404, "ExtensionNotFound", false],
  ["extensions.version_conflict", 409, "VersionConflict", false],
  ["extensions.id_already_exists", 409, "IdAlreadyExists", true],
  // The code wins over a status nobody documented for it.
  ["extensions.not_found", 500, "ExtensionNotFound", false],
  ["extensions.unauthorised", 403, "Unauthorised", false]
]

describe("a documented code", () => {
  it.effect.each(documented)("%s with %i in the body is %s", ([code, status, tag, retryable]) =>
    Effect.map(errorFrom({ status, body: errorBody(code) }), (error) => {
      expect(error).toMatchObject({
        _tag: tag,
        status,
        operation: "get",
        extensionId: id,
        isRetryable: retryable,
        errors: [{ code, message: `about ${code}` }]
      })
      expect(error.message).toContain(`"882519870" failed: `)
      expect(error.message).toContain(`(status ${status})`)
      expect(error.message).toContain(`"about ${code}" (${code})`)
    })
  )

  it.effect.each(documented)("%s with %i in the header alone is %s", ([code, status, tag]) =>
    Effect.map(errorFrom({ status, headers: { "x-cloud-error-codes": code } }), (error) =>
      expect(error).toMatchObject({ _tag: tag, status, errors: [] })
    )
  )

  it.effect("in the body goes before one in the header", () =>
    Effect.map(
      errorFrom({
        status: 401,
        headers: { "x-cloud-error-codes": "extensions.unauthorised" },
        body: errorBody("extensions.no_user_id")
      }),
      (error) => expect(error._tag).toBe("NoUserId")
    )
  )

  it.effect("is found among others, in the body and in the header", () =>
    Effect.gen(function* () {
      const inBody = yield* errorFrom({
        status: 409,
        body: errorBody("root.other", "extensions.version_conflict", "extensions.not_found")
      })
      const inHeader = yield* errorFrom({
        status: 409,
        headers: { "x-cloud-error-codes": "root.other, extensions.version_conflict" },
        body: errorBody("root.other")
      })
      expect([inBody._tag, inHeader._tag]).toEqual(["VersionConflict", "VersionConflict"])
      expect(inBody).toMatchObject({ errors: { length: 3 } })
    })
  )

  it.effect("names the operation it answered", () =>
    Effect.map(
      errorFrom({ status: 400, body: errorBody("extensions.request_execution_failed") }, (client) =>
        client.delete(id)
      ),
      (error) => expect(error.message).toMatch(/^Deleting the extension "882519870" failed/)
    )
  )
})

describe("a file that the service cannot take", () => {
  const refusal = { status: 400, body: errorBody("extensions.request_execution_failed") }

  it.effect("was sent to it, or was to be fetched: each has its own words and remedy", () =>
    Effect.gen(function* () {
      const sent = yield* errorFrom(refusal, (client) => client.upload(id, HttpBody.text("PK")))
      expect(sent.message).toContain('"882519870" failed: the file was not accepted (status 400)')
      expect(sent.remedy).toContain("an intact ZIP file")
      const fetched = yield* errorFrom(refusal, (client) =>
        client.update(id, {
          name: "n",
          type: "bundle",
          version: "*",
          downloadUrl: "https://example.com/a.zip"
        })
      )
      expect(fetched.message).toContain("the archive could not be fetched from the download URL (status 400)")
      expect(fetched.remedy).toContain("reached from the internet")
    })
  )
})

const html = "<!DOCTYPE html><html><head><title>Request blocked</title></head></html>"

const undocumented: ReadonlyArray<readonly [status: number, tag: string, retryable: boolean]> = [
  [300, "UnexpectedResponse", false],
  [302, "UnexpectedResponse", false],
  [400, "UnexpectedResponse", false],
  [401, "AuthenticationFailed", false],
  [403, "Forbidden", false],
  [404, "UnexpectedResponse", false],
  [405, "UnexpectedResponse", false],
  [408, "RequestTimeout", true],
  [409, "Conflict", false],
  [413, "PayloadTooLarge", false],
  [418, "UnexpectedResponse", false],
  [429, "RateLimited", true],
  [449, "ElevatedPermissionsRequired", false],
  [500, "ServiceUnavailable", true],
  [501, "ServiceUnavailable", false],
  [502, "ServiceUnavailable", true],
  [503, "ServiceUnavailable", true],
  [504, "ServiceUnavailable", true]
]

describe("an undocumented status", () => {
  it.effect.each(undocumented)("%i is %s, whatever its body", ([status, tag, retryable]) =>
    Effect.gen(function* () {
      const bodies = [
        undefined,
        "",
        html,
        "not json",
        "{",
        "[]",
        errorBody("root.unknown"),
        { errors: null },
        extensionBody
      ]
      const errors = yield* Effect.forEach(bodies, (body) => errorFrom({ status, body }), { concurrency: 4 })
      expect(errors.map((error) => [error._tag, error.isRetryable])).toEqual(
        bodies.map(() => [tag, retryable])
      )
      for (const error of errors) {
        expect(error).toMatchObject({ status, extensionId: id })
        expect(error.message).toMatch(/^Reading the extension "882519870" failed: .+\. .+\.$/)
      }
      expect(errors[6]?.message).toContain('"about root.unknown" (root.unknown)')
    })
  )

  it.effect.each([
    [400, errorBody("root.unknown"), "Its message says what to change."],
    [400, {}, "EC_ENDPOINT"],
    [302, {}, "Redirects are not followed"],
    [404, {}, "There is no extensions API at this address"]
  ] as const)("%i with %j says what to do about it", ([status, body, remedy]) =>
    Effect.map(errorFrom({ status, body }), (error) => expect(error.remedy).toContain(remedy))
  )

  it.effect("403 with a page is blamed on the firewall, and on multipart", () =>
    Effect.gen(function* () {
      const page = yield* errorFrom({ status: 403, headers: { "content-type": "text/html" }, body: html })
      const sniffed = yield* errorFrom({ status: 403, body: html })
      const plain = yield* errorFrom({ status: 403, body: errorBody("root.forbidden") })
      expect([page, sniffed, plain]).toMatchObject([
        { reason: "Firewall", body: html },
        { reason: "Firewall" },
        { reason: "Refused" }
      ])
      expect(page.message).toContain("Check that the firewall allows this machine's address")
      const script = { status: 403, body: html }
      const multipart = yield* errorFrom(script, (client) =>
        client.upload(id, HttpBody.formData(new FormData()))
      )
      const raw = yield* errorFrom(script, (client) =>
        client.upload(id, HttpBody.uint8Array(new Uint8Array(3), "application/zip"))
      )
      const wrapped = yield* errorFrom(script, (client) =>
        client.upload(id, HttpBody.uint8Array(new Uint8Array(3), "multipart/form-data; boundary=b"))
      )
      expect([multipart, wrapped, raw]).toMatchObject([
        { contentType: "multipart" },
        { contentType: "multipart" },
        { contentType: "raw" }
      ])
      expect(yield* errorFrom({ status: 403, body: html })).not.toHaveProperty("contentType")
      expect(multipart.message).toContain("send the archive raw")
      expect(raw.message).not.toContain("raw")
    })
  )

  it.effect("keeps headers and 4 KiB of the body, cut at a character", () =>
    Effect.gen(function* () {
      const error = yield* errorFrom({
        status: 418,
        headers: { "x-teapot": "short", "set-cookie": "session=topsecret", "x-auth-token": "topsecret" },
        body: `x${"é".repeat(10_000)}`
      })
      expect(error).toMatchObject({ headers: { "x-teapot": "short" } })
      expect(JSON.stringify(error)).not.toContain("topsecret")
      const body = "body" in error ? error.body : ""
      expect(body).toBe(`x${"é".repeat(2047)}`)
    })
  )

  it.effect("keeps what lets support find the request", () =>
    Effect.map(
      errorFrom({
        status: 500,
        headers: {
          "x-request-id": "r-1",
          "x-found-handling-cluster": "c-1",
          "x-ratelimit-remaining": "0",
          via: "p"
        }
      }),
      (error) =>
        expect(error).toMatchObject({
          requestContext: {
            "x-request-id": "r-1",
            "x-found-handling-cluster": "c-1",
            "x-ratelimit-remaining": "0"
          }
        })
    )
  )
})

describe("a body that misbehaves", () => {
  it.effect("is not waited for longer than 5 s when the status has told enough", () =>
    Effect.gen(function* () {
      const silent: Script = (response) => {
        response.writeHead(503, { "content-length": "1000" })
        response.write("partial")
      }
      const fiber = yield* Effect.fork(errorFrom(silent))
      const error = yield* whileTimePasses("100 millis", fiber)
      expect(error).toMatchObject({ _tag: "ServiceUnavailable", body: "partial" })
    })
  )

  it.effect("does not hide the status when it breaks off", () =>
    Effect.map(
      errorFrom((response) => {
        response.writeHead(413, { "content-length": "1000" })
        response.write("partial", () => response.destroy())
      }),
      (error) => expect(error).toMatchObject({ _tag: "PayloadTooLarge", status: 413 })
    )
  )

  it.effect("is not read to an end it does not have", () =>
    Effect.gen(function* () {
      const endless =
        (status: number): Script =>
        (response) => {
          response.writeHead(status)
          const more = () => {
            while (!response.destroyed && response.write(Buffer.alloc(65_536, "a"))) {}
            response.once("drain", more)
          }
          more()
        }
      const failure = yield* errorFrom(endless(500))
      const success = yield* errorFrom(endless(200))
      expect(failure._tag).toBe("ServiceUnavailable")
      expect(success).toMatchObject({ _tag: "InvalidResponse", reason: "TooLarge" })
    })
  )
})

describe("a redirect", () => {
  it.effect("is not followed over fetch: another origin's word is not the service's", () =>
    Effect.gen(function* () {
      const elsewhere = yield* scriptedServer({ status: 200, body: { ...extensionBody, id } })
      const moved: Script = { status: 303, headers: { location: `${elsewhere.origin}/there` } }
      for (const call of [get, (client: ExtensionsClientService) => client.upload(id, HttpBody.text("PK"))]) {
        const error = yield* errorFrom(moved, call, FetchHttpClient.layer)
        expect(error).toMatchObject({ _tag: "UnexpectedResponse", status: 303 })
      }
      expect(elsewhere.requests).toEqual([])
    }).pipe(Effect.scoped)
  )

  it.effect("is not followed where fetch has options of the application's own", () =>
    Effect.gen(function* () {
      const { exit, requests } = yield* against(
        { status: 307, headers: { location: "/elsewhere" } },
        (client) =>
          client.get(id).pipe(Effect.provideService(FetchHttpClient.RequestInit, { keepalive: false })),
        FetchHttpClient.layer
      )
      expect(exit).toMatchObject({ left: { _tag: "UnexpectedResponse", status: 307 } })
      expect(requests.map(({ url }) => url)).toEqual([`/api/v1/deployments/extensions/${id}`])
    })
  )
})

describe("InvalidResponse", () => {
  it.effect("for an answer that goes on byte by byte", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(
        errorFrom((response) => {
          response.writeHead(200)
          response.write("{")
        })
      )
      const error = yield* whileTimePasses("1 second", fiber)
      expect(error).toMatchObject({ _tag: "InvalidResponse", reason: "TooSlow" })
      expect(error.message).toContain("did not end within a minute")
    })
  )

  const cases: ReadonlyArray<readonly [what: string, body: unknown, reason: string, message: string]> = [
    ["no body", undefined, "Empty", "the answer has no body (status 200)"],
    ["an empty body", "", "Empty", "the answer has no body (status 200)"],
    ["a body of spaces", " \r\n", "Empty", "the answer has no body (status 200)"],
    ["a page", html, "NotJson", "the answer is not JSON (status 200)"],
    ["half a body", JSON.stringify(extensionBody).slice(0, 50), "NotJson", "the answer is not JSON"],
    ["null", "null", "WrongShape", "body: Expected"],
    ["a list", "[]", "WrongShape", "body: Expected"],
    [
      "a text for a number",
      { ...extensionBody, file_metadata: { size: "1" } },
      "WrongShape",
      "body.file_metadata.size: Expected number"
    ],
    ["a field too few", { ...extensionBody, name: undefined }, "WrongShape", "body.name: is missing"],
    [
      "an id that is a path",
      { ...extensionBody, id: "a/b" },
      "WrongShape",
      "body.id: This is not an extension id"
    ]
  ]

  it.effect.each(cases)("for %s", ([, body, reason, message]) =>
    Effect.map(errorFrom({ status: 200, body }), (error) => {
      expect(error).toMatchObject({ _tag: "InvalidResponse", reason, status: 200, isRetryable: false })
      expect(error.message).toContain(message)
    })
  )

  it.effect("for a date in a header that is none", () =>
    Effect.map(
      errorFrom({ status: 200, headers: { "x-cloud-resource-created": "soon" }, body: extensionBody }),
      (error) => expect(error.message).toContain("headers.x-cloud-resource-created: Expected an ISO 8601")
    )
  )

  it.effect("warns that a write may have happened", () =>
    Effect.map(
      errorFrom({ status: 200, body: html }, (client) => client.delete(id)),
      (error) => expect(error.message).toContain("It may have taken effect all the same")
    )
  )

  it.effect("does not repeat more than a little of what was wrong", () =>
    Effect.map(errorFrom({ status: 200, body: { ...extensionBody, name: ["x".repeat(100_000)] } }), (error) =>
      expect(error.message.length).toBeLessThan(1000)
    )
  )
})

describe("Retry-After", () => {
  const now = Date.parse("2026-01-02T03:04:05Z")
  const cases: ReadonlyArray<readonly [value: string, millis: number | undefined]> = [
    ["0", 0],
    ["7", 7000],
    ["Fri, 02 Jan 2026 03:05:05 GMT", 60_000],
    ["Friday, 02-Jan-26 03:05:05 GMT", 60_000],
    ["Fri Jan  2 03:05:05 2026", 60_000],
    ["Fri, 02 Jan 2026 03:00:00 GMT", 0],
    ["-1", undefined],
    ["1.5", undefined],
    ["soon", undefined],
    ["Fri, 99 Jan 2026 03:05:05 GMT", undefined],
    ["2026-01-02", undefined],
    ["99999999999999999999", undefined]
  ]

  it.effect.each(cases)("%j", ([value, millis]) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(now)
      const errors = yield* Effect.forEach([429, 503, 408, 409], (status) =>
        errorFrom({ status, headers: { "retry-after": value, date: new Date(now).toUTCString() } })
      )
      for (const error of errors) {
        expect("retryAfterMillis" in error ? error.retryAfterMillis : undefined).toBe(millis)
      }
      expect(errors[0]?.message).toContain(
        new Map([
          [0, "Try again."],
          [7000, "Try again in 7 seconds."],
          [60_000, "Try again in 1 minute."]
        ]).get(millis ?? -1) ?? "Try again later."
      )
    })
  )
})

describe("Retry-After as a date", () => {
  it.effect.each([
    { clock: "an hour ahead", at: "2026-01-02T04:04:05Z" },
    { clock: "an hour behind", at: "2026-01-02T02:04:05Z" }
  ])("of a server whose clock is $clock is read against the answer's own Date", ({ at }) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.parse("2026-01-02T03:04:05Z"))
      const date = (millis: number) => new Date(Date.parse(at) + millis).toUTCString()
      const error = yield* errorFrom({
        status: 503,
        headers: { date: date(0), "retry-after": date(1000) }
      })
      expect(error).toMatchObject({ _tag: "ServiceUnavailable", retryAfterMillis: 1000 })
    })
  )

  it.effect("is read against this machine's clock where the answer has no Date", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.parse("2026-01-02T03:04:05Z"))
      const error = yield* errorFrom((response) => {
        response.sendDate = false
        response.writeHead(503, { "retry-after": "Fri, 02 Jan 2026 03:04:09 GMT" })
        response.end()
      })
      expect(error).toMatchObject({ retryAfterMillis: 4000 })
    })
  )
})

describe("an answer about something else", () => {
  const other = { ...extensionBody, id: "111" }
  const update = { name: "new-name", version: "8.17.0", type: "plugin" } as const
  const cases: ReadonlyArray<
    readonly [operation: string, call: (client: ExtensionsClientService) => Effect.Effect<unknown, unknown>]
  > = [
    ["get", get],
    ["update", (client) => client.update(id, update)],
    ["upload", (client) => client.upload(id, HttpBody.uint8Array(new Uint8Array(3), "application/zip"))],
    [
      "uploadWith",
      (client) => client.uploadWith(id, (transport, request) => transport.client.execute(request))
    ]
  ]

  it.effect.each(cases)("is no answer to %s", ([, call]) =>
    Effect.map(errorFrom({ status: 200, body: other }, call), (error) => {
      expect(error).toMatchObject({ _tag: "InvalidResponse", reason: "OtherExtension", extensionId: id })
      expect(error.message).toContain('the answer is about another extension: body.id: it is "111"')
    })
  )

  it.effect("is told when an update does not show", () =>
    Effect.map(
      errorFrom({ status: 200, body: extensionBody }, (client) => client.update(id, update)),
      (error) => {
        expect(error).toMatchObject({ _tag: "InvalidResponse", reason: "NotApplied" })
        expect(error.message).toContain('body.name: it is "analysis-acme", and not "new-name"')
        expect(error.message).toContain("read the extension before doing it again")
      }
    )
  )
})

describe("a hostile answer", () => {
  const nested = "[".repeat(3000) + "]".repeat(3000)

  it.effect.each([
    { name: "a success", status: 200, tag: "InvalidResponse" },
    { name: "an error", status: 500, tag: "ServiceUnavailable" }
  ])("nested 3000 deep is no defect: $name", ({ status, tag }) =>
    Effect.gen(function* () {
      for (const body of [nested, `{"errors":${nested}}`, `{"errors":[{"code":${nested}}]}`]) {
        expect((yield* errorFrom({ status, body }))._tag).toBe(tag)
      }
    })
  )

  it.effect("is not taken for deep because it is wide", () =>
    Effect.gen(function* () {
      const body = { ...extensionBody, more: Array.from({ length: 200 }, () => ({ of: [] })) }
      const { exit } = yield* against({ status: 200, body }, get)
      expect(Either.isRight(exit)).toBe(true)
    })
  )

  it.effect("of the wrong shape is refused for its first problem when it is large", () =>
    Effect.gen(function* () {
      const startedAt = performance.now()
      const empty = JSON.stringify({ extensions: Array.from({ length: 1_000_000 }, () => ({})) })
      const list = yield* errorFrom({ status: 200, body: empty }, (client) => client.list)
      expect(list).toMatchObject({ _tag: "InvalidResponse", reason: "WrongShape", problems: { length: 1 } })
      const deployments = Array.from({ length: 1_000_000 }, () => 1)
      const one = yield* errorFrom({ status: 200, body: { ...extensionBody, deployments } })
      expect(one).toMatchObject({ reason: "WrongShape", problems: { length: 1 } })
      expect(performance.now() - startedAt).toBeLessThan(20_000)
    })
  )
})

describe("secrets", () => {
  it.effect("in relative links, and in the headers that hold links, stay out", () =>
    Effect.gen(function* () {
      const link = "/u/TOKEN-0123456789"
      const headers = {
        location: link,
        "content-location": link,
        link: `<${link}>; rel=next`,
        refresh: "1",
        "x-signature": "TOKEN"
      }
      for (const status of [302, 400, 404, 418]) {
        const error = yield* errorFrom({ status, headers, body: `no upload at ${link}` })
        expect(JSON.stringify(error) + error.message).not.toContain("TOKEN")
      }
    })
  )

  const link = "https://store.example/secret-path/file.zip?X-Amz-Signature=topsecret"
  const escaped = apiKey.replaceAll("=", "\\u003d").replaceAll("/", "\\/")
  const text = [apiKey, encodeURIComponent(apiKey), escaped, apiKey.replaceAll("=", "&#61;"), link].join(" ")
  const json = { errors: [{ code: "root.echo", message: text, fields: [link] }] }
  const scripts: ReadonlyArray<Script> = [
    ...[302, 400, 401, 403, 404, 408, 409, 413, 418, 429, 449, 500].flatMap((status) => [
      { status, body: `${"x".repeat(4080)}${text}` },
      { status, body: text },
      { status, body: json, headers: { location: link, "x-echo": text, "x-request-id": text } }
    ]),
    { status: 404, body: { errors: [{ code: "extensions.not_found", message: text }] } },
    { status: 200, body: text },
    { status: 200, body: { ...extensionBody, file_metadata: link, name: [text], extension_type: text } },
    { status: 202, body: { file_metadata: { url: link } } },
    { status: 200, headers: { "x-cloud-resource-created": text }, body: extensionBody }
  ]

  it.effect("are in no error, printed in any way", () =>
    Effect.gen(function* () {
      const errors = yield* Effect.forEach(scripts, (script) => errorFrom(script), { concurrency: 4 })
      for (const error of errors) {
        const encoded = JSON.stringify(Schema.encodeSync(ExtensionsError)(error))
        const printed = [encoded, JSON.stringify(error), error.message, String(error), error.stack].join("\n")
        expect(printed).not.toContain(apiKey.slice(0, 12))
        expect(printed).not.toMatch(/secret-path|topsecret/)
      }
    })
  )

  it.effect("leave the errors' schema able to decode what it encoded", () =>
    Effect.gen(function* () {
      const errors = yield* Effect.forEach(scripts, (script) => errorFrom(script), { concurrency: 4 })
      for (const error of errors) {
        const text = yield* Schema.encode(Schema.parseJson(ExtensionsError))(error)
        const back = yield* Schema.decode(Schema.parseJson(ExtensionsError))(text)
        expect(back.message).toBe(error.message)
        expect(back).toEqual(error)
      }
    })
  )
})

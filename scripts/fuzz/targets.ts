/** Everything that is fuzzed. */
import * as NodeHttp from "node:http"
import * as Net from "node:net"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Headers from "@effect/platform/Headers"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { ConfigProvider, Effect, FastCheck as fc, Layer, Logger, LogLevel, Redacted } from "effect"
import { zipSync } from "fflate"
import { main, Stdio } from "../../src/cli/main.ts"
import { ExtensionId } from "../../src/cloud/ExtensionId.ts"
import {
  Archive,
  ArchiveInspection,
  ElasticCloudConfig,
  ExtensionsClient,
  ExtensionUpload,
  S3ObjectStore,
  UploadHttpClient,
  UploadJournal
} from "../../src/index.ts"
import { journalId } from "../../src/journal/JournalRecord.ts"
import * as RunnerHttp from "../../src/runner/RunnerHttp.ts"
import * as UploadFields from "../../src/transfer/UploadFields.ts"
import * as EngineMemory from "../../src/workflow/EngineMemory.ts"
import { call } from "../../test/support/runner/runner.ts"
import { type Target, target } from "./target.ts"

const id = "882519870"

/** Damages bytes that are right: some are changed, some left out, some said twice. */
const damaged = (bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(
      bytes,
      fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 0, max: 255 })), {
        maxLength: 12
      }),
      fc.option(
        fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }))
      )
    )
    .map(([whole, changes, cut]) => {
      const copy = Uint8Array.from(whole)
      for (const [at, value] of changes) copy[Math.floor(at * copy.length)] = value
      if (cut === null) return copy
      const [from, to] = [Math.min(...cut), Math.max(...cut)].map((at) => Math.floor(at * copy.length))
      return Uint8Array.from([...copy.subarray(0, from), ...copy.subarray(to)])
    })

const hostileText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom(
    "\u001b]0;x\u0007",
    "::add-mask::x",
    "\ud800",
    "\u202e",
    "../../x",
    "%2e%2e",
    "NaN",
    "-1",
    "1e999",
    "null"
  )
)

/** Like the shapes the API has, with anything in their places. */
const json = fc.oneof(
  fc.jsonValue({ maxDepth: 6 }),
  fc.record(
    {
      id: fc.oneof(fc.constant(id), hostileText, fc.jsonValue()),
      name: fc.oneof(hostileText, fc.jsonValue()),
      url: fc.oneof(hostileText, fc.jsonValue()),
      version: fc.oneof(fc.constant("8.17.0"), hostileText),
      extension_type: fc.oneof(fc.constantFrom("plugin", "bundle"), hostileText),
      description: fc.oneof(hostileText, fc.jsonValue()),
      download_url: fc.oneof(hostileText, fc.jsonValue()),
      deployments: fc.oneof(fc.array(hostileText), fc.jsonValue()),
      file_metadata: fc.oneof(
        fc.record({ size: fc.jsonValue(), url: hostileText, last_modified_date: fc.jsonValue() }),
        fc.jsonValue()
      )
    },
    { requiredKeys: ["id"] }
  ),
  fc.record({
    errors: fc.array(fc.record({ code: hostileText, message: hostileText, fields: fc.jsonValue() }))
  }),
  fc.record({ extensions: fc.array(fc.jsonValue()) })
)

const body = fc.oneof(
  json.map((value) => new TextEncoder().encode(JSON.stringify(value))),
  damaged(json.map((value) => new TextEncoder().encode(JSON.stringify(value)))),
  fc.uint8Array({ maxLength: 400 }),
  fc.integer({ min: 1, max: 20_000 }).map((depth) => new TextEncoder().encode("[".repeat(depth)))
)

const status = fc.oneof(
  fc.constantFrom(200, 201, 400, 401, 403, 404, 409, 413, 429, 500, 503),
  fc.integer({ min: 200, max: 599 })
)

const headerValue = fc.oneof(
  fc.stringMatching(/^[\x20-\x7e]{0,60}$/),
  fc.constantFrom(
    "0",
    "-1",
    "99999999999999999999",
    "?1",
    "max-size=1, max-age=9",
    "Wed, 21 Oct 2026 07:28:00 GMT",
    "/%31",
    ""
  )
)

const headers = fc.dictionary(
  fc.constantFrom(
    "content-type",
    "retry-after",
    "location",
    "upload-offset",
    "upload-complete",
    "upload-limit",
    "upload-draft-interop-version",
    "x-cloud-error-codes",
    "x-cloud-resource-version",
    "x-cloud-resource-last-modified",
    "etag",
    "date"
  ),
  headerValue
)

const bodiless = new Set([204, 205, 304])

const answering = (code: number, fields: Record<string, string>, bytes: Uint8Array) =>
  HttpClient.make((request) =>
    Effect.sync(() =>
      HttpClientResponse.fromWeb(
        request,
        new Response(bodiless.has(code) ? null : Uint8Array.from(bytes), { status: code, headers: fields })
      )
    )
  )

const config = ElasticCloudConfig.layer({
  endpoint: "https://api.example",
  apiKey: "c2VjcmV0LWtleS1vZi1mdXp6"
})

const extensionId = ExtensionId.make(id)

const operations = (
  client: ExtensionsClient.ExtensionsClient["Type"]
): ReadonlyArray<Effect.Effect<unknown, unknown>> => [
  client.list,
  client.get(extensionId, { includeDeployments: true }),
  client.delete(extensionId)
]

/** Each on its own: what one of them fails with is no reason to leave out the next. */
const each = <R>(uses: ReadonlyArray<Effect.Effect<unknown, unknown, R>>) =>
  Effect.forEach(uses, (use) => Effect.either(use), { discard: true })

const answers = target("answers", fc.tuple(status, headers, body), ([code, fields, bytes]) =>
  Effect.flatMap(ExtensionsClient.ExtensionsClient, (client) => each(operations(client))).pipe(
    Effect.provide(ExtensionsClient.layer),
    Effect.provide(config),
    Effect.provideService(HttpClient.HttpClient, answering(code, fields, bytes))
  )
)

const fields = target("fields", headers, (values) =>
  Effect.sync(() => {
    const received = Headers.fromInput(values)
    return [
      UploadFields.uploadOffset(received),
      UploadFields.uploadLength(received),
      UploadFields.interopVersion(received),
      UploadFields.uploadComplete(received),
      UploadFields.uploadLimits(received)
    ]
  })
)

/** Lines of a response, right and wrong, that arrive in pieces. */
const wire = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "HTTP/1.1 104 Upload Resumption Supported\r\nlocation: /uploads/1\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        "2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"
      ),
      fc
        .tuple(status, headerValue)
        .map(([code, value]) => `HTTP/1.1 ${code} X\r\nupload-offset: ${value}\r\ncontent-length: 0\r\n\r\n`),
      fc.string({ unit: "binary-ascii", maxLength: 30 })
    ),
    { maxLength: 8 }
  )
  .map((lines) => lines.map((text) => Buffer.from(text, "latin1")))

const exchange = (pieces: ReadonlyArray<Buffer>) =>
  Effect.gen(function* () {
    const server = yield* Effect.acquireRelease(
      Effect.async<Net.Server>((resume) => {
        const listening = Net.createServer((socket) => {
          socket.on("error", () => {})
          socket.once("data", () => {
            for (const piece of pieces) socket.write(piece)
            socket.end()
          })
        })
        listening.listen(0, "127.0.0.1", () => resume(Effect.succeed(listening)))
      }),
      (listening) => Effect.sync(() => listening.close())
    )
    const address = server.address()
    const port = address !== null && typeof address === "object" ? address.port : 0
    const client = yield* HttpClient.HttpClient
    const request = HttpClientRequest.put(`http://127.0.0.1:${port}/upload`).pipe(
      HttpClientRequest.bodyUint8Array(new Uint8Array(2000))
    )
    return yield* Effect.flatMap(client.execute(request), ({ text }) => text)
  }).pipe(
    Effect.scoped,
    Effect.provide(
      UploadHttpClient.layer({
        proxy: false,
        stallTimeout: "1 second",
        responseTimeout: "1 second",
        continueTimeout: "10 millis"
      })
    )
  )

const interim = target("interim", wire, exchange)

const inspect = (bytes: Uint8Array) => {
  const archive = Archive.bytes({ name: "a.zip", bytes })
  return Effect.zip(
    Effect.either(ArchiveInspection.inspect(archive, { content: true })),
    Effect.either(ArchiveInspection.inspect(archive))
  )
}

const descriptor = fc
  .array(
    fc.oneof(
      fc
        .tuple(
          fc.constantFrom(
            "name",
            "description",
            "version",
            "classname",
            "java.version",
            "elasticsearch.version",
            "type"
          ),
          hostileText
        )
        .map(([key, value]) => `${key}=${value}`),
      hostileText,
      fc.constantFrom("\\", "\\u12", "a\\", "#", "!", "name:x", "name x", "\\u0000=\\uD800")
    ),
    { maxLength: 12 }
  )
  .map((lines) => lines.join("\n"))

const descriptorName = fc.constantFrom(
  "plugin-descriptor.properties",
  "stable-plugin-descriptor.properties",
  "x/plugin-descriptor.properties"
)

const properties = target(
  "properties",
  fc.tuple(descriptorName, descriptor, fc.boolean()),
  ([name, text, packed]) =>
    inspect(zipSync({ [name]: [new TextEncoder().encode(text), { level: packed ? 6 : 0 }] }))
)

/** What writes the archives here cannot write every name. */
const isWritable = (name: string): boolean => name !== "" && name !== "__proto__"

const zips = fc
  .tuple(
    fc.array(fc.tuple(fc.string({ maxLength: 30 }), fc.uint8Array({ maxLength: 200 })), { maxLength: 6 }),
    descriptor
  )
  .map(([entries, text]) =>
    zipSync({
      "plugin-descriptor.properties": new TextEncoder().encode(text),
      ...Object.fromEntries(entries.filter(([name]) => isWritable(name)))
    })
  )

const zip = target("zip", fc.oneof(damaged(zips), fc.uint8Array({ maxLength: 300 })), inspect)

const key = { origin: "https://api.example/api/v1", extensionId: id }

const recordJson = fc.record(
  {
    schemaVersion: fc.oneof(fc.constantFrom(1, 2), fc.jsonValue()),
    id: fc.oneof(fc.constant(journalId(key)), hostileText),
    origin: fc.oneof(fc.constant(key.origin), hostileText),
    extensionId: fc.oneof(fc.constant(id), hostileText),
    archive: fc.oneof(
      fc.record({
        path: hostileText,
        name: hostileText,
        size: fc.constantFrom(10, -1, 1e300),
        sha256: fc.constant("ab".repeat(32))
      }),
      fc.jsonValue()
    ),
    contentType: hostileText,
    representationSize: fc.constantFrom(10, -1, 2 ** 60),
    baseline: fc.oneof(fc.constant({}), fc.jsonValue()),
    upload: fc.oneof(
      fc.record({ url: hostileText, offset: fc.integer(), interopVersion: fc.integer() }),
      fc.jsonValue()
    ),
    checkpoints: fc.oneof(fc.constant([]), fc.jsonValue()),
    attempts: fc.integer(),
    bytesSent: fc.integer(),
    phase: fc.constantFrom("Prepared", "Sending", "Sent", "?"),
    createdAtMillis: fc.double(),
    updatedAtMillis: fc.double()
  },
  { requiredKeys: ["schemaVersion"] }
)

const recordText = fc.oneof(
  recordJson.map((value) => JSON.stringify(value)),
  damaged(recordJson.map((value) => new TextEncoder().encode(JSON.stringify(value)))).map((bytes) =>
    new TextDecoder().decode(bytes)
  ),
  fc.integer({ min: 1, max: 20_000 }).map((depth) => `${"[".repeat(depth)}${"]".repeat(depth)}`)
)

const records = target("records", recordText, (text) =>
  Effect.gen(function* () {
    const store = yield* KeyValueStore.KeyValueStore
    const journal = yield* UploadJournal.UploadJournal
    const prefix = "effect-elastic-extensions:journal:"
    yield* store.set(`${prefix}${journalId(key)}`, text)
    yield* store.set(`${prefix}index`, JSON.stringify([journalId(key)]))
    const uses: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
      journal.list,
      journal.get(journalId(key)),
      journal.peek(key),
      Effect.scoped(journal.open(key)),
      journal.prune()
    ]
    return yield* each(uses)
  }).pipe(
    Effect.provide(UploadJournal.layerKeyValueStore.pipe(Layer.provideMerge(KeyValueStore.layerMemory)))
  )
)

const variable = fc.constantFrom(
  "EC_API_KEY",
  "EC_ENDPOINT",
  "EC_HOST",
  "EC_ALLOW_INSECURE_HTTP",
  "EC_UPLOAD_ALLOW",
  "EC_UPLOAD_BANDWIDTH",
  "EC_UPLOAD_CONTENT_TYPE",
  "EC_UPLOAD_DEADLINE",
  "EC_UPLOAD_DIRECT_LIMIT",
  "EC_UPLOAD_INTEROP_VERSION",
  "EC_UPLOAD_JOURNAL",
  "EC_UPLOAD_RETRIES",
  "EC_UPLOAD_RETRY_BASE_DELAY",
  "EC_UPLOAD_STALL_TIMEOUT",
  "EC_UPLOAD_VERIFICATION",
  "HTTPS_PROXY",
  "HTTP_PROXY",
  "NO_PROXY"
)

const value = fc.oneof(
  hostileText,
  fc.webUrl({ withQueryParameters: true }),
  fc.constantFrom(
    "",
    "true",
    "9",
    "5MB",
    "30 seconds",
    "1e400 days",
    "http://u:p%zz@h",
    "http://[",
    "infinity",
    "https://a:99999"
  )
)

const environment = fc.dictionary(variable, value, { maxKeys: 6 })

const configuration = target("config", environment, (variables) =>
  Layer.build(ExtensionUpload.layerConfig).pipe(
    Effect.scoped,
    Effect.provide(NodeContext.layer),
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))
  )
)

const word = fc.oneof(
  fc.constantFrom(
    "inspect",
    "pending",
    "help",
    "version",
    "--help",
    "--version",
    "--json",
    "--quiet",
    "--",
    "-",
    "--deep",
    "--type",
    "plugin",
    "--es-version",
    "--completions",
    "bash",
    "--json-file=",
    "--all"
  ),
  hostileText.filter((text) => !text.includes("\0"))
)

/** Of those commands that ask nobody, so that nothing is waited for. */
const commandLine = fc.tuple(
  fc.constantFrom("inspect", "pending", "help", "--completions", "nonsense", "upload", "show"),
  fc.array(word, { maxLength: 6 }),
  environment
)

const silent = {
  isTerminal: false,
  columns: Effect.succeed(80),
  write: (_text: string) => Effect.void
}

const commandLines = target("cli", commandLine, ([command, words, variables]) =>
  main([command, ...words]).pipe(
    Effect.provideService(Stdio, { out: silent, err: silent }),
    Effect.provide(NodeContext.layer),
    Effect.withConfigProvider(
      ConfigProvider.fromMap(
        new Map(
          Object.entries({
            ...variables,
            EC_ENDPOINT: "http://127.0.0.1:9",
            EC_HOST: "",
            EC_UPLOAD_RETRIES: "0",
            HTTPS_PROXY: "",
            HTTP_PROXY: "",
            EC_UPLOAD_JOURNAL: "/dev/null/journal"
          })
        )
      )
    )
  )
)

/** A server of HTTP that answers an upload from its start to its end. */
const uploads = target(
  "uploads",
  fc.array(fc.tuple(status, headers, body), { minLength: 1, maxLength: 4 }),
  (script) =>
    Effect.gen(function* () {
      const server = yield* Effect.acquireRelease(
        Effect.async<NodeHttp.Server>((resume) => {
          let turn = 0
          const listening = NodeHttp.createServer((request, response) => {
            request.resume()
            request.on("end", () => {
              const [code, fields, bytes] = script[turn++ % script.length] ?? [200, {}, new Uint8Array(0)]
              response.writeHead(code, fields)
              response.end(bodiless.has(code) ? undefined : bytes)
            })
          })
          listening.listen(0, "127.0.0.1", () => resume(Effect.succeed(listening)))
        }),
        (listening) =>
          Effect.sync(() => {
            listening.close()
            listening.closeAllConnections()
          })
      )
      const address = server.address()
      const port = address !== null && typeof address === "object" ? address.port : 0
      return yield* ExtensionUpload.upload({
        extensionId: id,
        archive: Archive.bytes({
          name: "words.zip",
          bytes: zipSync({ "dictionaries/a.dic": new Uint8Array(100) })
        })
      }).pipe(
        Effect.provide(
          Layer.mergeAll(ExtensionUpload.layerConfig, UploadJournal.layerMemory).pipe(
            Layer.provide(NodeContext.layer)
          )
        ),
        Effect.withConfigProvider(
          ConfigProvider.fromMap(
            new Map(
              Object.entries({
                EC_API_KEY: "c2VjcmV0LWtleS1vZi1mdXp6",
                EC_ENDPOINT: `http://127.0.0.1:${port}`,
                EC_UPLOAD_JOURNAL: "/dev/null/journal",
                EC_UPLOAD_RETRIES: "1",
                EC_UPLOAD_RETRY_BASE_DELAY: "1 millis",
                EC_UPLOAD_RETRY_MAX_DELAY: "2 millis",
                EC_UPLOAD_RETRY_DEADLINE: "1 second",
                EC_UPLOAD_RECONCILE_WINDOW: "5 millis",
                EC_UPLOAD_CONTINUE_TIMEOUT: "1 millis",
                EC_UPLOAD_STALL_TIMEOUT: "1 second"
              })
            )
          )
        )
      )
    }).pipe(Effect.scoped)
)

const element = fc.constantFrom(
  "ListMultipartUploadsResult",
  "ListPartsResult",
  "InitiateMultipartUploadResult",
  "CompleteMultipartUploadResult",
  "Error",
  "Upload",
  "Part",
  "Key",
  "UploadId",
  "PartNumber",
  "Size",
  "ETag",
  "IsTruncated",
  "NextPartNumberMarker",
  "Code",
  "Message"
)

/** What a store could answer: its own elements in any order and depth, entities, and what is no XML. */
const { xml } = fc.letrec<{ readonly xml: string }>((tie) => ({
  xml: fc.oneof(
    { maxDepth: 5, depthIdentifier: "xml" },
    hostileText,
    fc.constantFrom(
      "1",
      "words",
      "u1",
      "true",
      "&amp;",
      "&#x0;",
      "&a;",
      '<!DOCTYPE a [<!ENTITY a "b">]>',
      "<![CDATA[x]]>"
    ),
    fc
      .tuple(element, fc.array(tie("xml"), { maxLength: 4 }))
      .map(([name, inner]) => `<${name}>${inner.join("")}</${name}>`)
  )
}))

const xmlBody = fc.oneof(
  xml.map((text) => new TextEncoder().encode(text)),
  damaged(xml.map((text) => new TextEncoder().encode(text))),
  fc.integer({ min: 1, max: 20_000 }).map((depth) => new TextEncoder().encode("<a>".repeat(depth)))
)

const store = target("s3", fc.tuple(status, headers, xmlBody), ([code, fields, bytes]) =>
  Effect.gen(function* () {
    const s3 = yield* S3ObjectStore.make({
      location: "s3://bucket/words",
      endpoint: "https://store.example",
      credentials: { accessKeyId: "key", secretAccessKey: "secret" }
    })
    return yield* each([
      s3.unfinishedOf("a.zip"),
      s3.unfinished,
      s3.create("a.zip"),
      s3.head("a.zip"),
      s3.remove("a.zip")
    ])
  }).pipe(Effect.provideService(HttpClient.HttpClient, answering(code, fields, bytes)))
)

const token = "a-token-of-the-fuzzing"

const asked = fc.record(
  {
    method: fc.constantFrom("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"),
    path: fc
      .tuple(
        fc.constantFrom(
          "/",
          "/healthz",
          "/readyz",
          "/metrics",
          "/api/v1/releases",
          "/api/v1/releases/words-1"
        ),
        fc.oneof(
          fc.constantFrom("", "/approve", "?limit=1e9", "?limit=-1", "?after=%00"),
          fc.stringMatching(/^[/?][!-~]{0,40}$/)
        )
      )
      .map((parts) => parts.join("")),
    headers: fc.dictionary(
      fc.constantFrom(
        "host",
        "origin",
        "content-type",
        "accept",
        "authorization",
        "cookie",
        "x-forwarded-for"
      ),
      fc.oneof(headerValue, fc.constantFrom(`Bearer ${token}`, "application/json", "null")),
      { maxKeys: 3 }
    ),
    isKnown: fc.boolean(),
    body: fc.array(
      fc.oneof(
        body,
        json.map((value) => JSON.stringify(value))
      ),
      { maxLength: 3 }
    )
  },
  { requiredKeys: ["method", "path", "headers", "isKnown", "body"] }
)

/** A runner never owns up to a fault of its own: whatever it is asked, it knows what to answer. */
const runner = target("runner", fc.array(asked, { minLength: 1, maxLength: 6 }), (requests) =>
  each(
    requests.map(({ headers: given, isKnown, ...request }) =>
      Effect.filterOrDieMessage(
        call({ ...request, headers: isKnown ? { ...given, authorization: `Bearer ${token}` } : given }),
        ({ status: answered }) => answered < 500 || answered === 503,
        "the runner answered with a fault of its own"
      )
    )
  ).pipe(
    Effect.provide(
      RunnerHttp.layer({ port: 0, api: { token: Redacted.make(token) } }).pipe(
        Layer.provideMerge(EngineMemory.layer),
        Layer.provideMerge(Layer.merge(NodeContext.layer, FetchHttpClient.layer))
      )
    ),
    Logger.withMinimumLogLevel(LogLevel.None)
  )
)

export const targets: ReadonlyArray<Target> = [
  answers,
  fields,
  interim,
  zip,
  properties,
  records,
  configuration,
  commandLines,
  uploads,
  store,
  runner
]

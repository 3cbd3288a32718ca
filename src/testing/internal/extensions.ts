/** The six published operations, and the object store behind `file_metadata.url`. Each refuses before it reads whatever it can. */
import * as Chunk from "effect/Chunk"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Access from "./access.ts"
import * as ArchiveBody from "./archiveBody.ts"
import { Disk, type ReceivedFile } from "./disk.ts"
import { Activity, Exchange } from "./exchange.ts"
import * as Faults from "./faults.ts"
import { bytes, documented, json, Refusal, type Reply, undocumented } from "./reply.ts"
import * as RequestBody from "./requestBody.ts"
import { Background, Settings } from "./settings.ts"
import { type ExtensionRecord, type Metadata, Store, show } from "./store.ts"
import { extensionJson, resourceHeaders } from "./view.ts"
import * as Zip from "./zip.ts"

export const list = Effect.fnUntraced(function* () {
  const { owner } = yield* Access.authenticate
  yield* RequestBody.discard
  const all = yield* (yield* Store).all
  const mine = all.filter((extension) => extension.owner === owner)
  return json(200, { extensions: yield* Effect.forEach(mine, (extension) => view(extension)) })
})

export const create = Effect.fnUntraced(function* () {
  const store = yield* Store
  const account = yield* Access.authenticate
  const owner = yield* Access.userId(account, 404)
  const request = yield* readRequest
  const metadata = { ...metadataOf(request), owner, deployments: [] }
  const created = yield* withGivenFile(request, (file) =>
    deliver(file, (file) => store.create(metadata, file))
  )
  return yield* reply(created, { status: 201 })
})

export const get = Effect.fnUntraced(function* (id: string) {
  const { query } = yield* Exchange
  const account = yield* Access.authenticate
  const extension = yield* Access.visible(account, id)
  yield* RequestBody.discard
  return yield* reply(extension, { includeDeployments: query.get("include_deployments") === "true" })
})

/**
 * The request replaces what is known about the extension: what it leaves out is gone. The archive stays unless a
 * `download_url` brings another.
 */
export const update = Effect.fnUntraced(function* (id: string) {
  const store = yield* Store
  const account = yield* Access.authenticate
  yield* Access.owned(account, id)
  const request = yield* readRequest
  const metadata = metadataOf(request)
  const changed = yield* withGivenFile(request, (file) =>
    deliver(file, (file) => Effect.flatMap(store.change(id, { metadata, file }), Access.orNotFound(id)))
  )
  return yield* reply(changed)
})

export const upload = Effect.fnUntraced(function* (id: string) {
  const { maxArchiveBytes } = yield* Settings
  const account = yield* Access.authenticate
  yield* Access.owned(account, id)
  const file = yield* ArchiveBody.receive(maxArchiveBytes)
  return yield* finishUpload(id, file)
})

/** What happens to an archive once the whole of it is on disk, however it got there. */
export const finishUpload = Effect.fnUntraced(function* (id: string, file: ReceivedFile) {
  const store = yield* Store
  yield* checkZip(file)
  const changed = yield* deliver(file, (file) =>
    Effect.flatMap(store.change(id, { file, isUpload: true }), Access.orNotFound(id))
  )
  return yield* reply(changed)
})

export const remove = Effect.fnUntraced(function* (id: string) {
  const store = yield* Store
  const disk = yield* Disk
  const account = yield* Access.authenticate
  const extension = yield* Access.owned(account, id)
  if (extension.deployments.length > 0) return yield* documented.inUse(extension.deployments)
  yield* RequestBody.discard
  yield* store.remove(id)
  return json(200, {}, resourceHeaders(show(disk.pathOf, extension)))
})

/** The signature in a link is the only credential the object store takes, and another one beside it is refused. */
export const download = Effect.fnUntraced(function* (token: string) {
  const { query, request } = yield* Exchange
  const disk = yield* Disk
  yield* RequestBody.discard
  if (request.headers.authorization !== undefined) {
    return xmlError(400, "InvalidArgument", "Only one authentication mechanism is allowed.")
  }
  const all = yield* (yield* Store).all
  const signature = query.get("signature")
  const file = all.find(({ file }) => file?.token === token && file.signature === signature)?.file
  return file === undefined || file === null
    ? xmlError(403, "AccessDenied", "The link is not valid, or no longer.")
    : ({
        status: 200,
        headers: { "content-type": "application/zip" },
        body: { _tag: "File", path: disk.pathOf(file.name), size: file.size }
      } satisfies Reply)
})

const xmlError = (status: number, code: string, message: string): Reply =>
  bytes(
    status,
    { "content-type": "application/xml" },
    `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`
  )

const view = Effect.fnUntraced(function* (extension: ExtensionRecord, includeDeployments = false) {
  const { request } = yield* Exchange
  const { origin, verificationLinks } = yield* Settings
  const disk = yield* Disk
  const { file } = extension
  return extensionJson(show(disk.pathOf, extension), {
    includeDeployments,
    link:
      file === null || !verificationLinks
        ? null
        : `${origin(request.socket.localPort)}/files/${file.token}?signature=${file.signature}`
  })
})

const reply = Effect.fnUntraced(function* (
  extension: ExtensionRecord,
  { includeDeployments = false, status = 200 } = {}
) {
  const disk = yield* Disk
  const body = yield* view(extension, includeDeployments)
  return json(status, body, resourceHeaders(show(disk.pathOf, extension)))
})

const checkZip = (file: ReceivedFile): Effect.Effect<void, Refusal> =>
  Effect.mapError(Zip.check(file.path, file.size), ({ detail }) =>
    documented.failed(`Could not accept the extensions file: it is not a ZIP archive, ${detail}.`, "file")
  )

/** Applies a request; one that a fault has delivered twice, twice. The first delivery is the one that is answered. */
const deliver = Effect.fnUntraced(function* <A, R>(
  file: ReceivedFile | undefined,
  apply: (file: ReceivedFile | undefined) => Effect.Effect<A, Refusal, R>
) {
  const duplicate = yield* Faults.planned("Duplicate")
  if (Option.isNone(duplicate)) return yield* apply(file)
  const { afterMillis } = duplicate.value
  const background = yield* Background
  const second = yield* Scope.fork(background, ExecutionStrategy.sequential)
  const leave = yield* (yield* Activity).enter
  const copy = file === undefined ? undefined : yield* Scope.extend((yield* Disk).copy(file), second)
  const answered = yield* apply(file)
  const again = yield* Effect.delay(apply(copy), afterMillis).pipe(
    Effect.ignore,
    Effect.ensuring(Scope.close(second, Exit.void)),
    Effect.ensuring(leave),
    Effect.forkIn(background)
  )
  if (afterMillis === 0) yield* Fiber.join(again)
  return answered
})

// The bodies of the requests to create and to update an extension.

const MAX_JSON_BYTES = 1024 * 1024

/** A plugin runs on one release; a bundle may serve a whole line of them. */
const versions = {
  plugin: /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/,
  bundle: /^(\*|\d+\.\*|\d+\.\d+\.\*|\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?)$/
}

const optional = Schema.optionalWith(Schema.String, { nullable: true })

const ExtensionRequest = Schema.parseJson(
  Schema.Struct({
    name: Schema.String.pipe(
      Schema.pattern(/^[A-Za-z0-9_.-]+$/, {
        message: () => "Only ASCII letters, digits, '_', '.' and '-' are allowed."
      })
    ),
    extension_type: Schema.Literal("plugin", "bundle").annotations({
      message: () => ({ message: "Must be plugin or bundle.", override: true })
    }),
    version: Schema.String,
    description: optional,
    download_url: optional
  }).pipe(
    Schema.filter(({ extension_type, version }) =>
      versions[extension_type].test(version)
        ? undefined
        : { path: ["version"], message: `"${version}" is not a version a ${extension_type} can have.` }
    )
  )
)

type ExtensionRequest = typeof ExtensionRequest.Type

/** Names every field that is wrong. */
const readRequest = Effect.gen(function* () {
  const { request } = yield* Exchange
  if (!/^application\/json\s*(;|$)/i.test(request.headers["content-type"] ?? "")) {
    return yield* documented.failed("The request body must be application/json.")
  }
  const chunks = yield* Stream.runCollect(
    RequestBody.atMost(MAX_JSON_BYTES, (bytes) =>
      documented.failed(`The request body is larger than ${bytes} bytes.`)
    )
  )
  const text = Buffer.concat(Chunk.toReadonlyArray(chunks)).toString("utf8")
  return yield* Effect.mapError(decodeRequest(text), invalidRequest)
})

const decodeRequest = Schema.decodeUnknown(ExtensionRequest, { errors: "all" })

const invalidRequest = (cause: ParseResult.ParseError): Refusal =>
  new Refusal({
    status: 400,
    errors: ParseResult.ArrayFormatter.formatErrorSync(cause).map(({ message, path }) => ({
      code: "extensions.request_execution_failed",
      message,
      ...(path.length === 0 ? {} : { fields: path.map(String) })
    }))
  })

const metadataOf = (request: ExtensionRequest): Omit<Metadata, "deployments"> => ({
  name: request.name,
  description: request.description ?? null,
  downloadUrl: request.download_url ?? null,
  type: request.extension_type,
  version: request.version
})

// The archive that a `download_url` names, which the service fetches itself.

class DownloadFailed extends Data.TaggedError("DownloadFailed")<{ readonly detail: string }> {}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** Goes on with the archive of a `download_url`, if one is given. */
const withGivenFile = <A, R>(
  { download_url }: ExtensionRequest,
  use: (file: ReceivedFile | undefined) => Effect.Effect<A, Refusal, R>
) =>
  download_url === undefined
    ? use(undefined)
    : fetchArchive(download_url).pipe(Effect.tap(checkZip), Effect.flatMap(use), Effect.scoped, behindGateway)

const fetchArchive = Effect.fnUntraced(
  function* (url: string) {
    const disk = yield* Disk
    const { downloadTimeout } = yield* Settings
    const parsed = yield* parseUrl(url)
    if (Option.isSome(yield* Faults.planned("HeadFirst"))) yield* open(parsed, "HEAD")
    const body = yield* open(parsed, "GET")
    return yield* disk.receive(
      Stream.fromReadableStream({
        evaluate: () => body,
        onError: (cause) => new DownloadFailed({ detail: describe(cause) })
      }).pipe(withoutSilence(downloadTimeout))
    )
  },
  Effect.mapError(({ detail }) =>
    documented.failed(`Could not download the extension from the specified URL: ${detail}.`, "download_url")
  )
)

const parseUrl = Effect.fnUntraced(function* (url: string) {
  const parsed = yield* Effect.try({
    try: () => new URL(url),
    catch: () => new DownloadFailed({ detail: "it is not a URL" })
  })
  if (parsed.protocol !== "http:" || !LOOPBACK.test(parsed.hostname)) {
    return yield* new DownloadFailed({ detail: "this stand-in fetches over http from this machine only" })
  }
  return parsed
})

/** Credentials are taken from the address alone, and redirects are refused. */
const open = Effect.fnUntraced(function* ({ href, password, username }: URL, method: "GET" | "HEAD") {
  const { downloadTimeout } = yield* Settings
  const plain = new URL(href)
  plain.username = ""
  plain.password = ""
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  const headers = pair === ":" ? {} : { authorization: `Basic ${Buffer.from(pair).toString("base64")}` }
  const response = yield* Effect.tryPromise({
    try: (signal) => fetch(plain, { method, headers, signal, redirect: "error" }),
    catch: (cause) => new DownloadFailed({ detail: describe(cause) })
  }).pipe(
    Option.match(downloadTimeout, {
      onNone: () => identity,
      onSome: (duration) => Effect.timeoutFail({ duration, onTimeout: () => tooSlow })
    })
  )
  if (response.status !== 200) {
    return yield* new DownloadFailed({ detail: `${method} was answered with ${response.status}` })
  }
  return response.body ?? new ReadableStream<Uint8Array>({ start: (controller) => controller.close() })
})

const tooSlow = new DownloadFailed({ detail: "it sent nothing for too long" })

const withoutSilence =
  (limit: Option.Option<number>) =>
  <R>(body: Stream.Stream<Uint8Array, DownloadFailed, R>): Stream.Stream<Uint8Array, DownloadFailed, R> =>
    Option.match(limit, {
      onNone: () => body,
      onSome: (duration) => Stream.timeoutFail(body, () => tooSlow, duration)
    })

const describe = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** A gateway that loses patience answers 504, and the work goes on behind it. */
const behindGateway = Effect.fnUntraced(function* <A, R>(work: Effect.Effect<A, Refusal, R>) {
  const { downloadPatience } = yield* Settings
  if (Option.isNone(downloadPatience)) return yield* work
  const fiber = yield* Effect.forkIn(work, yield* Background)
  return yield* Effect.timeoutFail(Fiber.join(fiber), {
    duration: downloadPatience.value,
    onTimeout: () => undocumented.gatewayTimeout
  })
})

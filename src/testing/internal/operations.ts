import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Access from "./access.ts"
import * as ArchiveBody from "./archiveBody.ts"
import type * as Disk from "./disk.ts"
import * as Download from "./download.ts"
import type { ConnectionGone, Exchange } from "./exchange.ts"
import * as JsonBody from "./jsonBody.ts"
import { documented, extensionJson, json, type Refusal, type Reply, resourceHeaders } from "./reply.ts"
import * as RequestBody from "./requestBody.ts"
import type { Resumable } from "./resumableSettings.ts"
import type { ExtensionRecord, Metadata, Store } from "./store.ts"
import * as Zip from "./zip.ts"

/**
 * What the operations work with.
 *
 * @internal
 */
export interface Cloud {
  readonly store: Store
  readonly disk: Disk.Disk
  readonly accounts: ReadonlyArray<Access.Account>
  readonly verificationLinks: boolean
  /** In bytes. */
  readonly maxArchiveBytes: number
  /** In front of requests with a download URL, if this is given. */
  readonly gateway: Download.Gateway | undefined
  /** Uploads can be resumed, if this is given. */
  readonly resumable: Resumable | undefined
  /** Scheme, host and port, as clients see them. */
  readonly origin: (exchange: Exchange) => string
}

/**
 * One operation on the path parameter `id`, or on the collection. Refuses before it reads whatever it can.
 *
 * @internal
 */
export type Operation = (
  cloud: Cloud,
  exchange: Exchange,
  id: string
) => Effect.Effect<Reply, Refusal | ConnectionGone, Scope.Scope>

const linkTo = (cloud: Cloud, exchange: Exchange, { file }: ExtensionRecord): string | null =>
  file === null || !cloud.verificationLinks
    ? null
    : `${cloud.origin(exchange)}/files/${file.token}?signature=${file.signature}`

const view = (cloud: Cloud, exchange: Exchange, extension: ExtensionRecord, includeDeployments = false) =>
  extensionJson(extension, { includeDeployments, link: linkTo(cloud, exchange, extension) })

const reply = (
  cloud: Cloud,
  exchange: Exchange,
  extension: ExtensionRecord,
  { includeDeployments = false, status = 200 } = {}
): Reply => json(status, view(cloud, exchange, extension, includeDeployments), resourceHeaders(extension))

const metadataOf = (request: JsonBody.ExtensionRequest): Omit<Metadata, "deployments"> => ({
  name: request.name,
  description: request.description ?? null,
  downloadUrl: request.download_url ?? null,
  type: request.extension_type,
  version: request.version
})

/** Goes on with the archive of a `download_url`, if one is given. */
const withGivenFile = <A>(
  cloud: Cloud,
  { download_url }: JsonBody.ExtensionRequest,
  use: (file: Disk.ReceivedFile | undefined) => Effect.Effect<A, Refusal>
): Effect.Effect<A, Refusal> =>
  download_url === undefined
    ? use(undefined)
    : Download.fetchArchive(download_url, cloud.disk).pipe(
        Effect.tap(checkZip),
        Effect.flatMap(use),
        Effect.scoped,
        (work) => Download.behind(cloud.gateway, work)
      )

const checkZip = (file: Disk.ReceivedFile): Effect.Effect<void, Refusal> =>
  Effect.mapError(Zip.check(file.path, file.size), ({ detail }) =>
    documented.failed(`Could not accept the extensions file: it is not a ZIP archive, ${detail}.`, "file")
  )

const orNotFound = (id: string) => (found: Option.Option<ExtensionRecord>) =>
  Option.match(found, { onNone: () => Effect.fail(documented.notFound(id)), onSome: Effect.succeed })

/** @internal */
export const list: Operation = (cloud, exchange) =>
  Effect.gen(function* () {
    const account = yield* Access.authenticate(exchange, cloud.accounts)
    yield* RequestBody.discard(exchange)
    const all = yield* cloud.store.all
    const mine = all.filter(({ owner }) => owner === account.owner)
    return json(200, { extensions: mine.map((extension) => view(cloud, exchange, extension)) })
  })

/** @internal */
export const create: Operation = (cloud, exchange) =>
  Effect.gen(function* () {
    const account = yield* Access.authenticate(exchange, cloud.accounts)
    const owner = yield* Access.userId(account, 404)
    const request = yield* JsonBody.read(exchange)
    const metadata = { ...metadataOf(request), owner, deployments: [] }
    const created = yield* withGivenFile(cloud, request, (file) => cloud.store.create(metadata, file))
    return reply(cloud, exchange, created, { status: 201 })
  })

/** @internal */
export const get: Operation = (cloud, exchange, id) =>
  Effect.gen(function* () {
    const account = yield* Access.authenticate(exchange, cloud.accounts)
    const extension = yield* Access.visible(cloud.store, account, id)
    yield* RequestBody.discard(exchange)
    const includeDeployments = exchange.query.get("include_deployments") === "true"
    return reply(cloud, exchange, extension, { includeDeployments })
  })

/**
 * The request replaces what is known about the extension: what it leaves out is gone. The archive stays unless a
 * `download_url` brings another.
 *
 * @internal
 */
export const update: Operation = (cloud, exchange, id) =>
  Effect.gen(function* () {
    const account = yield* Access.authenticate(exchange, cloud.accounts)
    yield* Access.owned(cloud.store, account, id)
    const request = yield* JsonBody.read(exchange)
    const metadata = metadataOf(request)
    const changed = yield* withGivenFile(cloud, request, (file) => cloud.store.change(id, { metadata, file }))
    return reply(cloud, exchange, yield* orNotFound(id)(changed))
  })

/**
 * What happens to an archive once the whole of it is on disk, however it got there.
 *
 * @internal
 */
export const finishUpload = (
  cloud: Cloud,
  exchange: Exchange,
  id: string,
  file: Disk.ReceivedFile
): Effect.Effect<Reply, Refusal> =>
  Effect.gen(function* () {
    yield* checkZip(file)
    const changed = yield* cloud.store.change(id, { file, isUpload: true })
    return reply(cloud, exchange, yield* orNotFound(id)(changed))
  })

/** @internal */
export const upload: Operation = (cloud, exchange, id) =>
  Effect.gen(function* () {
    const account = yield* Access.authenticate(exchange, cloud.accounts)
    yield* Access.owned(cloud.store, account, id)
    const file = yield* ArchiveBody.receive(exchange, cloud.disk, cloud.maxArchiveBytes)
    return yield* finishUpload(cloud, exchange, id, file)
  })

/** @internal */
export const remove: Operation = (cloud, exchange, id) =>
  Effect.gen(function* () {
    const account = yield* Access.authenticate(exchange, cloud.accounts)
    const extension = yield* Access.owned(cloud.store, account, id)
    if (extension.deployments.length > 0) return yield* documented.inUse(extension.deployments)
    yield* RequestBody.discard(exchange)
    yield* cloud.store.remove(id)
    return json(200, {}, resourceHeaders(extension))
  })

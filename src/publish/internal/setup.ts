/** What publishing needs before it looks at the server: a request that keeps the rules, and a sound archive. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Archive from "../../archive/Archive.ts"
import * as ArchiveInspection from "../../archive/ArchiveInspection.ts"
import { CreateExtensionRequest, type Extension, type ExtensionType } from "../../cloud/Extension.ts"
import type { ExtensionId } from "../../cloud/ExtensionId.ts"
import { ExtensionsClient, type ExtensionsClientService } from "../../cloud/ExtensionsClient.ts"
import { InvalidRequest } from "../../cloud/ExtensionsError.ts"
import { problemsOf } from "../../cloud/internal/problems.ts"
import type { UploadOverrides } from "../../upload/ExtensionUpload.ts"
import { ArchiveTooLarge } from "../../upload/UploadError.ts"
import { type UploadOptions, UploadSettings } from "../../upload/UploadSettings.ts"
import type { PublishRequest } from "../ExtensionPublish.ts"
import type { PublishEvent } from "../PublishEvent.ts"

/** How the extension is to be; a description that is not given may be anything. @internal */
export interface Wanted {
  readonly name: string
  readonly type: ExtensionType
  readonly version: string
  readonly description: string | undefined
}

/** How the archive gets there. @internal */
export type Source<R> = UploadSource<R> | DownloadSource<R>

/** @internal */
export interface UploadSource<out R> {
  readonly way: "upload"
  readonly archive: Archive.Archive<R>
}

/** @internal */
export interface DownloadSource<out R> {
  readonly way: "download"
  readonly url: string
  readonly timeout: Duration.Duration
  /** To compare with what the service has fetched. */
  readonly archive: Archive.Archive<R> | undefined
}

/** @internal */
export interface Setup {
  readonly startedAtMillis: number
  readonly client: ExtensionsClientService
  readonly wanted: Wanted
  readonly settings: UploadOptions
  /** What the request itself says about the upload. */
  readonly overrides: UploadOverrides
  readonly emit: (event: PublishEvent) => Effect.Effect<void>
}

/** A setup whose extension is known, as it was when it was found or created. @internal */
export interface Target extends Setup {
  readonly extensionId: ExtensionId
  readonly extension: Extension
  readonly created: boolean
}

/** Sends nothing: whatever is wrong with the request or the archive shows before anything is changed. @internal */
export const prepare = <R>(request: PublishRequest<R>) =>
  Effect.gen(function* () {
    const { archive, description, downloadTimeout, downloadUrl, name, onEvent, type, version, ...overrides } =
      request
    const startedAtMillis = yield* Clock.currentTimeMillis
    const wanted: Wanted = { name, type, version, description }
    yield* requireValid(wanted, downloadUrl)
    const settings: UploadOptions = { ...(yield* UploadSettings), ...given(overrides) }
    const source = yield* chooseSource(request, settings)
    const client = yield* ExtensionsClient
    const emit = onEvent ?? (() => Effect.void)
    return { setup: { startedAtMillis, client, wanted, settings, overrides, emit } satisfies Setup, source }
  })

/** The options that were named, without the `undefined`s. */
const given = (overrides: UploadOverrides): Partial<UploadOptions> =>
  Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined))

const encodeCreate = Schema.encode(CreateExtensionRequest, { errors: "all" })

/** By the rules of creating, which are those of updating too: which of the two it will be is not known yet. */
const requireValid = (wanted: Wanted, downloadUrl: string | undefined) =>
  Effect.mapError(
    encodeCreate({ ...createRequest(wanted), ...(downloadUrl === undefined ? {} : { downloadUrl }) }),
    (error) => new InvalidRequest({ operation: "create", problems: problemsOf(error, (text) => text) })
  )

/** @internal */
export const createRequest = ({ description, name, type, version }: Wanted): CreateExtensionRequest => ({
  name,
  version,
  type,
  ...(description === undefined ? {} : { description })
})

/** Uploading is preferred, since its bytes are known and its progress is seen; the service fetches what is too large. */
const chooseSource = <R>(request: PublishRequest<R>, settings: UploadOptions) =>
  Effect.gen(function* () {
    const timeout = Duration.decode(request.downloadTimeout ?? defaultDownloadTimeout)
    if (request.archive === undefined) {
      const { archive, downloadUrl: url } = request
      return { way: "download", archive, timeout, url } satisfies Source<R>
    }
    const { archive, downloadUrl: url } = request
    const { size } = yield* requireSound(archive, request, settings)
    return size > settings.directUploadLimitBytes && url !== undefined
      ? ({ way: "download", archive, timeout, url } satisfies Source<R>)
      : ({ way: "upload", archive } satisfies Source<R>)
  })

/** 8 GB, the most that the service takes, at a little over 2 MB a second. */
const defaultDownloadTimeout = Duration.hours(1)

/** The upload looks again, but by then an extension was created or changed for the archive's sake. */
const requireSound = <R>(
  archive: Archive.Archive<R>,
  { type, version }: Pick<Wanted, "type" | "version">,
  { allow }: UploadOptions
) =>
  Effect.gen(function* () {
    const { size } = yield* archive.stat
    const limit = ArchiveInspection.extensionLimitBytes
    if (size > limit) return yield* new ArchiveTooLarge({ path: archive.path, size, limit })
    const inspection = yield* ArchiveInspection.inspect(archive, { expected: { type, version } })
    return yield* ArchiveInspection.check(inspection, { allow })
  })

/** The other way in: the service fetches the archive itself, and is watched until it holds it. */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Archive from "../../archive/Archive.ts"
import * as ArchiveDigest from "../../archive/ArchiveDigest.ts"
import {
  type Extension,
  type UpdateExtensionRequest,
  updateRequest,
  type VersionedExtension
} from "../../cloud/Extension.ts"
import { requireFree } from "../../upload/internal/inUse.ts"
import * as Run from "../../upload/internal/run.ts"
import * as ServerState from "../../upload/StoredArchive.ts"
import type { PublishReceipt } from "../PublishReceipt.ts"
import { awaitArrival } from "./arrival.ts"
import { differences, fieldsOf, updateMetadata } from "./metadata.ts"
import { mayStillFetch } from "./openEnd.ts"
import type { DownloadSource, Target } from "./setup.ts"

type Delivered = Pick<PublishReceipt, "updated" | "proof" | "download">

/** @internal */
export const download = <R>(target: Target, source: DownloadSource<R>) =>
  Effect.gen(function* () {
    const digest = source.archive === undefined ? undefined : yield* digestOf(target, source.archive)
    const before = yield* Run.readWithDeployments(target)
    if (digest === undefined) {
      if (isAsWanted(target, before, source.url))
        return { updated: [], proof: "response" } satisfies Delivered
    } else if (yield* isStored(target, before, digest)) {
      const updated = yield* updateMetadata(target, before.extension)
      return { updated, proof: "hash" } satisfies Delivered
    }
    yield* requireFree(target, before.extension)
    return yield* fetchAndWatch(target, source, before, digest)
  })

const digestOf = <R>({ emit }: Target, archive: Archive.Archive<R>) =>
  Effect.gen(function* () {
    const { size: total } = yield* archive.stat
    const digest = yield* ArchiveDigest.compute(archive, {
      onProgress: (bytes) => emit({ _tag: "DigestProgress", bytes, total })
    })
    yield* emit({ _tag: "DigestComputed", sha256: digest.sha256, size: digest.stat.size })
    return digest
  })

type Digest = ArchiveDigest.ArchiveDigest | undefined

/** What cannot be proved is fetched again. */
const isStored = (target: Target, before: VersionedExtension, digest: ArchiveDigest.ArchiveDigest) =>
  Run.matchContent({ ...target, digest }, ServerState.fromExtension(before)).pipe(
    Effect.map((content) => content._tag === "Same" && content.proof === "hash"),
    Effect.orElseSucceed(() => false)
  )

/**
 * Without an archive to compare with. The URL may be noted before its archive is there, so only a file as young as the
 * last change is known to be from it; and an update that leaves the URL out would take it away.
 */
const isAsWanted = (
  { wanted }: Target,
  { extension, resource }: VersionedExtension,
  url: string
): boolean => {
  const storedAt = Option.flatMap(extension.fileMetadata, (file) => file.lastModifiedDate)
  const isYoung = Option.zipWith(storedAt, resource.lastModified, DateTime.greaterThanOrEqualTo)
  return (
    isNoted(url, extension) &&
    Option.contains(isYoung, true) &&
    fieldsOf(differences(extension, wanted)).length === 0
  )
}

const isNoted = (url: string, { downloadUrl }: Extension): boolean => Option.contains(downloadUrl, url)

const fetchAndWatch = <R>(
  target: Target,
  source: DownloadSource<R>,
  before: VersionedExtension,
  digest: Digest
) =>
  Effect.gen(function* () {
    const { emit, extensionId, wanted } = target
    const origin = new URL(source.url).origin
    const startedAtMillis = yield* Clock.currentTimeMillis
    yield* emit({ _tag: "DownloadStarted", extensionId, origin })
    const differing = differences(before.extension, wanted)
    const changes = { ...differing, downloadUrl: source.url }
    const answered = yield* askToFetch(target, updateRequest(before.extension, changes))
    const arrived = yield* awaitArrival({
      target,
      origin,
      startedAtMillis,
      timeout: source.timeout,
      before: ServerState.fromExtension(before),
      answered,
      digest
    })
    // Nothing tells whether the metadata of an unanswered request was taken along with its archive.
    yield* updateMetadata(target, arrived.extension)
    return {
      updated: fieldsOf(isNoted(source.url, before.extension) ? differing : changes),
      proof: arrived.proof,
      download: { answered, polls: arrived.polls, size: arrived.size }
    } satisfies Delivered
  })

/** Whether the service has answered. If not, it may be fetching all the same, which is not a failure. */
const askToFetch = (target: Target, request: UpdateExtensionRequest) =>
  target.client.update(target.extensionId, request).pipe(
    Effect.as(true),
    Effect.catchIf(mayStillFetch, ({ _tag, message }) =>
      Effect.as(target.emit({ _tag: "ReconciliationStarted", reason: _tag, message }), false)
    ),
    Run.persistently(target)
  )

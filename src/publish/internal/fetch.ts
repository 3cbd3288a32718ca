/** The other way in: the service fetches the archive itself, and is watched until it holds it. */
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import {
  type Extension,
  type UpdateExtensionRequest,
  updateRequest,
  type VersionedExtension
} from "../../cloud/Extension.ts"
import type { ExtensionId } from "../../cloud/ExtensionId.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import type { ExtensionsError } from "../../cloud/ExtensionsError.ts"
import * as Monotonic from "../../transfer/Monotonic.ts"
import type { TransferError } from "../../transfer/TransferError.ts"
import { requireReplaceable } from "../../upload/Deployments.ts"
import * as LocalArchive from "../../upload/LocalArchive.ts"
import * as StoredArchive from "../../upload/StoredArchive.ts"
import { retrying } from "../../upload/UploadEvent.ts"
import type { Proof } from "../../upload/UploadReceipt.ts"
import { UploadSettings } from "../../upload/UploadSettings.ts"
import { watch } from "../../upload/Watch.ts"
import { DownloadFailed } from "../PublishError.ts"
import { emit } from "../PublishEvent.ts"
import { differences, fieldsOf, isSmallRequestOpen, updateMetadata, type Wanted } from "./ensure.ts"

/** Where the service fetches the archive, and what there is to compare it with. */
export interface Source {
  readonly url: string
  /** How long to wait for it. */
  readonly timeout: Duration.Duration
  readonly archive: Option.Option<LocalArchive.Inspected>
}

export const originOf = ({ url }: Pick<Source, "url">): string => new URL(url).origin

/** Of the local archive, where there is one. */
export const contentOf = ({ archive }: Source) =>
  Effect.transposeMapOption(archive, (inspected) =>
    LocalArchive.digest(inspected).pipe(
      Effect.tap(({ inspection }) => LocalArchive.requireUsable(inspection)),
      Effect.map(({ digest: { sha256, stat } }): StoredArchive.Content => ({ size: stat.size, sha256 }))
    )
  )

/** Whether the extension has to fetch, or holds what the URL stands for already. */
export type FetchPlan =
  | { readonly _tag: "Fetch" }
  | { readonly _tag: "AlreadyFetched"; readonly proof: Proof }

export const decideFetch = Effect.fnUntraced(function* (
  before: VersionedExtension,
  content: Option.Option<StoredArchive.Content>,
  source: Source,
  wanted: Wanted
): Effect.fn.Return<FetchPlan, never, ExtensionsClient> {
  if (Option.isNone(content)) {
    return isAsWanted(wanted, before, source)
      ? { _tag: "AlreadyFetched", proof: "response" }
      : { _tag: "Fetch" }
  }
  // What cannot be proved is fetched again.
  return (yield* StoredArchive.isProvedSame(StoredArchive.fromExtension(before), content.value))
    ? { _tag: "AlreadyFetched", proof: "hash" }
    : { _tag: "Fetch" }
})

/**
 * Without an archive to compare with. The URL may be noted before its archive is there, so only a file as young as the
 * last change is known to be from it; and an update that leaves the URL out would take it away.
 */
const isAsWanted = (wanted: Wanted, { extension, resource }: VersionedExtension, source: Source): boolean => {
  const storedAt = Option.flatMap(extension.fileMetadata, (file) => file.lastModifiedDate)
  const isYoung = Option.zipWith(storedAt, resource.lastModified, DateTime.greaterThanOrEqualTo)
  return (
    isNoted(source, extension) &&
    Option.contains(isYoung, true) &&
    fieldsOf(differences(extension, wanted)).length === 0
  )
}

const isNoted = ({ url }: Source, { downloadUrl }: Extension): boolean => Option.contains(downloadUrl, url)

/** Has the service fetch the archive, unless the extension holds it. */
export const fetch = Effect.fnUntraced(function* (extensionId: ExtensionId, source: Source, wanted: Wanted) {
  const content = yield* contentOf(source)
  const before = yield* StoredArchive.readExtension(extensionId)
  const plan = yield* decideFetch(before, content, source, wanted)
  if (plan._tag === "AlreadyFetched") {
    return { updated: yield* updateMetadata(before.extension, wanted), proof: plan.proof }
  }
  yield* requireReplaceable(before.extension)
  yield* emit({ _tag: "DownloadStarted", extensionId, origin: originOf(source) })
  const elapsed = yield* Monotonic.stopwatch
  const differing = differences(before.extension, wanted)
  const changes = { ...differing, downloadUrl: source.url }
  const answered = yield* askToFetch(extensionId, updateRequest(before.extension, changes))
  const arrival = yield* awaitArrival(
    { extensionId, before: StoredArchive.fromExtension(before), answered, elapsed },
    source
  )
  const proof = yield* prove(arrival.stored, content, (detail) =>
    Effect.map(
      elapsed,
      (waitedMillis) =>
        new DownloadFailed({
          extensionId,
          origin: originOf(source),
          reason: "Different",
          waitedMillis,
          detail
        })
    )
  )
  yield* emit({ _tag: "Verified", proof })
  // Nothing tells whether the metadata of an unanswered request was taken along with its archive.
  yield* updateMetadata(arrival.extension, wanted)
  return {
    updated: fieldsOf(isNoted(source, before.extension) ? differing : changes),
    proof,
    download: { answered, polls: arrival.polls, size: arrival.stored.told.file?.size ?? null }
  }
})

/** Whether the service has answered. If not, it may be fetching all the same, which is not a failure. */
const askToFetch = (extensionId: ExtensionId, request: UpdateExtensionRequest) =>
  Effect.flatMap(ExtensionsClient, (client) => client.update(extensionId, request)).pipe(
    Effect.as(true),
    Effect.catchIf(mayStillFetch, ({ _tag, message }) =>
      Effect.as(emit({ _tag: "ReconciliationStarted", reason: _tag, message }), false)
    ),
    retrying
  )

/**
 * Whether the service may still be fetching an archive after this. A gateway that stopped waiting has not stopped the
 * service behind it; one that says so itself (500, 503) did not begin.
 */
const mayStillFetch = (error: ExtensionsError | TransferError): boolean =>
  error._tag === "ServiceUnavailable"
    ? error.status === 502 || error.status === 504
    : isSmallRequestOpen(error)

/** A download that the service was told to make. */
interface Awaited {
  readonly extensionId: ExtensionId
  readonly before: StoredArchive.StoredArchive
  /** Whether the service has said that it is done. */
  readonly answered: boolean
  /** Since it was told, in milliseconds. */
  readonly elapsed: Effect.Effect<number>
}

const awaitArrival = Effect.fnUntraced(function* (awaited: Awaited, source: Source) {
  const { elapsed, extensionId } = awaited
  const polls = yield* Ref.make(0)
  const look = Effect.gen(function* () {
    const client = yield* ExtensionsClient
    const versioned = yield* retrying(client.get(extensionId))
    yield* Ref.update(polls, (count) => count + 1)
    const stored = StoredArchive.fromExtension(versioned)
    const hasArrived = holdsNewFile(awaited, stored)
    yield* emit({ _tag: "DownloadPolled", extensionId, elapsedMillis: yield* elapsed, hasArrived })
    return { extension: versioned.extension, stored, hasArrived }
  })
  const { extension, hasArrived, stored } = yield* watch(look, {
    window: source.timeout,
    schedule: polling,
    isSettled: ({ hasArrived }) => hasArrived
  })
  if (hasArrived) return { extension, stored, polls: yield* Ref.get(polls) }
  const waitedMillis = yield* elapsed
  return yield* new DownloadFailed({
    extensionId,
    origin: originOf(source),
    reason: "TimedOut",
    waitedMillis
  })
})

/** Small archives arrive at once, large ones take their time. */
const polling = Schedule.exponential("200 millis", 1.5).pipe(Schedule.union(Schedule.spaced("10 seconds")))

/**
 * A failed download is told in the answer to the request, so an answer without a failure is as good as a new date. The
 * resource version will not do for one: it may count the URL, noted long before the archive is there.
 */
const holdsNewFile = ({ answered, before }: Awaited, now: StoredArchive.StoredArchive): boolean => {
  const [was, is] = [before.told.file, now.told.file]
  if (is === undefined) return false
  return answered || was === undefined || StoredArchive.movement({ file: was }, { file: is }) === "Changed"
}

const prove = Effect.fnUntraced(function* (
  stored: StoredArchive.StoredArchive,
  content: Option.Option<StoredArchive.Content>,
  differing: (detail: string) => Effect.Effect<DownloadFailed>
) {
  const { verification } = yield* UploadSettings
  const unproved: Proof = "response"
  if (Option.isNone(content) || verification === "response") return unproved
  const match = yield* StoredArchive.matchBy(verification, stored, content.value)
  switch (match._tag) {
    case "Same":
      return match.proof
    case "Unknown":
      yield* StoredArchive.warnOfWeakerProof("the service does not tell its size")
      return unproved
    case "Different": {
      const [what, expected] =
        match.reason === "Size" ? ["size in bytes", content.value.size] : ["SHA-256", content.value.sha256]
      return yield* Effect.flatMap(
        differing(`its ${what} is ${match.actual}, expected ${expected}`),
        Effect.fail
      )
    }
  }
})

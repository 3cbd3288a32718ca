/** The other way in: the service fetches the archive itself, and is watched until it holds it. */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import { type Extension, updateRequest, type VersionedExtension } from "../../cloud/Extension.ts"
import type { ExtensionId } from "../../cloud/ExtensionId.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import type { ExtensionsError, RequestExecutionFailed } from "../../cloud/ExtensionsError.ts"
import type { StagingError } from "../../staging/StagingError.ts"
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
import type { MetadataField } from "../PublishReceipt.ts"
import {
  type Aim,
  differences,
  fieldsOf,
  isSmallRequestOpen,
  metadataOf,
  update,
  type Wanted
} from "./ensure.ts"
import * as Preflight from "./preflight.ts"

/** Where the service fetches the archive, and what there is to compare it with. */
export interface Source {
  readonly url: string
  /** How long to wait for it. */
  readonly timeout: Duration.Duration
  readonly archive: Option.Option<LocalArchive.Inspected>
  /** Whether to look at the URL before the service does. */
  readonly preflight: boolean
}

/** 8 GB, the most that the service takes, at a little over 2 MB a second. */
export const defaultTimeout = Duration.hours(1)

export const originOf = ({ url }: Pick<Source, "url">): string => new URL(url).origin

/** Of the local archive, where there is one. */
export const contentOf = ({ archive }: Source) =>
  Effect.transposeMapOption(archive, (inspected) =>
    LocalArchive.digest(inspected).pipe(
      Effect.tap(({ inspection }) => LocalArchive.requireUsable(inspection)),
      Effect.map(({ digest: { sha256, stat } }): StoredArchive.Content => ({ size: stat.size, sha256 }))
    )
  )

/** Looks at the URL by the rules of the service, where that is wanted. */
export const check = ({ archive, preflight, url }: Source) =>
  Preflight.check(
    Redacted.make(url),
    Option.map(archive, ({ stat }) => stat.size)
  ).pipe(
    Effect.when(() => preflight),
    Effect.asVoid
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

/** Has the service fetch the archive, unless the extension holds it. `isChecked` says that the URL was looked at. */
export const fetch = Effect.fnUntraced(function* (
  extensionId: ExtensionId,
  source: Source,
  wanted: Wanted,
  isChecked: boolean
) {
  const content = yield* contentOf(source)
  const before = yield* StoredArchive.readExtension(extensionId)
  const plan = yield* decideFetch(before, content, source, wanted)
  const aim = { ...metadataOf(wanted), isSpent: isSpentLink(source) }
  if (plan._tag === "AlreadyFetched") {
    const { fields } = yield* update(before.extension, aim)
    return { updated: fields, proof: plan.proof }
  }
  yield* requireReplaceable(before.extension)
  if (!isChecked) yield* retrying(check(source))
  const link = Effect.succeed(Redacted.make(source.url))
  const { download, proof, stored, updated } = yield* byLink(
    before,
    { link, origin: originOf(source), content, timeout: source.timeout },
    aim
  )
  return { updated, proof, download: { ...download, size: stored.told.file?.size ?? null } }
})

/**
 * A noted URL is kept where it tells nothing but an address: it says where the archive is from. One with credentials is
 * of no use to the service once it holds the archive, and of much to whoever reads it.
 */
const isSpentLink =
  (source: Source) =>
  (noted: string): boolean =>
    URL.canParse(noted) && mayHoldSecret(new URL(noted)) && addressOf(noted) === addressOf(source.url)

const mayHoldSecret = ({ password, search, username }: URL): boolean =>
  search !== "" || username !== "" || password !== ""

/** What links to the same file have in common, however often they are signed. */
const addressOf = (url: string): string => {
  const { origin, pathname } = new URL(url)
  return origin + pathname
}

/** A link for the service to fetch an archive by. */
export interface Linked {
  /** Made anew for every request, so that it is as young as can be. */
  readonly link: Effect.Effect<Redacted.Redacted<string>, StagingError>
  /** Scheme, host and port of the link. */
  readonly origin: string
  /** What has to arrive, where that is known. */
  readonly content: Option.Option<StoredArchive.Content>
  /** How long to wait for it. */
  readonly timeout: Duration.Duration
}

/** Has the service fetch by a link, watches it, and proves what has arrived. The link does not stay. */
export const byLink = Effect.fnUntraced(function* (before: VersionedExtension, linked: Linked, aim: Aim) {
  const { content, origin, timeout } = linked
  const extensionId = before.extension.id
  yield* emit({ _tag: "DownloadStarted", extensionId, origin })
  const elapsed = yield* Monotonic.stopwatch
  const failed = (why: Pick<DownloadFailed, "reason" | "detail">) =>
    Effect.flatMap(
      elapsed,
      (waitedMillis) => new DownloadFailed({ extensionId, origin, waitedMillis, ...why })
    )
  const failedForGood = (reason: DownloadFailed["reason"]) => (detail: string) =>
    Effect.zipRight(forgetLink(extensionId, aim), failed({ reason, detail }))
  const answered = yield* askToFetch(before.extension, linked, aim, failedForGood("NotFetched"))
  const arrival = yield* awaitArrival(
    { extensionId, before: StoredArchive.fromExtension(before), answered, elapsed },
    timeout
  )
  // As long as the service may be fetching, the link is left to it.
  if (!arrival.hasArrived) return yield* failed({ reason: "TimedOut" })
  const { proof, stored } = yield* prove(arrival.stored, content, failedForGood("Different"))
  yield* emit({ _tag: "Verified", proof })
  // Nothing tells whether the metadata of an unanswered request was taken along with its archive.
  const { after } = yield* update(arrival.extension, aim)
  const { extension } = Option.getOrElse(after, () => arrival)
  return {
    updated: changedFields(before.extension, extension, aim),
    proof,
    stored: Option.match(after, { onNone: () => stored, onSome: StoredArchive.fromExtension }),
    download: { answered, polls: arrival.polls }
  }
})

const changedFields = (
  before: Extension,
  after: Extension,
  { changesOf }: Aim
): ReadonlyArray<MetadataField> => [
  ...fieldsOf(changesOf(before)),
  ...(Option.getOrNull(before.downloadUrl) === Option.getOrNull(after.downloadUrl)
    ? []
    : (["downloadUrl"] as const))
]

/** The failure is what counts; the next run that succeeds takes the link away, too. */
const forgetLink = (extensionId: ExtensionId, { isSpent }: Aim) =>
  StoredArchive.readExtension(extensionId).pipe(
    Effect.flatMap(({ extension }) => update(extension, { changesOf: () => ({}), isSpent })),
    Effect.ignore
  )

/** Whether the service has answered. If not, it may be fetching all the same, which is not a failure. */
const askToFetch = (
  current: Extension,
  { content, link }: Linked,
  aim: Aim,
  notFetched: (detail: string) => Effect.Effect<never, DownloadFailed, ExtensionsClient>
) =>
  Effect.gen(function* () {
    const client = yield* ExtensionsClient
    const made = yield* link
    const changes = { ...aim.changesOf(current), downloadUrl: Redacted.value(made) }
    return yield* client.update(current.id, updateRequest(current, changes)).pipe(
      Effect.as(true),
      Effect.catchIf(mayStillFetch, ({ _tag, message }) =>
        Effect.as(emit({ _tag: "ReconciliationStarted", reason: _tag, message }), false)
      ),
      Effect.catchIf(isAboutFetching, (error) => Effect.flatMap(explain(made, content, error), notFetched))
    )
  }).pipe(retrying)

/** The same code stands for metadata that the service does not like. */
const isAboutFetching = (error: ExtensionsError | TransferError): error is RequestExecutionFailed =>
  error._tag === "RequestExecutionFailed" &&
  error.errors.some(
    ({ fields, message }) =>
      /download/i.test(message) || Option.exists(fields, (names) => names.includes("download_url"))
  )

/** The service does not say what was the matter. What the link does from here tells more. */
const explain = Effect.fnUntraced(function* (
  link: Redacted.Redacted<string>,
  content: Option.Option<StoredArchive.Content>,
  { errors }: RequestExecutionFailed
) {
  const said = errors.map(({ message }) => JSON.stringify(message)).join(", ")
  const looked = yield* Effect.either(
    Preflight.check(
      link,
      Option.map(content, ({ size }) => size)
    )
  )
  if (Either.isLeft(looked)) return `it says ${said}; seen from here, ${looked.left.what}`
  return (yield* Preflight.answersHead(link))
    ? `it says ${said}; from here the URL works, so the service may not reach its server`
    : `it says ${said}; from here the URL works for GET and not for HEAD, so the service may not reach its server, or may send HEAD first`
})

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

const awaitArrival = Effect.fnUntraced(function* (awaited: Awaited, window: Duration.Duration) {
  const { elapsed, extensionId } = awaited
  const polls = yield* Ref.make(0)
  const look = Effect.gen(function* () {
    const client = yield* ExtensionsClient
    const versioned = yield* retrying(client.get(extensionId))
    yield* Ref.update(polls, (count) => count + 1)
    const stored = StoredArchive.fromExtension(versioned)
    const hasArrived = holdsNewFile(awaited, stored)
    yield* emit({ _tag: "DownloadPolled", extensionId, elapsedMillis: yield* elapsed, hasArrived })
    return { ...versioned, stored, hasArrived }
  })
  const last = yield* watch(look, { window, schedule: polling, isSettled: ({ hasArrived }) => hasArrived })
  return { ...last, polls: yield* Ref.get(polls) }
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

/** The proof, and the reading of the extension that it is of. */
const prove = Effect.fnUntraced(function* (
  arrived: StoredArchive.StoredArchive,
  content: Option.Option<StoredArchive.Content>,
  differing: (detail: string) => Effect.Effect<never, DownloadFailed, ExtensionsClient>
) {
  const { verification } = yield* UploadSettings
  const unproved: Proof = "response"
  if (Option.isNone(content) || verification === "response") return { proof: unproved, stored: arrived }
  const { match, stored } = yield* StoredArchive.compareBy(verification, arrived, content.value)
  switch (match._tag) {
    case "Same":
      return { proof: match.proof, stored }
    case "Unknown":
      yield* StoredArchive.warnOfWeakerProof("the service does not tell its size")
      return { proof: unproved, stored }
    case "Different": {
      const [what, expected] =
        match.reason === "Size" ? ["size in bytes", content.value.size] : ["SHA-256", content.value.sha256]
      return yield* differing(`its ${what} is ${match.actual}, expected ${expected}`)
    }
  }
})

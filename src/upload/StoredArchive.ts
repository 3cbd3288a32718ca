/**
 * What an extension holds, as far as the service tells, and how that relates to an archive of ours.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Option from "effect/Option"
import * as Record from "effect/Record"
import type * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { hashStream } from "../archive/ArchiveDigest.ts"
import type { VersionedExtension } from "../cloud/Extension.ts"
import type { ExtensionId } from "../cloud/ExtensionId.ts"
import { ExtensionsClient } from "../cloud/ExtensionsClient.ts"
import type { ExtensionsError } from "../cloud/ExtensionsError.ts"
import type { JournalBaseline } from "../journal/JournalRecord.ts"
import type { TransferError } from "../transfer/TransferError.ts"
import { emit, retrying } from "./UploadEvent.ts"
import type { Proof } from "./UploadReceipt.ts"

/**
 * What an extension holds.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoredArchive {
  readonly extensionId: ExtensionId
  /** What the service says of it. A part that the service, or a proxy, left out is absent. */
  readonly told: JournalBaseline
  /** The temporary link to its bytes. */
  readonly link: Option.Option<Redacted.Redacted<string>>
}

/**
 * The stored archive of an extension that was read.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromExtension = ({ extension, resource }: VersionedExtension): StoredArchive => ({
  extensionId: extension.id,
  told: {
    ...present("resourceVersion", resource.version),
    ...present("lastModified", resource.lastModified),
    ...present(
      "file",
      Option.map(extension.fileMetadata, (file) => ({
        ...present("size", file.size),
        ...present("modified", file.lastModifiedDate)
      }))
    )
  },
  link: Option.flatMap(extension.fileMetadata, (file) => file.url)
})

const present = <K extends string, A>(key: K, value: Option.Option<A>): { readonly [P in K]?: A } =>
  Option.match(value, { onNone: () => ({}), onSome: (value) => Record.singleton(key, value) })

/**
 * Reads the extension with the deployments that use it, again and again under the retry policy.
 *
 * @since 0.1.0
 * @category reading
 */
export const readExtension = (
  id: ExtensionId
): Effect.Effect<VersionedExtension, ExtensionsError | TransferError, ExtensionsClient> =>
  Effect.flatMap(ExtensionsClient, (client) => client.get(id, { includeDeployments: true })).pipe(retrying)

/**
 * Reads what the extension holds now, again and again under the retry policy.
 *
 * @since 0.1.0
 * @category reading
 */
export const read = (
  id: ExtensionId
): Effect.Effect<StoredArchive, ExtensionsError | TransferError, ExtensionsClient> =>
  Effect.flatMap(ExtensionsClient, (client) => client.get(id)).pipe(retrying, Effect.map(fromExtension))

/**
 * Whether anything was written between two readings: `Unknown` where they have nothing in common to compare.
 *
 * @since 0.1.0
 * @category models
 */
export type Movement = "Unchanged" | "Changed" | "Unknown"

/**
 * Whether anything was written since the first of two readings. Any part that differs is a change. A part that only one
 * of them has says nothing, except that a file appeared where none was.
 *
 * @since 0.1.0
 * @category comparing
 */
export const movement = (before: JournalBaseline, now: JournalBaseline): Movement => {
  if (before.file?.size === undefined && now.file?.size !== undefined) return "Changed"
  const parts: ReadonlyArray<readonly [string | number | undefined, string | number | undefined]> = [
    [before.resourceVersion, now.resourceVersion],
    [epochMillis(before.lastModified), epochMillis(now.lastModified)],
    [before.file?.size, now.file?.size],
    [epochMillis(before.file?.modified), epochMillis(now.file?.modified)]
  ]
  const known = parts.filter(([a, b]) => a !== undefined && b !== undefined)
  if (known.some(([a, b]) => a !== b)) return "Changed"
  return known.length === 0 ? "Unknown" : "Unchanged"
}

/**
 * Whether the archive itself was replaced since the first of two readings. A change of the extension alone, such as of its
 * description, is none; it has to do where the date of the archive is not told.
 *
 * @since 0.1.0
 * @category comparing
 */
export const replacement = (before: JournalBaseline, now: JournalBaseline): Movement =>
  isSameFile(before, now) ? "Unchanged" : movement(before, now)

/**
 * Whether the extension holds for certain what it held at the first of two readings: by its version, or by the size and date of
 * the archive. Where neither is told, it is not known, and so not certain.
 *
 * @since 0.1.0
 * @category comparing
 */
export const isUntouched = (before: JournalBaseline, now: JournalBaseline): boolean =>
  isSameFile(before, now) ||
  (before.resourceVersion !== undefined && before.resourceVersion === now.resourceVersion)

const isSameFile = (before: JournalBaseline, now: JournalBaseline): boolean =>
  before.file?.size !== undefined &&
  before.file.size === now.file?.size &&
  before.file.modified !== undefined &&
  epochMillis(before.file.modified) === epochMillis(now.file.modified)

const epochMillis = (time: DateTime.Utc | undefined): number | undefined =>
  time === undefined ? undefined : DateTime.toEpochMillis(time)

/**
 * The content of an archive: its size in bytes and its SHA-256.
 *
 * @since 0.1.0
 * @category models
 */
export interface Content {
  readonly size: number
  readonly sha256: string
}

/**
 * Whether an extension may hold an archive of this size. It does not if it has none, or one of another size.
 *
 * @since 0.1.0
 * @category comparing
 */
export const mayHold = ({ told }: StoredArchive, { size }: Pick<Content, "size">): boolean =>
  told.file !== undefined && (told.file.size ?? size) === size

/**
 * How a stored archive relates to ours: the `Same` as far as the proof goes, `Different`, or not to be told.
 *
 * @since 0.1.0
 * @category models
 */
export type Match =
  | { readonly _tag: "Same"; readonly proof: Exclude<Proof, "response"> }
  | { readonly _tag: "Different"; readonly reason: "Size" | "Hash"; readonly actual: string }
  | { readonly _tag: "Unknown" }

/**
 * Compares by size alone.
 *
 * @since 0.1.0
 * @category comparing
 */
export const matchSize = ({ told }: StoredArchive, content: Pick<Content, "size">): Match => {
  const size = told.file?.size
  if (size === undefined) return { _tag: "Unknown" }
  return size === content.size
    ? { _tag: "Same", proof: "size" }
    : { _tag: "Different", reason: "Size", actual: String(size) }
}

/**
 * Compares by size, then by the bytes behind the link where there is one: they are fetched and hashed.
 *
 * @since 0.1.0
 * @category comparing
 */
export const match = (
  stored: StoredArchive,
  content: Content
): Effect.Effect<Match, ExtensionsError | TransferError, ExtensionsClient> => {
  const bySize = matchSize(stored, content)
  if (bySize._tag === "Different" || Option.isNone(stored.link)) return Effect.succeed(bySize)
  return hashBehind(stored.link.value, content).pipe(
    Effect.map(
      (actual): Match =>
        actual === content.sha256
          ? { _tag: "Same", proof: "hash" }
          : { _tag: "Different", reason: "Hash", actual }
    ),
    Effect.catchTag("Longer", ({ size }) =>
      Effect.succeed<Match>({ _tag: "Different", reason: "Size", actual: `more than ${size}` })
    )
  )
}

/** What comes is hashed in the chunks that it comes in, but not told that often. */
const tellEveryBytes = 1024 * 1024

/** Something else than our archive, and possibly without an end. */
class Longer extends Data.TaggedError("Longer")<{ readonly size: number }> {}

const hashBehind = Effect.fnUntraced(function* (link: Redacted.Redacted<string>, { size }: Content) {
  const client = yield* ExtensionsClient
  let bytes = 0
  let told = 0
  const { sha256 } = yield* hashStream(
    Stream.tap(client.download(link), (chunk) => {
      bytes += chunk.length
      if (bytes > size) return new Longer({ size })
      if (bytes < size && bytes - told < tellEveryBytes) return Effect.void
      told = bytes
      return emit({ _tag: "VerificationProgress", bytes, total: size })
    })
  )
  return sha256
})

/**
 * What came of a comparison, and what it is of: a later reading than the first where that one's link was of no use any more.
 *
 * @since 0.1.0
 * @category models
 */
export interface Compared {
  readonly match: Match
  readonly stored: StoredArchive
}

/** Somebody who replaces the archive faster than it is fetched is not raced for ever. */
const maxNewLinks = 3

/**
 * Compares like `match`. A link that is refused has expired, or its archive was replaced in the meantime, perhaps by the same
 * one: the extension is read again for another link. Where it shows none, the failure is `VerificationLinkRefused`.
 *
 * @since 0.1.0
 * @category comparing
 */
export const compare = (
  stored: StoredArchive,
  content: Content
): Effect.Effect<Compared, ExtensionsError | TransferError, ExtensionsClient> =>
  compareWith(stored, content, maxNewLinks)

const compareWith = (
  stored: StoredArchive,
  content: Content,
  newLinks: number
): Effect.Effect<Compared, ExtensionsError | TransferError, ExtensionsClient> =>
  match(stored, content).pipe(
    Effect.map((match) => ({ match, stored })),
    Effect.catchTag("VerificationLinkRefused", (refused) => {
      if (refused.reason !== "Refused" || newLinks === 0) return refused
      return Effect.flatMap(read(stored.extensionId), (now) =>
        Equal.equals(now.link, stored.link) ? refused : compareWith(now, content, newLinks - 1)
      )
    })
  )

/**
 * Whether the extension is known, by its bytes, to hold this content. They are asked for under the retry policy: what is
 * not known is sent once more. What cannot be fetched even so counts as not known.
 *
 * @since 0.1.0
 * @category comparing
 */
export const isProvedSame = (
  stored: StoredArchive,
  content: Content
): Effect.Effect<boolean, never, ExtensionsClient> =>
  compare(stored, content).pipe(
    retrying,
    Effect.map(({ match }) => match._tag === "Same" && match.proof === "hash"),
    Effect.orElseSucceed(() => false)
  )

/**
 * Compares as strictly as wanted. Bytes that cannot be fetched leave the size to go by, with a warning.
 *
 * @since 0.1.0
 * @category comparing
 */
export const compareBy = (
  strongest: Proof,
  stored: StoredArchive,
  content: Content
): Effect.Effect<Compared, never, ExtensionsClient> => {
  const bySize = { match: matchSize(stored, content), stored }
  return strongest === "hash"
    ? compare(stored, content).pipe(
        retrying,
        Effect.catchAll((error) => Effect.as(warnOfWeakerProof(error.message), bySize))
      )
    : Effect.succeed(bySize)
}

/**
 * Tells whoever watches why the proof is weaker than it could be.
 *
 * @since 0.1.0
 * @category events
 */
export const warnOfWeakerProof = (why: string): Effect.Effect<void> =>
  emit({
    _tag: "Warning",
    code: "WeakerProof",
    message: `The upload could not be verified by its hash: ${why}`
  })

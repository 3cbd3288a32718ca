/** What the server says it holds, and what that says about an archive. */

import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Record from "effect/Record"
import type * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { hashStream } from "../archive/ArchiveDigest.ts"
import type { VersionedExtension } from "../cloud/Extension.ts"
import type { ExtensionsClientService } from "../cloud/ExtensionsClient.ts"
import type { ExtensionsError } from "../cloud/ExtensionsError.ts"
import type { JournalBaseline } from "../journal/JournalRecord.ts"
import type { TransferError } from "../transfer/TransferError.ts"

/** @internal */
export interface ServerState {
  /** What it says; a part that the service, or a proxy, did not tell is absent. */
  readonly told: JournalBaseline
  /** The temporary link to the stored archive. */
  readonly link: Option.Option<Redacted.Redacted<string>>
}

/** @internal */
export const fromExtension = ({ extension, resource }: VersionedExtension): ServerState => ({
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

/** @internal */
export type Comparison = "unchanged" | "changed" | "unknown"

/**
 * Whether anything was written since the baseline. Any part that differs is a change; a part that only one side knows
 * says nothing, except that a file appeared where none was.
 *
 * @internal
 */
export const compare = (before: JournalBaseline, now: JournalBaseline): Comparison => {
  if (before.file?.size === undefined && now.file?.size !== undefined) return "changed"
  const parts: ReadonlyArray<readonly [string | number | undefined, string | number | undefined]> = [
    [before.resourceVersion, now.resourceVersion],
    [epochMillis(before.lastModified), epochMillis(now.lastModified)],
    [before.file?.size, now.file?.size],
    [epochMillis(before.file?.modified), epochMillis(now.file?.modified)]
  ]
  const known = parts.filter(([a, b]) => a !== undefined && b !== undefined)
  if (known.some(([a, b]) => a !== b)) return "changed"
  return known.length === 0 ? "unknown" : "unchanged"
}

const epochMillis = (time: DateTime.Utc | undefined): number | undefined =>
  time === undefined ? undefined : DateTime.toEpochMillis(time)

/** How the stored content relates to an archive. @internal */
export type ContentMatch =
  | { readonly _tag: "Same"; readonly proof: "hash" | "size" }
  | { readonly _tag: "Different"; readonly reason: "Size" | "Hash"; readonly actual: string }
  | { readonly _tag: "Unknown" }

/** What is uploaded, for comparison. @internal */
export interface Content {
  readonly size: number
  readonly sha256: string
}

/** @internal */
export const matchSize = ({ told }: ServerState, archive: Pick<Content, "size">): ContentMatch => {
  const size = told.file?.size
  if (size === undefined) return { _tag: "Unknown" }
  return size === archive.size
    ? { _tag: "Same", proof: "size" }
    : { _tag: "Different", reason: "Size", actual: String(size) }
}

/**
 * Compares what the server holds with an archive: by size, then by the bytes behind the link where one is given.
 *
 * @internal
 */
export const matchContent = (
  client: ExtensionsClientService,
  state: ServerState,
  archive: Content,
  onProgress: (bytes: number) => Effect.Effect<void>
): Effect.Effect<ContentMatch, ExtensionsError | TransferError> => {
  const bySize = matchSize(state, archive)
  if (bySize._tag === "Different" || Option.isNone(state.link)) return Effect.succeed(bySize)
  return Effect.map(hashBehind(client, state.link.value, onProgress), (actual) =>
    actual === archive.sha256
      ? { _tag: "Same", proof: "hash" }
      : { _tag: "Different", reason: "Hash", actual }
  )
}

const hashBehind = (
  client: ExtensionsClientService,
  link: Redacted.Redacted<string>,
  onProgress: (bytes: number) => Effect.Effect<void>
) =>
  Effect.suspend(() => {
    let bytes = 0
    const watched = Stream.tap(client.download(link), (chunk) => {
      bytes += chunk.length
      return onProgress(bytes)
    })
    return Effect.map(hashStream(watched), ({ sha256 }) => sha256)
  })

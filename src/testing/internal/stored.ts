/** The way into the store and out of it that goes past the API. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { SeedExtension, StoredExtension } from "../StoredExtension.ts"
import type * as Disk from "./disk.ts"
import type * as Store from "./store.ts"

/** What the store holds, as the handles show it. */
export const read = (disk: Disk.Disk, record: Store.ExtensionRecord): StoredExtension => ({
  id: record.id,
  owner: record.owner,
  name: record.name,
  type: record.type,
  version: record.version,
  description: record.description ?? undefined,
  downloadUrl: record.downloadUrl ?? undefined,
  deployments: record.deployments,
  resourceVersion: record.resourceVersion,
  lastModified: record.lastModified,
  file:
    record.file === null
      ? undefined
      : { size: record.file.size, sha256: record.file.sha256, path: disk.pathOf(record.file.name) },
  uploads: record.uploads
})

/** Creates an extension, or changes the one of its id, as no request could. */
export const seed = (
  store: Store.Store,
  disk: Disk.Disk,
  defaultOwner: string,
  extension: SeedExtension
): Effect.Effect<StoredExtension> =>
  Effect.gen(function* () {
    const file =
      extension.file === undefined ? undefined : yield* disk.receive(Stream.succeed(extension.file))
    const metadata = {
      name: extension.name,
      type: extension.extension_type,
      version: extension.version,
      description: extension.description ?? null,
      downloadUrl: null,
      deployments: extension.deployments ?? []
    }
    const replaced =
      extension.id === undefined ? Option.none() : yield* store.change(extension.id, { metadata, file })
    const record = Option.isSome(replaced)
      ? replaced.value
      : yield* store.create({ ...metadata, id: extension.id, owner: extension.owner ?? defaultOwner }, file)
    return read(disk, record)
  }).pipe(Effect.scoped)

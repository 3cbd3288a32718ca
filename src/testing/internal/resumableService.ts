import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { LocalElasticCloudError } from "../LocalElasticCloudError.ts"
import type { ResumableOptions, StoredUpload } from "../ResumableUploads.ts"
import type * as Disk from "./disk.ts"
import * as Settings from "./resumableSettings.ts"
import * as UploadFolder from "./uploadFolder.ts"
import * as Uploads from "./uploads.ts"

/**
 * What a test sees of the uploads, and does to them, past the API.
 *
 * @internal
 */
export interface UploadKnobs {
  readonly uploads: (origin: string) => Effect.Effect<ReadonlyArray<StoredUpload>>
  readonly forgetUpload: (address: string) => Effect.Effect<void>
  readonly setUploadOffset: (address: string, offset: number) => Effect.Effect<void>
}

/** @internal */
export const make = (
  disk: Disk.Disk,
  options: ResumableOptions
): Effect.Effect<Settings.Resumable, LocalElasticCloudError> =>
  Effect.gen(function* () {
    const folder = UploadFolder.make(yield* disk.folder("uploads"))
    const uploads = yield* Uploads.make(folder, {
      maxAgeSeconds: options.limits?.maxAgeSeconds,
      keepCompletedMillis: options.keepCompletedMillis
    })
    return { settings: Settings.make(options), uploads }
  })

const toStored =
  (origin: string) =>
  (upload: Uploads.Upload): StoredUpload => ({
    token: upload.token,
    url: `${origin}${Uploads.addressOf(upload)}`,
    extensionId: upload.extensionId,
    offset: upload.offset,
    length: upload.length ?? undefined,
    complete: upload.answer !== null,
    expired: upload.isExpired
  })

/** A token is what an address ends in. */
const tokenOf = (address: string): string => address.slice(address.lastIndexOf("/") + 1)

/** @internal */
export const knobs = ({ uploads }: Settings.Resumable): UploadKnobs => ({
  uploads: (origin) => Effect.map(uploads.all, (all) => all.map(toStored(origin))),
  forgetUpload: (address) => {
    const token = tokenOf(address)
    return uploads.turns.exclusively(token, uploads.remove(token))
  },
  setUploadOffset: (address, offset) => {
    const token = tokenOf(address)
    return uploads.turns.exclusively(
      token,
      Effect.flatMap(uploads.find(token), (upload) =>
        Option.exists(upload, ({ answer }) => answer === null)
          ? uploads.folder.resize(token, offset)
          : Effect.void
      )
    )
  }
})

/**
 * Where there are no uploads.
 *
 * @internal
 */
export const noKnobs: UploadKnobs = {
  uploads: () => Effect.succeed([]),
  forgetUpload: () => Effect.void,
  setUploadOffset: () => Effect.void
}

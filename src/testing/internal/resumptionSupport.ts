import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type Exchange, interim } from "./exchange.ts"
import * as Fields from "./resumableFields.ts"
import { type Resumable, uploadLimit } from "./resumableSettings.ts"
import { secondsLeft, type Upload } from "./uploads.ts"

/**
 * The iteration of the draft the request speaks, if it is one the stand-in speaks too.
 *
 * @internal
 */
export const spoken = ({ settings }: Resumable, exchange: Exchange): Option.Option<number> =>
  Option.filter(Fields.interopVersion(exchange.request), (version) =>
    settings.interopVersions.includes(version)
  )

/**
 * `Upload-Limit` as the request understands it.
 *
 * @internal
 */
export const uploadLimitOf = (
  resumable: Resumable,
  exchange: Exchange,
  upload: Upload
): Effect.Effect<string> =>
  Effect.map(secondsLeft(upload), (seconds) => {
    const version = Option.getOrElse(spoken(resumable, exchange), () => upload.interopVersion)
    return uploadLimit(resumable.settings.limits, version, seconds)
  })

/**
 * Sends `104 (Upload Resumption Supported)`, but only to who said to understand it.
 *
 * @internal
 */
export const announce = (
  resumable: Resumable,
  exchange: Exchange,
  headers: Readonly<Record<string, string>>
): Effect.Effect<void> =>
  Option.match(spoken(resumable, exchange), {
    onSome: (version) =>
      resumable.settings.interimResponses
        ? interim(exchange, [
            {
              status: 104,
              reason: "Upload Resumption Supported",
              headers: { "Upload-Draft-Interop-Version": String(version), ...headers }
            }
          ])
        : Effect.void,
    onNone: () => Effect.void
  })

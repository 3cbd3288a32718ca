import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as DigestCheck from "./digestCheck.ts"
import type { ConnectionGone, Exchange } from "./exchange.ts"
import type { Cloud } from "./operations.ts"
import * as Problem from "./problem.ts"
import * as RequestBody from "./requestBody.ts"
import * as Fields from "./resumableFields.ts"
import type { Resumable } from "./resumableSettings.ts"
import { announce, uploadLimitOf } from "./resumptionSupport.ts"
import type { Upload } from "./uploads.ts"

/**
 * One request's content on its way into an upload.
 *
 * @internal
 */
export interface Transfer {
  readonly cloud: Cloud
  readonly resumable: Resumable
  readonly exchange: Exchange
  readonly upload: Upload
}

/** Tells the offset whenever another so many bytes have come. */
const makeProgress = ({ exchange, resumable, upload }: Transfer) => {
  const { progressEveryBytes } = resumable.settings
  let told = upload.offset
  return (offset: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (progressEveryBytes === 0 || offset - told < progressEveryBytes) return Effect.void
      told = offset
      return announce(resumable, exchange, { "Upload-Offset": String(offset) })
    })
}

/** The upload has more bytes than it may ever have: it is of no use any more. */
const invalidate = ({ resumable, upload }: Transfer, problem: Problem.Problem) =>
  Effect.zipRight(resumable.uploads.remove(upload.token), Effect.fail(problem))

/** The most bytes a representation may have, by the limits of resumable uploads and by the extension's own. */
const maxBytesOf = ({ cloud, resumable }: Transfer): number =>
  Math.min(cloud.maxArchiveBytes, resumable.settings.limits.maxSize ?? Number.POSITIVE_INFINITY)

const checkRoom = (transfer: Transfer, offset: number): Effect.Effect<void, Problem.Problem> =>
  Effect.gen(function* () {
    const { exchange, resumable, upload } = transfer
    const maxBytes = maxBytesOf(transfer)
    if (upload.length !== null && offset > upload.length) {
      return yield* invalidate(
        transfer,
        Problem.inconsistentLength(`The upload has more than the ${upload.length} bytes it was to have.`)
      )
    }
    if (offset > maxBytes) {
      const limit = yield* uploadLimitOf(resumable, exchange, upload)
      return yield* invalidate(
        transfer,
        Problem.tooLarge(`The upload is larger than ${maxBytes} bytes.`, limit)
      )
    }
    const { maxAppendSize } = resumable.settings.limits
    if (maxAppendSize !== undefined && offset - upload.offset > maxAppendSize) {
      const limit = yield* uploadLimitOf(resumable, exchange, upload)
      return yield* Problem.tooLarge(`The content is larger than ${maxAppendSize} bytes.`, limit)
    }
  })

/**
 * Appends the request's content as it arrives and returns the offset behind it. However it ends, what has been appended
 * stays, except content that is not what its digest says: that is never acknowledged before it is known, because an
 * offset must not go back.
 *
 * @internal
 */
export const receive = (transfer: Transfer): Effect.Effect<number, Problem.Problem | ConnectionGone> =>
  Effect.gen(function* () {
    const { exchange, resumable, upload } = transfer
    const { folder } = resumable.uploads
    const digest = DigestCheck.make(Fields.field(exchange.request, "content-digest"))
    const progress = digest.isAsked ? () => Effect.void : makeProgress(transfer)
    const append = yield* folder.appender(upload.token)
    let offset = upload.offset
    yield* Stream.runForEach(RequestBody.stream(exchange), (chunk) =>
      Effect.gen(function* () {
        yield* checkRoom(transfer, offset + chunk.length)
        yield* append(chunk)
        offset += chunk.length
        digest.update(chunk)
        yield* progress(offset)
      })
    )
    if (digest.matches()) return offset
    yield* folder.resize(upload.token, upload.offset)
    return yield* Problem.wrongDigest(upload.offset)
  }).pipe(Effect.scoped)

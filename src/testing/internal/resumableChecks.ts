import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Exchange } from "./exchange.ts"
import * as Problem from "./problem.ts"
import * as Fields from "./resumableFields.ts"
import type { Settings } from "./resumableSettings.ts"

/**
 * The length of the representation, if it is known by now: all that was ever said about it has to agree. Content that
 * completes the upload says it by its own length.
 *
 * @internal
 */
export const length = (
  { request }: Exchange,
  upload: { readonly offset: number; readonly length: number | null; readonly completes: boolean }
): Effect.Effect<Option.Option<number>, Problem.Problem> =>
  Effect.gen(function* () {
    const byContent = upload.completes
      ? Option.map(Fields.contentLength(request), (bytes) => upload.offset + bytes)
      : Option.none()
    const said = [Option.fromNullable(upload.length), Fields.uploadLength(request), byContent].flatMap(
      Option.toArray
    )
    if (new Set(said).size > 1) {
      return yield* Problem.inconsistentLength(`The upload cannot have ${said.join(" and ")} bytes at once.`)
    }
    const [first] = said
    if (first !== undefined && first < upload.offset) {
      return yield* Problem.inconsistentLength(
        `The upload cannot have ${first} bytes: ${upload.offset} were received.`
      )
    }
    return Option.fromNullable(first)
  })

/**
 * Refuses content that is too large or too small for one request, as far as the head tells.
 *
 * @internal
 */
export const contentSize = (
  { limits }: Settings,
  { request }: Exchange,
  uploadLimit: string,
  completes: boolean
): Effect.Effect<void, Problem.Problem> =>
  Effect.gen(function* () {
    const { maxAppendSize = Number.POSITIVE_INFINITY, minAppendSize = 0 } = limits
    const size = Fields.contentLength(request)
    if (Option.isNone(size)) return
    if (size.value > maxAppendSize) {
      return yield* Problem.tooLarge(`The content is larger than ${maxAppendSize} bytes.`, uploadLimit)
    }
    if (size.value < minAppendSize && !completes) {
      return yield* Problem.tooSmall(`The content is smaller than ${minAppendSize} bytes.`, uploadLimit)
    }
  })

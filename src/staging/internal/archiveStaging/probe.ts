/** Trying everything that staging has to be allowed, on an object of a few bytes. */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import type { ProbeStep } from "../../ArchiveStaging.ts"
import { ObjectStore } from "../../ObjectStore.ts"
import type { Operation, StagingError } from "../../StagingError.ts"

const content = new TextEncoder().encode("A trial of effect-elastic-extensions. It can be removed.\n")
const sha256 = createHash("sha256").update(content).digest("hex")

export const probing: Effect.Effect<ReadonlyArray<ProbeStep>, never, ObjectStore> = Effect.gen(function* () {
  const store = yield* ObjectStore
  // Two diagnoses at once must not meet.
  const key = `doctor/${(yield* Random.nextIntBetween(0, 2 ** 32)).toString(16).padStart(8, "0")}`
  const steps: Array<ProbeStep> = []
  const attempt = <A>(operation: Operation, effect: Effect.Effect<A, StagingError>) =>
    Effect.map(Effect.either(effect), (result) => {
      steps.push({ operation, result: Either.map(result, () => undefined) })
      return Either.getRight(result)
    })

  const upload = yield* attempt("create", store.create(key))
  if (Option.isNone(upload)) return steps
  const part = yield* attempt(
    "putPart",
    store.putPart(upload.value, { number: 1, size: content.length, body: Stream.succeed(content), sha256 })
  )
  yield* attempt("unfinished", store.unfinishedOf(key))
  yield* attempt("parts", store.parts(upload.value))
  const completed = Option.isSome(part)
    ? yield* attempt("complete", store.complete(upload.value, [part.value]))
    : Option.none()
  // One that is there to be given up: the first, unless it was finished.
  const another = Option.isSome(completed) ? yield* Effect.option(store.create(key)) : upload
  if (Option.isSome(another)) yield* attempt("abort", store.abort(another.value))
  if (Option.isSome(completed)) {
    yield* attempt("head", store.head(key))
    yield* attempt("remove", store.remove(key))
  }
  return steps
})

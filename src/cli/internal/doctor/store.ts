/** The object store: whether it can be used at all, and whether everything is allowed that staging needs. */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as ArchiveStaging from "../../../staging/ArchiveStaging.ts"
import { ObjectStore } from "../../../staging/ObjectStore.ts"
import * as S3ObjectStore from "../../../staging/S3ObjectStore.ts"
import type { Operation } from "../../../staging/StagingError.ts"
import { fromConfigError } from "../../Failure.ts"
import { type Finding, failed, ok } from "./finding.ts"

const check = "store"

/** Nothing to say where none is configured. `isTried` allows to write a few bytes there. */
export const examineStore = (
  isTried: boolean
): Effect.Effect<ReadonlyArray<Finding>, never, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const location = yield* Config.option(S3ObjectStore.location)
    if (Option.isNone(location)) return []
    return yield* Effect.provide(isTried ? trying : configured, S3ObjectStore.layerConfig)
  }).pipe(Effect.catchAll((error) => Effect.succeed([failed(check, fromConfigError(error, []))])))

const configured = Effect.map(ObjectStore, ({ location }) => [
  ok(check, `${location} is configured; with --stage ${location} it is tried as well`)
])

const trying = Effect.gen(function* () {
  const { location } = yield* ObjectStore
  const steps = yield* ArchiveStaging.probe
  const failures = steps.flatMap(({ result }) => (Either.isLeft(result) ? [failed(check, result.left)] : []))
  const allowed = steps.flatMap(({ operation, result }) => (Either.isRight(result) ? [tried[operation]] : []))
  const said = allowed.length === 0 ? [] : [ok(check, `${location} allows to ${listed(allowed)}`)]
  return [...said, ...failures]
})

const tried: Readonly<Record<Operation, string>> = {
  create: "begin an upload",
  putPart: "send a part",
  unfinished: "list unfinished uploads",
  parts: "list parts",
  complete: "put parts together",
  abort: "give up an upload",
  head: "read",
  remove: "remove",
  link: "make links"
}

const listed = (words: ReadonlyArray<string>): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`

/** Extensions: what the commands that manage them ask of the API, how patiently, and how an extension is shown. */
import * as Config from "effect/Config"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import type { Extension, ExtensionType } from "../../cloud/Extension.ts"
import { ExtensionId } from "../../cloud/ExtensionId.ts"
import * as ExtensionsClient from "../../cloud/ExtensionsClient.ts"
import { type InvalidRequest, invalidRequest, type Operation } from "../../cloud/ExtensionsError.ts"
import { printable } from "../../outsideText.ts"
import * as RetryPolicy from "../../transfer/RetryPolicy.ts"
import * as UploadHttpClient from "../../transfer/UploadHttpClient.ts"
import * as Variable from "../../transfer/Variable.ts"
import { AmbiguousName, NameNotFound, UsageError } from "../Failure.ts"
import { waiting } from "./live.ts"
import { Output } from "./output.ts"
import type { ExtensionView } from "./results.ts"
import { announceRetry, nearest } from "./text.ts"

const maxTries = Variable.count("EC_UPLOAD_READ_TRIES", { min: 1, max: 1000 }).pipe(Config.withDefault(3))

/** The six operations, and how often what only asks is asked again: somebody is waiting. */
export const layerClient = Layer.merge(
  Layer.provide(ExtensionsClient.layerConfig, UploadHttpClient.layerConfig),
  Layer.unwrapEffect(
    Effect.map(Effect.all([RetryPolicy.config, maxTries]), ([options, tries]) =>
      RetryPolicy.layer({ ...options, maxRetries: tries - 1 })
    )
  )
)

/** For requests that change nothing. Shows on a terminal who is waited for, and which try it is. */
export const persistently = <A, E extends RetryPolicy.Retryable & { readonly message: string }, R>(
  request: Effect.Effect<A, E, R>
) =>
  Effect.gen(function* () {
    const { note } = yield* Output
    const { baseUrl } = yield* ExtensionsClient.ExtensionsClient
    const tries = yield* Effect.orDie(maxTries)
    const current = yield* Ref.make(1)
    const live = yield* waiting(
      Effect.map(Ref.get(current), (tried) => {
        const which = tried === 1 ? "" : `  try ${tried} of ${tries}`
        return `waiting for ${new URL(baseUrl).host}${which}`
      })
    )
    return yield* RetryPolicy.retry<E>(({ delayMillis, error, retry }) =>
      Effect.zipRight(
        Ref.set(current, retry + 1),
        live.above(note(`${error.message} ${announceRetry(retry, tries - 1, delayMillis)}`))
      )
    )(request)
  }).pipe(Effect.scoped)

/** How the service forms an id: digits, or 32 hexadecimal ones. */
const isIdLike = (word: string): boolean => /^(\d+|[0-9a-f]{32})$/.test(word)

/**
 * The extension that a word means. What looks like an id is one, unless a type is given; anything else is the id or the
 * name of exactly one extension.
 */
export const meant = Effect.fnUntraced(function* (
  word: string,
  type: Option.Option<ExtensionType>,
  command: string
) {
  const id = yield* requireId(word, command)
  if (isIdLike(word) && Option.isNone(type)) return id
  const { list } = yield* ExtensionsClient.ExtensionsClient
  const extensions = yield* persistently(list)
  const isOfType = (extension: Extension) => Option.isNone(type) || type.value === extension.type
  const candidates = extensions.filter(
    (extension) => (extension.id === word || extension.name === word) && isOfType(extension)
  )
  const [first, ...others] = candidates
  if (first === undefined) {
    const names = extensions.filter(isOfType).map(({ name }) => name)
    return yield* new NameNotFound({
      name: word,
      ...Option.match(type, { onNone: () => ({}), onSome: (type) => ({ type }) }),
      near: Option.toArray(nearest(word, names))
    })
  }
  if (others.length > 0) {
    return yield* new AmbiguousName({
      name: word,
      candidates: candidates.map(({ id, type, version }) => ({ id, type, version }))
    })
  }
  return first.id
})

/** Reads an id from the command line. */
export const requireId = (id: string, command: string): Effect.Effect<ExtensionId, UsageError> =>
  Schema.decodeEither(ExtensionId)(id).pipe(
    Either.mapLeft((error) => {
      const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
      return new UsageError({ problem: `${JSON.stringify(id)}: ${issue?.message}`, command })
    })
  )

/** What the API would refuse is refused before anything is sent, also where nothing is going to be sent. */
export const check = <A, I>(
  operation: Operation,
  schema: Schema.Schema<A, I>,
  request: A
): Effect.Effect<I, InvalidRequest> =>
  Effect.mapError(Schema.encode(schema, { errors: "all" })(request), (error) =>
    invalidRequest({ operation }, error)
  )

/** What a user says of an extension. */
export interface Metadata {
  readonly name: string
  readonly version: string
  readonly description: string
  readonly downloadUrl: string
}

export const metadataFields = ["name", "version", "description", "downloadUrl"] as const

/** The options that were given, and no others. */
export const onlyGiven = (
  options: { readonly [field in keyof Metadata]?: Option.Option<string> }
): Partial<Metadata> =>
  Object.fromEntries(
    metadataFields.flatMap((field) =>
      Option.match(options[field] ?? Option.none(), { onNone: () => [], onSome: (value) => [[field, value]] })
    )
  )

/** As it is named in a sentence. */
export const named = ({ id, name, type }: Pick<Extension, "id" | "name" | "type">): string =>
  `the ${type} ${printable(name)} (${printable(id)})`

const withoutQuery = (address: string): string => {
  if (!URL.canParse(address)) return address.replace(/[?#].*$/s, "")
  const { host, pathname, protocol } = new URL(address)
  return `${protocol}//${host}${pathname}`
}

export const viewOf = (extension: Extension): ExtensionView => ({
  id: extension.id,
  name: extension.name,
  type: extension.type,
  version: extension.version,
  description: Option.getOrNull(extension.description),
  url: Option.getOrNull(extension.url),
  downloadUrl: Option.getOrNull(Option.map(extension.downloadUrl, withoutQuery)),
  deployments: Option.getOrNull(extension.deployments),
  size: Option.getOrNull(Option.flatMap(extension.fileMetadata, ({ size }) => size)),
  modified: Option.getOrNull(Option.flatMap(extension.fileMetadata, (file) => file.lastModifiedDate))
})

/** What stands where nothing is known. */
export const absent = "-"

export const instant = (at: DateTime.Utc | null): string =>
  at === null ? absent : DateTime.formatIso(at).replace("T", " ").replace(/\.\d+/, "")

/** Extensions: what the commands that manage them ask of the API, how patiently, and how an extension is shown. */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { Extension } from "../../cloud/Extension.ts"
import { ExtensionId } from "../../cloud/ExtensionId.ts"
import * as ExtensionsClient from "../../cloud/ExtensionsClient.ts"
import { type InvalidRequest, invalidRequest, type Operation } from "../../cloud/ExtensionsError.ts"
import * as RetryPolicy from "../../transfer/RetryPolicy.ts"
import * as UploadHttpClient from "../../transfer/UploadHttpClient.ts"
import { UsageError } from "../Failure.ts"
import { Output } from "./output.ts"
import type { ExtensionView } from "./results.ts"
import { duration, printable } from "./text.ts"

/** The six operations, and how often what only asks is asked again. */
export const layerClient = Layer.merge(
  Layer.provide(ExtensionsClient.layerConfig, UploadHttpClient.layerConfig),
  RetryPolicy.layerConfig
)

/** For requests that change nothing. */
export const persistently = <A, E extends RetryPolicy.Retryable & { readonly message: string }, R>(
  request: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | Output> =>
  Effect.flatMap(Output, ({ note }) =>
    RetryPolicy.retry<E>(({ delayMillis, error }) =>
      note(`${error.message} Trying again in ${duration(delayMillis)}.`)
    )(request)
  )

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

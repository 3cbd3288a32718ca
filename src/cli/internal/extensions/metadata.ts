/** What users may say about an extension, as options. */
import * as Options from "@effect/cli/Options"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ExtensionType, type UpdateExtensionRequest } from "../../../cloud/Extension.ts"
import * as versionOption from "../versionOption.ts"

export const name: Options.Options<string> = Options.text("name").pipe(
  Options.withPseudoName("name"),
  Options.withDescription('ASCII letters, digits, "_", "." and "-".')
)

export const version: Options.Options<string> = Options.text(versionOption.name).pipe(
  Options.withPseudoName("version"),
  Options.withDescription(
    'Version of Elasticsearch that it is for: in full, or for a bundle also a pattern such as "8.*" or "*".'
  )
)

export const description: Options.Options<string> = Options.text("description").pipe(
  Options.withPseudoName("text"),
  Options.withDescription("What it is for, in words.")
)

export const downloadUrl: Options.Options<string> = Options.text("download-url").pipe(
  Options.withPseudoName("url"),
  Options.withDescription(
    "Public address from which the service fetches the archive itself: the documented way for more than 200 MB."
  )
)

type Field = "name" | "version" | "description" | "downloadUrl"

const fields: ReadonlyArray<Field> = ["name", "version", "description", "downloadUrl"]

/** The fields that were given, and no others. */
export const given = (
  options: {
    readonly [field in Field]?: Option.Option<string>
  }
): { readonly [field in Field]?: string } =>
  Object.fromEntries(
    fields.flatMap((field) => {
      const value = Option.getOrUndefined(options[field] ?? Option.none())
      return value === undefined ? [] : [[field, value]]
    })
  )

/** A request as it is shown before it is sent. */
export const RequestView = Schema.Struct({
  name: Schema.String,
  type: ExtensionType,
  version: Schema.String,
  description: Schema.optional(Schema.String),
  downloadUrl: Schema.optional(Schema.String)
})

export const requestView = (request: UpdateExtensionRequest): typeof RequestView.Type => ({
  name: request.name,
  type: request.type,
  version: request.version,
  description: request.description,
  downloadUrl: request.downloadUrl
})

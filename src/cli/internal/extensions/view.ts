/** An extension as the command line shows it: without the temporary link to its archive, which is a secret. */
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type Extension, ExtensionType, type ResourceHeaders } from "../../../cloud/Extension.ts"
import * as format from "../format.ts"
import { printable } from "./printable.ts"

/** What was not said is null. Sizes are bytes. */
export const ExtensionView = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  type: ExtensionType,
  version: Schema.String,
  description: Schema.NullOr(Schema.String),
  url: Schema.NullOr(Schema.String),
  /** Without its query, which may hold a signature. */
  downloadUrl: Schema.NullOr(Schema.String),
  /** Null where they were not asked for. */
  deployments: Schema.NullOr(Schema.Array(Schema.String)),
  size: Schema.NullOr(Schema.Number),
  modified: Schema.NullOr(Schema.DateTimeUtc)
})

export interface ExtensionView extends Schema.Schema.Type<typeof ExtensionView> {}

/** What the headers tell of the extension as a resource. */
export const ResourceView = Schema.Struct({
  version: Schema.NullOr(Schema.String),
  created: Schema.NullOr(Schema.DateTimeUtc),
  lastModified: Schema.NullOr(Schema.DateTimeUtc)
})

export interface ResourceView extends Schema.Schema.Type<typeof ResourceView> {}

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

export const resourceOf = (resource: ResourceHeaders): ResourceView => ({
  version: Option.getOrNull(resource.version),
  created: Option.getOrNull(resource.created),
  lastModified: Option.getOrNull(resource.lastModified)
})

const nothing = "-"

const instant = (at: DateTime.Utc | null): string =>
  at === null ? nothing : DateTime.formatIso(at).replace("T", " ").replace(/\.\d+/, "")

export const headings = ["ID", "NAME", "TYPE", "VERSION", "SIZE", "MODIFIED"] as const

/** One line of a table under `headings`. */
export const rowOf = ({ id, modified, name, size, type, version }: ExtensionView): ReadonlyArray<string> => [
  printable(id),
  printable(name),
  type,
  printable(version),
  size === null ? "no file" : format.bytes(size),
  instant(modified)
]

/** Everything known, as names and values. */
export const factsOf = (
  extension: ExtensionView,
  resource: ResourceView
): ReadonlyArray<readonly [name: string, value: string]> => [
  ["id", printable(extension.id)],
  ["type", extension.type],
  ["version", printable(extension.version)],
  ["description", printable(extension.description ?? nothing)],
  ["file", extension.size === null ? "none" : `${format.bytes(extension.size)} (${extension.size} bytes)`],
  ["uploaded", instant(extension.modified)],
  ["plan url", printable(extension.url ?? nothing)],
  ...(extension.downloadUrl === null ? [] : [["download url", printable(extension.downloadUrl)] as const]),
  ["created", instant(resource.created)],
  ["changed", instant(resource.lastModified)],
  ["revision", printable(resource.version ?? nothing)],
  ...(extension.deployments === null
    ? []
    : [["used by", extension.deployments.map(printable).join(", ") || "no deployment"] as const])
]

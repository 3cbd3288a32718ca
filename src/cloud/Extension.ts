/**
 * What Elastic Cloud says and expects about an extension, as schemas. Nothing here talks to anyone.
 *
 * The service sends `null` where its description says "optional", and even for the required `url`: both are `None`
 * here. Fields this version does not know are ignored.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { isFullVersion } from "../elasticsearchVersion.ts"
import { ExtensionId } from "./ExtensionId.ts"

const absentOrNull = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.optionalWith(schema, { as: "Option", nullable: true, exact: true })

const omissible = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

const isoDateTime = /^(\d{4}|[+-]\d{6})-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$/

/** `Date.parse` alone takes many things for a date that are none, and a time without a zone for local time. */
const DateTimeUtc = Schema.String.pipe(
  Schema.pattern(isoDateTime, { message: () => "Expected an ISO 8601 date and time" }),
  Schema.compose(Schema.DateTimeUtc)
)

/**
 * A plugin adds code to Elasticsearch; a bundle adds files (dictionaries, scripts, trust stores) to its configuration.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ExtensionType = Schema.Literal("plugin", "bundle")

/**
 * A plugin or a bundle.
 *
 * @since 0.1.0
 * @category models
 */
export type ExtensionType = typeof ExtensionType.Type

/**
 * What the service knows about the stored archive.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ExtensionFileMetadata = Schema.Struct({
  lastModifiedDate: absentOrNull(DateTimeUtc).pipe(Schema.fromKey("last_modified_date")),
  /** Size of the stored archive in bytes. */
  size: absentOrNull(Schema.NonNegativeInt),
  /** A temporary link to the stored archive. Whoever holds it can read the file, hence the redaction. */
  url: absentOrNull(Schema.Redacted(Schema.String))
}).annotations({ identifier: "ExtensionFileMetadata" })

/**
 * What the service knows about the stored archive.
 *
 * @since 0.1.0
 * @category models
 */
export interface ExtensionFileMetadata extends Schema.Schema.Type<typeof ExtensionFileMetadata> {}

/**
 * An extension, without the resource version that travels in the headers beside it.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Extension = Schema.Struct({
  id: ExtensionId,
  name: Schema.String,
  /** What a deployment plan refers to, usually `repo://<id>`. `None` on a fresh extension. */
  url: absentOrNull(Schema.String),
  /** The Elasticsearch version, or for a bundle a pattern of versions. */
  version: Schema.String,
  type: Schema.propertySignature(ExtensionType).pipe(Schema.fromKey("extension_type")),
  description: absentOrNull(Schema.String),
  downloadUrl: absentOrNull(Schema.String).pipe(Schema.fromKey("download_url")),
  /** Ids of the deployments that use the extension, at most 10000. `None` unless they were asked for. */
  deployments: absentOrNull(Schema.Array(Schema.String)),
  fileMetadata: absentOrNull(ExtensionFileMetadata).pipe(Schema.fromKey("file_metadata"))
}).annotations({ identifier: "Extension" })

/**
 * An extension as the service describes it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Extension extends Schema.Schema.Type<typeof Extension> {}

/**
 * The answer to the listing of all extensions. There is no paging.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Extensions = Schema.Struct({ extensions: Schema.Array(Extension) }).annotations({
  identifier: "Extensions"
})

/**
 * The three response headers about the resource. A proxy may strip any of them (`None`); one that is there but
 * unreadable is an invalid response.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ResourceHeaders = Schema.Struct({
  /** Changes whenever the extension does. Opaque: only equality means anything. */
  version: absentOrNull(Schema.NonEmptyString).pipe(Schema.fromKey("x-cloud-resource-version")),
  created: absentOrNull(DateTimeUtc).pipe(Schema.fromKey("x-cloud-resource-created")),
  lastModified: absentOrNull(DateTimeUtc).pipe(Schema.fromKey("x-cloud-resource-last-modified"))
}).annotations({ identifier: "ResourceHeaders" })

/**
 * Version and dates of an extension, as far as the answer told them.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResourceHeaders extends Schema.Schema.Type<typeof ResourceHeaders> {}

/**
 * An extension and its resource headers, decoded from the `body` and the `headers` of one response.
 *
 * @since 0.1.0
 * @category schemas
 */
export const VersionedExtension = Schema.Struct({
  extension: Schema.propertySignature(Extension).pipe(Schema.fromKey("body")),
  resource: Schema.propertySignature(ResourceHeaders).pipe(Schema.fromKey("headers"))
}).annotations({ identifier: "VersionedExtension" })

/**
 * An extension, and the version that was read.
 *
 * @since 0.1.0
 * @category models
 */
export interface VersionedExtension extends Schema.Schema.Type<typeof VersionedExtension> {}

/**
 * One entry of an error body.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ApiError = Schema.Struct({
  code: Schema.String,
  message: Schema.String,
  /** The fields of the request that the error is about. */
  fields: absentOrNull(Schema.Array(Schema.String))
}).annotations({ identifier: "ApiError" })

/**
 * One entry of an error body.
 *
 * @since 0.1.0
 * @category models
 */
export interface ApiError extends Schema.Schema.Type<typeof ApiError> {}

/**
 * The body of every documented error answer. Several errors may come at once.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ApiErrorBody = Schema.Struct({ errors: Schema.Array(ApiError) }).annotations({
  identifier: "ApiErrorBody"
})

/**
 * The errors of one answer.
 *
 * @since 0.1.0
 * @category models
 */
export interface ApiErrorBody extends Schema.Schema.Type<typeof ApiErrorBody> {}

const ExtensionName = Schema.String.pipe(
  Schema.pattern(/^[A-Za-z0-9_.-]+$/, {
    message: () =>
      'Extension names hold ASCII letters, digits, "_", "." and "-" only, and at least one of them'
  })
)

const DownloadUrl = Schema.String.pipe(
  Schema.filter((url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol), {
    message: () => "A download URL is a complete http or https address"
  })
)

const versionPattern = /^(\*|\d+\.\*|\d+\.\d+\.\*)$/

const versionProblem = (request: { readonly version: string; readonly type: ExtensionType }) => {
  if (isFullVersion(request.version)) return undefined
  if (request.type === "bundle" && versionPattern.test(request.version)) return undefined
  return {
    path: ["version"],
    message:
      request.type === "plugin"
        ? 'A plugin fits exactly one Elasticsearch version: give it in full, such as "8.17.0", without a wildcard'
        : 'The version of a bundle is a full Elasticsearch version such as "8.17.0", or a pattern such as "8.*" or "*"'
  }
}

const RequestFields = Schema.Struct({
  name: ExtensionName,
  version: Schema.String,
  type: Schema.propertySignature(ExtensionType).pipe(Schema.fromKey("extension_type")),
  description: omissible(Schema.String),
  /** Where the service fetches the archive itself. Leave it out to upload the file. */
  downloadUrl: omissible(DownloadUrl).pipe(Schema.fromKey("download_url"))
})

/**
 * What creates an extension. Name and version are checked against the documented rules.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CreateExtensionRequest = RequestFields.pipe(
  Schema.filter(versionProblem),
  Schema.annotations({ identifier: "CreateExtensionRequest" })
)

/**
 * What creates an extension.
 *
 * @since 0.1.0
 * @category models
 */
export interface CreateExtensionRequest extends Schema.Schema.Type<typeof CreateExtensionRequest> {}

/**
 * What updates an extension. Name, version and type have to be sent again even where they stay the same:
 * `updateRequest` does that.
 *
 * @since 0.1.0
 * @category schemas
 */
export const UpdateExtensionRequest = RequestFields.pipe(
  Schema.filter(versionProblem),
  Schema.annotations({ identifier: "UpdateExtensionRequest" })
)

/**
 * What updates an extension.
 *
 * @since 0.1.0
 * @category models
 */
export interface UpdateExtensionRequest extends Schema.Schema.Type<typeof UpdateExtensionRequest> {}

/**
 * An update that changes only what it names and sends the rest again. A `downloadUrl` is sent only when it is among the
 * changes, because sending one makes the service fetch the archive anew.
 *
 * @since 0.1.0
 * @category constructors
 */
export const updateRequest = (
  current: Extension,
  changes: Partial<UpdateExtensionRequest>
): UpdateExtensionRequest => ({
  name: current.name,
  version: current.version,
  type: current.type,
  ...(Option.isSome(current.description) ? { description: current.description.value } : {}),
  ...changes
})

import * as Data from "effect/Data"
import type { ExtensionRecord } from "./store.ts"

/**
 * A final answer.
 *
 * @internal
 */
export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: ReplyBody
}

/** @internal */
export type ReplyBody =
  | { readonly _tag: "Bytes"; readonly bytes: Uint8Array }
  | { readonly _tag: "File"; readonly path: string; readonly size: number }

/** @internal */
export const bytes = (
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array
): Reply => ({
  status,
  headers,
  body: { _tag: "Bytes", bytes: typeof body === "string" ? Buffer.from(body) : body }
})

/** @internal */
export const json = (status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Reply =>
  bytes(status, { "content-type": "application/json", ...headers }, JSON.stringify(value))

interface ErrorElement {
  readonly code: string
  readonly message: string
  readonly fields?: ReadonlyArray<string>
}

/**
 * A request that is not carried out, and what is said about it.
 *
 * @internal
 */
export class Refusal extends Data.TaggedError("Refusal")<{
  readonly status: number
  readonly errors: ReadonlyArray<ErrorElement>
  readonly headers?: Readonly<Record<string, string>>
}> {}

/** @internal */
export const refused = ({ errors, headers, status }: Refusal): Reply => {
  const codes = new Set(errors.map(({ code }) => code))
  return json(status, { errors }, { ...headers, "x-cloud-error-codes": [...codes].join(",") })
}

const refusal = (status: number, code: string, message: string) =>
  new Refusal({ status, errors: [{ code, message }] })

/**
 * The refusals the published description documents, under their own codes.
 *
 * @internal
 */
export const documented = {
  unauthorised: refusal(401, "extensions.unauthorised", "The extension does not belong to you."),
  noUserId: (status: 401 | 404) =>
    refusal(
      status,
      "extensions.no_user_id",
      "Your current session does not have a user id associated with it."
    ),
  notFound: (id: string) => refusal(404, "extensions.not_found", `The extension [${id}] does not exist.`),
  failed: (message: string, ...fields: ReadonlyArray<string>) =>
    new Refusal({
      status: 400,
      errors: [
        { code: "extensions.request_execution_failed", message, ...(fields.length === 0 ? {} : { fields }) }
      ]
    }),
  inUse: (deployments: ReadonlyArray<string>) =>
    refusal(
      400,
      "extensions.extension_in_use",
      `The extension is used by ${deployments.length} deployment(s): ${deployments.join(", ")}.`
    )
}

/**
 * Refusals of the service around the extensions, which the description leaves out. The `root.` codes follow the
 * service's style and are not promised anywhere.
 *
 * @internal
 */
export const undocumented = {
  unauthenticated: new Refusal({
    status: 401,
    errors: [{ code: "root.unauthenticated", message: "The API key is missing or not valid." }],
    headers: { "www-authenticate": "ApiKey" }
  }),
  unknownPath: refusal(404, "root.resource_not_found", "The requested resource could not be found."),
  wrongMethod: (allowed: ReadonlyArray<string>) =>
    new Refusal({
      status: 405,
      errors: [{ code: "root.method_not_allowed", message: `Only ${allowed.join(", ")} can be used here.` }],
      headers: { allow: allowed.join(", ") }
    }),
  tooLarge: (maxBytes: number) =>
    refusal(413, "root.request_too_large", `The request body is larger than ${maxBytes} bytes.`),
  unknownExpectation: refusal(417, "root.expectation_failed", "Only 100-continue can be expected."),
  failure: refusal(500, "root.internal_error", "There was an internal server error."),
  gatewayTimeout: refusal(504, "root.gateway_timeout", "The service did not answer in time.")
}

/**
 * The three headers that tell the state of a resource.
 *
 * @internal
 */
export const resourceHeaders = (extension: ExtensionRecord): Readonly<Record<string, string>> => ({
  "x-cloud-resource-version": String(extension.resourceVersion),
  "x-cloud-resource-created": extension.created,
  "x-cloud-resource-last-modified": extension.lastModified
})

/**
 * How an extension is shown. Like the service, holds null where a value is missing, even for the required `url`.
 *
 * @internal
 */
export interface ExtensionView {
  readonly includeDeployments: boolean
  /** The temporary link to the archive, or null where none is given. */
  readonly link: string | null
}

const MAX_DEPLOYMENTS = 10_000

/** @internal */
export const extensionJson = (extension: ExtensionRecord, { includeDeployments, link }: ExtensionView) => ({
  id: extension.id,
  name: extension.name,
  description: extension.description,
  url: extension.file === null ? null : `repo://${extension.id}`,
  download_url: extension.downloadUrl,
  extension_type: extension.type,
  version: extension.version,
  deployments: includeDeployments ? extension.deployments.slice(0, MAX_DEPLOYMENTS) : null,
  ...(extension.file === null
    ? {}
    : {
        file_metadata: {
          last_modified_date: extension.file.lastModified,
          size: extension.file.size,
          url: link
        }
      })
})

/** How an extension is shown. */
import type { StoredExtension } from "../StoredExtension.ts"

const MAX_DEPLOYMENTS = 10_000

/** Like the service, holds null where a value is missing, even for the required `url`. */
export const extensionJson = (
  extension: StoredExtension,
  {
    includeDeployments = false,
    link
  }: {
    readonly includeDeployments?: boolean
    /** The temporary link to the archive, or null where none is given. */
    readonly link: string | null
  }
) => ({
  id: extension.id,
  name: extension.name,
  description: extension.description ?? null,
  url: extension.file === undefined ? null : `repo://${extension.id}`,
  download_url: extension.downloadUrl ?? null,
  extension_type: extension.type,
  version: extension.version,
  deployments: includeDeployments ? extension.deployments.slice(0, MAX_DEPLOYMENTS) : null,
  ...(extension.file === undefined
    ? {}
    : {
        file_metadata: {
          last_modified_date: extension.file.lastModified,
          size: extension.file.size,
          url: link
        }
      })
})

/** The three headers that tell the state of a resource. */
export const resourceHeaders = (extension: StoredExtension): Readonly<Record<string, string>> => ({
  "x-cloud-resource-version": String(extension.resourceVersion),
  "x-cloud-resource-created": extension.created,
  "x-cloud-resource-last-modified": extension.lastModified
})

/**
 * The extensions that the stand-in holds, seen past its API.
 *
 * @since 0.1.0
 */

/**
 * An extension as it is in the store.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoredExtension {
  readonly id: string
  readonly owner: string
  readonly name: string
  readonly type: "plugin" | "bundle"
  readonly version: string
  readonly description: string | undefined
  readonly downloadUrl: string | undefined
  readonly deployments: ReadonlyArray<string>
  /** Starts at 1 and grows by one with every change. */
  readonly resourceVersion: number
  /** ISO 8601, UTC, milliseconds. */
  readonly created: string
  /** As `created`. Every change has a later one than the change before. */
  readonly lastModified: string
  /** The current archive; `size` in bytes, `sha256` hexadecimal. Its path changes with its content. */
  readonly file:
    | {
        readonly size: number
        readonly sha256: string
        readonly lastModified: string
        readonly path: string
      }
    | undefined
  /** How many uploads were applied. */
  readonly uploads: number
}

/**
 * An extension to put into the store past the API. With the id of one that exists, it replaces what is given, as
 * another writer would.
 *
 * @since 0.1.0
 * @category models
 */
export interface SeedExtension {
  /** Default: a new one, as the API would choose it. */
  readonly id?: string | undefined
  readonly name: string
  readonly extension_type: "plugin" | "bundle"
  readonly version: string
  /** Default: the owner of the first account that has one. */
  readonly owner?: string | undefined
  readonly description?: string | undefined
  /** Stored as it is, ZIP or not. */
  readonly file?: Uint8Array | undefined
  readonly deployments?: ReadonlyArray<string> | undefined
}

/**
 * What an archive is, and what an extension wants it to be.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * A plugin with a classic or a stable descriptor, a bundle of configuration files, or something that is none of them.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ArchiveType = Schema.Literal("plugin-classic", "plugin-stable", "bundle", "unknown")

/**
 * What kind of extension an archive holds.
 *
 * @since 0.1.0
 * @category models
 */
export type ArchiveType = typeof ArchiveType.Type

/**
 * The extension an archive is meant for.
 *
 * @since 0.1.0
 * @category models
 */
export interface ExpectedExtension {
  readonly type: "plugin" | "bundle"
  /** The extension's version: of Elasticsearch for a plugin, possibly with wildcards for a bundle. */
  readonly version?: string | undefined
}

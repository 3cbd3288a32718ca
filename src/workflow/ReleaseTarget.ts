/**
 * The extension that a release is for.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { ExtensionType } from "../cloud/Extension.ts"
import { ExtensionId } from "../cloud/ExtensionId.ts"

/**
 * An extension that exists.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Id = Schema.TaggedStruct("Id", { id: ExtensionId })

/**
 * The extension of this name and type, which is created where there is none.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Named = Schema.TaggedStruct("Named", {
  name: Schema.NonEmptyString,
  type: ExtensionType,
  /** The version of Elasticsearch; for a bundle possibly a pattern such as `8.*`. */
  version: Schema.NonEmptyString,
  description: Schema.optionalWith(Schema.String, { exact: true })
})

/**
 * An extension by its id, or by name and type.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ReleaseTarget = Schema.Union(Id, Named)

/**
 * An extension by its id, or by name and type.
 *
 * @since 0.1.0
 * @category models
 */
export type ReleaseTarget = typeof ReleaseTarget.Type

/**
 * The extension with this id. An id that is only a string yet is checked when the payload is prepared.
 *
 * @since 0.1.0
 * @category constructors
 */
export const id = <Id extends string>(extensionId: Id): { readonly _tag: "Id"; readonly id: Id } => ({
  _tag: "Id",
  id: extensionId
})

/**
 * The extension of this name and type, with this version and description.
 *
 * @since 0.1.0
 * @category constructors
 */
export const named = (extension: Omit<typeof Named.Type, "_tag">): typeof Named.Type => ({
  _tag: "Named",
  ...extension
})

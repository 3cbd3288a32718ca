/**
 * The deployments that use an extension. They take a new file when their nodes next start, ready or not.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Extension } from "../cloud/Extension.ts"
import { ExtensionProtected, listedDeployments } from "./UploadError.ts"
import { emit } from "./UploadEvent.ts"
import { UploadSettings } from "./UploadSettings.ts"

/**
 * The ids of the deployments that use an extension, as far as it was read with them.
 *
 * @since 0.1.0
 * @category reading
 */
export const deploymentsOf = ({ deployments }: Pick<Extension, "deployments">): ReadonlyArray<string> =>
  Option.getOrElse(deployments, () => [])

/**
 * Warns that deployments use the extension whose file is about to be replaced. Refuses to, where the settings say
 * `protectInUse`.
 *
 * @since 0.1.0
 * @category steps
 */
export const requireReplaceable = Effect.fnUntraced(function* (
  extension: Pick<Extension, "id" | "deployments">
): Effect.fn.Return<void, ExtensionProtected> {
  const deployments = deploymentsOf(extension)
  if (deployments.length === 0) return
  const { protectInUse } = yield* UploadSettings
  if (protectInUse) return yield* new ExtensionProtected({ extensionId: extension.id, deployments })
  yield* emit({
    _tag: "Warning",
    code: "InUse",
    message: `Extension ${extension.id} is used by ${listedDeployments(deployments)}. A deployment takes the new file when its nodes next start.`
  })
})

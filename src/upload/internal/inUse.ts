/** Replacing the file of an extension that deployments use: they take it at their next restart, ready or not. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Extension } from "../../cloud/Extension.ts"
import { ExtensionProtected } from "../UploadError.ts"
import { listed } from "./deployments.ts"
import type * as Run from "./run.ts"

/** Says which deployments use the extension, or refuses to go on because of them. @internal */
export const requireFree = (
  run: Pick<Run.Run, "emit" | "extensionId" | "settings">,
  extension: Pick<Extension, "deployments">
): Effect.Effect<void, ExtensionProtected> => {
  const { extensionId } = run
  const deployments = Option.getOrElse(extension.deployments, (): ReadonlyArray<string> => [])
  if (deployments.length === 0) return Effect.void
  if (run.settings.protectInUse) return new ExtensionProtected({ extensionId, deployments })
  return run.emit({
    _tag: "Warning",
    code: "InUse",
    message: `Extension ${extensionId} is used by ${listed(deployments)}. A deployment takes the new file when its nodes next start.`
  })
}

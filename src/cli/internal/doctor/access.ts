/** Whether the API key is accepted, and whether a user stands behind it. */
import { randomUUID } from "node:crypto"
import * as HttpBody from "@effect/platform/HttpBody"
import * as Effect from "effect/Effect"
import type { Extension } from "../../../cloud/Extension.ts"
import { ExtensionId } from "../../../cloud/ExtensionId.ts"
import type { ExtensionsClientService } from "../../../cloud/ExtensionsClient.ts"
import { type Finding, failed, ok, warning } from "./finding.ts"

const count = (extensions: ReadonlyArray<Extension>): string =>
  extensions.length === 1 ? "1 extension" : `${extensions.length} extensions`

/**
 * Lists the extensions, which any key that is accepted may do.
 *
 * @internal
 */
export const examineKey = (client: ExtensionsClientService) =>
  Effect.match(client.list, {
    onFailure: (error) => ({ finding: failed("key", error), extensions: undefined }),
    onSuccess: (extensions) => ({
      finding: ok("key", `accepted; it sees ${count(extensions)}`),
      extensions
    })
  })

/**
 * An id that no extension has: requests to it change nothing.
 *
 * @internal
 */
export const nobodysId: Effect.Effect<ExtensionId> = Effect.sync(() =>
  ExtensionId.make(randomUUID().replaceAll("-", ""))
)

const unknownUser = (detail: string): Finding =>
  warning("user", `not known whether the key has a user: ${detail}`)

/**
 * Only operations that write are refused to a key without a user. An empty upload to an extension that does not exist is
 * the one that can do no harm.
 *
 * @internal
 */
export const examineUser = (client: ExtensionsClientService): Effect.Effect<Finding> =>
  Effect.flatMap(nobodysId, (id) => client.upload(id, HttpBody.empty)).pipe(
    Effect.as(unknownUser("the server took an upload to an extension that does not exist")),
    Effect.catchTags({
      ExtensionNotFound: () => Effect.succeed(ok("user", "the key may write")),
      NoUserId: (error) => Effect.succeed(failed("user", error)),
      AuthenticationFailed: (error) => Effect.succeed(failed("user", error)),
      Forbidden: (error) => Effect.succeed(failed("user", error)),
      ElevatedPermissionsRequired: (error) => Effect.succeed(failed("user", error))
    }),
    Effect.catchAll((error) => Effect.succeed(unknownUser(error.message)))
  )

/** The extension a release is for: looked up by its id, or found or created by name and type as publishing does it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { ExtensionId } from "../../cloud/ExtensionId.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import { UploadJournal } from "../../journal/UploadJournal.ts"
import { findOrCreate } from "../../publish/internal/find.ts"
import { updateMetadata } from "../../publish/internal/metadata.ts"
import * as RetryPolicy from "../../transfer/RetryPolicy.ts"
import { UploadSettings } from "../../upload/UploadSettings.ts"
import type { ReleaseTarget } from "../ReleaseTarget.ts"

/** @internal */
export const ensureExtension = (target: ReleaseTarget) =>
  target._tag === "Id" ? existing(target.id) : named(target)

const existing = (id: ExtensionId) =>
  Effect.gen(function* () {
    const client = yield* ExtensionsClient
    const { extension } = yield* client.get(id).pipe(RetryPolicy.retry())
    return { extensionId: extension.id, created: false }
  })

/** Before the archive is sent, which must fit the version that its extension says. */
const named = ({ description, name, type, version }: Extract<ReleaseTarget, { _tag: "Named" }>) =>
  Effect.gen(function* () {
    const client = yield* ExtensionsClient
    yield* takeName(client.baseUrl, `${type}/${name}`)
    const target = yield* findOrCreate({
      startedAtMillis: yield* Clock.currentTimeMillis,
      client,
      wanted: { name, type, version, description },
      settings: yield* UploadSettings,
      overrides: {},
      emit: () => Effect.void
    })
    yield* updateMetadata(target, target.extension)
    return { extensionId: target.extensionId, created: target.created }
  }).pipe(Effect.scoped)

/** The lock that publishing takes: of two who would create the extension, the second finds that of the first. */
const takeName = (origin: string, name: string) =>
  Effect.flatMap(UploadJournal, (journal) => journal.open({ origin, extensionId: name })).pipe(
    RetryPolicy.retry()
  )

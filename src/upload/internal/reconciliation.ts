/** Settling what an attempt whose end is open has done, by asking the server. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { ExtensionsError } from "../../cloud/ExtensionsError.ts"
import type { JournalBaseline } from "../../journal/JournalRecord.ts"
import type { TransferError } from "../../transfer/TransferError.ts"
import * as ServerState from "../StoredArchive.ts"
import { OutcomeUnknown, UploadConflict } from "../UploadError.ts"
import type { Proof } from "../UploadReceipt.ts"
import * as Run from "./run.ts"

/** @internal */
export type Outcome =
  | { readonly _tag: "NotApplied" }
  | { readonly _tag: "Applied"; readonly proof: Proof; readonly state: ServerState.ServerState }
  | { readonly _tag: "Conflict"; readonly state: ServerState.ServerState }
  | { readonly _tag: "Unknown"; readonly detail: string }

const pollMillis = 500

/**
 * Watches the server for at most `windowMillis` (0 asks once). As long as nothing changes, nothing was applied; the
 * first change is either ours, which its content proves, or someone else's.
 *
 * @internal
 */
export const reconcile = (
  run: Run.Run,
  baseline: JournalBaseline,
  windowMillis: number
): Effect.Effect<Outcome> =>
  Effect.flatMap(Clock.currentTimeMillis, (startedAt) => {
    const look: Effect.Effect<Outcome> = Effect.gen(function* () {
      const outcome = yield* lookOnce(run, baseline)
      if (outcome._tag !== "NotApplied") return outcome
      const left = startedAt + windowMillis - (yield* Clock.currentTimeMillis)
      if (left <= 0) return outcome
      return yield* Effect.delay(look, Duration.millis(Math.min(left, pollMillis)))
    })
    return look
  })

const lookOnce = (run: Run.Run, baseline: JournalBaseline): Effect.Effect<Outcome> =>
  Effect.gen(function* () {
    const state = yield* Run.readState(run)
    const comparison = ServerState.compare(baseline, state.told)
    if (comparison === "unchanged") return notApplied
    const content = yield* Run.matchContent(run, state).pipe(
      Run.persistently(run),
      Effect.catchTag("VerificationLinkRefused", (error) => Run.matchSize(run, state, error.message))
    )
    if (content._tag === "Different") {
      return comparison === "changed"
        ? conflict(state)
        : unknown("the service tells neither a version nor a date")
    }
    if (content._tag === "Same" && (comparison === "changed" || content.proof === "hash")) {
      return { _tag: "Applied", proof: content.proof, state } satisfies Outcome
    }
    return unknown("the service does not tell what it holds")
  }).pipe(Effect.catchAll((error) => Effect.succeed(unknown(cannotAsk(error)))))

const notApplied: Outcome = { _tag: "NotApplied" }
const conflict = (state: ServerState.ServerState): Outcome => ({ _tag: "Conflict", state })
const unknown = (detail: string): Outcome => ({ _tag: "Unknown", detail })

const cannotAsk = (error: ExtensionsError | TransferError): string =>
  `the service could not be asked (${error._tag}: ${error.message})`

/** @internal */
export const conflictError = (run: Run.Run, before: JournalBaseline, now: JournalBaseline): UploadConflict =>
  new UploadConflict({ extensionId: run.extensionId, before: holder(before), now: holder(now) })

const holder = (told: JournalBaseline) => ({
  resourceVersion: told.resourceVersion ?? null,
  lastModified: told.lastModified ?? null,
  size: told.file?.size ?? null
})

/** @internal */
export const unknownError = (run: Run.Run, cause: string, detail: string): OutcomeUnknown =>
  new OutcomeUnknown({ extensionId: run.extensionId, cause, detail })

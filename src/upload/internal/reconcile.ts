/** Settling what has become of a request whose end is open, by asking the server. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import type { JournalBaseline } from "../../journal/JournalRecord.ts"
import { spanned } from "../../telemetry.ts"
import * as StoredArchive from "../StoredArchive.ts"
import { conflictBetween, OutcomeUnknown, type UploadConflict } from "../UploadError.ts"
import { emit, retrying } from "../UploadEvent.ts"
import type { Proof } from "../UploadReceipt.ts"
import { UploadSettings } from "../UploadSettings.ts"
import { watch } from "../Watch.ts"
import type { ReadingError } from "./hashing.ts"
import * as Run from "./run.ts"

/** What the server was found to hold. */
export type Outcome =
  | { readonly _tag: "NotApplied" }
  | { readonly _tag: "Applied"; readonly proof: Proof; readonly stored: StoredArchive.StoredArchive }
  | { readonly _tag: "Conflict"; readonly stored: StoredArchive.StoredArchive }
  | { readonly _tag: "Unknown"; readonly detail: string }

/**
 * Watches the server for a while. As long as nothing moves, nothing was applied. The first movement is ours, which its
 * content shows, or someone else's. A window of 0 asks once.
 */
export const reconcile = Effect.fnUntraced(function* (
  baseline: JournalBaseline,
  window: Duration.DurationInput
): Effect.fn.Return<Outcome, ReadingError, Run.Subject | ExtensionsClient> {
  const seen = yield* Effect.either(
    watch(look(baseline), { window, isSettled: ({ moved }) => moved !== "Unchanged" })
  )
  if (Either.isLeft(seen)) return unanswered(seen.left)
  const { moved, stored } = seen.right
  if (moved === "Unchanged") return notApplied
  const content = yield* Run.content
  return yield* Effect.catchAll(judge(moved, baseline, stored, content), (error) =>
    Effect.succeed(unanswered(error))
  )
}, spanned("ExtensionUpload.reconcile"))

const unanswered = ({ _tag, message }: { readonly _tag: string; readonly message: string }): Outcome =>
  unknown(`the service could not be asked (${_tag}: ${message})`)

const look = Effect.fnUntraced(function* (baseline: JournalBaseline) {
  const { extensionId } = yield* Run.Subject
  const stored = yield* StoredArchive.read(extensionId)
  return { stored, moved: StoredArchive.movement(baseline, stored.told) }
})

const judge = Effect.fnUntraced(function* (
  moved: "Changed" | "Unknown",
  baseline: JournalBaseline,
  seen: StoredArchive.StoredArchive,
  content: StoredArchive.Content
) {
  const { match, stored } = yield* StoredArchive.compare(seen, content).pipe(
    retrying,
    Effect.catchTag("VerificationLinkRefused", ({ message }) =>
      Effect.as(StoredArchive.warnOfWeakerProof(message), {
        match: StoredArchive.matchSize(seen, content),
        stored: seen
      })
    )
  )
  switch (match._tag) {
    case "Different":
      return moved === "Changed"
        ? conflict(stored)
        : unknown("the service tells neither a version nor a date")
    case "Same":
      if (match.proof === "hash") return applied(match.proof, stored)
      // Our size on the very archive of before: somebody has changed something else.
      if (moved === "Changed") {
        const isReplaced = StoredArchive.replacement(baseline, stored.told) === "Changed"
        return isReplaced ? applied(match.proof, stored) : conflict(stored)
      }
      return unknown("the service tells neither a version nor a date")
    case "Unknown":
      return unknown("the service does not tell what it holds")
  }
})

const notApplied: Outcome = { _tag: "NotApplied" }
const applied = (proof: Proof, stored: StoredArchive.StoredArchive): Outcome => ({
  _tag: "Applied",
  proof,
  stored
})
const conflict = (stored: StoredArchive.StoredArchive): Outcome => ({ _tag: "Conflict", stored })
const unknown = (detail: string): Outcome => ({ _tag: "Unknown", detail })

/** What an outcome means for what comes next. */
export type Verdict =
  /** The archive is there. */
  | { readonly _tag: "Delivered"; readonly proof: Proof; readonly stored: StoredArchive.StoredArchive }
  /** It is not, and it may be sent. */
  | { readonly _tag: "MaySend" }
  /** It is not, and it may be sent over what somebody else has put there: the baseline from now on. */
  | { readonly _tag: "MaySendOver"; readonly stored: StoredArchive.StoredArchive }

/** Nobody else's archive is overwritten unasked, and nothing is sent as long as it is unknown what is there. */
export const judgeOutcome = Effect.fnUntraced(function* (
  outcome: Outcome,
  baseline: JournalBaseline,
  cause: string
): Effect.fn.Return<Verdict, UploadConflict | OutcomeUnknown, Run.Subject> {
  const { extensionId } = yield* Run.Subject
  switch (outcome._tag) {
    case "NotApplied":
      return { _tag: "MaySend" }
    case "Applied":
      return { _tag: "Delivered", proof: outcome.proof, stored: outcome.stored }
    case "Unknown":
      return yield* new OutcomeUnknown({ extensionId, cause, detail: outcome.detail })
    case "Conflict": {
      const error = conflictBetween(extensionId, baseline, outcome.stored.told)
      const { onConflict } = yield* UploadSettings
      if (onConflict === "fail") return yield* error
      yield* emit({ _tag: "Warning", code: "OverwritingConflict", message: error.message })
      return { _tag: "MaySendOver", stored: outcome.stored }
    }
  }
})

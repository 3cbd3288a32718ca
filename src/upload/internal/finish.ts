/** After the content is there: prove it, and say what is known. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Struct from "effect/Struct"
import * as ServerState from "../StoredArchive.ts"
import { type UploadError, VerificationFailed } from "../UploadError.ts"
import { AlreadyCurrent, type Proof, Uploaded, type UploadReceipt } from "../UploadReceipt.ts"
import type { Delivered } from "./attempts.ts"
import { conflictError } from "./reconciliation.ts"
import * as Run from "./run.ts"

/** @internal */
export const prove = (run: Run.Run, delivered: Delivered): Effect.Effect<UploadReceipt, UploadError> =>
  Effect.gen(function* () {
    if (delivered._tag === "Found") return yield* uploaded(run, delivered.proof, delivered.state)
    const answered = ServerState.fromExtension(delivered.versioned)
    if (run.settings.verification === "response") return yield* uploaded(run, "response", answered)
    const state = yield* Run.readState(run)
    const content = yield* matchStored(run, state)
    switch (content._tag) {
      case "Same":
        return yield* uploaded(run, content.proof, state)
      case "Unknown":
        yield* Run.warnOfWeakerProof(run, "the service does not tell the size of what it holds")
        return yield* uploaded(run, "response", state)
      case "Different":
        return yield* differs(run, answered, state, content)
    }
  })

/** The service has answered for the upload already: bytes that cannot be fetched leave the size to go by. */
const matchStored = (run: Run.Run, state: ServerState.ServerState) =>
  run.settings.verification === "hash"
    ? Run.matchContent(run, state).pipe(
        Run.persistently(run),
        Effect.catchAll((error) => Run.matchSize(run, state, error.message))
      )
    : Effect.succeed(ServerState.matchSize(state, Run.contentOf(run)))

/** Other content than ours under a version that is not ours either was written by someone else after us. */
const differs = (
  run: Run.Run,
  answered: ServerState.ServerState,
  state: ServerState.ServerState,
  content: Extract<ServerState.ContentMatch, { _tag: "Different" }>
): Effect.Effect<never, UploadError> =>
  Effect.fail(
    ServerState.compare(version(answered), version(state)) === "changed"
      ? conflictError(run, answered.told, state.told)
      : new VerificationFailed({
          extensionId: run.extensionId,
          reason: content.reason,
          expected: content.reason === "Size" ? String(run.digest.stat.size) : run.digest.sha256,
          actual: content.actual
        })
  )

const version = ({ told }: ServerState.ServerState) => Struct.pick(told, "resourceVersion", "lastModified")

const uploaded = (run: Run.Run, proof: Proof, state: ServerState.ServerState) =>
  Effect.zipRight(
    run.emit({ _tag: "Verified", proof }),
    Effect.map(receiptFields(run, proof, state), (fields) => new Uploaded(fields))
  )

/** @internal */
export const alreadyCurrent = (run: Run.Run, state: ServerState.ServerState) =>
  Effect.zipRight(
    run.emit({ _tag: "Verified", proof: "hash" }),
    Effect.map(receiptFields(run, "hash", state), (fields) => new AlreadyCurrent(fields))
  )

const receiptFields = (run: Run.Run, proof: Proof, state: ServerState.ServerState) =>
  Effect.gen(function* () {
    const counts = yield* Ref.get(run.counters)
    const { baseline } = yield* Ref.get(run.record)
    return {
      extensionId: run.extensionId,
      archive: { name: run.archive.name, size: run.digest.stat.size, sha256: run.digest.sha256 },
      proof,
      attempts: counts.attempts,
      bytesSent: counts.bytesSent,
      bytesResumed: counts.resumedAt ?? 0,
      resourceVersion: {
        before: baseline.resourceVersion ?? null,
        after: state.told.resourceVersion ?? null
      },
      lastModified: state.told.lastModified ?? null,
      durationMillis: (yield* Clock.currentTimeMillis) - run.startedAtMillis
    }
  })

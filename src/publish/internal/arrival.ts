/** Watching the service until it holds what it was told to fetch, and comparing that with the local archive. */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import type { ArchiveDigest } from "../../archive/ArchiveDigest.ts"
import * as Run from "../../upload/internal/run.ts"
import * as ServerState from "../../upload/StoredArchive.ts"
import type { Proof } from "../../upload/UploadReceipt.ts"
import { DownloadFailed } from "../PublishError.ts"
import type { Target } from "./setup.ts"

/** A download that the service was told to make. @internal */
export interface Fetch {
  readonly target: Target
  /** Of the download URL. */
  readonly origin: string
  readonly startedAtMillis: number
  readonly timeout: Duration.Duration
  readonly before: ServerState.ServerState
  /** Whether the service has said that it is done. */
  readonly answered: boolean
  /** Of the local archive, if there is one. */
  readonly digest: ArchiveDigest | undefined
}

/** @internal */
export const awaitArrival = (fetch: Fetch) =>
  Effect.gen(function* () {
    const polls = yield* Ref.make(0)
    const { extension, state } = yield* Effect.zipRight(
      Ref.update(polls, (count) => count + 1),
      poll(fetch)
    ).pipe(Effect.retry({ schedule: polling(fetch.timeout), while: ({ _tag }) => _tag === "DownloadFailed" }))
    const proof = yield* prove(fetch, state)
    yield* fetch.target.emit({ _tag: "Verified", proof })
    return { extension, proof, polls: yield* Ref.get(polls), size: state.told.file?.size ?? null }
  })

/** Small archives arrive at once, large ones take their time. */
const polling = (timeout: Duration.Duration) =>
  Schedule.exponential("200 millis", 1.5).pipe(
    Schedule.union(Schedule.spaced("10 seconds")),
    Schedule.upTo(timeout)
  )

/** Fails as if the time was up; whether it is, the schedule knows. */
const poll = (fetch: Fetch) =>
  Effect.gen(function* () {
    const { client, emit, extensionId } = fetch.target
    const versioned = yield* Run.persistently(fetch.target)(client.get(extensionId))
    const state = ServerState.fromExtension(versioned)
    const elapsedMillis = yield* elapsedSince(fetch.startedAtMillis)
    const hasArrived = holdsNewFile(fetch, state)
    yield* emit({ _tag: "DownloadPolled", extensionId, elapsedMillis, hasArrived })
    return hasArrived
      ? { extension: versioned.extension, state }
      : yield* failed(fetch, { reason: "TimedOut", waitedMillis: elapsedMillis })
  })

const elapsedSince = (startedAtMillis: number) =>
  Effect.map(Clock.currentTimeMillis, (now) => now - startedAtMillis)

/**
 * A failed download is told in the answer to the request, so an answer without a failure is as good as a new date. The
 * resource version will not do for one: it may count the URL, noted long before the archive is there.
 */
const holdsNewFile = ({ answered, before }: Fetch, now: ServerState.ServerState): boolean => {
  const [was, is] = [before.told.file, now.told.file]
  if (is === undefined) return false
  return answered || was === undefined || ServerState.compare({ file: was }, { file: is }) === "changed"
}

const prove = (fetch: Fetch, state: ServerState.ServerState) =>
  Effect.gen(function* () {
    const { digest, target } = fetch
    if (digest === undefined || target.settings.verification === "response") return "response" satisfies Proof
    const run = { ...target, digest }
    const content = yield* matchStored(run, state)
    switch (content._tag) {
      case "Same":
        return content.proof
      case "Unknown":
        return yield* Effect.as(
          Run.warnOfWeakerProof(run, "the service does not tell its size"),
          "response" as const
        )
      case "Different": {
        const waitedMillis = yield* elapsedSince(fetch.startedAtMillis)
        const [what, expected] =
          content.reason === "Size" ? ["size in bytes", digest.stat.size] : ["SHA-256", digest.sha256]
        const detail = `its ${what} is ${content.actual}, expected ${expected}`
        return yield* failed(fetch, { reason: "Different", waitedMillis, detail })
      }
    }
  })

/** Bytes that cannot be fetched leave the size to go by. */
const matchStored = (run: Target & { readonly digest: ArchiveDigest }, state: ServerState.ServerState) =>
  run.settings.verification === "hash"
    ? Run.matchContent(run, state).pipe(
        Run.persistently(run),
        Effect.catchAll((error) => Run.matchSize(run, state, error.message))
      )
    : Effect.succeed(ServerState.matchSize(state, Run.contentOf(run)))

const failed = (
  { origin, target: { extensionId } }: Fetch,
  why: Pick<DownloadFailed, "reason" | "waitedMillis" | "detail">
) => new DownloadFailed({ extensionId, origin, ...why })

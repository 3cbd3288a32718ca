/** The digest of the archive of one upload: taken before the archive is sent, or while it is. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import type * as Stream from "effect/Stream"
import type * as Archive from "../../archive/Archive.ts"
import * as ArchiveDigest from "../../archive/ArchiveDigest.ts"
import { ArchiveChanged, type ArchiveError } from "../../archive/ArchiveError.ts"
import * as ArchiveInspection from "../../archive/ArchiveInspection.ts"
import * as ByteStream from "../../byteStream.ts"
import * as LocalArchive from "../LocalArchive.ts"
import { emit } from "../UploadEvent.ts"

/** What the archive can turn out to be when it is read: gone, another one, or of no use. */
export type ReadingError = ArchiveError | ArchiveInspection.InvalidArchive

/** What is done with what a sending finds out. Nothing of a chunk is sent before that. */
export interface Findings<E> {
  /** The digest up to the end of the next chunk. */
  readonly onHashed: (checkpoint: ArchiveDigest.Checkpoint) => Effect.Effect<void, E>
  /** The whole is known, and the last chunk is next. */
  readonly onDigested: (digest: ArchiveDigest.ArchiveDigest) => Effect.Effect<void, E>
}

export interface Hashing {
  /** Decides that the archive is hashed and checked while it is sent. */
  readonly whileSending: Effect.Effect<void>
  /** What is known of the content. */
  readonly known: Effect.Effect<Option.Option<ArchiveInspection.Digested>>
  /**
   * The same, for which the archive is read unless that was done. Where it was to be hashed while it is sent, it has to be
   * usable, and to begin with what was sent already.
   */
  readonly whole: Effect.Effect<ArchiveInspection.Digested, ReadingError>
  /** Reads the whole archive if an earlier sending of it was cut short. */
  readonly settled: Effect.Effect<void, ReadingError>
  /**
   * The archive's bytes from `offset`. The first reading from the start is the one that hashes them; later ones compare. The
   * last chunk comes only when the whole was found to be usable, and what it was.
   */
  readonly read: <E>(
    options: Omit<Archive.ReadOptions, "expected">,
    findings: Findings<E>
  ) => Stream.Stream<Uint8Array, ReadingError | E>
}

type State =
  | { readonly _tag: "Before" }
  | {
      readonly _tag: "While"
      readonly hasBegun: boolean
      readonly checkpoints: ReadonlyArray<ArchiveDigest.Checkpoint>
    }
  | { readonly _tag: "Known"; readonly digested: ArchiveInspection.Digested }

/** `alsoAt` are offsets at which the digest is to be noted: those at which an earlier run has left off. */
export const makeHashing = (
  inspected: LocalArchive.Inspected,
  alsoAt: ReadonlyArray<number>
): Effect.Effect<Hashing> =>
  Effect.map(Ref.make<State>({ _tag: "Before" }), (state): Hashing => {
    const { archive, inspection, stat } = inspected
    const know = (digested: ArchiveInspection.Digested) =>
      Ref.set(state, { _tag: "Known" as const, digested })

    const whole = Effect.gen(function* () {
      const before = yield* Ref.get(state)
      if (before._tag === "Known") return before.digested
      const sent = before._tag === "While" ? before.checkpoints : []
      const offsets = [...alsoAt, ...sent.map(({ offset }) => offset)]
      const digested = yield* LocalArchive.digest(inspected, { alsoAt: offsets })
      const other = sent.find((checkpoint) => !ArchiveDigest.hasCheckpoint(digested.digest, checkpoint))
      if (other !== undefined) {
        const detail = `bytes 0 to ${other.offset} are not those that were sent`
        return yield* new ArchiveChanged({ path: archive.path, reason: "Modified", detail })
      }
      if (before._tag === "While") yield* LocalArchive.requireUsableContent(digested)
      yield* know(digested)
      return digested
    })

    const firstReading = <E>(
      options: Omit<Archive.ReadOptions, "expected" | "offset">,
      { onDigested, onHashed }: Findings<E>
    ) =>
      ArchiveInspection.digesting<never, ReadingError | E>(inspection, archive, {
        ...options,
        expected: stat,
        willBeReadAgain: false,
        onChunk: ({ checkpoint, checkpoints, position }) =>
          position === stat.size
            ? Effect.void
            : Effect.zipRight(
                Ref.set(state, {
                  _tag: "While" as const,
                  hasBegun: true,
                  checkpoints: [...checkpoints, checkpoint]
                }),
                onHashed(checkpoint)
              ),
        onDigested: (digested) =>
          Effect.gen(function* () {
            yield* LocalArchive.requireUsableContent(digested)
            yield* LocalArchive.tell(digested)
            yield* onDigested(digested.digest)
            yield* know(digested)
          })
      })

    return {
      whileSending: Ref.set(state, { _tag: "While", hasBegun: false, checkpoints: [] }),
      known: Effect.map(Ref.get(state), (now) =>
        now._tag === "Known" ? Option.some(now.digested) : Option.none()
      ),
      whole,
      settled: Effect.flatMap(Ref.get(state), (now) =>
        now._tag === "While" && now.hasBegun ? Effect.asVoid(whole) : Effect.void
      ),
      read: (options, findings) =>
        ByteStream.unwrap(
          Effect.gen(function* () {
            const now = yield* Ref.get(state)
            if (now._tag === "While" && !now.hasBegun && options.offset === 0) {
              yield* Ref.set(state, { ...now, hasBegun: true })
              yield* emit({ _tag: "DigestStarted", way: "WhileSending" })
              return firstReading(options, findings)
            }
            const { digest } = yield* whole
            return ArchiveDigest.verifying(digest, archive, options)
          })
        )
    }
  })

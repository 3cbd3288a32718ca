/** Who works on which upload right now, read from a journal's folder without taking part. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { isGone, JournalOwner, lockedBy, staleAfterMillis } from "../../../journal/internal/owner.ts"
import type { JournalLocked } from "../../../journal/JournalError.ts"
import { JournalId } from "../../../journal/JournalRecord.ts"

const decodeOwner = Schema.decode(Schema.parseJson(JournalOwner))
const isJournalId = Schema.is(JournalId)
const suffix = ".lock"

const holderOf = (folder: string, id: JournalId) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const file = (yield* Path.Path).join(folder, `${id}${suffix}`)
    const { mtime } = yield* fs.stat(file)
    const owner = yield* decodeOwner(yield* fs.readFileString(file))
    const now = yield* Clock.currentTimeMillis
    const silent = Option.exists(mtime, (date) => now - date.getTime() >= staleAfterMillis)
    return silent || (yield* isGone(owner)) ? Option.none() : Option.some(lockedBy(id, owner))
    // A lock that goes while it is looked at is held by nobody.
  }).pipe(Effect.orElseSucceed(() => Option.none<JournalLocked>()))

/**
 * Locks whose owner gives signs of life.
 *
 * @internal
 */
export const heldLocks = (
  folder: string
): Effect.Effect<ReadonlyArray<JournalLocked>, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const entries = yield* Effect.orElseSucceed(fs.readDirectory(folder), () => [])
    const ids = entries
      .filter((entry) => entry.endsWith(suffix))
      .map((entry) => entry.slice(0, -suffix.length))
    return Arr.getSomes(yield* Effect.forEach(ids.filter(isJournalId), (id) => holderOf(folder, id)))
  })

/**
 * Every way that an upload can go, up to a number of faults: the service applies, loses, delays or denies what it is sent,
 * somebody else writes, and the client dies at any request and is started again.
 */
import { describe, expect, it } from "@effect/vitest"
import { Config, Deferred, Effect, Exit, Layer, Option, Ref } from "effect"
import type * as Archive from "../../src/archive/Archive.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import * as RetryPolicy from "../../src/transfer/RetryPolicy.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import * as UploadSettings from "../../src/upload/UploadSettings.ts"
import { archiveFor, inSmallPieces, ways, zipOf } from "../support/upload/archives.ts"
import {
  type Append,
  type Ask,
  extensionId,
  inPieces,
  modelCloud,
  type Put,
  withoutWaiting
} from "../support/upload/modelCloud.ts"
import { journaled, sha256 } from "../support/upload/world.ts"

/** Picks one of so many alternatives; 0 is the one without a fault. */
type Choose = (alternatives: number) => number

/** Runs once for every sequence of choices in which at most `faults` differ from 0. Returns how many there were. */
const explore = <E, R>(faults: number, run: (choose: Choose) => Effect.Effect<void, E, R>) =>
  Effect.gen(function* () {
    const open: Array<ReadonlyArray<number>> = [[]]
    let runs = 0
    for (let prefix = open.pop(); prefix !== undefined; prefix = open.pop()) {
      const chosen = prefix
      const path: Array<number> = []
      const widths: Array<number> = []
      yield* run((alternatives) => {
        const choice = chosen[path.length] ?? 0
        path.push(choice)
        widths.push(alternatives)
        return choice
      })
      runs += 1
      if (chosen.filter((choice) => choice > 0).length === faults) continue
      for (let at = chosen.length; at < path.length; at++) {
        for (let other = 1; other < (widths[at] ?? 0); other++) open.push([...path.slice(0, at), other])
      }
    }
    return runs
  })

const puts: ReadonlyArray<Put | "dies before" | "dies after"> = [
  "applied",
  "answer lost",
  "cut",
  "dropped",
  "unavailable",
  "hollow 200",
  "early 200",
  "applied later",
  "dies before",
  "dies after"
]

const gets = ["answers", "others write", "dies"] as const

const appends: ReadonlyArray<Append | "dies before" | "dies after"> = [
  "taken",
  "answer lost",
  "taken, not said",
  "cut",
  "hollow 200",
  "unavailable",
  "applied later",
  "locked",
  "forgotten",
  "no PATCH",
  "refused",
  "dies before",
  "dies after"
]

const asks: ReadonlyArray<Ask> = ["told", "unavailable", "forgotten", "senseless"]

/** One life after the other, until one comes to an end of its own. */
const live = (archive: Archive.Archive, theirs: Uint8Array, resumes: boolean, choose: Choose) =>
  Effect.gen(function* () {
    const journal = yield* UploadJournal.UploadJournal
    const death = yield* Ref.make(yield* Deferred.make<void>())
    const die = Effect.flatMap(Ref.get(death), (now) => Deferred.succeed(now, undefined)).pipe(
      Effect.zipRight(Effect.never)
    )
    let diesAfter = false
    const overwritesNobody = Effect.gen(function* () {
      const { version, writer } = cloud.holds()
      if (writer !== "them") return
      // Whoever was there before this upload began is its baseline; whoever came later is not to be overwritten.
      const { records } = yield* Effect.orDie(journal.list)
      expect(records.map(({ baseline }) => baseline.resourceVersion)).toEqual([String(version)])
    })
    const onAppend = Effect.gen(function* () {
      yield* overwritesNobody
      const move = appends[choose(appends.length)] ?? "taken"
      if (move === "dies before") return yield* die
      diesAfter = move === "dies after"
      return move === "dies after" ? "taken" : move
    })
    const cloud = modelCloud({
      ...(resumes
        ? { resumes: { onAppend, onAsk: Effect.sync(() => asks[choose(asks.length)] ?? "told") } }
        : {}),
      onPut: Effect.gen(function* () {
        yield* overwritesNobody
        const move = puts[choose(puts.length)] ?? "applied"
        if (move === "dies before") return yield* die
        diesAfter = move === "dies after"
        return move === "dies after" ? "applied" : move
      }),
      onAnswer: Effect.suspend(() => (diesAfter ? die : Effect.void)),
      onGet: Effect.suspend(() => {
        const move = gets[choose(gets.length)]
        if (move === "others write") cloud.writtenByOthers(theirs)
        return move === "dies" ? die : Effect.void
      })
    })
    const once = Effect.gen(function* () {
      const next = yield* Deferred.make<void>()
      yield* Ref.set(death, next)
      return yield* ExtensionUpload.upload({
        extensionId,
        archive: inPieces(archive)
      }).pipe(Effect.merge, Effect.asSome, Effect.raceFirst(Effect.as(Deferred.await(next), Option.none())))
    })
    const end = yield* once.pipe(
      Effect.repeat({ until: Option.isSome }),
      Effect.flatten,
      withoutWaiting,
      Effect.provide(cloud.layer),
      Effect.exit
    )
    return { cloud, end }
  })

const settings = Layer.mergeAll(
  inSmallPieces,
  RetryPolicy.layer({ maxRetries: 1, baseDelay: "10 millis" }),
  UploadSettings.layer({ reconcileWindow: "2 seconds" })
)

/** With fewer the model does not get everywhere. */
const leastFaults = 2
const faults = Effect.runSync(
  Config.map(Config.withDefault(Config.integer("MODEL_FAULTS"), leastFaults), (wanted) =>
    Math.max(leastFaults, wanted)
  )
)

const goals = [
  { what: "sent as a whole", resumes: false, ends: ["Uploaded", "UploadConflict", "VerificationFailed"] },
  { what: "resumed", resumes: true, ends: ["Uploaded", "UploadConflict", "UnexpectedResponse"] }
]

describe.each(goals.flatMap((goal) => ways.map((way) => ({ ...goal, way }))))(
  "every way an upload can go that is $what, hashed $way",
  ({ ends: expected, resumes, way }) => {
    it.effect(
      "never ends as done with other content stored, and never overwrites a second writer",
      () =>
        Effect.gen(function* () {
          const content = yield* zipOf(200)
          const theirs = yield* zipOf(300)
          const ends = new Map<string, number>()
          const runs = yield* explore(faults, (choose) =>
            Effect.gen(function* () {
              const { cloud, end } = yield* live(archiveFor(way, content), theirs, resumes, choose)
              const described = cloud.requests.join(", ")
              if (Exit.isFailure(end)) return expect.fail(`${described}: ${end.cause}`)
              const { _tag } = end.value
              // What may have been applied is not cancelled, except to leave in peace who wrote since.
              for (const writer of ["nobody", "us"]) {
                expect(cloud.requests, described).not.toContain(`DELETE complete ${writer}`)
              }
              ends.set(_tag, (ends.get(_tag) ?? 0) + 1)
              if (_tag === "Uploaded" || _tag === "AlreadyCurrent") {
                expect(cloud.holds().sha256, described).toBe(sha256(content))
              } else if (cloud.holds().writer === "us") {
                // What was accepted is not given up: the next run will find it.
                expect(yield* journaled, `${described}: ${_tag}`).toHaveLength(1)
              }
            }).pipe(Effect.provide(UploadJournal.layerMemory))
          )
          // The model is worth something only if it gets everywhere.
          expect([...ends.keys()]).toEqual(expect.arrayContaining(expected))
          expect(runs).toBeGreaterThan(100)
        }).pipe(Effect.provide(settings)),
      // Each further fault makes the ways up to fifteen times as many.
      300_000 * 15 ** (faults - leastFaults)
    )
  }
)

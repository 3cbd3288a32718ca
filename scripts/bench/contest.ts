/** Runs contenders in turn, and collects their results. */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { ArchiveOnDisk } from "./archives.ts"
import type { Contender, Job } from "./contender.ts"
import { median } from "./format.ts"
import type { Received } from "./message.ts"
import type { Server } from "./server.ts"
import { measure, type Usage } from "./usage.ts"
import { Workbench } from "./workbench.ts"

/** One run: what it cost, and what the server received. */
export interface Run extends Usage {
  readonly received: ReadonlyArray<Received>
}

/** The medians of several runs. */
export interface Medians {
  readonly wallMillis: number
  readonly cpuMillis: Option.Option<number>
  readonly peakBytes: Option.Option<number>
}

export interface Entry {
  readonly contender: Contender
  readonly archive: ArchiveOnDisk
  readonly uploads?: number
  /** In place of the one that the contender speaks to. */
  readonly server?: Server
  /** The file of the authority that this server's certificate is from. */
  readonly authority?: string
}

/** A contender with all its runs, or the reason why there are none. */
export interface Result {
  readonly entry: Entry
  readonly outcome: Either.Either<Arr.NonEmptyReadonlyArray<Run>, string>
}

/** The server did not receive the archive exactly. */
class BytesWrong extends Schema.TaggedError<BytesWrong>()("BytesWrong", {
  expected: Schema.Number,
  received: Schema.Number,
  announced: Schema.NullOr(Schema.Number)
}) {
  override get message(): string {
    const announced = this.announced === null ? "without announcing a length" : `announced ${this.announced}`
    return `the server received ${this.received} of ${this.expected} bytes, ${announced}`
  }
}

const check = (size: number) => (upload: Received) =>
  upload.received === size && (upload.announced ?? size) === size
    ? Effect.void
    : new BytesWrong({ expected: size, received: upload.received, announced: upload.announced })

const runOnce = ({ archive, authority, contender, server: own, uploads = 1 }: Entry) =>
  Effect.gen(function* () {
    const { makeFolder, servers } = yield* Workbench
    const server = own ?? servers[contender.server]
    yield* server.forget
    const job: Job = {
      url: server.url,
      archive,
      uploads,
      folder: yield* makeFolder,
      authority: Option.fromNullable(authority)
    }
    const usage = yield* measure(contender.commands(job))
    const received = yield* server.take(uploads)
    yield* Effect.forEach(received, check(archive.size), { discard: true })
    yield* Effect.logDebug(`  ${contender.name}: ${Math.round(usage.wallMillis)} ms`)
    const run: Run = { ...usage, received }
    return run
  })

/** The runs of one entry, or its first failure. */
const resultOf = (
  entry: Entry,
  runs: ReadonlyArray<Either.Either<Run, { readonly message: string }>>
): Result => ({
  entry,
  outcome: Either.all(runs).pipe(
    Either.mapLeft(({ message }) => message),
    Either.filterOrLeft(Arr.isNonEmptyArray, () => "it was not run")
  )
})

/** Every contender runs once a round, in alternating order, so that none always runs first; `most` rounds at most. */
export const contest = (entries: ReadonlyArray<Entry>, most = Number.POSITIVE_INFINITY) =>
  Effect.gen(function* () {
    const workbench = yield* Workbench
    const rounds = yield* Effect.forEach(Arr.range(1, Math.min(workbench.runs, most)), (round) => {
      const indexed = entries.map((entry, index) => ({ entry, index }))
      return Effect.forEach(round % 2 === 1 ? indexed : indexed.reverse(), ({ entry, index }) =>
        Effect.map(Effect.either(runOnce(entry)), (run) => ({ index, run }))
      )
    })
    const runs = rounds.flat()
    return entries.map((entry, index) =>
      resultOf(
        entry,
        runs.filter((each) => each.index === index).map(({ run }) => run)
      )
    )
  })

const medianKnown = (values: ReadonlyArray<Option.Option<number>>): Option.Option<number> => {
  const known = Arr.getSomes(values)
  return Arr.isNonEmptyArray(known) ? Option.some(median(known)) : Option.none()
}

export const medians = (runs: Arr.NonEmptyReadonlyArray<Usage>): Medians => ({
  wallMillis: median(Arr.map(runs, ({ wallMillis }) => wallMillis)),
  cpuMillis: medianKnown(runs.map(({ cpuMillis }) => cpuMillis)),
  peakBytes: medianKnown(runs.map(({ peakBytes }) => peakBytes))
})

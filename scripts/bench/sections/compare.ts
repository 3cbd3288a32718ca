/** One archive, every contender. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { chart } from "../chart.ts"
import type { Contender } from "../contender.ts"
import { contest, type Entry, type Medians, medians, type Result } from "../contest.ts"
import { cell, formatMemory, formatRatio, formatSeconds, formatSize, markdownTable } from "../format.ts"
import * as Server from "../server.ts"
import { Workbench } from "../workbench.ts"
import type { Figures, Section } from "./section.ts"

/** The runs of every contender, including the reference. */
export const measured = Effect.gen(function* () {
  const { archive, contenders, size } = yield* Workbench
  const {
    command,
    curl,
    fetch,
    library,
    libraryUnbuilt,
    nodeHttp,
    nodeHttpClient,
    opensslAndCurl,
    transport,
    tus,
    undici
  } = contenders
  const entered = yield* archive(size)
  const holding = yield* Effect.orDie(Server.startSink({ holding: entered.size }))
  const entriesOf = (...those: ReadonlyArray<Contender>) =>
    those.map((contender): Entry => ({ contender, archive: entered }))
  return yield* contest([
    ...entriesOf(curl, opensslAndCurl, nodeHttp, transport, command, library, libraryUnbuilt),
    { contender: digestFirst(command), archive: entered, server: holding },
    ...entriesOf(undici, nodeHttpClient, fetch, tus)
  ])
}).pipe(Effect.scoped)

/** To a server that might hold this very archive already: the digest tells that it does not, before anything is sent. */
const digestFirst = (contender: Contender): Contender => ({
  ...contender,
  name: `${contender.name}, digest first`
})

interface Row {
  readonly name: string
  readonly outcome: Either.Either<Medians & { readonly announced: boolean }, string>
}

const rowOf = ({ entry, outcome }: Result): Row => ({
  name: entry.contender.name,
  outcome: Either.map(outcome, (runs) => ({
    ...medians(runs),
    announced: runs.every(({ received }) => received.every(({ announced }) => announced !== null))
  }))
})

const table = (rows: ReadonlyArray<Row>, ratio: (wallMillis: number) => string): string =>
  markdownTable(
    ["", "wall", "ratio", "processor", "peak memory", "length announced"],
    rows.map(({ name, outcome }) =>
      Either.match(outcome, {
        onLeft: (reason) => [`\`${name}\``, reason, "–", "–", "–", "–"],
        onRight: ({ announced, cpuMillis, peakBytes, wallMillis }) => [
          `\`${name}\``,
          formatSeconds(wallMillis),
          ratio(wallMillis),
          cell(cpuMillis, formatSeconds),
          cell(peakBytes, formatMemory),
          announced ? "yes" : "no"
        ]
      })
    )
  )

const figures = (results: ReadonlyArray<Result>, yardstick: string, size: number): Figures => {
  const rows = results.map(rowOf)
  const against = rows.find(({ name }) => name === yardstick)?.outcome ?? Either.left("")
  const ratioOf = (wallMillis: number) => Either.map(against, (it) => wallMillis / it.wallMillis)
  const ratio = (wallMillis: number) =>
    Either.match(ratioOf(wallMillis), { onLeft: () => "–", onRight: formatRatio })
  const bars = rows.flatMap(({ name, outcome }) =>
    Either.match(
      Either.flatMap(outcome, (it) => Either.map(ratioOf(it.wallMillis), (ratio) => ({ ...it, ratio }))),
      {
        onLeft: () => [],
        onRight: ({ peakBytes, ratio }) => [{ name, ratio, peakBytes }]
      }
    )
  )
  const title = `One upload of ${formatSize(size)}`
  return { markdown: table(rows, ratio), svg: chart({ title, yardstick, bars }) }
}

export const compare: Section = {
  name: "compare",
  run: Effect.gen(function* () {
    const { contenders, size } = yield* Workbench
    return figures(yield* measured, contenders.opensslAndCurl.name, size)
  })
}

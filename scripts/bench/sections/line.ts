/** Uploads over a long line: what counts there is how often a program waits for it. */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { generate } from "selfsigned"
import { contest, type Entry, medians, type Result, type Run } from "../contest.ts"
import { formatSeconds, markdownTable, median } from "../format.ts"
import * as Server from "../server.ts"
import { Workbench } from "../workbench.ts"
import type { Section } from "./section.ts"

const rttMillis = 100
const bitsPerSecond = 100_000_000
const sizes = [1_000_000, 10_000_000, 100_000_000]

/** A certificate for the server, which is its own authority: their files. */
const certificate = (folder: string) =>
  Effect.promise(async () => {
    const made = await generate([{ name: "commonName", value: "127.0.0.1" }], {
      keyType: "ec",
      algorithm: "sha256",
      extensions: [
        { name: "basicConstraints", cA: true },
        { name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] }
      ]
    })
    const files = { key: join(folder, "line-key.pem"), cert: join(folder, "line-cert.pem") }
    await writeFile(files.key, made.private)
    await writeFile(files.cert, made.cert)
    return files
  })

/** From the first connection to the end of the process: start-up taken off. */
const transferMillis = (runs: Arr.NonEmptyReadonlyArray<Run>): number =>
  median(
    Arr.map(
      runs,
      ({ received, startedAt, wallMillis }) =>
        startedAt + wallMillis - (received[0]?.connectedAt ?? startedAt)
    )
  )

const connectionsOf = (runs: Arr.NonEmptyReadonlyArray<Run>): number =>
  median(Arr.map(runs, ({ received }) => received[0]?.connections ?? 0))

const row =
  (reference: Either.Either<number, string>) =>
  ({ entry, outcome }: Result): ReadonlyArray<string> => {
    const what = [
      `${entry.archive.size / 1_000_000 > 99 ? 100 : Math.round(entry.archive.size / 1e6)} MB`,
      `\`${entry.contender.name}\``
    ]
    return Either.match(outcome, {
      onLeft: (reason) => [...what, reason, "–", "–", "–"],
      onRight: (runs) => [
        ...what,
        formatSeconds(medians(runs).wallMillis),
        formatSeconds(transferMillis(runs)),
        Either.match(reference, {
          onLeft: () => "–",
          onRight: (millis) => signed((transferMillis(runs) - millis) / rttMillis)
        }),
        String(connectionsOf(runs))
      ]
    })
  }

const signed = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`

const rowsOf = (results: ReadonlyArray<Result>) => {
  const reference = Either.flatMap(
    Either.fromNullable(results[0], () => "it was not run"),
    ({ outcome }) => Either.map(outcome, transferMillis)
  )
  return results.map(row(reference))
}

export const line: Section = {
  name: "line",
  run: Effect.gen(function* () {
    const { archive, contenders, folder } = yield* Workbench
    const { cert, key } = yield* certificate(folder)
    const sink = yield* Effect.orDie(Server.startSink({ tls: { key, cert } }))
    const { url } = yield* Effect.orDie(
      Server.startLine({
        port: Number(new URL(sink.url).port),
        rttMillis,
        bitsPerSecond
      })
    )
    const { command, commandOnBun, commandOnDeno, commandOnNewestNode, curl } = contenders
    const rows = yield* Effect.forEach(sizes, (bytes) =>
      Effect.gen(function* () {
        const entered = yield* archive(bytes)
        const entries = [curl, command, commandOnNewestNode, commandOnBun, commandOnDeno].map(
          (contender): Entry => ({ contender, archive: entered, server: { ...sink, url }, authority: cert })
        )
        // The longest ones spend their time on the line, which is the same every time.
        return rowsOf(yield* contest(entries, bytes > 50_000_000 ? 1 : 5))
      })
    )
    return {
      markdown: markdownTable(
        ["archive", "", "wall", "without start-up", "round trips more than `curl`", "connections"],
        rows.flat()
      )
    }
  }).pipe(Effect.scoped)
}

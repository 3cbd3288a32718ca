/**
 * One archive of 64 MiB on its way into a real store: whoever sends it is killed at a random moment, again and again, and the
 * next one goes on with the same upload on another runtime. `S3_KILLS` makes it longer, `S3_SEED` repeats one.
 *
 * The moments are what a proxy in front of the store sees, and so is what the assertions are about: nothing here depends on
 * how fast this machine is, or on what a client says of itself.
 */
import { join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { expect, layer } from "@effect/vitest"
import { Chunk, Effect, Layer, Option, Random, Schema } from "effect"
import { keyOf, StagedArchive } from "../../src/staging/ArchiveStaging.ts"
import { bundleChild, type Runtime, startChild } from "../support/runtimes/child.ts"
import * as ObjectServer from "../support/s3/objectServer.ts"
import { type Moment, type Passed, recorder } from "../support/s3/recorder.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"
import { sha256 } from "../support/upload/world.ts"

const kills = Number(process.env["S3_KILLS"] ?? 20)
const randomSeed = process.env["S3_SEED"] ?? String(Date.now())
const size = 64 * 1024 * 1024
/** The smallest that S3 takes, so that there are many. */
const partBytes = 5 * 1024 * 1024
/** So many are on their way at once. */
const inFlight = 4
/** More bytes than a socket gives in one piece. */
const mostAtOnce = 1024 * 1024
const runtimes: ReadonlyArray<Runtime> = ["node", "bun", "deno"]

/**
 * When a process is killed: when so many bytes of parts have come from it, or around a request that is not a part. What the
 * kernel holds of a killed process still arrives, up to where it is cut off too, as when its whole container goes.
 */
type Death =
  | { readonly _tag: "Bytes"; readonly bytes: number; readonly cutOffAt: number }
  | { readonly _tag: "Request"; readonly kind: Passed["kind"]; readonly when: "Arrived" | "Answered" }

/** How far the upload is when a process is started that will be killed. */
interface Standing {
  /** Of how many deaths this is which, from 0. */
  readonly death: number
  /** How many parts it may finish, so that the upload outlives the other deaths too. */
  readonly mayFinish: number
  /** The smallest part, in bytes. */
  readonly leastPart: number
}

const oneOf = <const A>(...[first, ...others]: readonly [A, ...ReadonlyArray<A>]) =>
  Effect.map(Random.shuffle([first, ...others]), (shuffled) => Chunk.unsafeHead(shuffled))

const randomDeath = Effect.fnUntraced(function* ({
  death,
  leastPart,
  mayFinish
}: Standing): Effect.fn.Return<Death> {
  if ((yield* Random.next) < 0.25) {
    const kind = death === 0 ? "create" : death === kills - 1 ? "complete" : yield* oneOf("parts", "other")
    return { _tag: "Request", kind, when: yield* oneOf("Arrived", "Answered") }
  }
  const mostBytes = (mayFinish + 1) * leastPart - mostAtOnce
  const bytes = yield* Random.nextIntBetween(1, Math.min(mostBytes, (inFlight + 2) * partBytes))
  return { _tag: "Bytes", bytes, cutOffAt: yield* oneOf(bytes, mostBytes) }
})

const isPart = ({ kind }: Passed) => kind === "part"

/** What is to be done at each moment; to be made anew for each process. */
const fateOf = (death: Death) => {
  let received = 0
  return (moment: Moment): { readonly isKilled: boolean; readonly isCutOff: boolean } => {
    if (death._tag === "Request") {
      const isKilled = death.when === moment._tag && death.kind === moment.request.kind
      return { isKilled, isCutOff: false }
    }
    if (moment._tag === "Received" && isPart(moment.request)) received += moment.bytes
    return { isKilled: received >= death.bytes, isCutOff: received >= death.cutOffAt }
  }
}

/** An archive of 64 MiB, and how a process is started that stages it through a recorder of its own. */
const scene = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const server = yield* ObjectServer.ObjectServer
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "s3-" })
  const program = yield* bundleChild(folder, "s3/stageChild.ts")
  const proxy = yield* recorder(server.endpoint)
  const start = (runtime: Runtime, archive: string) =>
    startChild({
      runtime,
      program,
      env: {
        ...ObjectServer.variables({ ...server, endpoint: proxy.endpoint }, "resume"),
        STAGE_ARCHIVE: archive,
        STAGE_PART_BYTES: String(partBytes)
      }
    })

  /** The object of this archive as `curl` reads it. */
  const stored = (content: string) =>
    Effect.gen(function* () {
      const into = join(folder, "stored")
      const path = `/resume/${keyOf({ sha256: content, name: "words.zip" })}`
      expect(yield* ObjectServer.ask(server, { method: "GET", path, into })).toMatchObject({ status: 200 })
      return sha256(yield* fs.readFile(into))
    })
  const unfinished = Effect.map(ObjectServer.ask(server, { method: "GET", path: "?uploads=" }), ({ body }) =>
    ObjectServer.elements(body, "UploadId")
  )
  return { proxy, start, stored, unfinished }
})

const decode = Schema.decodeSync(Schema.parseJson(StagedArchive))

const isTaken = (request: Passed) => isPart(request) && request.status === 200
const bytesOf = (requests: ReadonlyArray<Passed>) =>
  requests.filter(isPart).reduce((sum, { received }) => sum + received, 0)

layer(Layer.provideMerge(ObjectServer.layer, NodeContext.layer), {
  timeout: "60 seconds",
  excludeTestServices: true
})("an archive on its way to a real store", (it) => {
  it.scoped(
    `is finished by whoever comes next, though ${kills} processes are killed on the way (seed ${randomSeed})`,
    () =>
      Effect.gen(function* () {
        const { proxy, start, stored, unfinished } = yield* scene
        const content = yield* zipOf(size)
        const archive = yield* fileWith(content)
        const count = Math.ceil(content.length / partBytes)
        const leastPart = content.length - (count - 1) * partBytes
        const deaths: Array<string> = []
        const lost: Array<number> = []

        /** One process from its start to its end, and what it has told if it was let live. */
        const run = Effect.fnUntraced(function* (index: number, death: Option.Option<Death>) {
          const before = proxy.requests.length
          const runtime = runtimes[index % runtimes.length] ?? "node"
          const child = yield* start(runtime, archive)
          if (Option.isSome(death)) {
            const fate = fateOf(death.value)
            deaths.push(`${runtime} ${JSON.stringify(death.value)}`)
            yield* proxy.watch((moment) => {
              const { isCutOff, isKilled } = fate(moment)
              if (isKilled) child.kill()
              if (isCutOff) proxy.cut()
            })
          }
          const ended = yield* child.ended
          yield* proxy.watch(() => {})
          // What reached the store whole is its own from then on, and the next process has to find it.
          yield* proxy.settled
          const unfinishedParts = proxy.requests
            .slice(before)
            .filter((request) => isPart(request) && !isTaken(request))
          expect(unfinishedParts.length, deaths.join("\n")).toBeLessThanOrEqual(inFlight)
          lost.push(bytesOf(unfinishedParts))
          expect(ended._tag, `${JSON.stringify(ended)}\n${deaths.join("\n")}`).toBe(
            Option.isSome(death) ? "Killed" : "Done"
          )
          return ended._tag === "Done" ? ended.stdout : ""
        }, Effect.scoped)

        for (let death = 0; death < kills; death += 1) {
          const allowed = Math.floor(((count - 1) * (death + 1)) / kills)
          const mayFinish = Math.max(0, allowed - proxy.requests.filter(isTaken).length)
          yield* run(death, Option.some(yield* randomDeath({ death, leastPart, mayFinish })))
        }
        const told = decode(yield* run(kills, Option.none()))

        const parts = proxy.requests.filter(isTaken)
        const numbers = parts.map(({ part = 0 }) => part).sort((a, b) => a - b)
        expect(numbers, deaths.join("\n")).toEqual(Array.from({ length: count }, (_, index) => index + 1))
        expect(new Set(proxy.requests.filter(isPart).map(({ uploadId }) => uploadId)).size).toBe(1)
        for (const bytes of lost) expect(bytes, deaths.join("\n")).toBeLessThanOrEqual(inFlight * partBytes)
        const sentAgain = bytesOf(proxy.requests) - content.length
        expect(sentAgain).toBe(lost.reduce((sum, bytes) => sum + bytes, 0))
        expect(yield* stored(sha256(content))).toBe(sha256(content))
        expect(told).toMatchObject({ size: content.length, sha256: sha256(content) })
        expect(yield* unfinished).toEqual([])
        console.log(
          `${kills} kills of one upload of ${content.length} bytes in ${count} parts, on ${runtimes.join(", ")} in turn: ` +
            `no part that had arrived was sent again; ${sentAgain} bytes of unfinished parts were, ` +
            `${Math.max(...lost)} after one kill at most\n${deaths.join("\n")}`
        )
      }).pipe(Effect.withRandom(Random.make(randomSeed))),
    { timeout: 5 * 60_000 }
  )

  it.scoped(
    "is the same whoever finishes it, when two machines stage it at once",
    () =>
      Effect.gen(function* () {
        const { proxy, start, stored, unfinished } = yield* scene
        const content = yield* zipOf(size)
        const archive = yield* fileWith(content)
        const children = yield* Effect.forEach(["node", "bun"] as const, (runtime) => start(runtime, archive))
        const endings = yield* Effect.forEach(children, (child) => child.ended, { concurrency: "unbounded" })
        expect(endings.map(({ _tag }) => _tag)).toEqual(["Done", "Done"])
        expect(yield* stored(sha256(content))).toBe(sha256(content))
        yield* proxy.settled
        expect(bytesOf(proxy.requests)).toBeLessThanOrEqual(2 * content.length)
        expect(yield* unfinished).toEqual([])
      }),
    { timeout: 5 * 60_000 }
  )
})

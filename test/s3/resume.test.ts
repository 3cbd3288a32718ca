/**
 * Processes that stage 64 MiB in a real store are killed at random moments and started again, on another runtime each time,
 * until the archive is there. `S3_KILLS` makes it longer, `S3_SEED` repeats one.
 *
 * The moments are what a proxy in front of the store sees, and so is what the assertions are about: nothing here depends on
 * how fast this machine is, or on what a client says of itself.
 */
import { join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { expect, layer } from "@effect/vitest"
import { Effect, Layer, Random, Schema } from "effect"
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
const runtimes: ReadonlyArray<Runtime> = ["node", "bun", "deno"]

/** When a process is killed: mostly when so many bytes of it have come, sometimes around a request that is not a part. */
type Death =
  | { readonly _tag: "Bytes"; readonly bytes: number }
  | { readonly _tag: "Request"; readonly kind: Passed["kind"]; readonly when: "Arrived" | "Answered" }

const randomDeath = Effect.gen(function* () {
  if ((yield* Random.next) < 0.75) {
    return {
      _tag: "Bytes",
      bytes: yield* Random.nextIntBetween(1, (inFlight + 2) * partBytes)
    } satisfies Death
  }
  const [kind = "create"] = yield* Random.shuffle(["create", "parts", "complete", "other"] as const)
  const [when = "Arrived"] = yield* Random.shuffle(["Arrived", "Answered"] as const)
  return { _tag: "Request", kind, when } satisfies Death
})

/** Tells the moment of death; to be made anew for each process. */
const isDeath = (death: Death) => {
  let received = 0
  return (moment: Moment): boolean => {
    if (death._tag === "Request") return death.when === moment._tag && death.kind === moment.request.kind
    if (moment._tag !== "Received" || moment.request.kind !== "part") return false
    received += moment.bytes
    return received >= death.bytes
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

/** Parts that the store took, by upload and number. */
const taken = (requests: ReadonlyArray<Passed>) =>
  requests.flatMap(({ kind, part, status, uploadId }) =>
    kind === "part" && status === 200 ? `${uploadId} ${part}` : []
  )
const bytesOf = (requests: ReadonlyArray<Passed>) =>
  requests.reduce((sum, { kind, received }) => sum + (kind === "part" ? received : 0), 0)

layer(Layer.provideMerge(ObjectServer.layer, NodeContext.layer), {
  timeout: "60 seconds",
  excludeTestServices: true
})("an archive on its way to a real store", (it) => {
  it.scoped(
    `is finished by whoever comes next, however often a process is killed (seed ${randomSeed})`,
    () =>
      Effect.gen(function* () {
        const { proxy, start, stored, unfinished } = yield* scene
        let killed = 0
        let processes = 0

        /** One archive from its first process to its end. */
        const story = Effect.gen(function* () {
          const content = yield* zipOf(size)
          const archive = yield* fileWith(content)
          const before = proxy.requests.length
          const killedBefore = killed
          const deaths: Array<string> = []
          while (true) {
            const runtime = runtimes[processes % runtimes.length] ?? "node"
            processes += 1
            const child = yield* start(runtime, archive)
            if (killed < kills) {
              const death = yield* randomDeath
              const strikes = isDeath(death)
              deaths.push(`${runtime} ${JSON.stringify(death)}`)
              yield* proxy.watch((moment) => {
                if (strikes(moment)) child.kill()
              })
            }
            const ended = yield* child.ended
            yield* proxy.watch(() => {})
            // What reached the store whole is its own from then on, and the next process has to find it.
            yield* proxy.settled
            if (ended._tag === "Failed") return yield* Effect.dieMessage(ended.output)
            if (ended._tag === "Done") {
              const requests = proxy.requests.slice(before)
              const [sent, parts] = [bytesOf(requests), taken(requests)]
              const told = deaths.join("\n")
              expect(parts.length, told).toBe(new Set(parts).size)
              expect(sent, told).toBeGreaterThanOrEqual(content.length)
              expect(sent, told).toBeLessThanOrEqual(
                content.length + (killed - killedBefore) * inFlight * partBytes
              )
              expect(yield* stored(sha256(content)), told).toBe(sha256(content))
              expect(decode(ended.stdout)).toMatchObject({ size: content.length, sha256: sha256(content) })
              return sent - content.length
            }
            killed += 1
          }
        }).pipe(Effect.scoped)

        const repeated: Array<number> = []
        while (killed < kills) repeated.push(yield* story)
        expect(yield* unfinished).toEqual([])
        const sum = repeated.reduce((total, bytes) => total + bytes, 0)
        console.log(
          `${killed} kills in ${repeated.length} archives of ${size} bytes, ${processes} processes on ${runtimes.join(", ")}: ` +
            `no part that had arrived was sent again; ${sum} bytes of unfinished parts were (${Math.round(sum / killed)} a kill)`
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
    { timeout: 60_000 }
  )
})

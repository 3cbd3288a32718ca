/**
 * The whole way of a large archive: staged in a real store by processes that are killed, fetched from there by the stand-in
 * for Elastic Cloud, proved and cleared away.
 */
import { join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { expect, layer } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { bundleCommand } from "../../scripts/support/command.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import { objects, run } from "../support/cli/program.ts"
import { only } from "../support/publish/publishing.ts"
import { type Runtime, startChild } from "../support/runtimes/child.ts"
import * as ObjectServer from "../support/s3/objectServer.ts"
import { type Moment, type Passed, recorder } from "../support/s3/recorder.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"
import { sha256 } from "../support/upload/world.ts"

const mebibyte = 1024 * 1024

const World = Layer.merge(ObjectServer.layer, LocalElasticCloud.layer()).pipe(
  Layer.provideMerge(NodeContext.layer),
  Layer.orDie
)

/** Each process has a journal of its own, as another machine would: what is known is in the store. */
const scene = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const server = yield* ObjectServer.ObjectServer
  const cloud = yield* LocalElasticCloud.LocalElasticCloud
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "publish-" })
  const program = join(folder, "command.mjs")
  yield* bundleCommand(program)
  const proxy = yield* recorder(server.endpoint)
  const { EC_UPLOAD_STAGE, ...store } = ObjectServer.variables(
    { ...server, endpoint: proxy.endpoint },
    "builds"
  )
  let machines = 0
  const env = () => ({
    ...store,
    ...cloud.variables,
    EC_UPLOAD_JOURNAL: join(folder, `journal-${machines++}`)
  })
  const location = EC_UPLOAD_STAGE ?? ""
  const publishing = (archive: string) => [
    ...["publish", archive, "--name", "words", "--type", "bundle", "--version", "8.*"],
    ...["--stage", location, "--json"]
  ]
  /** Runs the command until it ends, or until this happens. */
  const publishUntil = (runtime: Runtime, archive: string, isDeath: (moment: Moment) => boolean) =>
    Effect.gen(function* () {
      const child = yield* startChild({ runtime, program, args: publishing(archive), env: env() })
      yield* proxy.watch((moment) => {
        if (isDeath(moment)) child.kill()
      })
      const ended = yield* child.ended
      yield* proxy.watch(() => {})
      yield* proxy.settled
      return ended
    }).pipe(Effect.scoped)
  return { cloud, env, location, program, proxy, publishUntil, server }
})

const answered = (moment: Moment, kind: Passed["kind"], count: () => number): boolean =>
  moment._tag === "Answered" && moment.request.kind === kind && moment.request.status === 200 && count() >= 3

/** What the bucket holds, whole and unfinished. */
const left = (server: ObjectServer.ObjectServerService) =>
  Effect.gen(function* () {
    const listed = yield* ObjectServer.ask(server, { method: "GET", path: "?list-type=2" })
    const uploads = yield* ObjectServer.ask(server, { method: "GET", path: "?uploads=" })
    return {
      objects: ObjectServer.elements(listed.body, "Key"),
      uploads: ObjectServer.elements(uploads.body, "UploadId")
    }
  })

layer(World, { timeout: "60 seconds", excludeTestServices: true })(
  "publishing by way of a real store",
  (it) => {
    it.scoped(
      "survives its processes, sends no part twice, and leaves nothing behind",
      () =>
        Effect.gen(function* () {
          const { env, location, proxy, publishUntil, server } = yield* scene
          const content = yield* zipOf(64 * mebibyte)
          const archive = yield* fileWith(content)
          let parts = 0
          const killed = yield* publishUntil("node", archive, (moment) =>
            answered(moment, "part", () => ++parts)
          )
          expect(killed).toEqual({ _tag: "Killed" })

          const pending = objects(yield* run(["pending", "--stage", location, "--json"], { env: env() }))
          expect(JSON.stringify(pending)).toContain(sha256(content))

          const again = yield* publishUntil(
            "bun",
            archive,
            ({ _tag, request }) => _tag === "Arrived" && request.kind === "complete"
          )
          expect(again).toEqual({ _tag: "Killed" })

          const done = yield* publishUntil("deno", archive, () => false)
          expect(done).toMatchObject({ _tag: "Done" })

          const { downloadUrl, file } = yield* only
          expect(file?.sha256).toBe(sha256(content))
          expect(Option.fromNullable(downloadUrl)).toEqual(Option.none())
          const taken = proxy.requests.flatMap(({ kind, part, status, uploadId }) =>
            kind === "part" && status === 200 ? `${uploadId} ${part}` : []
          )
          expect(taken.length).toBe(9)
          expect(new Set(taken).size).toBe(9)
          expect(yield* left(server)).toEqual({ objects: [], uploads: [] })
        }),
      { timeout: 5 * 60_000 }
    )
  }
)

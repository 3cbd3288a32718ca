/** Somebody takes over an upload whose process was frozen in the middle of the body: it finds out before the end leaves. */
import { join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"
import { client, held, puts, seed, type WorldOptions } from "../support/upload/world.ts"

/** More than the buffers of all sockets between the two hold. */
const size = 24 * 1024 * 1024

const worldOf = (http: NonNullable<WorldOptions["http"]>) =>
  client({ retry: { maxRetries: 0 }, http }).pipe(
    Layer.provideMerge(LocalElasticCloud.layer({ resumable: {} })),
    Layer.provideMerge(NodeContext.layer),
    Layer.orDie
  )

it.scopedLive.each([
  ["that fills all buffers", size, {}],
  ["whose last bytes wait for their share of the bandwidth", 400_000, { bandwidth: 400_000 }]
] as const)("an upload %s, taken over while it was frozen, does not send its end", ([, size, http]) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "journal-" })
    const cloud = yield* LocalElasticCloud.LocalElasticCloud
    const id = yield* seed()
    const file = yield* fileWith(yield* zipOf(size))
    const takenOver = Effect.gen(function* () {
      const names = yield* fs.readDirectory(folder)
      const lock = join(folder, names.find((name) => name.endsWith(".lock")) ?? "")
      const owner = (yield* fs.readFileString(lock)).replace(
        /"token":"[0-9a-f]+"/,
        `"token":"${"0".repeat(32)}"`
      )
      yield* fs.remove(lock)
      yield* fs.writeFileString(lock, owner)
    })
    yield* cloud.plan({
      method: "PUT",
      fault: Fault.run({ afterBodyBytes: 100_000 }, Effect.orDie(takenOver))
    })
    const error = yield* ExtensionUpload.upload({ extensionId: id, archive: Archive.file(file) }).pipe(
      Effect.flip,
      Effect.provide(UploadJournal.layerFileSystem(folder))
    )
    expect(error._tag).toBe("JournalLocked")
    yield* cloud.settled
    expect((yield* puts).map(({ complete }) => complete)).toEqual([false])
    expect((yield* held(id)).uploads).toBe(0)
  }).pipe(Effect.provide(worldOf(http)))
)

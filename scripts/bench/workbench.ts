/** What every section works with, prepared once: servers, contenders, archives and how often to run. */
import { join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import type * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ArchiveOnDisk, DiskTooFull } from "./archives.ts"
import * as Archives from "./archives.ts"
import { type Contenders, makeContenders } from "./contender.ts"
import * as Server from "./server.ts"

export interface WorkbenchOptions {
  /** Payload of the archive in the middle, in bytes; the other sizes are fractions and multiples of it. */
  readonly size: number
  /** Measured runs of each contender. */
  readonly runs: number
}

export class Workbench extends Context.Tag("bench/Workbench")<
  Workbench,
  WorkbenchOptions & {
    readonly contenders: Contenders
    /** The command as it is installed, and what runs it on Deno. */
    readonly launcher: string
    readonly deno: Arr.NonEmptyReadonlyArray<string>
    /** Gone with the workbench. */
    readonly folder: string
    readonly servers: { readonly sink: Server.Server; readonly tus: Server.Server }
    /** Made when first asked for, and gone with the workbench. */
    readonly archive: (payloadBytes: number) => Effect.Effect<ArchiveOnDisk, DiskTooFull>
    /** A new folder for one run. */
    readonly makeFolder: Effect.Effect<string>
  }
>() {
  static readonly layer = (options: WorkbenchOptions) =>
    Layer.scoped(
      Workbench,
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const folder = yield* fs.makeTempDirectoryScoped({ prefix: "bench-" })
        const tusFolder = join(folder, "tus")
        yield* fs.makeDirectory(tusFolder)
        const makeArchive = (payloadBytes: number) =>
          Effect.provideService(Archives.make(folder, payloadBytes), FileSystem.FileSystem, fs)
        return {
          ...options,
          folder,
          ...(yield* makeContenders(folder)),
          servers: {
            sink: yield* Server.startSink(),
            tus: yield* Server.startTus(tusFolder)
          },
          archive: yield* Effect.cachedFunction(makeArchive),
          makeFolder: Effect.orDie(fs.makeTempDirectory({ directory: folder, prefix: "run-" }))
        }
      })
    )
}

/** Stages one archive in a process of its own, to be killed: prints what became of it when it is let live. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Archive from "../../../src/archive/Archive.ts"
import * as ArchiveStaging from "../../../src/staging/ArchiveStaging.ts"
import * as S3ObjectStore from "../../../src/staging/S3ObjectStore.ts"
import * as UploadHttpClient from "../../../src/transfer/UploadHttpClient.ts"

const stage = Effect.gen(function* () {
  const archive = Archive.file(yield* Config.string("STAGE_ARCHIVE"))
  const partBytes = yield* Config.integer("STAGE_PART_BYTES")
  const staged = yield* ArchiveStaging.stage(archive, { partBytes })
  yield* Console.log(yield* Schema.encode(Schema.parseJson(ArchiveStaging.StagedArchive))(staged))
})

NodeRuntime.runMain(
  stage.pipe(
    Effect.provide(Layer.provide(S3ObjectStore.layerConfig, UploadHttpClient.layerConfig)),
    Effect.provide(NodeContext.layer)
  )
)

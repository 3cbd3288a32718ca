/** What the library does to stage an archive: it hashes it, asks the store, and sends the parts that are missing. */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Archive from "../../src/archive/Archive.ts"
import * as ArchiveStaging from "../../src/staging/ArchiveStaging.ts"
import * as S3ObjectStore from "../../src/staging/S3ObjectStore.ts"
import * as UploadHttpClient from "../../src/transfer/UploadHttpClient.ts"

const [place = ""] = process.argv.slice(2)

const archive: Archive.Archive<FileSystem.FileSystem | HttpClient.HttpClient> = /^https?:/.test(place)
  ? Archive.url(place)
  : Archive.file(place)

NodeRuntime.runMain(
  ArchiveStaging.stage(archive).pipe(
    Effect.provide(Layer.provideMerge(S3ObjectStore.layerConfig, UploadHttpClient.layerConfig)),
    Effect.provide(NodeContext.layer)
  )
)

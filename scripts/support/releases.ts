/** A runner in this process, with releases of which each stands somewhere else. */
import { join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpServer from "@effect/platform/HttpServer"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { LocalElasticCloud, UploadHttpClient } from "../../src/index.ts"
import * as RunnerHttp from "../../src/runner/RunnerHttp.ts"
import * as EngineMemory from "../../src/workflow/EngineMemory.ts"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"
import * as ReleaseList from "../../src/workflow/ReleaseList.ts"
import * as ReleasePayload from "../../src/workflow/ReleasePayload.ts"
import type { ReleaseState } from "../../src/workflow/ReleaseRecord.ts"
import * as ReleaseTarget from "../../src/workflow/ReleaseTarget.ts"
import { makeArchive, noise } from "./transcripts/archives.ts"

const layerRunner = Layer.merge(ExtensionRelease.layerConfig, RunnerHttp.layer({ port: 0, api: {} })).pipe(
  Layer.provideMerge(EngineMemory.layer),
  Layer.provideMerge(UploadHttpClient.layerConfig),
  Layer.provideMerge(LocalElasticCloud.layerTest()),
  Layer.provideMerge(NodeContext.layer)
)

const bundle = (name: string) => ReleaseTarget.named({ name, type: "bundle", version: "8.*" })

const submit = Effect.fnUntraced(function* (
  request: Omit<ReleasePayload.ReleaseRequest, "archive">,
  until: ReleaseState
) {
  const fs = yield* FileSystem.FileSystem
  const path = join(yield* fs.makeTempDirectoryScoped({ prefix: "releases-" }), "words.zip")
  yield* makeArchive(path, { "hunspell/en_US/en_US.dic": noise(1_500_000, request.releaseId.length) })
  const payload = yield* ReleasePayload.prepare({ ...request, archive: { _tag: "Path", path } })
  const executionId = yield* ExtensionRelease.submit(payload)
  yield* ReleaseList.find(executionId).pipe(
    Effect.delay("20 millis"),
    Effect.repeat({ until: ({ state }) => state === until })
  )
  return executionId
})

/** Does something with the address of the runner, while it runs. */
export const withReleases = <A, E, R>(use: (address: string) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const approved = yield* submit(
      { releaseId: "stems-2.0.0", extension: bundle("stems"), holdForApproval: true },
      "held"
    )
    yield* ExtensionRelease.approve(approved, { by: "Grace Hopper" })
    yield* submit({ releaseId: "synonyms-3.0.1", extension: ReleaseTarget.id("882519870") }, "failed")
    yield* submit({ releaseId: "words-1.4.0", extension: bundle("words"), holdForApproval: true }, "held")
    yield* submit({ releaseId: "words-1.5.0", extension: bundle("words") }, "waiting")
    const { address } = yield* HttpServer.HttpServer
    return yield* use(address._tag === "TcpAddress" ? `http://127.0.0.1:${address.port}` : address.path)
  }).pipe(Effect.scoped, Effect.provide(layerRunner))

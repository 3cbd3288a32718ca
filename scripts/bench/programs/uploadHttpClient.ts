/** The library's transport alone: a file through `UploadHttpClient`, neither hashed nor journaled. */
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Archive from "../../../src/archive/Archive.ts"
import * as UploadHttpClient from "../../../src/transfer/UploadHttpClient.ts"

const [url = "", path = ""] = process.argv.slice(2)

const program = Effect.gen(function* () {
  const archive = Archive.file(path)
  const stat = yield* archive.stat
  const context = yield* Effect.context<NodeContext.NodeContext>()
  const bytes = archive.read({ offset: 0, expected: stat, recycle: UploadHttpClient.chunksInUse })
  const body = HttpBody.stream(Stream.provideContext(bytes, context), "application/zip", stat.size)
  const response = yield* Effect.flatMap(HttpClient.put(url, { body }), HttpClientResponse.filterStatusOk)
  yield* response.json
})

NodeRuntime.runMain(program.pipe(Effect.provide(UploadHttpClient.layer()), Effect.provide(NodeContext.layer)))

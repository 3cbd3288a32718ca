/** An upload with one of Effect's own clients: a file's stream as the body. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"

export const main = (client: Layer.Layer<HttpClient.HttpClient>): void => {
  const [url = "", path = ""] = process.argv.slice(2)

  const program = Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const { size } = yield* fs.stat(path)
    const request = HttpClientRequest.put(url).pipe(
      HttpClientRequest.bodyStream(fs.stream(path), {
        contentType: "application/zip",
        contentLength: Number(size)
      })
    )
    const response = yield* Effect.flatMap(HttpClient.execute(request), HttpClientResponse.filterStatusOk)
    yield* response.json
  })

  NodeRuntime.runMain(program.pipe(Effect.provide(client), Effect.provide(NodeContext.layer)))
}

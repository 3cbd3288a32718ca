/**
 * The main job, offline: builds a real bundle, starts the local stand-in, uploads, loses the connection once on the way,
 * verifies, and shows that a second run has nothing to do.
 */
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import {
  Archive,
  ElasticCloudConfig,
  ExtensionsClient,
  ExtensionUpload,
  Fault,
  LocalElasticCloud,
  UploadHttpClient,
  UploadJournal
} from "../src/index.ts"
import { buildBundle } from "./support/bundle.ts"
import { describeReceipt, makeReporter } from "./support/report.ts"

const demo = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const cloud = yield* LocalElasticCloud.LocalElasticCloud
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "hunspell-bundle-" })
  const dictionary = dirname(createRequire(import.meta.url).resolve("dictionary-en"))
  const path = join(folder, "hunspell-en-US.zip")

  yield* Console.log("Building a bundle: an English Hunspell dictionary where Elasticsearch looks for it")
  const entries = yield* buildBundle(path, [
    { file: join(dictionary, "index.aff"), entry: "hunspell/en_US/en_US.aff" },
    { file: join(dictionary, "index.dic"), entry: "hunspell/en_US/en_US.dic" }
  ])
  yield* Console.log(entries.map((entry) => `  ${entry}`).join("\n"))

  const client = yield* ExtensionsClient.ExtensionsClient
  const { extension } = yield* client.create({
    name: "hunspell-en-US",
    version: "*",
    extensionType: "bundle"
  })
  yield* Console.log(`\nCreated extension ${extension.id} on the stand-in at ${cloud.url}`)

  const upload = ExtensionUpload.upload({
    extensionId: extension.id,
    archive: Archive.file(path),
    onEvent: (event) => Effect.sync(() => report(event))
  })

  yield* Console.log("\nUploading; the line will be cut in the middle of the first attempt")
  yield* cloud.plan({ method: "PUT", fault: Fault.cut({ afterBodyBytes: 250_000 }, "reset") })
  yield* Console.log(`\n${describeReceipt(yield* upload)}`)

  yield* Console.log("\nThe same again")
  yield* Console.log(`\n${describeReceipt(yield* upload)}`)

  const puts = (yield* cloud.requests).filter(({ method }) => method === "PUT")
  yield* Console.log("\nWhat the server saw of it")
  for (const { bodyBytes, complete, headers, status } of puts) {
    const answered = status === undefined ? "no answer: the line was cut" : `answered ${status}`
    const whole = complete ? "whole" : "cut short"
    yield* Console.log(`  PUT  ${bodyBytes} of ${headers["content-length"]} bytes (${whole}), ${answered}`)
  }
})

const report = makeReporter((line) => process.stdout.write(`${line}\n`))

const Cloud = LocalElasticCloud.LocalElasticCloud.layer()

const Client = ExtensionsClient.ExtensionsClient.layer.pipe(
  // A slow line, so that there is something to see.
  Layer.provide(UploadHttpClient.layer({ bandwidth: 250_000 })),
  Layer.provide(
    Layer.unwrapEffect(
      Effect.map(LocalElasticCloud.LocalElasticCloud, ({ url }) =>
        ElasticCloudConfig.ElasticCloudConfig.layer({ endpoint: url, apiKey: Redacted.make("local-key") })
      )
    )
  )
)

const Live = Layer.mergeAll(Client, UploadJournal.UploadJournal.layerMemory).pipe(
  Layer.provideMerge(Cloud),
  Layer.provideMerge(NodeContext.layer)
)

NodeRuntime.runMain(Effect.scoped(demo).pipe(Effect.provide(Live)))

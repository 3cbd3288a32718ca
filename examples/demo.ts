/**
 * The main job, offline: builds a real bundle, starts the stand-in server, uploads, loses the connection once, recovers,
 * verifies, and shows that a second run has nothing to do. Then the same with a server that can resume.
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
} from "effect-elastic-extensions"
import { buildBundle } from "./support/bundle.ts"
import { describeReceipt, makeReporter } from "./support/report.ts"

const report = makeReporter((line) => process.stdout.write(`${line}\n`))

const build = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "hunspell-bundle-" })
  const dictionary = dirname(createRequire(import.meta.url).resolve("dictionary-en"))
  const path = join(folder, "hunspell-en-US.zip")
  yield* Console.log("Building a bundle: an English Hunspell dictionary where Elasticsearch looks for it")
  const entries = yield* buildBundle(path, [
    { file: join(dictionary, "index.aff"), entry: "hunspell/en_US/en_US.aff" },
    { file: join(dictionary, "index.dic"), entry: "hunspell/en_US/en_US.dic" }
  ])
  yield* Console.log(entries.map((entry) => `  ${entry}`).join("\n"))
  return path
})

const upload = (extensionId: string, path: string) =>
  ExtensionUpload.upload({
    extensionId,
    archive: Archive.file(path),
    onEvent: (event) => Effect.sync(() => report(event))
  })

/**
 * Creates an extension, uploads to it over a connection that is cut once, and shows what the server received. Returns the
 * extension's id.
 */
const uploadTo = (title: string, path: string) =>
  Effect.gen(function* () {
    const cloud = yield* LocalElasticCloud.LocalElasticCloud
    const client = yield* ExtensionsClient.ExtensionsClient
    yield* Console.log(`\n── ${title} ──`)
    const { extension } = yield* client.create({
      name: "hunspell-en-US",
      version: "*",
      type: "bundle"
    })
    yield* Console.log(`Uploading to extension ${extension.id}; the connection will be cut in the middle`)
    yield* cloud.plan({ method: "PUT", fault: Fault.cut({ afterBodyBytes: 250_000 }, "reset") })
    yield* Console.log(`\n${describeReceipt(yield* upload(extension.id, path))}`)
    yield* Console.log(`\nWhat the server received\n${(yield* received).join("\n")}`)
    return extension.id
  })

const received = Effect.gen(function* () {
  const cloud = yield* LocalElasticCloud.LocalElasticCloud
  const requests = yield* cloud.requests
  return requests
    .filter(({ method }) => method === "PUT" || method === "PATCH")
    .map(({ bodyBytes, headers, method, status }) => {
      const answer = status === undefined ? "no answer: the connection was cut" : `answered ${status}`
      return `  ${method.padEnd(5)} ${bodyBytes} of ${headers["content-length"]} bytes, ${answer}`
    })
})

/** A slow connection, so that there is something to see. */
const Client = ExtensionsClient.layer.pipe(
  Layer.provide(UploadHttpClient.layer({ bandwidth: 250_000 })),
  Layer.provide(
    Layer.unwrapEffect(
      Effect.map(LocalElasticCloud.LocalElasticCloud, ({ url }) =>
        ElasticCloudConfig.layer({ endpoint: url, apiKey: Redacted.make("local-key") })
      )
    )
  )
)

const standIn = (options: LocalElasticCloud.LocalElasticCloudOptions) =>
  Layer.merge(Client, UploadJournal.layerMemory).pipe(Layer.provideMerge(LocalElasticCloud.layer(options)))

const demo = Effect.gen(function* () {
  const path = yield* build

  yield* Effect.gen(function* () {
    const extensionId = yield* uploadTo("A service that cannot resume, as Elastic Cloud today", path)
    yield* Console.log("\nThe same upload again")
    yield* Console.log(`\n${describeReceipt(yield* upload(extensionId, path))}`)
  }).pipe(Effect.provide(standIn({})))

  yield* uploadTo("A server that speaks the resumable-upload draft", path).pipe(
    Effect.provide(standIn({ resumable: {} }))
  )
})

NodeRuntime.runMain(Effect.scoped(demo).pipe(Effect.provide(NodeContext.layer)))

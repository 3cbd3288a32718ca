/** Everything an upload needs, against a stand-in in this process, and how to read afterwards what the stand-in saw. */
import { createHash } from "node:crypto"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { Effect, Layer, Option, Redacted } from "effect"
import * as ElasticCloudConfig from "../../../src/cloud/ElasticCloudConfig.ts"
import * as ExtensionsClient from "../../../src/cloud/ExtensionsClient.ts"
import * as UploadJournal from "../../../src/journal/UploadJournal.ts"
import * as LocalElasticCloud from "../../../src/testing/LocalElasticCloud.ts"
import type { RecordedRequest } from "../../../src/testing/RecordedRequest.ts"
import type { SeedExtension } from "../../../src/testing/StoredExtension.ts"
import * as RetryPolicy from "../../../src/transfer/RetryPolicy.ts"
import * as UploadHttpClient from "../../../src/transfer/UploadHttpClient.ts"
import type { UploadEvent } from "../../../src/upload/UploadEvent.ts"
import * as UploadSettings from "../../../src/upload/UploadSettings.ts"

export const apiKey = "local-key"

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

export interface WorldOptions {
  readonly cloud?: LocalElasticCloud.LocalElasticCloudOptions
  readonly settings?: Partial<UploadSettings.UploadOptions>
  readonly retry?: RetryPolicy.RetryPolicyOptions
  readonly http?: Parameters<typeof UploadHttpClient.layer>[0]
  /** In place of `UploadHttpClient`. */
  readonly transport?: Layer.Layer<HttpClient.HttpClient>
  readonly apiKey?: string
}

/** Of a running stand-in, the client half: what one process has. */
export const client = (options: WorldOptions = {}) =>
  Layer.mergeAll(
    ExtensionsClient.layer.pipe(
      Layer.provide(
        options.transport ??
          UploadHttpClient.layer({
            continueTimeout: "200 millis",
            // By default it depends on how quick the stand-in is on this machine.
            expectThreshold: 1024 * 1024,
            ...options.http
          })
      ),
      Layer.provide(
        Layer.unwrapEffect(
          Effect.map(LocalElasticCloud.LocalElasticCloud, ({ url }) =>
            ElasticCloudConfig.layer({
              endpoint: url,
              apiKey: Redacted.make(options.apiKey ?? apiKey)
            })
          )
        )
      )
    ),
    RetryPolicy.layer({ baseDelay: "5 millis", maxDelay: "20 millis", maxRetries: 3, ...options.retry }),
    UploadSettings.layer({ reconcileWindow: "60 millis", ...options.settings })
  )

/** Short delays, a journal in memory, and a stand-in of its own for every test. */
export const world = (options: WorldOptions = {}) =>
  Layer.mergeAll(client(options), UploadJournal.layerMemory).pipe(
    Layer.provideMerge(LocalElasticCloud.layer(options.cloud)),
    Layer.provideMerge(NodeContext.layer),
    Layer.orDie
  )

/** An extension to upload to. */
export const seed = (extension: Partial<SeedExtension> = {}) =>
  Effect.flatMap(LocalElasticCloud.LocalElasticCloud, (cloud) =>
    Effect.map(
      cloud.seed({ name: "dictionary", extension_type: "bundle", version: "*", ...extension }),
      ({ id }) => id
    )
  )

/** What another writer does: replaces the archive past the API. */
export const otherWriter = (id: string, file: Uint8Array) => Effect.asVoid(seed({ id, file }))

/** What the extension holds now. */
export const held = (id: string) =>
  Effect.gen(function* () {
    const cloud = yield* LocalElasticCloud.LocalElasticCloud
    const { file, resourceVersion, uploads } = Option.getOrThrow(yield* cloud.extension(id))
    return { sha256: file?.sha256, size: file?.size, uploads, resourceVersion }
  })

const isLink = ({ path }: RecordedRequest) => path.startsWith("/files/")

/** One line a request: `GET 200`, `LINK 200`, `PUT 1000/4000 cut unanswered`. */
const line = (request: RecordedRequest): string => {
  const status = request.status ?? "unanswered"
  if (isLink(request)) return `LINK ${status}`
  if (request.method !== "PUT") return `${request.method} ${status}`
  const received = `${request.bodyBytes}/${request.headers["content-length"] ?? "chunked"}`
  return `PUT ${received} ${request.complete ? "whole" : "cut"} ${status}`
}

/** Every request so far, as `line` writes it. */
export const traffic = Effect.gen(function* () {
  const cloud = yield* LocalElasticCloud.LocalElasticCloud
  yield* cloud.settled
  return (yield* cloud.requests).map(line)
})

export const puts = Effect.gen(function* () {
  const cloud = yield* LocalElasticCloud.LocalElasticCloud
  yield* cloud.settled
  return (yield* cloud.requests).filter(({ method }) => method === "PUT")
})

/** Whether all that raw PUTs brought was a beginning of this content, announced with its exact length. */
export const broughtOnly = (content: Uint8Array) =>
  Effect.map(puts, (requests) =>
    requests.every(
      ({ bodyBytes, bodySha256, headers }) =>
        headers["content-length"] === String(content.length) &&
        bodySha256 === sha256(content.subarray(0, bodyBytes))
    )
  )

/** The phases of the records in the journal. */
export const journaled = Effect.gen(function* () {
  const { corrupt, records } = yield* (yield* UploadJournal.UploadJournal).list
  return [...records.map(({ phase }) => phase), ...corrupt.map(({ reason }) => reason)]
})

/** Keeps the events of an upload. */
export const recordEvents = () => {
  const events: Array<UploadEvent> = []
  const tags = () => events.map(({ _tag }) => _tag)
  return {
    events,
    /** Without the ones whose number depends on how the bytes happened to travel. */
    milestones: () =>
      tags().filter((tag) => !["DigestProgress", "BytesWritten", "VerificationProgress"].includes(tag)),
    onEvent: (event: UploadEvent) => Effect.sync(() => void events.push(event))
  }
}

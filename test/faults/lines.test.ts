/** Lines that die before a word of HTTP was understood: the server sees one PUT, and it is whole. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as ElasticCloudConfig from "../../src/cloud/ElasticCloudConfig.ts"
import * as ExtensionsClient from "../../src/cloud/ExtensionsClient.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import * as RetryPolicy from "../../src/transfer/RetryPolicy.ts"
import * as UploadHttpClient from "../../src/transfer/UploadHttpClient.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import * as UploadSettings from "../../src/upload/UploadSettings.ts"
import { type Fate, gateway } from "../support/faults/gateway.ts"
import { ledger } from "../support/faults/ledger.ts"
import { authority } from "../support/transfer/authority.ts"
import { zipOf } from "../support/upload/archives.ts"
import { apiKey, held, recordEvents, seed, sha256 } from "../support/upload/world.ts"

/**
 * All reads share the first connection, and the one that is opened ahead dies unused. The fates are those of the next ones,
 * which would carry the PUT.
 */
const rows: ReadonlyArray<{
  readonly name: string
  readonly tls: boolean
  readonly fates: ReadonlyArray<Fate>
}> = [
  { name: "closed when accepted", tls: false, fates: ["destroy"] },
  {
    name: "closed when accepted, three times",
    tls: false,
    fates: ["destroy", "destroy", "destroy"]
  },
  { name: "TLS: closed when accepted", tls: true, fates: ["destroy"] },
  { name: "TLS: reset at the first byte of the handshake", tls: true, fates: [{ resetAfterBytes: 1 }] },
  { name: "TLS: closed, then reset", tls: true, fates: ["destroy", { resetAfterBytes: 100 }] }
]

describe("a line that dies before HTTP", () => {
  it.live.each(rows)("$name", ({ fates, tls }) =>
    Effect.gen(function* () {
      const { ca, server } = yield* authority
      yield* Effect.gen(function* () {
        const cloud = yield* LocalElasticCloud.LocalElasticCloud
        const line = yield* gateway(Number(new URL(cloud.url).port))
        const scheme = tls ? "https" : "http"
        const Client = Layer.mergeAll(
          ExtensionsClient.layer.pipe(
            Layer.provide(UploadHttpClient.layer({ ca: [ca] })),
            Layer.provide(
              ElasticCloudConfig.layer({
                endpoint: `${scheme}://127.0.0.1:${line.port}`,
                apiKey: Redacted.make(apiKey)
              })
            )
          ),
          RetryPolicy.layer({ baseDelay: "5 millis" }),
          UploadSettings.layer({ reconcileWindow: "60 millis", verification: "size" }),
          UploadJournal.layerMemory
        )
        const content = yield* zipOf(100_000)
        const extension = yield* seed()
        const { events, onEvent } = recordEvents()
        yield* line.next("pass", "destroy", ...fates)

        const receipt = yield* ExtensionUpload.upload({
          extensionId: extension,
          archive: Archive.bytes({ name: "words.zip", bytes: content }),
          onEvent
        }).pipe(Effect.provide(Client))

        expect(receipt._tag).toBe("Uploaded")
        expect((yield* ledger(content.length)).requests).toEqual([`PUT ${content.length}/${content.length}`])
        expect((yield* held(extension)).sha256).toBe(sha256(content))
        const failures = events.filter(({ _tag }) => _tag === "RetryScheduled")
        expect(failures.length).toBe(fates.length)
        expect(yield* line.connections).toBe(fates.length + 3)
        // In the clear, the small body was in the kernel's hands before the line died; behind TLS none of it was.
        if (tls) expect(events.some(({ _tag }) => _tag === "ReconciliationStarted")).toBe(false)
      }).pipe(
        Effect.scoped,
        Effect.provide(LocalElasticCloud.layer(tls ? { tls: server } : {})),
        Effect.provide(NodeContext.layer)
      )
    })
  )
})

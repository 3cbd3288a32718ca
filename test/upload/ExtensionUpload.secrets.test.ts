import { inspect } from "node:util"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Layer, Logger, LogLevel, type Tracer } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import * as Prometheus from "../../src/transfer/Prometheus.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import type { UploadEvent } from "../../src/upload/UploadEvent.ts"
import { zipOf } from "../support/upload/archives.ts"
import { recordingTracer } from "../support/upload/tracer.ts"
import { client, seed, traffic } from "../support/upload/world.ts"

const secretKey = "essu_VGhlLXNlY3JldC1rZXk6bm9ib2R5LXNlZXMtaXQ"

const withFileJournal = (folder: string) =>
  Layer.mergeAll(client({ apiKey: secretKey }), UploadJournal.layerFileSystem(folder)).pipe(
    Layer.provide(NodeContext.layer)
  )

const Cloud = LocalElasticCloud.layer({ accounts: [{ apiKey: secretKey, owner: "somebody" }] })

/** Everything an observer of one upload can get hold of, as text. */
const observe = (fault: ReadonlyArray<Fault.FaultRule>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const cloud = yield* LocalElasticCloud.LocalElasticCloud
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "journal-" })
    yield* Effect.forEach(fault, cloud.plan)

    const logs: Array<unknown> = []
    const events: Array<UploadEvent> = []
    const { spans, tracer } = recordingTracer()
    const logger = Logger.make(
      ({ annotations, cause, message }) => void logs.push([message, cause, annotations])
    )
    const records: Array<string> = []
    const keepRecords = Effect.gen(function* () {
      for (const file of yield* fs.readDirectory(folder)) {
        records.push(yield* fs.readFileString(path.join(folder, file)))
      }
    }).pipe(Effect.ignore)

    const exit = yield* ExtensionUpload.upload({
      extensionId: yield* seed({ file: yield* zipOf(1000) }),
      archive: Archive.bytes({ name: "a.zip", bytes: yield* zipOf(1000) }),
      onEvent: (event) =>
        Effect.zipRight(
          keepRecords,
          Effect.sync(() => void events.push(event))
        )
    }).pipe(
      Effect.exit,
      Effect.tap((exit) => Effect.logDebug("finished", exit)),
      Effect.withTracer(tracer),
      Effect.provide(Layer.mergeAll(withFileJournal(folder), Logger.replace(Logger.defaultLogger, logger))),
      Logger.withMinimumLogLevel(LogLevel.All)
    )
    const text = inspect(
      {
        events,
        exit: Exit.isFailure(exit) ? [exit.cause, String(exit.cause)] : exit,
        logs,
        metrics: yield* Prometheus.text,
        records,
        spans: spans.map(describeSpan)
      },
      { depth: 20, maxStringLength: null, maxArrayLength: null }
    )
    return { exit, records, spans, text }
  })

const describeSpan = ({ attributes, events, name, status }: Tracer.Span & { readonly events?: unknown }) => ({
  name,
  attributes: [...attributes],
  events,
  status
})

const requestsOf = Effect.flatMap(LocalElasticCloud.LocalElasticCloud, ({ requests }) => requests)

describe("secrets", () => {
  it.scopedLive("are in no span, log, event, record or receipt of an upload that works", () =>
    Effect.gen(function* () {
      const { exit, records, spans, text } = yield* observe([])
      expect(Exit.isSuccess(exit)).toBe(true)
      const link = (yield* requestsOf).find(({ path }) => path.startsWith("/files/"))
      const signature = /signature=(.+)$/.exec(link?.path ?? "")?.[1]
      expect(signature).toMatch(/.{8}/)
      expect(records.join()).toMatch(/"phase": *"Sending"/)
      expect(spans.map(({ name }) => name)).toEqual(
        expect.arrayContaining([
          "ExtensionUpload.upload",
          "ExtensionsClient.get",
          "ExtensionsClient.upload",
          "ExtensionsClient.download"
        ])
      )
      expect(text).toContain("elastic_extensions_uploads_total")
      expect(text).toContain("elastic.upload.outcome")
      expect(spans.filter(({ name }) => name === "PUT")).toHaveLength(1)
      expect(text).not.toContain(secretKey)
      expect(text).not.toContain(signature)
      expect(text).not.toContain("/files/")
    }).pipe(Effect.provide(Layer.merge(Cloud, NodeContext.layer)))
  )

  it.scopedLive.each([
    [
      "an answer that repeats the key",
      [{ method: "PUT", fault: Fault.refuse(400, "odd", `no: ${secretKey}`) }]
    ],
    [
      "a firewall that repeats the request",
      [{ method: "PUT", fault: Fault.answer({ status: 403, body: `<html>ApiKey ${secretKey}</html>` }) }]
    ],
    [
      "a redirect",
      [
        {
          method: "PUT",
          fault: Fault.answer({ status: 307, headers: { location: `http://127.0.0.1:1/?key=${secretKey}` } })
        }
      ]
    ],
    ["a link that fails", [{ path: "/files/", times: 99, fault: Fault.cutAnswer() }]],
    ["a lost line", [{ method: "PUT", times: 99, fault: Fault.cut("body") }]]
  ] as const)("are in none either after %s", ([, fault]) =>
    Effect.gen(function* () {
      const { text } = yield* observe(fault)
      expect((yield* traffic).filter((line) => line.startsWith("PUT")).length).toBeGreaterThan(0)
      expect(text).not.toContain(secretKey)
      expect(text).not.toContain("signature=")
      expect(text).not.toContain("/files/")
    }).pipe(Effect.provide(Layer.merge(Cloud, NodeContext.layer)))
  )
})

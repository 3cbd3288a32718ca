/** One runner in a process of its own, to be held, killed or cut off: `RELEASE_*` says what it does, reports what it did. */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as ExtensionsClient from "../../../src/cloud/ExtensionsClient.ts"
import * as ArchiveDelivery from "../../../src/publish/ArchiveDelivery.ts"
import * as RetryPolicy from "../../../src/transfer/RetryPolicy.ts"
import * as UploadHttpClient from "../../../src/transfer/UploadHttpClient.ts"
import * as UploadSettings from "../../../src/upload/UploadSettings.ts"
import * as Announcement from "../../../src/workflow/Announcement.ts"
import type { EngineStartError } from "../../../src/workflow/EngineError.ts"
import * as EnginePostgres from "../../../src/workflow/EnginePostgres.ts"
import * as EngineSqlite from "../../../src/workflow/EngineSqlite.ts"
import * as ExtensionRelease from "../../../src/workflow/ExtensionRelease.ts"
import * as ReleaseEvents from "../../../src/workflow/ReleaseEvents.ts"
import * as ReleasePayload from "../../../src/workflow/ReleasePayload.ts"
import * as ReleaseRetry from "../../../src/workflow/ReleaseRetry.ts"
import * as TransferSlots from "../../../src/workflow/TransferSlots.ts"
import { encodeReport, momentName, type Report } from "./reports.ts"
import { patience } from "./sharding.ts"

const settings = Config.all({
  /** A file, or the URL of a PostgreSQL. */
  database: Config.string("RELEASE_DATABASE"),
  /** Where other runners find this one, and where it listens. */
  port: Config.withDefault(Config.integer("RELEASE_PORT"), 0),
  listen: Config.withDefault(Config.integer("RELEASE_LISTEN"), 0),
  patience: Config.withDefault(Config.literal("little", "some", "shipped")("RELEASE_PATIENCE"), "little"),
  /** How many archives all runners send at once. */
  transfers: Config.option(Config.integer("RELEASE_TRANSFERS")),
  retention: Config.withDefault(Config.duration("RELEASE_RETENTION"), Duration.days(90)),
  /** The moment to hold on to for ever. */
  holdAt: Config.withDefault(Config.string("RELEASE_HOLD_AT"), ""),
  /** The release to execute; without one, the process serves until it is killed. */
  payload: Config.option(Config.string("RELEASE_PAYLOAD")),
  /** Approves the release before it waits for its end. */
  approve: Config.withDefault(Config.boolean("RELEASE_APPROVE"), false)
})

const report = (what: Report) => Console.log(encodeReport(what))

const observed = (holdAt: string) =>
  ReleaseEvents.layer((event) => {
    const { executionId } = event
    const [moment, step, attempt] =
      event._tag === "Uploading" ? [event.event._tag, "transfer", 0] : [event._tag, event.step, event.attempt]
    // Of the many events of an upload, the ones that say where it goes on.
    if (event._tag === "Uploading" && !["SendingStarted", "BytesAcknowledged"].includes(moment))
      return Effect.void
    return Effect.zipRight(
      report({ _tag: "Moment", moment, step, executionId, attempt }),
      momentName(moment, step) === holdAt ? Effect.never : Effect.void
    )
  })

const announced = Announcement.layer({
  released: ({ idempotencyKey, receipt }) =>
    report({ _tag: "Announced", executionId: receipt.executionId, idempotencyKey })
})

const engine = (
  options: Config.Config.Success<typeof settings>
): Layer.Layer<WorkflowEngine, EngineStartError, FileSystem.FileSystem | Path.Path> =>
  options.database.startsWith("postgres")
    ? EnginePostgres.layer({
        url: Redacted.make(options.database),
        runner: { host: "127.0.0.1", port: options.port },
        listen: { host: "127.0.0.1", port: options.listen },
        retention: options.retention,
        transfersAtOnce: Option.getOrUndefined(options.transfers),
        sharding: patience[options.patience]
      })
    : EngineSqlite.layer(options.database)

const release = (encoded: string, approve: boolean) =>
  Effect.gen(function* () {
    const payload = yield* Schema.decode(Schema.parseJson(ReleasePayload.ReleasePayload))(encoded)
    if (approve)
      yield* ExtensionRelease.approve(yield* ExtensionRelease.executionId(payload), { by: "the test" })
    const ended = yield* Effect.either(ExtensionRelease.execute(payload))
    yield* report({
      _tag: "Result",
      outcome: Either.isRight(ended) ? "Released" : ended.left._tag,
      sha256: Either.isRight(ended) ? ended.right.upload.archive.sha256 : ""
    })
  })

const runner = Effect.gen(function* () {
  const options = yield* settings
  const program = Effect.zipRight(
    report({ _tag: "Ready" }),
    Option.match(options.payload, {
      onNone: () => Effect.never,
      onSome: (payload) => release(payload, options.approve)
    })
  )
  return yield* program.pipe(
    Effect.provide(
      ExtensionRelease.layer.pipe(
        Layer.provide([
          announced,
          observed(options.holdAt),
          ReleaseRetry.layer({ firstDelay: "200 millis", maxDelay: "1 second", maxAttempts: 60 }),
          TransferSlots.layer(100)
        ]),
        Layer.provide(ExtensionRelease.layerJournal),
        Layer.provideMerge(engine(options)),
        // One by one: the journal of an upload by itself is in a folder, and would be that of the engine's steps.
        Layer.provide([
          ExtensionsClient.layerConfig,
          RetryPolicy.layerConfig,
          UploadSettings.layerConfig,
          ArchiveDelivery.layerStore
        ]),
        Layer.provide(UploadHttpClient.layerConfig)
      )
    )
  )
})

NodeRuntime.runMain(Effect.provide(runner, NodeContext.layer))

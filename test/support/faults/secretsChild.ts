/**
 * Runs every command, and uploads as a program would, against every server of `CANARY_ORIGINS`, and tells all that there is to
 * know about how it went. Last of all it ends with an error that nobody handles.
 */
import process from "node:process"
import { inspect } from "node:util"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Config, ConfigProvider, Console, Effect, Exit, Layer, Logger, LogLevel } from "effect"
import { Archive, ExtensionUpload, UploadJournal } from "../../../src/index.ts"
import { ended, id, ofExtensions, ofFile, ofReleases, ofThisMachine, type Words } from "../cli/commands.ts"
import { recordingTracer } from "../upload/tracer.ts"

const settings = Config.all({
  origins: Config.array(Config.string(), "CANARY_ORIGINS"),
  runners: Config.array(Config.string(), "CANARY_RUNNERS"),
  proxies: Config.array(Config.string(), "CANARY_PROXIES"),
  key: Config.string("CANARY_KEY"),
  token: Config.string("CANARY_TOKEN"),
  folder: Config.string("CANARY_FOLDER"),
  archive: Config.string("CANARY_ARCHIVE")
})

const write = (text: string) => Effect.sync(() => void process.stdout.write(text))
/** Everything is written as people see it; what programs read goes into a file. */
const terminal = { isTerminal: true, columns: Effect.succeed(80), write }

const told = (exit: Exit.Exit<unknown, unknown>): ReadonlyArray<string> =>
  Exit.match(exit, {
    onSuccess: (value) => [inspect(value, { depth: 20 }), JSON.stringify(value)],
    onFailure: (cause) => [
      inspect(cause, { depth: 20, maxStringLength: null }),
      String(cause),
      Cause.pretty(cause, { renderErrorCause: true }),
      ...[cause, ...Cause.failures(cause), ...Cause.defects(cause)].flatMap((error) => [
        String(error),
        JSON.stringify(error) ?? "",
        inspect(error, { depth: 20, maxStringLength: null, showHidden: true })
      ])
    ]
  })

const program = Effect.gen(function* () {
  const { archive, folder, key, origins, proxies, runners, token } = yield* settings
  const fs = yield* FileSystem.FileSystem
  const variables = (more: Readonly<Record<string, string>>) =>
    Object.entries({
      EC_API_KEY: key,
      EC_RUNNER_TOKEN: token,
      EC_UPLOAD_JOURNAL: folder,
      EC_UPLOAD_RETRIES: "1",
      EC_UPLOAD_RETRY_BASE_DELAY: "1 millis",
      EC_UPLOAD_RECONCILE_WINDOW: "1 millis",
      EC_UPLOAD_CONTINUE_TIMEOUT: "1 millis",
      ...more
    })
  const upload = ExtensionUpload.upload({
    extensionId: id,
    archive: Archive.file(archive)
  }).pipe(Effect.provide(Layer.merge(ExtensionUpload.layerConfig, UploadJournal.layerMemory)))

  const { spans, tracer } = recordingTracer()
  const observed = <A, E, R>(effect: Effect.Effect<A, E, R>, more: Readonly<Record<string, string>>) =>
    effect.pipe(
      Effect.tapErrorCause((cause) => Effect.logFatal("failed", cause)),
      Effect.exit,
      Effect.tap((exit) => Effect.forEach(told(exit), (text) => Console.log(text))),
      Effect.withTracer(tracer),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(variables(more))))
    )

  const lines = `${folder}-lines`
  const tell = (args: Words, more: Readonly<Record<string, string>>) =>
    Effect.gen(function* () {
      yield* Console.log(`\n# ${args.join(" ")}`)
      const run = ended([...args, "--json-file", lines], { out: terminal, err: terminal })
      yield* observed(Effect.flatten(run), more)
      yield* Console.log(yield* fs.readFileString(lines))
    })
  const proxied = proxies.map((proxy) => ({ EC_ENDPOINT: "https://api.example", HTTPS_PROXY: proxy }))
  const served = origins.map((origin) => ({ EC_ENDPOINT: origin }))
  for (const [index, more] of [...served, ...proxied].entries()) {
    const given = { archive, database: `${folder}-${index}.db` }
    for (const args of [...ofExtensions(given), ...ofThisMachine(given), ...ofFile(given)])
      yield* tell(args, more)
    yield* observed(upload, more)
  }
  const proxiedRunners = proxies.map((proxy) => ({
    EC_RUNNER_URL: "https://runner.example",
    HTTPS_PROXY: proxy
  }))
  for (const more of [...runners.map((url) => ({ EC_RUNNER_URL: url })), ...proxiedRunners]) {
    for (const args of ofReleases({ archive })) yield* tell(args, { EC_ENDPOINT: origins[0] ?? "", ...more })
  }
  yield* Console.log(inspect(spans, { depth: 12, maxArrayLength: null, maxStringLength: null }))
  // The end of a process does not wait for what a busy reader has not taken yet.
  yield* Effect.async<void>((resume) => {
    process.stdout.write("# an error that nobody handles\n", () => resume(Effect.void))
  })
  return yield* upload.pipe(
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(variables({ EC_ENDPOINT: origins[0] ?? "" }))))
  )
}).pipe(
  Effect.provide(NodeContext.layer),
  Effect.provide(Logger.pretty),
  Logger.withMinimumLogLevel(LogLevel.Trace)
)

NodeRuntime.runMain(program)

/** The database that releases are in: a file of this machine, or a PostgreSQL that many share. */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as UploadJournal from "../../../journal/UploadJournal.ts"
import * as Variable from "../../../transfer/Variable.ts"
import type { EngineStartError } from "../../../workflow/EngineError.ts"
import { PackageMissing, type PermissionMissing } from "../../Failure.ts"
import { listening } from "../permission.ts"

export type Database = Data.TaggedEnum<{
  File: { readonly path: string; readonly namespace: string }
  Postgres: { readonly url: Redacted.Redacted<string>; readonly namespace: string }
}>

export const Database = Data.taggedEnum<Database>()

/** A file that is named, else the PostgreSQL of `DATABASE_URL`, else a file in the user's state folder. */
export const database: Effect.Effect<Database, ConfigError.ConfigError, Path.Path> = Effect.gen(function* () {
  const { join, resolve } = yield* Path.Path
  const namespace = yield* Config.withDefault(Variable.text("EC_RUNNER_NAMESPACE"), "default")
  const named = yield* Config.option(Variable.text("EC_RUNNER_DATABASE"))
  if (Option.isSome(named)) return Database.File({ path: resolve(named.value), namespace })
  const url = yield* Config.option(Variable.secret("DATABASE_URL"))
  if (Option.isSome(url)) return Database.Postgres({ url: url.value, namespace })
  const folder = yield* Effect.flatMap(UploadJournal.stateFolder, orNoFolder)
  return Database.File({ path: join(folder, "releases.db"), namespace })
})

const orNoFolder = Option.match({
  onNone: () =>
    Effect.fail(
      ConfigError.MissingData(
        ["EC_RUNNER_DATABASE"],
        "No file for the releases: name one (or set HOME, whose .local/state is the default), or set DATABASE_URL"
      )
    ),
  onSome: (folder: string) => Effect.succeed(folder)
})

type Engine = Layer.Layer<
  WorkflowEngine,
  EngineStartError | PackageMissing | PermissionMissing | ConfigError.ConfigError,
  FileSystem.FileSystem | Path.Path
>

/** Where the other runners find this one. Only several have to find each other. */
const ownAddress = Effect.flatMap(Config.option(Variable.address("EC_RUNNER_ADDRESS")), (given) =>
  Option.match(given, {
    onNone: () =>
      Effect.fail(
        ConfigError.MissingData(
          ["EC_RUNNER_ADDRESS"],
          'With PostgreSQL, say where the other runners reach this one, such as "10.0.0.5:34431"'
        )
      ),
    onSome: (known) => Effect.succeed(known)
  })
)

/** An engine that does the work, if somebody provides the workflow. A file has one runner: what all send, it sends. */
export const layerRunner = (database: Database, transfersAtOnce: number | undefined): Engine =>
  Database.$match(database, {
    File: layerFile("layer"),
    Postgres: ({ namespace, url }) =>
      Layer.unwrapEffect(
        Effect.gen(function* () {
          const runner = yield* ownAddress
          yield* listening(runner.host, runner.port)
          const { layer } = yield* Effect.promise(() => import("../../../workflow/EnginePostgres.ts"))
          return layer({ url, namespace, runner, transfersAtOnce })
        })
      )
  })

/** An engine that asks, and leaves the work to runners. */
export const layerClient = (database: Database): Engine =>
  Database.$match(database, {
    File: layerFile("layerClient"),
    Postgres: ({ namespace, url }) =>
      Layer.unwrapEffect(
        Effect.map(
          Effect.promise(() => import("../../../workflow/EnginePostgres.ts")),
          ({ layerClient }) => layerClient({ url, namespace })
        )
      )
  })

/** Its client is native, and not part of the command. */
const layerFile =
  (kind: "layer" | "layerClient") =>
  ({ namespace, path }: { readonly namespace: string; readonly path: string }): Engine =>
    Layer.unwrapEffect(
      Effect.tryPromise({
        try: () => import("../../../workflow/EngineSqlite.ts"),
        catch: () => new PackageMissing({ name: "@libsql/client", version: "^0.12.0" })
      }).pipe(Effect.map((engine) => engine[kind](path, { namespace })))
    )

export const describeDatabase = (database: Database): string =>
  Database.$match(database, {
    File: ({ path }) => path,
    Postgres: () => "the PostgreSQL of DATABASE_URL"
  })

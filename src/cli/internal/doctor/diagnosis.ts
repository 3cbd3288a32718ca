/** Everything an upload depends on, examined in the order in which an upload meets it. */
import process from "node:process"
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as Path from "@effect/platform/Path"
import * as Arr from "effect/Array"
import type * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ModuleVersion from "effect/ModuleVersion"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as ElasticCloudConfig from "../../../cloud/ElasticCloudConfig.ts"
import * as ExtensionsClient from "../../../cloud/ExtensionsClient.ts"
import { packageVersion } from "../../../cloud/PackageVersion.ts"
import * as S3ObjectStore from "../../../staging/S3ObjectStore.ts"
import * as RetryPolicy from "../../../transfer/RetryPolicy.ts"
import * as UploadHttpClient from "../../../transfer/UploadHttpClient.ts"
import * as Variable from "../../../transfer/Variable.ts"
import * as UploadSettings from "../../../upload/UploadSettings.ts"
import { fromConfigError } from "../../Failure.ts"
import { commandName, nearest } from "../text.ts"
import { type Finding, failed, ok, warning } from "./finding.ts"
import { examineJournal } from "./journal.ts"
import { examineEndpoint, examineKey, examineTransfer, examineUser, type TransferSettings } from "./server.ts"

type Findings<R = never> = Stream.Stream<Finding, never, R>

/** Findings as they are made. Sends nothing that could change an extension, and no byte of any archive. */
export const diagnosis: Findings<HttpClient.HttpClient | FileSystem.FileSystem | Path.Path> = Stream.unwrap(
  Effect.suspend(() =>
    Effect.map(readSettings, (settings) => {
      const baseUrl = Option.map(settings.endpoint, (endpoint) => endpoint.baseUrl)
      return Stream.fromEffect(examineRuntime).pipe(
        Stream.concat(Stream.fromIterable(settings.findings)),
        Stream.concat(examineCloud(settings)),
        Stream.concat(Stream.fromIterableEffect(examineJournal(baseUrl)))
      )
    })
  )
)

/** The first thing anybody who helps will ask. */
const examineRuntime: Effect.Effect<Finding> = Effect.sync(() =>
  ok(
    "runtime",
    `${commandName} ${packageVersion}, Effect ${ModuleVersion.getCurrentVersion()}, ${runtime(process)}, ${process.platform} ${process.arch}`
  )
)

const runtime = ({ versions }: typeof process): string => {
  if (versions["deno"] !== undefined) return `Deno ${versions["deno"]}`
  return versions.bun === undefined ? `Node ${versions.node}` : `Bun ${versions.bun}`
}

/** What the environment says, and what of it cannot be used. */
interface Environment {
  readonly findings: ReadonlyArray<Finding>
  /** Where the API is, with whatever key there is. */
  readonly endpoint: Option.Option<ElasticCloudConfig.Endpoint>
  /** The same with a key that can be sent. */
  readonly access: Option.Option<ElasticCloudConfig.ElasticCloudConfigService>
  readonly transfer: TransferSettings
}

const readSettings: Effect.Effect<Environment> = Effect.gen(function* () {
  const endpoint = yield* Effect.either(ElasticCloudConfig.endpoint)
  const access = yield* Effect.either(ElasticCloudConfig.config)
  const transport = yield* Effect.either(UploadHttpClient.config)
  const upload = yield* Effect.either(UploadSettings.config)
  const retry = yield* Effect.either(RetryPolicy.config)
  const unusable = [
    ...unusableIn("settings", transport),
    ...unusableIn("settings", upload),
    ...unusableIn("settings", retry)
  ]
  // Without an endpoint, what is wrong with the key would be said of the endpoint as well.
  const unusableAccess = Either.isLeft(endpoint)
    ? unusableIn("endpoint", endpoint)
    : unusableIn("key", access)
  return {
    findings: [
      ...(unusable.length === 0 ? [ok("settings", "all settings are valid")] : unusable),
      ...(yield* unknownVariables),
      ...unusableAccess
    ],
    endpoint: Either.getRight(endpoint),
    access: Either.getRight(access),
    transfer: {
      ...(yield* orDefaults(UploadSettings.config, upload)),
      ...(yield* orDefaults(UploadHttpClient.config, transport))
    }
  }
})

const unusableIn = <A>(
  check: string,
  read: Either.Either<A, ConfigError.ConfigError>
): ReadonlyArray<Finding> =>
  Either.match(read, {
    onLeft: (error) => [failed(check, fromConfigError(error, []))],
    onRight: () => []
  })

const prefix = "EC_UPLOAD_"

/** A misspelt variable changes nothing, and nobody would notice. */
const unknownVariables: Effect.Effect<ReadonlyArray<Finding>> = Effect.gen(function* () {
  const configs = [UploadHttpClient.config, UploadSettings.config, RetryPolicy.config, S3ObjectStore.config]
  const read = yield* Effect.forEach(configs, Variable.namesIn)
  const known = [...read.flat(), "EC_UPLOAD_JOURNAL"]
  const unknown = yield* Variable.unknownNames(prefix, known)
  return unknown.map((name) =>
    warning(
      "variable",
      `${name} is set, but there is no such variable`,
      Option.match(nearest(name, known), {
        onNone: () => undefined,
        onSome: (other) => `Did you mean ${other}?`
      })
    )
  )
})

const nothingSet = ConfigProvider.fromMap(new Map())

/** What was read, or what holds where nothing is set. */
const orDefaults = <A>(
  config: Config.Config<A>,
  read: Either.Either<A, ConfigError.ConfigError>
): Effect.Effect<A> =>
  Either.match(read, {
    onLeft: () => Effect.orDie(Effect.withConfigProvider(config, nothingSet)),
    onRight: Effect.succeed
  })

const examineCloud = ({ access, endpoint, transfer }: Environment): Findings<HttpClient.HttpClient> =>
  Option.match(endpoint, {
    onNone: () => Stream.empty,
    onSome: ({ baseUrl }) =>
      Stream.unwrap(
        Effect.map(examineEndpoint(baseUrl), ({ findings, reachable }) =>
          Stream.concat(
            Stream.fromIterable(findings),
            reachable && Option.isSome(access) ? examineAccess(access.value, transfer) : Stream.empty
          )
        )
      )
  })

/** Nothing can be learnt about transfers with a key that is refused. */
const examineAccess = (
  config: ElasticCloudConfig.ElasticCloudConfigService,
  transfer: TransferSettings
): Findings<HttpClient.HttpClient> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const client = yield* Effect.provideService(
        ExtensionsClient.make,
        ElasticCloudConfig.ElasticCloudConfig,
        config
      )
      const { extensions, finding } = yield* examineKey(client)
      const key = Stream.succeed(finding)
      if (Option.isNone(extensions)) return key
      const extension = Option.map(Arr.head(extensions.value), ({ id }) => id)
      return key.pipe(
        Stream.concat(Stream.fromEffect(examineUser(client))),
        Stream.concat(Stream.fromIterableEffect(examineTransfer(client, extension, transfer)))
      )
    })
  )

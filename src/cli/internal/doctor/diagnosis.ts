/** Everything an upload depends on, looked at in the order in which an upload meets it. */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { ElasticCloudConfig, type ElasticCloudConfigService } from "../../../cloud/ElasticCloudConfig.ts"
import * as ExtensionsClient from "../../../cloud/ExtensionsClient.ts"
import { examineKey, examineUser } from "./access.ts"
import { examineEndpoint } from "./endpoint.ts"
import type { Finding } from "./finding.ts"
import { examineJournal } from "./journal.ts"
import { examineRuntime } from "./runtime.ts"
import { readSettings, type Settings } from "./settings.ts"
import { examineExpect, examineResumption } from "./transport.ts"

type Findings<R = never> = Stream.Stream<Finding, never, R>

const lazily = <R>(findings: Effect.Effect<Findings<R>, never, R>): Findings<R> => Stream.unwrap(findings)

/** Nothing can be learnt about transfers with a key that is refused. */
const examineAccess = (
  config: ElasticCloudConfigService,
  { expectThreshold, upload }: Settings
): Findings<HttpClient.HttpClient> =>
  lazily(
    Effect.gen(function* () {
      const client = yield* Effect.provideService(ExtensionsClient.make, ElasticCloudConfig, config)
      const { extensions, finding } = yield* examineKey(client)
      const key = Stream.succeed(finding)
      if (extensions === undefined) return key
      return Stream.concat(
        key,
        Stream.mapEffect(
          Stream.make(
            examineUser(client),
            examineResumption(client, extensions[0]?.id, upload),
            examineExpect(client, expectThreshold)
          ),
          identity
        )
      )
    })
  )

const examineCloud = (settings: Settings): Findings<HttpClient.HttpClient> =>
  Option.match(settings.endpoint, {
    onNone: () => Stream.empty,
    onSome: ({ baseUrl }) =>
      lazily(
        Effect.map(examineEndpoint(baseUrl), ({ findings, reachable }) =>
          Stream.concat(
            Stream.fromIterable(findings),
            reachable && Option.isSome(settings.access)
              ? examineAccess(settings.access.value, settings)
              : Stream.empty
          )
        )
      )
  })

/**
 * Findings as they are made. Sends nothing that could change an extension, and no byte of any archive.
 *
 * @internal
 */
export const diagnosis: Findings<HttpClient.HttpClient | FileSystem.FileSystem | Path.Path> = lazily(
  Effect.map(readSettings, (settings) => {
    const baseUrl = Option.map(settings.endpoint, (endpoint) => endpoint.baseUrl)
    return Stream.fromEffect(examineRuntime).pipe(
      Stream.concat(Stream.fromIterable(settings.findings)),
      Stream.concat(examineCloud(settings)),
      Stream.concat(Stream.fromIterableEffect(examineJournal(baseUrl)))
    )
  })
)

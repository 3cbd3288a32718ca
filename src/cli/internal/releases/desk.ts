/** Whom commands ask about releases: an engine of their own on the database, or a runner over its API. */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as Path from "@effect/platform/Path"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as ReleasesApi from "../../../runner/ReleasesApi.ts"
import * as RunnerHttp from "../../../runner/RunnerHttp.ts"
import { makeScrubOf } from "../../../scrub.ts"
import { fromHttpClientError } from "../../../transfer/TransferError.ts"
import * as UploadHttpClient from "../../../transfer/UploadHttpClient.ts"
import * as Variable from "../../../transfer/Variable.ts"
import type { EngineLocked, EngineStartError } from "../../../workflow/EngineError.ts"
import * as ExtensionRelease from "../../../workflow/ExtensionRelease.ts"
import * as ReleaseList from "../../../workflow/ReleaseList.ts"
import type { ReleasePayload } from "../../../workflow/ReleasePayload.ts"
import type { ReleaseFilter } from "../../../workflow/ReleaseRecord.ts"
import { Failure, type PackageMissing, type PermissionMissing, RunnerUnreachable } from "../../Failure.ts"
import { type Database, database, layerClient } from "./database.ts"
import * as Door from "./door.ts"

interface Service {
  readonly submit: (payload: ReleasePayload) => Effect.Effect<string, Failure>
  readonly list: (filter: ReleaseFilter) => Effect.Effect<ReleaseList.ReleasePage, Failure>
  /** By execution id or release id; the others take an execution id. */
  readonly show: (id: string) => Effect.Effect<ReleaseList.ReleaseDetails, Failure>
  readonly approve: Decide
  readonly reject: Decide
  readonly cancel: (executionId: string) => Effect.Effect<void, Failure>
  readonly retry: (executionId: string) => Effect.Effect<string, Failure>
}

type Decide = (
  executionId: string,
  by: ExtensionRelease.DecisionBy
) => Effect.Effect<ExtensionRelease.DecisionReceipt, Failure>

export class Desk extends Context.Tag("effect-elastic-extensions/cli/Desk")<Desk, Service>() {}

const ofEngine = Effect.map(Effect.context<WorkflowEngine>(), (engine): Service => {
  const ask = <A, E>(question: Effect.Effect<A, E, WorkflowEngine>) => Effect.provide(question, engine)
  return {
    submit: (payload) => ask(ExtensionRelease.submit(payload)),
    list: (filter) => ask(ReleaseList.list(filter)),
    show: (id) => ask(ReleaseList.show(id)),
    approve: (executionId, by) => ask(ExtensionRelease.approve(executionId, by)),
    reject: (executionId, by) => ask(ExtensionRelease.reject(executionId, by)),
    cancel: (executionId) => ask(ExtensionRelease.cancel(executionId)),
    retry: (executionId) => ask(ReleaseList.retry(executionId))
  }
})

const ofRunner = Effect.fnUntraced(function* (options: ReleasesApi.ClientOptions) {
  const { releases } = yield* ReleasesApi.client(options)
  const told = toldBy(options)
  const ask = <A, E>(question: Effect.Effect<A, E>) =>
    Effect.catchAll(question, (error) => Effect.flip(told(error)))
  const service: Service = {
    submit: (payload) => {
      const { version: _, ...submission } = payload
      return Effect.map(ask(releases.submit({ payload: submission })), ({ executionId }) => executionId)
    },
    list: ({ states, ...filter }) =>
      ask(releases.list({ urlParams: { ...filter, ...(states === undefined ? {} : { state: states }) } })),
    show: (executionId) => ask(releases.show({ path: at(executionId) })),
    approve: (executionId, payload) =>
      ask(releases.approve({ path: at(executionId), payload: said(payload) })),
    reject: (executionId, payload) => ask(releases.reject({ path: at(executionId), payload: said(payload) })),
    cancel: (executionId) => ask(releases.cancel({ path: at(executionId) })),
    retry: (executionId) =>
      Effect.map(ask(releases.retry({ path: at(executionId) })), ({ executionId }) => executionId)
  }
  return service
})

/** An id as a part of an address: a release may be called by any text. */
const at = (id: string) => ({ executionId: encodeURIComponent(id.replace(/\p{Cs}/gu, "\ufffd")) })

const said = ({ by, note }: ExtensionRelease.DecisionBy) => ({ by, ...(note === undefined ? {} : { note }) })

const known: ReadonlySet<string> = new Set<Failure["_tag"]>([
  "AccessTokenRefused",
  "AmbiguousRelease",
  "ArchiveChanged",
  "ArchiveUnreadable",
  "EngineUnavailable",
  "InvalidPayload",
  "NothingToDecide",
  "ReleaseUnfinished",
  "UnknownExecution"
])

const isFailure = (error: unknown): error is Failure =>
  Predicate.hasProperty(error, "_tag") && Predicate.isString(error._tag) && known.has(error._tag)

const FailureText = Schema.parseJson(Failure)

/**
 * What the release or the engine is to blame for is told as it is; the rest is between the runner and us. Who was given the token
 * may say it in any of it.
 */
const toldBy = ({ token, url }: ReleasesApi.ClientOptions) => {
  const scrub = token === undefined ? identity<string> : makeScrubOf(token)
  const unreachable = (detail: string) => new RunnerUnreachable({ url: String(url), detail: scrub(detail) })
  return (error: unknown): Effect.Effect<Failure> =>
    isFailure(error)
      ? Schema.encode(FailureText)(error).pipe(
          Effect.flatMap((text) => Schema.decode(FailureText)(scrub(text))),
          Effect.orElseSucceed(() => unreachable("its error repeats what opens it"))
        )
      : Effect.succeed(unreachable(detailOf(error)))
}

/** What it answered instead of what a runner does is nobody's business: an error of a schema repeats all of it. */
const detailOf = (error: unknown): string => {
  if (HttpClientError.isHttpClientError(error)) {
    return error._tag === "RequestError"
      ? fromHttpClientError(error).message
      : `it answered ${error.response.status}, and not as a runner does`
  }
  return ParseResult.isParseError(error) || Predicate.isTagged(error, "HttpApiDecodeError")
    ? "its answer is not one of a runner"
    : Predicate.hasProperty(error, "message") && Predicate.isString(error.message)
      ? error.message
      : String(error)
}

type LayerError = EngineStartError | PackageMissing | PermissionMissing | ConfigError.ConfigError

const throughDoor = (file: string, locked: EngineLocked) =>
  Effect.flatMap(Door.find(file), Option.match({ onNone: () => Effect.fail(locked), onSome: ofRunner }))

type Asking = Layer.Layer<Desk, LayerError, FileSystem.FileSystem | Path.Path | HttpClient.HttpClient>

const onDatabase = (place: Database): Asking => {
  const own: Asking = Layer.effect(Desk, ofEngine).pipe(Layer.provide(layerClient(place)))
  if (place._tag === "Postgres") return own
  // A runner has the file: it is asked instead.
  const orAsk = (error: LayerError): Asking =>
    error._tag === "EngineLocked" ? Layer.effect(Desk, throughDoor(place.path, error)) : Layer.fail(error)
  return Layer.catchAll(own, orAsk)
}

/** The runner of `EC_RUNNER_URL`, or else whoever has the database. */
export const layer: Layer.Layer<Desk | HttpClient.HttpClient, LayerError, FileSystem.FileSystem | Path.Path> =
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const url = yield* Config.option(Variable.text("EC_RUNNER_URL"))
      if (Option.isNone(url)) return onDatabase(yield* database)
      const { token } = yield* RunnerHttp.apiOptions
      return Layer.effect(Desk, ofRunner({ url: url.value, token }))
    })
  ).pipe(Layer.provideMerge(UploadHttpClient.layerConfig))

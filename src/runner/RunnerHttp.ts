/**
 * What a runner serves by HTTP: its health, its metrics, and, where that is asked for, the API and a page to look at releases and
 * to approve them.
 *
 * Without a token the API is open to everybody on this machine, and to nobody else: it does not listen elsewhere then. What it
 * serves is not encrypted; to be reached over a network it belongs behind a proxy that speaks TLS.
 *
 * Needs the optional package `@effect/platform-node`.
 *
 * @since 0.1.0
 */
import { createServer, type Server } from "node:http"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { HttpApiDecodeError } from "@effect/platform/HttpApiError"
import type * as HttpApp from "@effect/platform/HttpApp"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerError from "@effect/platform/HttpServerError"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Variable from "../transfer/Variable.ts"
import * as Guard from "./internal/guard.ts"
import { layerApi } from "./internal/handlers.ts"
import * as Page from "./internal/page.ts"
import * as Token from "./internal/token.ts"
import { RequestRefused } from "./ReleasesApi.ts"
import {
  AccessTokenRequired,
  ListenFailed,
  MalformedRequest,
  NothingHere,
  RunnerFault
} from "./RunnerError.ts"

/**
 * What may be asked of a runner.
 *
 * @since 0.1.0
 * @category models
 */
export interface ApiOptions {
  /** Opens the API: at least 16 characters. Without one the runner listens on this machine only. */
  readonly token?: Redacted.Redacted<string> | undefined
  /** Names by which the runner is reached besides its addresses and `localhost`, such as that of a proxy. Default none. */
  readonly names?: ReadonlyArray<string> | undefined
}

/**
 * What a runner serves, and where.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunnerHttpOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string | undefined
  /** Default 8321; 0 for any that is free. */
  readonly port?: number | undefined
  /** The API and the page. Default: neither. */
  readonly api?: ApiOptions | undefined
  /** Why the runner cannot do its work now, for `/readyz`. Default: it can. */
  readonly obstacle?: Effect.Effect<Option.Option<string>> | undefined
  /** What `/metrics` answers, in the text format of Prometheus. Default: nothing is served there. */
  readonly metrics?: Effect.Effect<string> | undefined
}

/**
 * Why a runner does not listen.
 *
 * @since 0.1.0
 * @category errors
 */
export type RunnerHttpError = AccessTokenRequired | ListenFailed

/** Characters. */
const shortestToken = 16

/**
 * What the API needs, from the environment: the token from the file that `EC_RUNNER_TOKEN_FILE` names or from `EC_RUNNER_TOKEN`, and
 * further names from `EC_RUNNER_NAMES`, with commas between them.
 *
 * @since 0.1.0
 * @category configuration
 */
export const apiOptions: Effect.Effect<ApiOptions, ConfigError.ConfigError, FileSystem.FileSystem> =
  Effect.gen(function* () {
    const names = yield* Config.withDefault(Variable.text("EC_RUNNER_NAMES"), "")
    const file = yield* Config.option(Variable.text("EC_RUNNER_TOKEN_FILE"))
    const given = yield* Config.option(Variable.secret("EC_RUNNER_TOKEN"))
    if (Option.isSome(file) && Option.isSome(given)) {
      return yield* unusable("it cannot be set beside EC_RUNNER_TOKEN")
    }
    const token = Option.isSome(file) ? Option.some(yield* tokenIn(file.value)) : given
    return {
      token: Option.getOrUndefined(token),
      names: names.split(",").flatMap((name) => (name.trim() === "" ? [] : [name.trim()]))
    }
  })

const unusable = (problem: string) => Effect.fail(ConfigError.InvalidData(["EC_RUNNER_TOKEN_FILE"], problem))

const tokenIn = (file: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString(file)).pipe(
    Effect.catchAll(() => unusable("its file cannot be read")),
    Effect.map((text) => text.trim()),
    Effect.filterOrElse(
      (text) => text !== "",
      () => unusable("its file is empty")
    ),
    Effect.map(Redacted.make)
  )

/**
 * Serves as long as its scope is open. The server that it returns says where.
 *
 * @example
 * ```ts
 * import { NodeContext, NodeRuntime } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { UploadHttpClient } from "effect-elastic-extensions"
 * import * as RunnerHttp from "effect-elastic-extensions/runner/RunnerHttp"
 * import * as EngineSqlite from "effect-elastic-extensions/workflow/EngineSqlite"
 * import * as ExtensionRelease from "effect-elastic-extensions/workflow/ExtensionRelease"
 *
 * const Runner = Layer.merge(ExtensionRelease.layerConfig, RunnerHttp.layerConfig()).pipe(
 *   Layer.provide(EngineSqlite.layer("releases.db")),
 *   Layer.provide(UploadHttpClient.layerConfig),
 *   Layer.provide(NodeContext.layer)
 * )
 *
 * NodeRuntime.runMain(Layer.launch(Runner))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: RunnerHttpOptions = {}
): Layer.Layer<
  HttpServer.HttpServer,
  RunnerHttpError,
  WorkflowEngine | FileSystem.FileSystem | HttpClient.HttpClient
> => Layer.unwrapEffect(Effect.as(requireToken(options), serving(options)))

/**
 * The same, with the API and the page, and configured from the environment: where to listen by `EC_RUNNER_LISTEN`, such as
 * `127.0.0.1:8321`, and what `apiOptions` reads.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Pick<RunnerHttpOptions, "metrics" | "obstacle"> = {}
): Layer.Layer<
  HttpServer.HttpServer,
  ConfigError.ConfigError | RunnerHttpError,
  WorkflowEngine | FileSystem.FileSystem | HttpClient.HttpClient
> =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const place = yield* Config.withDefault(Variable.address("EC_RUNNER_LISTEN"), {})
      return layer({ ...options, ...place, api: yield* apiOptions })
    })
  )

const defaultHost = "127.0.0.1"
const defaultPort = 8321

const requireToken = ({ api, host = defaultHost }: RunnerHttpOptions) => {
  if (api === undefined) return Effect.void
  if (api.token === undefined) {
    return Guard.isLoopback(host) ? Effect.void : new AccessTokenRequired({ host, reason: "Missing" })
  }
  return Redacted.value(api.token).length < shortestToken
    ? new AccessTokenRequired({ host, reason: "TooShort" })
    : Effect.void
}

const warning = Effect.logWarning(
  "The API has no access token: everybody on this machine can submit and approve releases."
)

/** Where there is no API, errors are told all the same. */
class Nothing extends HttpApi.make("nothing").addError(RequestRefused) {}

const serving = ({ api, host = defaultHost, metrics, obstacle, port = defaultPort }: RunnerHttpOptions) => {
  const isToken = Option.map(Option.fromNullable(api?.token), Token.matches)
  const isOpen = api !== undefined && Option.isNone(isToken)
  const hasToken = Token.isInUrl(Option.getOrElse(isToken, () => () => false))
  const guard = Guard.guard({ host, names: api?.names ?? [], hasToken })
  const router = HttpApiBuilder.Router.use((all) => all.concat(probes({ metrics, obstacle })))
  const page = HttpApiBuilder.Router.use((all) => all.concat(Page.routes))
  const parts =
    api === undefined
      ? Layer.provideMerge(router, HttpApiBuilder.api(Nothing))
      : Layer.provideMerge(
          Layer.mergeAll(router, page, HttpApiBuilder.middlewareOpenApi()),
          layerApi(isToken)
        )
  return Layer.unwrapEffect(Effect.map(HttpApiBuilder.httpApp, (app) => HttpServer.serve(dressed(app)))).pipe(
    Layer.provide([
      parts,
      HttpApiBuilder.middleware(Nothing, (app) => answering(Effect.zipRight(guard, app)))
    ]),
    Layer.provide([HttpApiBuilder.Router.Live, HttpApiBuilder.Middleware.layer]),
    // Spans tell the address of a request, and a wrong token is somebody's right one elsewhere. Probes come too often.
    HttpMiddleware.withTracerDisabledWhen(({ url }) => isProbe(url) || hasToken(url)),
    Layer.provideMerge(layerServer(host, port)),
    Layer.tap(() => Effect.when(warning, () => isOpen)),
    Layer.provide(NodeHttpServer.layerContext)
  )
}

const isProbe = (url: string) => ["/healthz", "/readyz", "/metrics"].includes(url)

const probes = ({
  metrics,
  obstacle = Effect.succeedNone
}: Pick<RunnerHttpOptions, "metrics" | "obstacle">) => {
  const ready = Effect.map(
    obstacle,
    Option.match({
      onNone: () => HttpServerResponse.text("ready\n"),
      onSome: (why) => HttpServerResponse.text(`${why}\n`, { status: 503 })
    })
  )
  const health = HttpRouter.empty.pipe(
    HttpRouter.get("/healthz", HttpServerResponse.text("alive\n")),
    HttpRouter.get("/readyz", ready)
  )
  if (metrics === undefined) return health
  const contentType = "text/plain; version=0.0.4; charset=utf-8"
  const told = Effect.map(metrics, (text) => HttpServerResponse.text(text, { contentType }))
  return HttpRouter.get(health, "/metrics", told)
}

/** Every refusal is one of the API's errors. What it cannot be blamed for is in the log. */
const answering = (app: HttpApp.Default<RequestRefused>): HttpApp.Default<RequestRefused> =>
  Effect.catchAllCause(app, (cause) => {
    const error = Cause.squash(cause)
    if (error instanceof HttpApiDecodeError) return malformed(error)
    // What is there is JSON: that was seen to.
    if (error instanceof HttpServerError.RequestError && error.reason === "Decode") {
      return new MalformedRequest({ problems: [{ field: "the body", problem: "it is missing" }] })
    }
    if (Predicate.isTagged(error, "RouteNotFound")) return new NothingHere()
    if (Cause.isFailure(cause) || Cause.isInterruptedOnly(cause)) return Effect.failCause(cause)
    return Effect.zipRight(Effect.logError("A request could not be answered.", cause), new RunnerFault())
  })

/** Names the fields and what was expected there, never what they hold. */
const malformed = ({ issues }: HttpApiDecodeError) =>
  new MalformedRequest({
    problems: issues.map(({ message, path }) => ({
      field: path.map(String).join(".") || "the body",
      problem: message.replace(/, actual [\s\S]*$/, "")
    }))
  })

const headers = {
  "cache-control": "no-store",
  "content-security-policy": Page.policy,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff"
}

const dressed = <E, R>(app: HttpApp.Default<E, R>) =>
  Effect.map(app, (response) =>
    HttpServerResponse.setHeaders(
      response,
      response.status === 401 ? { ...headers, "www-authenticate": "Bearer" } : headers
    )
  )

/** In milliseconds. */
const limits = { headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 5000 }

const maxConnections = 512

const layerServer = (host: string, port: number) =>
  Layer.scoped(
    HttpServer.HttpServer,
    Effect.gen(function* () {
      const server = createServer(limits)
      server.maxConnections = maxConnections
      const listening = yield* Effect.mapError(
        NodeHttpServer.make(() => server, { host, port }),
        ({ cause }) => new ListenFailed({ host, port, detail: detailOf(cause) })
      )
      yield* Effect.addFinalizer(() => close(server))
      return listening
    })
  )

const detailOf = (cause: unknown) =>
  Predicate.hasProperty(cause, "code") ? String(cause.code) : String(cause)

/** An answer that is on its way may arrive; a connection that is only kept is not waited for. */
const close = (server: Server) =>
  Effect.async<void>((resume) => {
    server.close(() => resume(Effect.void))
    server.closeIdleConnections()
  }).pipe(
    Effect.interruptible,
    Effect.timeoutOption("2 seconds"),
    Effect.zipRight(Effect.sync(() => server.closeAllConnections()))
  )

/**
 * The HTTP API of a runner: its routes, what they take and answer, and a client with types.
 *
 * Every error comes as JSON with its `_tag`, its fields, its `message` and its `remedy`.
 *
 * @since 0.1.0
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiClient from "@effect/platform/HttpApiClient"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiMiddleware from "@effect/platform/HttpApiMiddleware"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as HttpApiSecurity from "@effect/platform/HttpApiSecurity"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as OpenApi from "@effect/platform/OpenApi"
import type * as Effect from "effect/Effect"
import { flow, identity } from "effect/Function"
import * as ParseResult from "effect/ParseResult"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Sha256 } from "../archive/ArchiveDigest.ts"
import { ArchiveChanged, ArchiveUnreadable } from "../archive/ArchiveError.ts"
import { ArchiveLocator } from "../archive/ArchiveLocator.ts"
import { ProblemCode } from "../archive/ArchiveProblem.ts"
import { packageVersion } from "../cloud/PackageVersion.ts"
import { traced } from "../transfer/HttpSpan.ts"
import {
  AmbiguousRelease,
  EngineUnavailable,
  NothingToDecide,
  ReleaseUnfinished,
  UnknownExecution
} from "../workflow/EngineError.ts"
import { InvalidPayload } from "../workflow/ReleaseError.ts"
import { ReleaseDetails, ReleasePage } from "../workflow/ReleaseList.ts"
import { ReleasePolicy } from "../workflow/ReleasePayload.ts"
import { Decision } from "../workflow/ReleaseReceipt.ts"
import { ReleaseFilter, ReleaseState } from "../workflow/ReleaseRecord.ts"
import { ReleaseTarget } from "../workflow/ReleaseTarget.ts"
import {
  AccessTokenInUrl,
  AccessTokenRefused,
  BodyTooLarge,
  BodyTooSlow,
  ForeignRequest,
  MalformedRequest,
  NothingHere,
  RunnerFault
} from "./RunnerError.ts"

interface Said {
  readonly _tag: string
  readonly message: string
  readonly remedy: string
}

const words = Schema.Struct({ message: Schema.String, remedy: Schema.String })

/** An error with its words, for those who have no class of it: `curl` and the page. */
const spoken = <A extends Said, I extends object>(
  error: Schema.Schema<A, I> & { readonly _tag: A["_tag"] },
  status: number
) =>
  Schema.transformOrFail(Schema.extend(Schema.encodedSchema(error), words), Schema.typeSchema(error), {
    strict: true,
    decode: (fields) => ParseResult.decode(error)(fields),
    encode: (said) =>
      ParseResult.map(ParseResult.encode(error)(said), (fields) => ({
        ...fields,
        message: said.message,
        remedy: said.remedy
      }))
  }).annotations({ ...HttpApiSchema.annotations({ status }), identifier: error._tag })

const malformed = spoken(MalformedRequest, 400)

/**
 * What is refused before anybody looks at what a request is about.
 *
 * @since 0.1.0
 * @category schemas
 */
export const RequestRefused = Schema.Union(
  spoken(AccessTokenInUrl, 400),
  malformed,
  spoken(ForeignRequest, 403),
  spoken(NothingHere, 404),
  spoken(RunnerFault, 500)
)

/**
 * What is refused before anybody looks at what a request is about.
 *
 * @since 0.1.0
 * @category errors
 */
export type RequestRefused = typeof RequestRefused.Type

/**
 * Opens the API to whoever has the runner's token.
 *
 * @since 0.1.0
 * @category middleware
 */
export class Authorization extends HttpApiMiddleware.Tag<Authorization>()(
  "effect-elastic-extensions/runner/Authorization",
  { failure: spoken(AccessTokenRefused, 401), security: { token: HttpApiSecurity.bearer } }
) {}

/**
 * Reads the body of a request as far as any that means something goes, and hands on a request that has it.
 *
 * @since 0.1.0
 * @category middleware
 */
export class BoundedBody extends HttpApiMiddleware.Tag<BoundedBody>()(
  "effect-elastic-extensions/runner/BoundedBody",
  {
    failure: Schema.Union(malformed, spoken(BodyTooSlow, 408), spoken(BodyTooLarge, 413)),
    provides: HttpServerRequest.HttpServerRequest
  }
) {}

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/**
 * A release to be made, as `ReleasePayload.ReleaseRequest` has it. The runner reads the archive: its path is one on the runner's
 * machine. With `sha256` it is digested as a step of the release, else before the answer.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ReleaseSubmission = Schema.Struct({
  /** Names the release among all releases, for instance `analysis-acme-2.1.0`. */
  releaseId: Schema.NonEmptyString,
  extension: ReleaseTarget,
  archive: ArchiveLocator,
  /** Of the archive, 64 lower-case hex digits. */
  sha256: optional(Sha256),
  /** Default 1. */
  attempt: optional(Schema.Positive.pipe(Schema.int())),
  /** Default none. */
  allow: optional(Schema.Array(ProblemCode)),
  /** Default `false`. */
  holdForApproval: optional(Schema.Boolean),
  /** Default `queue`. */
  policy: optional(ReleasePolicy),
  /** Default `false`. */
  deleteUnfilledOnCancel: optional(Schema.Boolean)
}).annotations({ identifier: "ReleaseSubmission" })

/**
 * A release to be made.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReleaseSubmission extends Schema.Schema.Type<typeof ReleaseSubmission> {}

/**
 * The release that was given to the engine, or that it knew already.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Submitted = Schema.Struct({ executionId: Schema.String }).annotations({
  identifier: "Submitted"
})

/** One line, which a log and a receipt can show. */
const name = Schema.String.pipe(
  Schema.pattern(/^(?=.*\S)[^\p{Cc}\p{Zl}\p{Zp}]{1,200}$/u, {
    message: () => "Expected a name: one line of 1 to 200 characters"
  })
)

/**
 * Who decides, and what they have to say. Whoever has the token can give any name.
 *
 * @since 0.1.0
 * @category schemas
 */
export const DecisionBy = Schema.Struct({
  /** One line, at most 200 characters. */
  by: name,
  /** At most 4000 characters. */
  note: optional(
    Schema.String.pipe(
      Schema.maxLength(4000, { message: () => "Expected a note of at most 4000 characters" })
    )
  )
}).annotations({ identifier: "DecisionBy" })

/**
 * What became of an approval or rejection. Only the first one counts.
 *
 * @since 0.1.0
 * @category schemas
 */
export const DecisionReceipt = Schema.Struct({
  isFirst: Schema.Boolean,
  /** The decision that counts; null while it is an earlier one that the release has not read yet. */
  inForce: Schema.OptionFromNullOr(Decision)
}).annotations({ identifier: "DecisionReceipt" })

/** A number in a query. The message of the schema itself repeats what was given. */
const digits = <A>(schema: Schema.Schema<A, number>, expected: string) =>
  Schema.compose(Schema.NumberFromString, schema).annotations({
    message: () => ({ message: `Expected ${expected}`, override: true })
  })

const time = digits(Schema.Int, "a time in milliseconds since the epoch")
const { after, extension } = ReleaseFilter.fields

/**
 * Which releases to list, as a query: `state` may be repeated.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ListQuery = Schema.Struct({
  /** In one of these states. Default: in any. */
  state: optional(Schema.NonEmptyArray(ReleaseState)),
  /** For the extension with this id or name. */
  extension,
  /** Submitted before this time, in milliseconds since the epoch. */
  submittedBeforeMillis: optional(time),
  /** Submitted at this time or later. */
  submittedSinceMillis: optional(time),
  /** At most so many, 1 to 1000. Default 50. */
  limit: optional(digits(Schema.Int.pipe(Schema.between(1, 1000)), "a whole number from 1 to 1000")),
  /** `next` of the page before. */
  after
})

const executionId = HttpApiSchema.param("executionId", Schema.String)

const unknown = spoken(UnknownExecution, 404)

/** What a route does, in the description of the API. */
const about = (summary: string) => OpenApi.annotations({ summary })

/**
 * Everything that can be done with releases. Of two middlewares of a route, the one that is added last is asked first.
 *
 * @since 0.1.0
 * @category api
 */
export class Releases extends HttpApiGroup.make("releases")
  .add(
    HttpApiEndpoint.get("list", "/")
      .setUrlParams(ListQuery)
      .addSuccess(ReleasePage)
      .middleware(Authorization)
      .annotateContext(about("Lists releases, newest first."))
  )
  .add(
    HttpApiEndpoint.post("submit", "/")
      .setPayload(ReleaseSubmission)
      .middleware(BoundedBody)
      .middleware(Authorization)
      .addSuccess(Submitted, { status: 202 })
      .addError(spoken(InvalidPayload, 400))
      .addError(spoken(ArchiveUnreadable, 422))
      .addError(spoken(ArchiveChanged, 422))
      .annotateContext(about("Submits a release. The same release twice is one release."))
  )
  .add(
    HttpApiEndpoint.get("show")`/${executionId}`
      .addSuccess(ReleaseDetails)
      .middleware(Authorization)
      .addError(unknown)
      .addError(spoken(AmbiguousRelease, 409))
      .annotateContext(about("Shows one release and its way through its steps."))
  )
  .add(
    HttpApiEndpoint.post("approve")`/${executionId}/approve`
      .setPayload(DecisionBy)
      .middleware(BoundedBody)
      .middleware(Authorization)
      .addSuccess(DecisionReceipt)
      .addError(unknown)
      .addError(spoken(NothingToDecide, 409))
      .annotateContext(
        about("Lets a release go on that is held, or will be. Only the first decision counts.")
      )
  )
  .add(
    HttpApiEndpoint.post("reject")`/${executionId}/reject`
      .setPayload(DecisionBy)
      .middleware(BoundedBody)
      .middleware(Authorization)
      .addSuccess(DecisionReceipt)
      .addError(unknown)
      .addError(spoken(NothingToDecide, 409))
      .annotateContext(about("Ends a release that is held. Only the first decision counts."))
  )
  .add(
    HttpApiEndpoint.post("cancel")`/${executionId}/cancel`
      .addSuccess(HttpApiSchema.Accepted)
      .middleware(BoundedBody)
      .middleware(Authorization)
      .addError(unknown)
      .annotateContext(about("Cancels a release. Without effect on one that has ended."))
  )
  .add(
    HttpApiEndpoint.post("retry")`/${executionId}/retry`
      .addSuccess(Submitted, { status: 202 })
      .middleware(BoundedBody)
      .middleware(Authorization)
      .addError(unknown)
      .addError(spoken(AmbiguousRelease, 409))
      .addError(spoken(ReleaseUnfinished, 409))
      .annotateContext(about("Submits the next attempt of a release that has ended."))
  )
  .addError(spoken(EngineUnavailable, 503))
  .prefix("/api/v1/releases") {}

/** Left out of the description: it never leaves the runner, which tells what is malformed in its own words. */
const unseen = ["HttpApiDecodeError", "Issue", "PropertyKey"]

/** A description that other tools read: without what never comes, and with names of schemas that are no paths. */
const portable = (spec: Record<string, unknown>) => {
  const named = JSON.stringify(spec).replace(/effect-elastic-extensions(?:\/|~1)\w+(?:\/|~1)/g, "")
  return JSON.parse(named, (key, value) => {
    if (unseen.includes(key)) return undefined
    if (key !== "anyOf" || !Array.isArray(value)) return value
    return value.filter(({ $ref }) => $ref !== `#/components/schemas/${unseen[0]}`)
  })
}

/**
 * The API of a runner.
 *
 * @since 0.1.0
 * @category api
 */
export class ReleasesApi extends HttpApi.make("releases")
  .add(Releases)
  .addError(RequestRefused)
  .annotateContext(
    OpenApi.annotations({
      title: "Releases",
      version: packageVersion,
      description: "Releases of Elastic Cloud extensions, as the runners of one database make them.",
      transform: portable
    })
  ) {}

/**
 * Where a runner is, and what opens it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClientOptions {
  /** Such as `http://127.0.0.1:8321`. */
  readonly url: string | URL
  readonly token?: Redacted.Redacted<string> | undefined
}

/**
 * A client of the API, with a method for each route. Its requests carry no trace headers, and their spans none of the token.
 *
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Effect, Redacted } from "effect"
 * import * as ReleasesApi from "effect-elastic-extensions/runner/ReleasesApi"
 *
 * const approveAll = Effect.gen(function* () {
 *   const { releases } = yield* ReleasesApi.client({ url: "http://127.0.0.1:8321", token: Redacted.make("…") })
 *   const held = yield* releases.list({ urlParams: { state: ["held"] } })
 *   yield* Effect.forEach(held.releases, ({ executionId }) =>
 *     releases.approve({ path: { executionId }, payload: { by: "ada" } })
 *   )
 * }).pipe(Effect.provide(FetchHttpClient.layer))
 * ```
 *
 * @since 0.1.0
 * @category client
 */
export const client = ({ token, url }: ClientOptions): Effect.Effect<Client, never, HttpClient.HttpClient> =>
  HttpApiClient.make(ReleasesApi, {
    baseUrl: url,
    transformClient: flow(
      traced,
      token === undefined ? identity : HttpClient.mapRequest(HttpClientRequest.bearerToken(token))
    )
  })

/**
 * One method for each route. A method fails with the errors of its route, or as its `HttpClient` does.
 *
 * @since 0.1.0
 * @category client
 */
export type Client =
  typeof ReleasesApi extends HttpApi.HttpApi<string, infer Groups, infer Errors>
    ? HttpApiClient.Client<Groups, Errors, never>
    : never

/** What the routes of the API do: what the workflow does, for whoever has the token. */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as ExtensionRelease from "../../workflow/ExtensionRelease.ts"
import * as ReleaseList from "../../workflow/ReleaseList.ts"
import * as ReleasePayload from "../../workflow/ReleasePayload.ts"
import { Authorization, BoundedBody, type ReleaseSubmission, ReleasesApi } from "../ReleasesApi.ts"
import { AccessTokenRefused } from "../RunnerError.ts"
import { bounded } from "./body.ts"

const payloadOf = (submission: ReleaseSubmission) =>
  submission.sha256 === undefined ? ReleasePayload.prepare(submission) : ReleasePayload.decode(submission)

/** Whoever reads the log later wants to know what was done here, to which release, and by whom. */
const done = (executionId: string, what: string) =>
  Effect.annotateLogs(Effect.logInfo(`${what} by way of the API.`), { "release.execution": executionId })

const layerReleases = HttpApiBuilder.group(ReleasesApi, "releases", (handlers) =>
  handlers
    .handle("list", ({ urlParams: { state, ...filter } }) =>
      ReleaseList.list(state === undefined ? filter : { ...filter, states: state })
    )
    .handle("submit", ({ payload }) =>
      Effect.gen(function* () {
        const executionId = yield* ExtensionRelease.submit(yield* payloadOf(payload))
        yield* done(executionId, "Submitted")
        return { executionId }
      })
    )
    .handle("show", ({ path }) => ReleaseList.show(path.executionId))
    .handle("approve", ({ path: { executionId }, payload }) =>
      Effect.zipLeft(
        ExtensionRelease.approve(executionId, payload),
        done(executionId, `Approval asked for by ${JSON.stringify(payload.by)}`)
      )
    )
    .handle("reject", ({ path: { executionId }, payload }) =>
      Effect.zipLeft(
        ExtensionRelease.reject(executionId, payload),
        done(executionId, `Rejection asked for by ${JSON.stringify(payload.by)}`)
      )
    )
    .handle("cancel", ({ path: { executionId } }) =>
      Effect.zipRight(ExtensionRelease.cancel(executionId), done(executionId, "Cancelled"))
    )
    .handle("retry", ({ path }) =>
      Effect.gen(function* () {
        const executionId = yield* ReleaseList.retry(path.executionId)
        yield* done(executionId, "Next attempt submitted")
        return { executionId }
      })
    )
)

/** Asked before anything else of a request is read. Without a token of the runner's own, nobody is asked for one. */
const layerAuthorization = (isToken: Option.Option<(given: string) => boolean>) =>
  Layer.succeed(Authorization, {
    token: (given) => {
      const text = Redacted.value(given)
      if (Option.isNone(isToken) || isToken.value(text)) return Effect.void
      if (text === "") return new AccessTokenRefused({ reason: "Missing" })
      return Effect.zipRight(
        Effect.logWarning("A request with a wrong access token was refused."),
        new AccessTokenRefused({ reason: "Wrong" })
      )
    }
  })

export const layerApi = (isToken: Option.Option<(given: string) => boolean>) =>
  HttpApiBuilder.api(ReleasesApi).pipe(
    Layer.provide(layerReleases),
    Layer.provide([layerAuthorization(isToken), Layer.succeed(BoundedBody, bounded)])
  )

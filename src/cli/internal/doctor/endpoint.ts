/** Whether the API can be reached, told step by step, and whether the two clocks agree. */
import { isIP } from "node:net"
import * as Headers from "@effect/platform/Headers"
import * as HttpClient from "@effect/platform/HttpClient"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Proxy from "../../../transfer/Proxy.ts"
import { fromHttpClientError, type Phase, type TransferError } from "../../../transfer/TransferError.ts"
import { type Finding, failed, ok, problem, warning } from "./finding.ts"

/** More than this, and the expiry of links and uploads is misjudged. */
const tolerableSkewMillis = 30_000

interface Step {
  readonly check: string
  readonly phase: Phase
  readonly done: string
  readonly remedy: string
}

const stepsTo = (url: URL, proxy: Option.Option<Proxy.Proxy>): ReadonlyArray<Step> => {
  const isName = isIP(url.hostname.replace(/^\[|\]$/g, "")) === 0
  const resolving: Step = {
    check: "name",
    phase: "resolving",
    done: `${url.hostname} can be resolved`,
    remedy: `Check EC_ENDPOINT for a typing error ("${url.hostname}"), and that this machine can resolve names.`
  }
  const connecting: Step = {
    check: "connection",
    phase: "connecting",
    done: Option.isNone(proxy) ? `${url.host} takes connections` : `the proxy connects to ${url.host}`,
    remedy: Option.isNone(proxy)
      ? "Check the port in EC_ENDPOINT, and that no firewall keeps this machine from it. Behind a proxy, set HTTPS_PROXY."
      : "Check HTTPS_PROXY, and that the proxy may connect to this host; NO_PROXY names hosts to reach directly."
  }
  const securing: Step = {
    check: "tls",
    phase: "securing",
    done: "the certificate is trusted",
    remedy:
      "For a private authority, let NODE_EXTRA_CA_CERTS name its certificate. A wrong clock, or a proxy that opens TLS, has the same effect."
  }
  return [
    ...(isName && Option.isNone(proxy) ? [resolving] : []),
    connecting,
    ...(url.protocol === "https:" ? [securing] : [])
  ]
}

const detailOf = (error: TransferError): string =>
  error._tag === "ConnectionFailed" ? error.detail : error.message

/** Steps before the one that failed went well. One that failed later failed in none of these. */
const stepFindings = (
  steps: ReadonlyArray<Step>,
  error: TransferError | undefined
): ReadonlyArray<Finding> => {
  const failedAt = steps.findIndex(({ phase }) => phase === error?.phase)
  const done = (failedAt === -1 ? steps : steps.slice(0, failedAt)).map((step) => ok(step.check, step.done))
  const step = steps[failedAt]
  if (error === undefined) return done
  return [
    ...done,
    step === undefined ? failed("answer", error) : problem(step.check, detailOf(error), error, step.remedy)
  ]
}

const clockFinding = (date: Option.Option<string>, now: number): Finding => {
  const skew = Option.match(date, { onNone: () => Number.NaN, onSome: (text) => now - Date.parse(text) })
  if (Number.isNaN(skew)) return warning("clock", "not known: the server does not tell its time")
  const seconds = Math.round(Math.abs(skew) / 1000)
  return Math.abs(skew) <= tolerableSkewMillis
    ? ok("clock", "agrees with the server's")
    : warning(
        "clock",
        `${seconds} s ${skew > 0 ? "ahead of" : "behind"} the server's`,
        "Set this machine's clock: links and unfinished uploads expire by it."
      )
}

const proxyFinding = (proxy: Option.Option<Proxy.Proxy>): Finding =>
  ok("proxy", Option.match(proxy, { onNone: () => "none", onSome: ({ address }) => address }))

/**
 * Asks without the API key: what is found out here says nothing about the key, and nobody learns it.
 *
 * @internal
 */
export const examineEndpoint = (
  baseUrl: string
): Effect.Effect<
  { readonly findings: ReadonlyArray<Finding>; readonly reachable: boolean },
  never,
  HttpClient.HttpClient
> =>
  Effect.gen(function* () {
    const client = HttpClient.withTracerPropagation(yield* HttpClient.HttpClient, false)
    const url = new URL(`${baseUrl}/deployments/extensions`)
    const found = yield* Effect.either(Proxy.forUrl(url))
    if (Either.isLeft(found)) return { findings: [failed("proxy", found.left)], reachable: false }
    const proxy = found.right
    const steps = stepsTo(url, proxy)
    const answer = yield* Effect.either(client.get(url))
    const now = yield* Clock.currentTimeMillis
    if (Either.isLeft(answer)) {
      const findings = [proxyFinding(proxy), ...stepFindings(steps, fromHttpClientError(answer.left))]
      return { findings, reachable: false }
    }
    const clock = clockFinding(Headers.get(answer.right.headers, "date"), now)
    return { findings: [proxyFinding(proxy), ...stepFindings(steps, undefined), clock], reachable: true }
  }).pipe(Effect.scoped)

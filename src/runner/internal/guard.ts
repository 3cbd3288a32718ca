/** Who may talk to a runner at all, whatever they want: nobody whom the page of another site has sent. */
import * as HttpMethod from "@effect/platform/HttpMethod"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Effect from "effect/Effect"
import { AccessTokenInUrl, ForeignRequest } from "../RunnerError.ts"

/** This machine, as it calls itself. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)

export interface GuardOptions {
  /** Where the runner listens. */
  readonly host: string
  /** Names that it has besides. */
  readonly names: ReadonlyArray<string>
  /** Whether an address carries a token. */
  readonly hasToken: (url: string) => boolean
}

/** Of `name:8080` or `[::1]:8080`, in lower case. */
const hostnameOf = (host: string): string => host.toLowerCase().replace(/:\d*$/, "")

/** A name can be made to mean this machine by whoever owns it. A number cannot. */
const isAddress = (hostname: string): boolean => /^(\[[0-9a-f:.]+\]|\d+\.\d+\.\d+\.\d+)$/.test(hostname)

/** Fails for a request that is not to be looked at further. What a page may read of another site is up to the browser. */
export const guard = ({ hasToken, host, names }: GuardOptions) => {
  const given = new Set(names.map((name) => name.toLowerCase()))
  const isKnown = (hostname: string) => isAddress(hostname) || hostname === "localhost" || given.has(hostname)
  const checksNames = isLoopback(host) || names.length > 0
  // A proxy may or may not pass on the name that it was called by.
  const isOwn = (origin: string, to: string) => {
    const at = origin.replace(/^https?:\/\//, "")
    return at === to || given.has(hostnameOf(at))
  }
  return Effect.gen(function* () {
    const { headers, method, originalUrl } = yield* HttpServerRequest.HttpServerRequest
    if (hasToken(originalUrl)) return yield* new AccessTokenInUrl()
    const to = headers["host"] ?? ""
    if (checksNames && !isKnown(hostnameOf(to))) {
      return yield* new ForeignRequest({ header: "Host" })
    }
    if (!HttpMethod.hasBody(method)) return
    const { origin, "sec-fetch-site": site = "none" } = headers
    if (origin !== undefined && !isOwn(origin, to)) {
      return yield* new ForeignRequest({ header: "Origin" })
    }
    if (site !== "none" && site !== "same-origin") {
      return yield* new ForeignRequest({ header: "Sec-Fetch-Site" })
    }
  })
}

import * as Http from "node:http"
import * as Https from "node:https"
import * as Tls from "node:tls"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import { ConnectionFailed } from "../../TransferError.ts"
import type { Progress } from "./progress.ts"
import { proxyFor, tunnelThrough } from "./proxy.ts"
import type { RequestBody } from "./requestBody.ts"

/** How connections are made. @internal */
export interface Network {
  readonly proxy: string | false | undefined
  /** Absent: the runtime's own certificate authorities, and nothing to set up. */
  readonly secureContext: (() => Tls.SecureContext) | undefined
}

/**
 * Setting authorities replaces the default ones, so those are named as well. Runtimes that can tell include the ones of
 * `NODE_EXTRA_CA_CERTS`. The context is made once, at the first secure connection: parsing the roots takes a while.
 *
 * @internal
 */
export const secureContext = (ca: ReadonlyArray<string>): (() => Tls.SecureContext) => {
  let context: Tls.SecureContext | undefined
  return () => (context ??= Tls.createSecureContext({ ca: [...defaultAuthorities(), ...ca] }))
}

const defaultAuthorities = (): ReadonlyArray<string> => {
  const runtime: object = Tls
  return "getCACertificates" in runtime && typeof runtime.getCACertificates === "function"
    ? runtime.getCACertificates("default")
    : Tls.rootCertificates
}

/**
 * A request on a fresh connection that serves no other: a connection that dies with its request half done is never a reason
 * for the runtime to send the request again by itself.
 *
 * @internal
 */
export const make = Effect.fnUntraced(function* (options: {
  readonly url: URL
  readonly request: HttpClientRequest.HttpClientRequest
  readonly body: RequestBody
  readonly expectContinue: boolean
  readonly network: Network
  readonly progress: Progress
}) {
  const { network, url } = options
  const proxy = proxyFor(url, network.proxy)
  const tunnel = proxy === undefined ? undefined : yield* tunnelThrough(proxy)
  const method = options.request.method
  const headers = toHeaders(options.request, options.body, options.expectContinue)
  const request = yield* Effect.try({
    try: () => {
      if (url.protocol !== "https:") {
        return Http.request(url, {
          method,
          headers,
          agent: tunnel?.agent ?? new Http.Agent({ keepAlive: false })
        })
      }
      const secureContext = network.secureContext?.()
      return Https.request(url, {
        method,
        headers,
        agent: tunnel?.agent ?? new Https.Agent({ keepAlive: false }),
        ...(secureContext === undefined ? {} : { secureContext })
      })
    },
    catch: (error) => notMade(options.progress, error)
  })
  return { request, tunnel }
})

/** What HTTP or the runtime's permissions do not allow is said at once, in words that quote no value. */
const notMade = (progress: Progress, error: unknown): ConnectionFailed => {
  const { message, name } = error instanceof Error ? error : new Error(String(error))
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : name
  return new ConnectionFailed({ ...progress.snapshot, code, detail: message })
}

const toHeaders = (
  request: HttpClientRequest.HttpClientRequest,
  body: RequestBody,
  expectContinue: boolean
): Record<string, string | number> => {
  const headers: Record<string, string | number> = { ...request.headers }
  delete headers["content-length"]
  delete headers["transfer-encoding"]
  delete headers["expect"]
  if (body.contentType !== undefined) headers["content-type"] ??= body.contentType
  if (body.length === undefined) headers["transfer-encoding"] = "chunked"
  else if (body.length > 0 || expectsBody(request.method)) headers["content-length"] = body.length
  if (expectContinue) headers["expect"] = "100-continue"
  return headers
}

/** Methods whose empty body is a statement: it gets a `Content-Length: 0`. @internal */
export const expectsBody = (method: string): boolean =>
  method === "PUT" || method === "POST" || method === "PATCH"

import type * as Http from "node:http"
import * as Effect from "effect/Effect"
import { getProxyForUrl } from "proxy-from-env"

/** A proxy elsewhere cannot reach this machine's own loopback, whatever NO_PROXY forgot to say. */
const isLoopback = (url: URL): boolean =>
  url.hostname === "localhost" || url.hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(url.hostname)

/** @internal */
export const proxyFor = (url: URL, proxy: string | false | undefined): string | undefined => {
  if (proxy === false) return undefined
  if (proxy !== undefined) return proxy
  const found = isLoopback(url) ? "" : getProxyForUrl(url.href)
  return found === "" ? undefined : found
}

/** @internal */
export interface Tunnel {
  readonly agent: Http.Agent
  /** Gives up a tunnel that is still being dug: until it is there, no request knows its socket. */
  readonly abandon: () => void
}

/**
 * An agent that tunnels one connection through the proxy. Its module is loaded when the first proxy is met: most processes
 * never need it.
 *
 * @internal
 */
export const tunnelThrough = (proxy: string): Effect.Effect<Tunnel> =>
  Effect.map(
    Effect.promise(() => import("https-proxy-agent")),
    ({ HttpsProxyAgent }) => {
      const controller = new AbortController()
      const agent = new HttpsProxyAgent(proxy, { keepAlive: false, signal: controller.signal })
      return { agent, abandon: () => controller.abort() }
    }
  )

/**
 * The proxy that a request goes through: what `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say, in small
 * letters or capitals, as `curl` reads them.
 *
 * @since 0.1.0
 */
import { BlockList, isIP } from "node:net"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { InvalidProxy } from "./TransferError.ts"
import * as Variable from "./Variable.ts"

/**
 * A proxy that can be used.
 *
 * @since 0.1.0
 * @category models
 */
export interface HttpProxy {
  /** Its address with the user name and password that may be in it. */
  readonly url: Redacted.Redacted<URL>
  /** Host and port: what may be shown. */
  readonly address: string
}

/**
 * The proxy for a URL. `option` goes before the environment: an address, or `false` for none. A loopback URL has none
 * unless `option` names one: a proxy elsewhere cannot reach this machine's own loopback.
 *
 * The environment is that of the process, whatever `ConfigProvider` is in force: it belongs to the machine, not to the
 * application.
 *
 * @since 0.1.0
 * @category constructors
 */
export const forUrl = (
  url: URL,
  option?: string | false
): Effect.Effect<Option.Option<HttpProxy>, InvalidProxy> => {
  if (option === false) return Effect.succeedNone
  if (option !== undefined) return Effect.asSome(use(url, { text: option }))
  return Effect.gen(function* () {
    if (isLoopback(url)) return Option.none()
    const found = yield* firstOf(
      ...spellings(url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY"),
      ...spellings("ALL_PROXY")
    )
    if (Option.isNone(found)) return Option.none()
    const exceptions = yield* firstOf(...spellings("NO_PROXY"))
    return Option.exists(exceptions, ({ text }) => isExcepted(url, text))
      ? Option.none()
      : Option.some(yield* use(url, found.value))
  })
}

interface Setting {
  readonly text: string
  /** The variable that holds it. */
  readonly variable?: string
}

const environment = ConfigProvider.fromEnv()

const spellings = (name: string): ReadonlyArray<string> => [name.toLowerCase(), name]

const firstOf = (...names: ReadonlyArray<string>): Effect.Effect<Option.Option<Setting>> =>
  Effect.option(
    Effect.firstSuccessOf(
      names.map((variable) =>
        Effect.map(environment.load(Variable.text(variable)), (text): Setting => ({ text, variable }))
      )
    )
  )

const use = (url: URL, { text, variable }: Setting): Effect.Effect<HttpProxy, InvalidProxy> =>
  Effect.mapError(
    Effect.suspend(() => parse(text)),
    (problem) =>
      new InvalidProxy({
        method: "CONNECT",
        origin: url.origin,
        phase: "connecting",
        bytesSent: 0,
        ...(variable === undefined ? {} : { variable }),
        problem
      })
  )

const canBeDecoded = (text: string): boolean => Either.isRight(Either.try(() => decodeURIComponent(text)))

/** Problems say nothing of the value. A character that cuts an address short usually comes from a password. */
const parse = (text: string): Either.Either<HttpProxy, string> => {
  const address = text.includes("://") ? text : `http://${text}`
  if (/^socks/i.test(address)) return Either.left("it names a SOCKS proxy; only HTTP proxies are supported")
  if (!/^https?:\/\//i.test(address)) return Either.left("it is not an http or https address")
  if (!URL.canParse(address)) {
    return Either.left(
      "it is not an address (in a password, every character but letters and digits has to be percent-encoded)"
    )
  }
  const url = new URL(address)
  if (url.hash !== "" || url.search !== "" || url.pathname !== "/") {
    return Either.left(
      "something follows the host and port (in a password, #, / and ? have to be written %23, %2F and %3F)"
    )
  }
  if (!canBeDecoded(url.username) || !canBeDecoded(url.password)) {
    return Either.left("the user name or password has a % that encodes nothing (write %25)")
  }
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port
  return Either.right({ url: Redacted.make(url), address: `${url.hostname}:${port}` })
}

const isLoopback = (url: URL): boolean =>
  url.hostname === "localhost" || url.hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(url.hostname)

/**
 * Whether `NO_PROXY` names a URL's host. Entries are separated by commas or spaces: `*`, a name that stands for its
 * subdomains too (with a dot or `*.` before it or without), an IP address, or a network in CIDR notation, each but the
 * last with a port if only that one is meant.
 */
const isExcepted = (url: URL, exceptions: string): boolean => {
  const host = withoutBrackets(url.hostname).replace(/\.$/, "")
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port
  return exceptions
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => matches(entry, host, port))
}

const matches = (entry: string, host: string, port: string): boolean => {
  if (entry === "*") return true
  if (entry.includes("/")) return isWithin(entry, host)
  const [, name = entry, onlyPort] = /^(\[[^\]]*\]|[^:]*):(\d+)$/.exec(entry) ?? []
  if (onlyPort !== undefined && onlyPort !== port) return false
  const excepted = withoutBrackets(name)
  if (isIP(excepted) !== 0) return isIP(excepted) === isIP(host) && isWithin(`${excepted}/`, host)
  const domain = excepted.replace(/^\*?\./, "").replace(/\.$/, "")
  return domain !== "" && (host === domain || (isIP(host) === 0 && host.endsWith(`.${domain}`)))
}

/** Without a number after the slash, the network is the one address. */
const isWithin = (network: string, host: string): boolean => {
  const [base = "", bits = ""] = network.split("/")
  const address = withoutBrackets(base)
  const version = isIP(address)
  if (version === 0 || version !== isIP(host) || !/^\d{0,3}$/.test(bits)) return false
  const widest = version === 4 ? 32 : 128
  const prefix = bits === "" ? widest : Number(bits)
  if (prefix > widest) return false
  const family = version === 4 ? "ipv4" : "ipv6"
  const list = new BlockList()
  list.addSubnet(address, prefix, family)
  return list.check(host, family)
}

const withoutBrackets = (host: string): string => host.replace(/^\[|\]$/g, "")

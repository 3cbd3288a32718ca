/** The rules for the two settings. A problem never repeats the value: it can be a secret, or hold one. */
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"

export interface Endpoint {
  readonly baseUrl: string
  readonly origin: string
}

const apiPath = "/api/v1"

const keyProblem = (key: string): string | undefined => {
  if (key === "") return "it is empty. Create an API key in the Elastic Cloud console."
  if (/^(ApiKey|Bearer|Basic)\s/i.test(key)) return "it begins with the name of a scheme. Give the key alone."
  return /^[\x21-\x7e]+$/.test(key)
    ? undefined
    : "it contains a space, a line break or another character that no API key has. Copy the key again, on one line."
}

export const parseApiKey = (
  apiKey: Redacted.Redacted<string>
): Either.Either<Redacted.Redacted<string>, string> => {
  const key = Redacted.value(apiKey).trim()
  const problem = keyProblem(key)
  return problem === undefined ? Either.right(Redacted.make(key)) : Either.left(problem)
}

const isLoopback = (url: URL): boolean =>
  url.hostname === "localhost" || url.hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(url.hostname)

const addressProblem = (url: URL, allowInsecureHttp: boolean, howToAllow: string): string | undefined => {
  if (url.protocol !== "https:" && url.protocol !== "http:") return "it is not an https address."
  if (url.username !== "" || url.password !== "") {
    return "it contains a user name or password. Give the API key as EC_API_KEY and the address alone here."
  }
  if (/[?#]/.test(url.href)) return "it has a query or a fragment. Give scheme, host and path only."
  if (url.protocol === "http:" && !allowInsecureHttp && !isLoopback(url)) {
    return `plain http would send the API key unencrypted. Use https, or ${howToAllow} if you accept that.`
  }
  return undefined
}

const withApiPath = (path: string): string => {
  const trimmed = path.replace(/\/+$/, "")
  return trimmed.endsWith(apiPath) ? trimmed : `${trimmed}${apiPath}`
}

/** A host alone means https. `howToAllow` completes "or … if you accept that" for plain http. */
export const parseEndpoint = (
  text: string,
  allowInsecureHttp: boolean,
  howToAllow: string
): Either.Either<Endpoint, string> => {
  const trimmed = text.trim()
  const address = trimmed.includes("://") ? trimmed : `https://${trimmed}`
  if (!URL.canParse(address)) {
    return Either.left("it is not an address. It should look like https://api.elastic-cloud.com.")
  }
  const url = new URL(address)
  const problem = addressProblem(url, allowInsecureHttp, howToAllow)
  if (problem !== undefined) return Either.left(problem)
  return Either.right({ baseUrl: url.origin + withApiPath(url.pathname), origin: url.origin })
}

/**
 * Signature Version 4 as S3 checks it:
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
 *
 * With `node:crypto` alone: signers that are made for the web use its `Headers`, with which Node loads a whole HTTP client.
 * Those are 12 MB, a tenth of what staging may take.
 */
import { createHash, createHmac } from "node:crypto"
import * as Arr from "effect/Array"
import * as Option from "effect/Option"
import * as Order from "effect/Order"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"
import type { Keys } from "./keyring.ts"

/** What is signed of a request. */
export interface Signable {
  readonly method: string
  /** With the port, where that is not the usual one. */
  readonly host: string
  /** Percent-encoded by RFC 3986, as it is sent. */
  readonly path: string
  /** Not encoded. No name comes twice. */
  readonly query: ReadonlyArray<readonly [name: string, value: string]>
}

/** What it is signed with, and for when. */
export interface Signing {
  readonly keys: Pick<Keys, "accessKeyId" | "secretAccessKey" | "sessionToken">
  readonly region: string
  /** Since the epoch. */
  readonly millis: number
}

/** What `encodeURIComponent` leaves as it is, and RFC 3986 does not: that is what is signed. */
export const escapeRest = (encoded: string): string =>
  encoded.replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)

const encode = (text: string): string => escapeRest(encodeURIComponent(text))

export const encodeQuery = (query: Signable["query"]): string =>
  query.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&")

export const sha256 = (content: Uint8Array | string): string =>
  createHash("sha256").update(content).digest("hex")

/** The headers to send in place of these: they, and a signature of them and of the body. Names are in lower case. */
export const signHeaders = (
  request: Signable,
  headers: Readonly<Record<string, string>>,
  payloadSha256: string,
  signing: Signing
): Readonly<Record<string, string>> => {
  const signed: Readonly<Record<string, string>> = {
    ...headers,
    "x-amz-content-sha256": payloadSha256,
    "x-amz-date": stamp(signing),
    ...Option.match(tokenOf(signing), { onNone: () => ({}), onSome: (x) => ({ "x-amz-security-token": x }) })
  }
  const { names, signature } = sign(request, signed, payloadSha256, signing)
  const credential = credentialOf(signing)
  return {
    ...signed,
    authorization: `${algorithm} Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`
  }
}

/** The query to ask with in place of this one: whoever has it needs nothing else, for so many seconds. */
export const signQuery = (request: Signable, seconds: number, signing: Signing): Signable["query"] => {
  const query = [
    ...request.query,
    ["X-Amz-Algorithm", algorithm],
    ["X-Amz-Credential", credentialOf(signing)],
    ["X-Amz-Date", stamp(signing)],
    ["X-Amz-Expires", String(seconds)],
    ...Option.toArray(tokenOf(signing)).map((token) => ["X-Amz-Security-Token", token] as const),
    ["X-Amz-SignedHeaders", "host"]
  ] as const
  const { signature } = sign({ ...request, query }, {}, "UNSIGNED-PAYLOAD", signing)
  return [...query, ["X-Amz-Signature", signature]]
}

const algorithm = "AWS4-HMAC-SHA256"

/** The moment as signatures write it: `20261126T170000Z`. */
const stamp = ({ millis }: Signing): string => new Date(millis).toISOString().replace(/[:-]|\.\d{3}/g, "")

/** What the signature is good for, in the steps in which its key is derived. */
const scopeOf = (signing: Signing): ReadonlyArray<string> => [
  stamp(signing).slice(0, 8),
  signing.region,
  "s3",
  "aws4_request"
]

const credentialOf = (signing: Signing): string =>
  [Redacted.value(signing.keys.accessKeyId), ...scopeOf(signing)].join("/")

const tokenOf = ({ keys: { sessionToken } }: Signing): Option.Option<string> =>
  Option.map(sessionToken, Redacted.value)

const hmac = (key: string | Uint8Array, text: string): Buffer =>
  createHmac("sha256", key).update(text).digest()

const byName = Order.mapInput(Order.string, ([name]: readonly [string, string]) => name)

const sign = (
  { host, method, path, query }: Signable,
  headers: Readonly<Record<string, string>>,
  payload: string,
  signing: Signing
): { readonly names: string; readonly signature: string } => {
  const signed = Arr.sort(Record.toEntries({ ...headers, host }), byName)
  const names = signed.map(([name]) => name).join(";")
  const canonical = [
    method,
    path,
    encodeQuery(Arr.sort(query, byName)),
    ...signed.map(([name, value]) => `${name}:${value.trim().replace(/ +/g, " ")}`),
    "",
    names,
    payload
  ].join("\n")
  const scope = scopeOf(signing)
  const text = [algorithm, stamp(signing), scope.join("/"), sha256(canonical)].join("\n")
  const secret = Buffer.from(`AWS4${Redacted.value(signing.keys.secretAccessKey)}`)
  return { names, signature: hmac(scope.reduce(hmac, secret), text).toString("hex") }
}

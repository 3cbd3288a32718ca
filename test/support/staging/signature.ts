/**
 * Signature Version 4 as a store checks it, from the bytes of the request line and the headers. Written from the description of
 * the algorithm; nothing here is shared with the client, or with the library that signs for it.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto"
import type { IncomingMessage } from "node:http"

/** A key that the store knows. */
export interface KnownKey {
  readonly accessKeyId: string
  readonly secret: string
  /** Temporary keys come with one. */
  readonly token?: string
  /** Epoch milliseconds. */
  readonly expires?: number
  /** What it may not do, such as `s3:PutObject`. */
  readonly denied?: ReadonlySet<string>
}

export interface Refusal {
  readonly status: number
  readonly code: string
  readonly message: string
  /** Further elements of the answer. */
  readonly extra?: Readonly<Record<string, string>>
}

export type Checked =
  | { readonly _tag: "Accepted"; readonly key: KnownKey; readonly isLink: boolean }
  | { readonly _tag: "Refused"; readonly refusal: Refusal }

interface Claim {
  readonly accessKeyId: string
  readonly scope: string
  readonly date: string
  readonly signedHeaders: ReadonlyArray<string>
  readonly signature: string
  readonly token: string | undefined
  readonly payload: string
  readonly query: ReadonlyArray<readonly [string, string]>
}

const strictly = (text: string): string =>
  Array.from(Buffer.from(text, "utf8"), (byte) => {
    const character = String.fromCharCode(byte)
    return /[A-Za-z0-9\-._~]/.test(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
  }).join("")

export const splitTarget = (target: string) => {
  const mark = target.indexOf("?")
  const path = mark === -1 ? target : target.slice(0, mark)
  const text = mark === -1 ? "" : target.slice(mark + 1)
  const query = text
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const [name = "", value = ""] = pair.split(/=(.*)/s)
      return [decodeURIComponent(name), decodeURIComponent(value)] as const
    })
  return { path: path.split("/").map(decodeURIComponent).join("/"), query }
}

const parseStamp = (stamp: string): number => {
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(stamp) ?? []
  return Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`)
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest()
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex")

const canonicalOf = (request: IncomingMessage, { payload, query, signedHeaders }: Claim): string => {
  const { path } = splitTarget(request.url ?? "/")
  const pairs = query
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => [strictly(name), strictly(value)] as const)
    .sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0))
    .map((pair) => pair.join("="))
  const headers = signedHeaders.map(
    (name) =>
      `${name}:${String(request.headers[name] ?? "")
        .trim()
        .replace(/ +/g, " ")}\n`
  )
  return [
    request.method,
    path.split("/").map(strictly).join("/"),
    pairs.join("&"),
    headers.join(""),
    signedHeaders.join(";"),
    payload
  ].join("\n")
}

const claimOf = (request: IncomingMessage): Claim | undefined => {
  const { query } = splitTarget(request.url ?? "/")
  const asked = new Map(query)
  if (asked.has("X-Amz-Signature")) {
    const [accessKeyId = "", scope = ""] = (asked.get("X-Amz-Credential") ?? "").split(/\/(.*)/s)
    return {
      accessKeyId,
      scope,
      date: asked.get("X-Amz-Date") ?? "",
      signedHeaders: (asked.get("X-Amz-SignedHeaders") ?? "").split(";"),
      signature: asked.get("X-Amz-Signature") ?? "",
      token: asked.get("X-Amz-Security-Token"),
      payload: "UNSIGNED-PAYLOAD",
      query
    }
  }
  const header =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      request.headers.authorization ?? ""
    )
  if (header === null) return undefined
  const [, accessKeyId = "", scope = "", names = "", signature = ""] = header
  const token = request.headers["x-amz-security-token"]
  return {
    accessKeyId,
    scope,
    date: String(request.headers["x-amz-date"] ?? ""),
    signedHeaders: names.split(";"),
    signature,
    token: token === undefined ? undefined : String(token),
    payload: String(request.headers["x-amz-content-sha256"] ?? ""),
    query
  }
}

const refused = (status: number, code: string, message: string, extra?: Refusal["extra"]): Checked => ({
  _tag: "Refused",
  refusal: { status, code, message, ...(extra === undefined ? {} : { extra }) }
})

export const check = (
  request: IncomingMessage,
  store: { readonly keys: ReadonlyArray<KnownKey>; readonly region: string; readonly now: number }
): Checked => {
  const claim = claimOf(request)
  if (claim === undefined) return refused(403, "AccessDenied", "Access Denied")
  const key = store.keys.find(({ accessKeyId }) => accessKeyId === claim.accessKeyId)
  if (key === undefined) {
    return refused(
      403,
      "InvalidAccessKeyId",
      "The AWS Access Key Id you provided does not exist in our records.",
      {
        AWSAccessKeyId: claim.accessKeyId
      }
    )
  }
  const isLink = request.headers.authorization === undefined
  const asked = new Map(claim.query)
  const stamped = parseStamp(claim.date)
  const lifetime = isLink ? Number(asked.get("X-Amz-Expires")) * 1000 : 15 * 60_000
  if (isLink) {
    if (!(lifetime >= 1000 && lifetime <= 604_800_000)) {
      return refused(
        400,
        "AuthorizationQueryParametersError",
        "X-Amz-Expires must be between 1 and 604800 seconds"
      )
    }
    if (store.now > stamped + lifetime) return refused(403, "AccessDenied", "Request has expired")
  } else if (!(Math.abs(store.now - stamped) <= lifetime)) {
    return refused(
      403,
      "RequestTimeTooSkewed",
      "The difference between the request time and the current time is too large.",
      {
        RequestTime: claim.date,
        ServerTime: new Date(store.now).toISOString()
      }
    )
  }
  const scope = `${claim.date.slice(0, 8)}/${store.region}/s3/aws4_request`
  if (claim.scope !== scope) {
    return refused(
      400,
      "AuthorizationHeaderMalformed",
      `The authorization header is malformed; the region is wrong; expecting '${store.region}'`,
      { Region: store.region }
    )
  }
  const unsigned = Object.keys(request.headers).filter(
    (name) => (name === "host" || name.startsWith("x-amz-")) && !claim.signedHeaders.includes(name)
  )
  if (unsigned.length > 0) {
    return refused(403, "AccessDenied", "There were headers present in the request which were not signed", {
      HeadersNotSigned: unsigned.join(", ")
    })
  }
  const canonical = canonicalOf(request, claim)
  const toSign = ["AWS4-HMAC-SHA256", claim.date, scope, sha256(canonical)].join("\n")
  const signingKey = ["s3", "aws4_request"].reduce(
    hmac,
    hmac(hmac(`AWS4${key.secret}`, claim.date.slice(0, 8)), store.region)
  )
  const expected = hmac(signingKey, toSign)
  const given = Buffer.from(claim.signature, "hex")
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    // The real one echoes all of this.
    return refused(
      403,
      "SignatureDoesNotMatch",
      "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
      {
        AWSAccessKeyId: claim.accessKeyId,
        StringToSign: toSign,
        SignatureProvided: claim.signature,
        CanonicalRequest: canonical
      }
    )
  }
  if (claim.token !== key.token)
    return refused(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
  if (key.expires !== undefined && store.now >= key.expires) {
    return refused(400, "ExpiredToken", "The provided token has expired.")
  }
  return { _tag: "Accepted", key, isLink }
}

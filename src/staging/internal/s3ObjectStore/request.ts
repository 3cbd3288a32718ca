/** How a request of the S3 protocol is addressed, signed and sent. */
import { createHash } from "node:crypto"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { AwsV4Signer } from "aws4fetch"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { Exchange } from "../../../transfer/Exchange.ts"
import { fromHttpClientError } from "../../../transfer/TransferError.ts"
import type { Operation } from "../../StagingError.ts"
import type { Keys } from "./keyring.ts"
import type { Settings } from "./settings.ts"

/** One request, before it is signed. */
export interface Call {
  readonly operation: Operation
  readonly method: "GET" | "PUT" | "POST" | "DELETE"
  /** With the prefix; empty for the bucket itself. */
  readonly key: string
  readonly query?: ReadonlyArray<readonly [name: string, value: string]>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Body
  readonly onWritten?: ((bytes: number) => Effect.Effect<void>) | undefined
}

export interface Body {
  readonly bytes: Uint8Array
  readonly contentType: string
  /** In hex. */
  readonly sha256: string
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

const noBody = sha256(new Uint8Array())

/** By RFC 3986, because that is what is signed: `encodeURIComponent` leaves five characters as they are. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`
  )

const addressOf = ({ origin, path }: Settings, { key, query = [] }: Pick<Call, "key" | "query">): string => {
  const asked = query.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&")
  return `${origin}${path}${key.split("/").map(encode).join("/")}${asked === "" ? "" : `?${asked}`}`
}

/** The moment as signatures write it: `20261126T170000Z`. */
const stamp = (millis: number): string => new Date(millis).toISOString().replace(/[:-]|\.\d{3}/g, "")

const signerOf = (
  { region }: Settings,
  { accessKeyId, secretAccessKey, sessionToken }: Keys,
  request: { readonly method: string; readonly url: string; readonly headers: Record<string, string> },
  options: { readonly millis: number; readonly signQuery: boolean }
) =>
  new AwsV4Signer({
    ...request,
    service: "s3",
    region,
    accessKeyId: Redacted.value(accessKeyId),
    secretAccessKey: Redacted.value(secretAccessKey),
    ...Option.match(sessionToken, {
      onNone: () => ({}),
      onSome: (token) => ({ sessionToken: Redacted.value(token) })
    }),
    datetime: stamp(options.millis),
    signQuery: options.signQuery
  })

/** Signs and sends. A redirect is an answer, because it tells the region. */
export const execute = Effect.fnUntraced(function* (
  client: HttpClient.HttpClient,
  settings: Settings,
  keys: Keys,
  call: Call
) {
  const { body, headers, method, onWritten } = call
  const request = {
    method,
    url: addressOf(settings, call),
    headers: { ...headers, "x-amz-content-sha256": body?.sha256 ?? noBody }
  }
  const millis = yield* Clock.currentTimeMillis
  const signed = yield* Effect.promise(() =>
    signerOf(settings, keys, request, { millis, signQuery: false }).sign()
  )
  const prepared = HttpClientRequest.make(method)(request.url).pipe(
    HttpClientRequest.setHeaders(signed.headers),
    HttpClientRequest.setHeader("user-agent", "effect-elastic-extensions"),
    body === undefined ? (bare) => bare : HttpClientRequest.bodyUint8Array(body.bytes, body.contentType)
  )
  return yield* client
    .execute(prepared)
    .pipe(
      Effect.provideService(Exchange, { redirect: "return", onWritten }),
      Effect.mapError(fromHttpClientError)
    )
})

/** An address that can be read by anyone for so long. Only its path, its host and its query are signed. */
export const presign = Effect.fnUntraced(function* (
  settings: Settings,
  keys: Keys,
  key: string,
  lifetimeMillis: number
) {
  const seconds = Math.max(1, Math.floor(lifetimeMillis / 1000))
  const millis = yield* Clock.currentTimeMillis
  const url = addressOf(settings, { key, query: [["X-Amz-Expires", String(seconds)]] })
  const signed = yield* Effect.promise(() =>
    signerOf(settings, keys, { method: "GET", url, headers: {} }, { millis, signQuery: true }).sign()
  )
  return {
    url: Redacted.make(signed.url.href),
    expires: DateTime.addDuration(DateTime.unsafeMake(millis), Duration.seconds(seconds))
  }
})

/** How a request of the S3 protocol is addressed, signed and sent. */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Exchange } from "../../../transfer/Exchange.ts"
import { fromHttpClientError } from "../../../transfer/TransferError.ts"
import type { Operation } from "../../StagingError.ts"
import type { Keys } from "./keyring.ts"
import type { Settings } from "./settings.ts"
import { encodeQuery, escapeRest, type Signable, sha256, signHeaders, signQuery } from "./signature.ts"

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

const noBody = sha256("")

/** Where a request goes. */
const placeOf = (
  { origin, path }: Settings,
  { key, method, query = [] }: Pick<Call, "key" | "method" | "query">
): Signable => ({
  method,
  host: new URL(origin).host,
  path: escapeRest(`${path}${key.split("/").map(encodeURIComponent).join("/")}`),
  query
})

const addressOf = ({ origin }: Settings, { path, query }: Signable): string =>
  `${origin}${path}${query.length === 0 ? "" : `?${encodeQuery(query)}`}`

/** Signs and sends. A redirect is an answer, because it tells the region. */
export const execute = Effect.fnUntraced(function* (
  client: HttpClient.HttpClient,
  settings: Settings,
  keys: Keys,
  call: Call
) {
  const { body, headers = {}, method, onWritten } = call
  const place = placeOf(settings, call)
  const millis = yield* Clock.currentTimeMillis
  const signing = { keys, region: settings.region, millis }
  const prepared = HttpClientRequest.make(method)(addressOf(settings, place)).pipe(
    HttpClientRequest.setHeaders(signHeaders(place, headers, body?.sha256 ?? noBody, signing)),
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
  const place = placeOf(settings, { method: "GET", key })
  const query = signQuery(place, seconds, { keys, region: settings.region, millis })
  return {
    url: Redacted.make(addressOf(settings, { ...place, query })),
    expires: DateTime.addDuration(DateTime.unsafeMake(millis), Duration.seconds(seconds))
  }
})

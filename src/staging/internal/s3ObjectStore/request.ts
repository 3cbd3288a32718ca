/** How a request of the S3 protocol is addressed, signed and sent. */
import * as HttpBody from "@effect/platform/HttpBody"
import type * as HttpClient from "@effect/platform/HttpClient"
import type { HttpClientError } from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Stream from "effect/Stream"
import * as ByteStream from "../../../byteStream.ts"
import { Exchange } from "../../../transfer/Exchange.ts"
import { fromHttpClientError, type TransferError } from "../../../transfer/TransferError.ts"
import type { Operation } from "../../StagingError.ts"
import type { Keys } from "./keyring.ts"
import type { Settings } from "./settings.ts"
import { encodeQuery, escapeRest, type Signable, sha256, signHeaders, signQuery } from "./signature.ts"

/** One request, before it is signed. */
export interface Call<out E = never, out R = never> {
  readonly operation: Operation
  readonly method: "GET" | "PUT" | "POST" | "DELETE"
  /** With the prefix; empty for the bucket itself. */
  readonly key: string
  readonly query?: ReadonlyArray<readonly [name: string, value: string]>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Body<E, R>
  readonly onWritten?: ((bytes: number) => Effect.Effect<void>) | undefined
}

export interface Body<out E = never, out R = never> {
  /** Read from its beginning for every request. */
  readonly content: Stream.Stream<Uint8Array, E, R>
  /** In bytes. */
  readonly size: number
  readonly contentType: string
  /** In hex. */
  readonly sha256: string
}

/** What requests go through. */
export interface Transport {
  readonly client: HttpClient.HttpClient
  /**
   * Whether it is this library's own, which sends a stream under its length and is done with a chunk in time. Of others nothing
   * of the kind is known: they get a body in one piece.
   */
  readonly isStreaming: boolean
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
export const execute = Effect.fnUntraced(function* <E, R>(
  transport: Transport,
  settings: Settings,
  keys: Keys,
  call: Call<E, R>
) {
  const { body, headers = {}, method, onWritten } = call
  const place = placeOf(settings, call)
  const millis = yield* Clock.currentTimeMillis
  const signing = { keys, region: settings.region, millis }
  const prepared = HttpClientRequest.make(method)(addressOf(settings, place)).pipe(
    HttpClientRequest.setHeaders(signHeaders(place, headers, body?.sha256 ?? noBody, signing)),
    HttpClientRequest.setHeader("user-agent", "effect-elastic-extensions")
  )
  const send = (request: HttpClientRequest.HttpClientRequest) =>
    Effect.provideService(transport.client.execute(request), Exchange, { redirect: "return", onWritten })
  return yield* body === undefined
    ? Effect.mapError(send(prepared), fromHttpClientError)
    : sendBody(transport, body, (content) => send(HttpClientRequest.setBody(prepared, content)))
})

/** A failure of the content comes out as itself, whatever the client makes of it. */
const sendBody = Effect.fnUntraced(function* <E, R, A>(
  { isStreaming }: Transport,
  body: Body<E, R>,
  send: (body: HttpBody.HttpBody) => Effect.Effect<A, HttpClientError>
) {
  if (!isStreaming) {
    const bytes = yield* whole(body)
    return yield* Effect.mapError(send(HttpBody.uint8Array(bytes, body.contentType)), fromHttpClientError)
  }
  const context = yield* Effect.context<R>()
  let failure = Option.none<E>()
  const content = ByteStream.tapError(ByteStream.provideContext(body.content, context), (error) =>
    Effect.sync(() => {
      failure = Option.some(error)
    })
  )
  return yield* Effect.mapError(
    send(HttpBody.stream(content, body.contentType, body.size)),
    (error): TransferError | E => Option.getOrElse(failure, () => fromHttpClientError(error))
  )
})

/** As long as it says it is: where it is not, its hash is another one, and the store refuses it. */
const whole = <E, R>({ content, size }: Body<E, R>): Effect.Effect<Uint8Array, E, R> =>
  Effect.suspend(() => {
    const bytes = new Uint8Array(size)
    let filled = 0
    return Effect.map(
      ByteStream.forEach(ByteStream.take(content, size), (chunk) =>
        Effect.sync(() => {
          bytes.set(chunk, filled)
          filled += chunk.length
        })
      ),
      () => bytes
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

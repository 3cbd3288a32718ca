/**
 * Runs every behaviour of the transport once, on whatever runtime runs this file, against the servers whose addresses it is
 * given, and prints what the client saw as JSON.
 */
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Exchange, TransportCapabilities } from "../../../src/transfer/Exchange.ts"
import { fromHttpClientError } from "../../../src/transfer/TransferError.ts"
import * as UploadHttpClient from "../../../src/transfer/UploadHttpClient.ts"
import type { Ending } from "../transfer/counting.ts"

export interface Addresses {
  readonly plain: string
  readonly secure: string
  readonly proxy: string
  readonly nobody: string
  /** Its authority is named in `NODE_EXTRA_CA_CERTS`. */
  readonly extra: string
  readonly ca: string
  /** Servers that count connections. */
  readonly counting: string
  readonly countingSecure: string
  readonly countingProxy: string
  /** Servers that let go of connections. */
  readonly lettingGo: string
  readonly lettingGoSecure: string
  /** A server that tells whether a TLS session was resumed. */
  readonly resuming: string
}

const mebibyte = 1024 * 1024
const addresses: Addresses = JSON.parse(process.argv[2] ?? "{}")

const body = (mebibytes: number, length = mebibytes * mebibyte) =>
  HttpBody.stream(
    Stream.map(Stream.range(1, mebibytes), (n) => new Uint8Array(mebibyte).fill(n)),
    "application/zip",
    length
  )

type Options = Parameters<typeof UploadHttpClient.layer>[0]
const never = { expectThreshold: Number.POSITIVE_INFINITY }
const put = (url: string, content: HttpBody.HttpBody, options: Options = never) =>
  Effect.provide(HttpClient.put(url, { body: content }), UploadHttpClient.layer(options))

const seen = <A>(effect: Effect.Effect<A, HttpClientError.HttpClientError>) =>
  Effect.match(effect, {
    onFailure: (error) => {
      const { _tag, bytesSent, message, phase } = fromHttpClientError(error)
      return { tag: _tag, phase, bytesSent, message }
    },
    onSuccess: (value) => ({ value })
  })

const status = (url: string, content: HttpBody.HttpBody, options?: Options) =>
  seen(
    Effect.flatMap(put(url, content, options), (response) =>
      Effect.map(response.text, (text) => `${response.status} ${text}`)
    )
  )

/** A source of four buffers used in turn, as long as a chunk's bytes are promised to be needed. */
const recycled = (count: number) => {
  const buffers = Array.from({ length: UploadHttpClient.chunksInUse }, () => new Uint8Array(mebibyte))
  const chunks = Stream.unfold(1, (n) =>
    n > count
      ? Option.none()
      : Option.some([(buffers[n % buffers.length] ?? new Uint8Array(0)).fill(n), n + 1])
  )
  return HttpBody.stream(chunks, "application/zip", count * mebibyte)
}

const pulledBy = (url: string) =>
  Effect.suspend(() => {
    let pulled = 0
    const source = Stream.map(Stream.range(1, 64), () => new Uint8Array(mebibyte)).pipe(
      Stream.tap((chunk) =>
        Effect.sync(() => {
          pulled += chunk.byteLength
        })
      )
    )
    return put(url, HttpBody.stream(source, "application/zip", 64 * mebibyte)).pipe(
      Effect.timeoutOption("1500 millis"),
      Effect.map(() => pulled)
    )
  })

const interimSeen = (url: string) =>
  Effect.suspend(() => {
    const interim: Array<string> = []
    return put(url, body(2), { continueTimeout: "1 minute" }).pipe(
      Effect.provideService(Exchange, {
        onInterim: ({ headers, status }) =>
          Effect.delay(
            Effect.sync(() => void interim.push(`${status} ${headers["location"] ?? ""}`.trim())),
            "20 millis"
          )
      }),
      Effect.map((response) => ({ status: response.status, interim }))
    )
  })

/** Stands still at the first of endless interim responses, then finishes. */
const floodedBy = (url: string) =>
  Effect.suspend(() => {
    let count = 0
    return put(url, body(1)).pipe(
      Effect.provideService(Exchange, {
        onInterim: () => Effect.suspend(() => (++count === 1 ? Effect.sleep("400 millis") : Effect.void))
      }),
      Effect.map((response) => ({ status: response.status, count }))
    )
  })

/** At moments of all kinds, and as soon as the first bytes are on their way: a slow machine may have none before. */
const interruptedUploads = (url: string) => {
  const upload = put(url, body(64))
  const atMoments = Effect.forEach(
    Array.from({ length: 60 }, (_, index) => index),
    (index) => Effect.timeoutOption(upload, Duration.millis(index * 5)),
    { concurrency: 20, discard: true }
  )
  const underWay = Effect.flatMap(Effect.makeLatch(false), (isUnderWay) =>
    upload.pipe(
      Effect.provideService(Exchange, { onWritten: () => Effect.asVoid(isUnderWay.open) }),
      Effect.raceFirst(isUnderWay.await)
    )
  )
  return Effect.zipRight(atMoments, underWay)
}

const answersOf = (url: string) =>
  Effect.map(
    Effect.forEach(Array.from({ length: 10 }), () => status(url, body(50))),
    (answers) => answers.filter((answer) => "value" in answer && answer.value === "413 too large").length
  )

const took = (url: string, bandwidth: number) =>
  Effect.map(Effect.timed(put(url, body(1), { ...never, bandwidth })), ([time]) => Duration.toMillis(time))

const firstPart = (url: string) =>
  HttpClient.get(url).pipe(
    Effect.flatMap((response) => Stream.runCollect(Stream.take(response.stream, 1))),
    Effect.map(Chunk.size),
    Effect.provide(UploadHttpClient.layer())
  )

const {
  ca,
  counting,
  countingProxy,
  countingSecure,
  extra,
  lettingGo,
  lettingGoSecure,
  nobody,
  plain,
  proxy,
  resuming,
  secure
} = addresses
/** `Expect`, but no long wait for a server that says nothing. */
const soon = { continueTimeout: "50 millis" } as const
const quick = {
  ...never,
  stallTimeout: "300 millis",
  responseTimeout: "300 millis",
  connectTimeout: "300 millis"
} as const

/** Two reads, and an upload whose connection is opened during the first of them. */
const inThreeRequests = (url: string, options: Options) =>
  Effect.gen(function* () {
    const { connectAhead } = yield* TransportCapabilities
    yield* connectAhead(url)
    const read = Effect.flatMap(HttpClient.get(url), (response) => response.text)
    yield* read
    yield* Effect.flatMap(HttpClient.put(url, { body: body(2) }), (response) => response.text)
    return yield* read
  }).pipe(Effect.scoped, Effect.provide(UploadHttpClient.layer(options)), Effect.orDie)

const text = (
  answering: Effect.Effect<HttpClientResponse, HttpClientError.HttpClientError, HttpClient.HttpClient>
) => Effect.flatMap(answering, (response) => response.text)

/** Two connections, one after the other. */
const putTwice = (url: string, options: Options) =>
  Effect.replicateEffect(text(HttpClient.put(url, { body: body(1) })), 2).pipe(
    Effect.provide(UploadHttpClient.layer({ ...never, ...options })),
    Effect.orDie
  )

/** So long that no limit comes to the rescue of a request that hangs. */
const patient = { connectTimeout: "1 hour", readTimeout: "1 hour" } as const

/** Two reads; the server closes the connection instead of answering the second. */
const readAgain = (url: string, options: Options) =>
  Effect.zipRight(text(HttpClient.get(`${url}/again`)), text(HttpClient.get(`${url}/again`))).pipe(
    Effect.provide(UploadHttpClient.layer({ ...patient, ...options })),
    Effect.orDie
  )

/** Uploads whose connection was opened before a read; the server has done with it when it answers the read. */
const passedOver = (url: string, endings: ReadonlyArray<Ending>, options: Options) =>
  Effect.forEach(endings, (ending) =>
    Effect.gen(function* () {
      const { connectAhead } = yield* TransportCapabilities
      yield* connectAhead(url)
      yield* text(HttpClient.get(`${url}/${ending}`))
      return yield* text(HttpClient.put(`${url}/${ending}`, { body: body(1) }))
    }).pipe(
      Effect.scoped,
      Effect.provide(UploadHttpClient.layer({ ...patient, ...never, ...options })),
      Effect.catchAll((error) => Effect.succeed(error.message))
    )
  )

export type Probe = Effect.Effect.Success<typeof probe>

const probe = Effect.all({
  exact: status(`${plain}/exact`, body(6)),
  short: status(`${plain}/short`, body(3, 4 * mebibyte)),
  long: status(`${plain}/long`, body(3, 2 * mebibyte + 1)),
  pulled: pulledBy(`${plain}/silent`),
  recycled: status(`${plain}/recycled`, recycled(48)),
  once: status(`${plain}/once`, body(1)),
  refused: status(`${plain}/refused`, body(3), {}),
  withoutExpect: status(`${plain}/withoutExpect`, body(2), {}),
  unanswered: status(`${plain}/unanswered`, body(2), { continueTimeout: "100 millis" }),
  interim: interimSeen(`${plain}/interim`),
  flooded: floodedBy(`${plain}/flooded`),
  early: answersOf(`${plain}/early`),
  earlySecure: Effect.map(
    Effect.forEach(Array.from({ length: 10 }), () =>
      status(`${secure}/early`, body(50), { ...never, ca: [ca] })
    ),
    (answers) => answers.filter((answer) => "value" in answer && answer.value === "413 too large").length
  ),
  noConnection: status(nobody, body(1)),
  handshake: status(plain.replace("http:", "https:"), body(1), quick),
  stalled: status(`${plain}/silent`, body(64), quick),
  slow: status(`${plain}/slow`, body(32), { ...never, stallTimeout: "1 second" }),
  unhurried: status(`${plain}/never`, body(1), quick),
  deadline: status(`${plain}/never`, body(1), { ...never, deadline: "200 millis" }),
  cut: status(`${plain}/cut`, body(1)),
  unread: Effect.asVoid(put(`${plain}/unread`, body(1))),
  taken: firstPart(`${plain}/taken`),
  redirected: status(`${plain}/redirected`, body(1)),
  took: took(`${plain}/took`, mebibyte),
  interrupted: interruptedUploads(`${plain}/interrupted`),
  secure: status(`${secure}/secure`, body(20), { ...soon, ca: [ca] }),
  extra: status(`${extra}/extra`, body(2), soon),
  untrusted: status(`${secure}/untrusted`, body(1)),
  proxied: status("https://upload.test/proxied", body(5), { ...soon, ca: [ca], proxy }),
  shared: inThreeRequests(`${counting}/shared`, soon),
  sharedSecure: inThreeRequests(`${countingSecure}/shared`, { ...soon, ca: [ca] }),
  sharedByProxy: inThreeRequests("https://upload.test/proxied-reads", {
    ...soon,
    ca: [ca],
    proxy: countingProxy
  }),
  readAgain: Effect.all({
    plain: readAgain(lettingGo, {}),
    secure: readAgain(lettingGoSecure, { ca: [ca] })
  }),
  passedOver: Effect.all({
    plain: passedOver(lettingGo, ["closed", "reset", "answered-unasked"], {}),
    secure: passedOver(lettingGoSecure, ["closed", "answered-unasked"], { ca: [ca] })
  }),
  resuming: putTwice(resuming, { ca: [ca] }),
  proxiedByEnvironment: status("https://upload.test/environment", body(1), { ...soon, ca: [ca] })
})

if (process.argv[3] === "run") {
  const seenHere = await Effect.runPromise(probe)
  process.stdout.write(JSON.stringify(seenHere))
  // A client that nobody closes must not hold up the end of the process.
  const leftOpen = Effect.flatMap(Layer.build(UploadHttpClient.layer()), (context) =>
    Effect.provide(
      Effect.flatMap(HttpClient.get(`${counting}/last`), (response) => response.text),
      context
    )
  )
  await Effect.runPromise(Scope.extend(leftOpen, Effect.runSync(Scope.make())))
}

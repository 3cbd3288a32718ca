/** Reading an archive over HTTP, by ranges: privately, patiently for a while, and careful where it is sent on to. */

import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import type * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as ByteStream from "../../../byteStream.ts"
import { attribute, serverOf, spanned } from "../../../telemetry.ts"
import { ArchiveChanged, type ArchiveError, ArchiveUnreadable } from "../../ArchiveError.ts"
import type { ArchiveStat, ReadOptions, UrlOptions } from "./models.ts"
import { baseName, changeBetween, describe, keptTo, type Reading, within } from "./source.ts"

const isLost = (error: Lost | ArchiveError): boolean => error._tag === "Lost"

export const stat = (
  source: UrlSource
): Effect.Effect<ArchiveStat, ArchiveUnreadable, HttpClient.HttpClient> =>
  Effect.scoped(askHead(source)).pipe(
    Effect.flatMap(
      Option.match({ onNone: () => Effect.scoped(askFirstByte(source)), onSome: Effect.succeed })
    ),
    Effect.retry({ schedule: source.retry, while: isLost }),
    Effect.catchTag("Lost", (lost) => giveUp(source, lost))
  )

/** Stores refuse HEAD to a link that was signed for GET, and some servers know no HEAD at all. */
const headless = new Set([403, 405, 501])

const askHead = (source: UrlSource) =>
  Effect.flatMap(send(source, "HEAD", {}), (response) =>
    headless.has(response.status) ? Effect.succeedNone : statIn(source, response)
  )

const askFirstByte = (source: UrlSource) =>
  send(source, "GET", { range: "bytes=0-0" }).pipe(
    Effect.flatMap((response) => statIn(source, response)),
    Effect.flatMap(
      Option.match({
        onNone: () => unreadable(source, "the server does not tell its length"),
        onSome: Effect.succeed
      })
    )
  )

/**
 * The first request of a reading asks for this many bytes and the second for all the rest: whoever looks at a ZIP's
 * directory takes no more than that, and would otherwise make the server fill every buffer on the way.
 */
const firstBytes = 128 * 1024

export const read =
  (source: UrlSource) =>
  (options: ReadOptions): Stream.Stream<Uint8Array, ArchiveError, HttpClient.HttpClient> =>
    ByteStream.suspend(() => {
      const reading = within(options)
      const { end, expected, offset } = reading
      if (offset === expected.size) return Stream.execute(assertUnchanged(source, expected))
      // Who says how much he takes has no use for a first request.
      const first = options.end ?? Math.min(end, offset + firstBytes)
      return keptTo(source.path, reading)(ByteStream.make(requestsFor(source, reading, first)))
    })

const assertUnchanged = (source: UrlSource, expected: ArchiveStat) =>
  Effect.flatMap(stat(source), (actual): Effect.Effect<void, ArchiveError> => {
    const change = changeBetween(source.path, expected, actual)
    return change === undefined ? Effect.void : change
  })

/** One answer that is being read. */
interface Answer {
  readonly pull: ByteStream.Pull<Lost | ArchiveUnreadable>
  /** The end of what it holds, in bytes from the start of the archive. */
  readonly end: number
}

/**
 * The bytes of a reading, over as many requests as it takes: one up to `first`, one for the rest, and another one wherever the line
 * was lost. What was passed on is never asked for again, and nothing is left out.
 */
const requestsFor = (
  source: UrlSource,
  { end, expected, offset }: Reading,
  first: number
): ByteStream.Begin<ArchiveError, HttpClient.HttpClient> => {
  const reading = ([context, whole, patience]: readonly [
    Context.Context<HttpClient.HttpClient>,
    Scope.Scope,
    Schedule.ScheduleDriver<unknown, unknown>
  ]): ByteStream.Pull<ArchiveError> => {
    let position = offset
    let answer: Answer | undefined
    let closeAnswer: Effect.Effect<void> = Effect.void
    let hasRetried = false

    const open = Effect.gen(function* () {
      const wanted = { start: position, end: position < first ? first : end }
      const response = yield* send(source, "GET", conditions(expected, wanted))
      const announced = yield* endIn(source, response, expected, wanted)
      answer = { end: announced, pull: yield* ByteStream.begin(body(source, response)) }
    })
    const ask = Effect.flatMap(Scope.fork(whole, ExecutionStrategy.sequential), (scope) => {
      closeAnswer = Scope.close(scope, Exit.void)
      return Effect.provide(Scope.extend(open, scope), context)
    })

    const next: ByteStream.Pull<ArchiveError> = Effect.suspend(() => {
      if (answer !== undefined) return pullFrom(answer)
      if (position >= end) return Effect.fail(Option.none())
      return Effect.matchEffect(ask, { onFailure: failed, onSuccess: () => next })
    })
    const pullFrom = (answer: Answer) =>
      Effect.matchEffect(answer.pull, {
        onFailure: Option.match({ onNone: () => ended(answer), onSome: failed }),
        onSuccess: (bytes) => taken(answer, bytes)
      })
    const taken = (answer: Answer, bytes: Uint8Array) => {
      position += bytes.length
      // Beyond the archive's own end, it has grown: the length of the whole is kept elsewhere.
      if (position > answer.end && answer.end < expected.size) {
        const detail = `the server sent more than the bytes up to ${answer.end} that it announced`
        return Effect.mapError(unreadable(source, detail), Option.some)
      }
      if (!hasRetried) return Effect.succeed(bytes)
      hasRetried = false
      return Effect.as(patience.reset, bytes)
    }
    const ended = ({ end }: Answer) =>
      position < end
        ? failed(new Lost({ detail: `the answer ended at byte ${position} of ${end}` }))
        : Effect.zipRight(close, next)
    const close = Effect.suspend(() => {
      answer = undefined
      return closeAnswer
    })
    const failed = (error: Lost | ArchiveError): ByteStream.Pull<ArchiveError> => {
      if (error._tag !== "Lost") return Effect.fail(Option.some(error))
      hasRetried = true
      const again = Effect.matchEffect(patience.next(error), {
        onFailure: () => Effect.fail(Option.some(giveUp(source, error))),
        onSuccess: () => next
      })
      return Effect.zipRight(close, again)
    }
    return next
  }
  return Effect.map(
    Effect.all([Effect.context<HttpClient.HttpClient>(), Effect.scope, Schedule.driver(source.retry)]),
    reading
  )
}

/**
 * A server that knows conditions refuses to send a byte of a changed archive; one that does not is found out by its
 * answer. One that tells neither a strong ETag nor a date is read all the same: its length is checked, and whoever
 * uploads compares what is read with the digest.
 */
const conditions = (expected: ArchiveStat, { end, start }: Range): Readonly<Record<string, string>> => ({
  range: `bytes=${start}-${end - 1}`,
  ...(expected.etag === undefined ? {} : { "if-match": expected.etag })
})

/** Bytes `start` to `end`, the latter excluded. */
interface Range {
  readonly start: number
  readonly end: number
}

/** The archive as an answer to a request without conditions describes it, or `undefined` where the length is missing. */
const statIn = (
  source: UrlSource,
  response: HttpClientResponse
): Effect.Effect<Option.Option<ArchiveStat>, Lost | ArchiveUnreadable> =>
  Effect.gen(function* () {
    const size = sizeIn(response)
    if (size === 0) return yield* new ArchiveUnreadable({ path: source.path, reason: "Empty" })
    if (response.status !== 200 && response.status !== 206) return yield* refusal(source, response)
    yield* assertPlain(source, response)
    return Option.map(Option.fromNullable(size), (known) => identity(response, known))
  })

/** The end of what the body holds, once it is certain to be what was asked for, of the archive that was expected. */
const endIn = (
  source: UrlSource,
  response: HttpClientResponse,
  expected: ArchiveStat,
  wanted: Range
): Effect.Effect<number, Lost | ArchiveError> =>
  Effect.gen(function* () {
    const { status } = response
    if (status === 412) {
      const detail = "the server has another one in its place"
      return yield* new ArchiveChanged({ path: source.path, reason: "Modified", detail })
    }
    const holdsBytes = status === 200 || status === 206
    if (holdsBytes) yield* assertPlain(source, response)
    if (holdsBytes || status === 416) {
      const actual = identity(response, sizeIn(response) ?? expected.size)
      const change = changeBetween(source.path, expected, actual)
      if (change !== undefined) return yield* change
    }
    if (!holdsBytes) return yield* refusal(source, response)
    return status === 206
      ? yield* partialEnd(source, response, wanted)
      : yield* wholeEnd(source, expected, wanted)
  })

const partialEnd = (
  source: UrlSource,
  response: HttpClientResponse,
  wanted: Range
): Effect.Effect<number, ArchiveUnreadable> => {
  const range = rangeIn(response)
  if (range?.start === wanted.start && range.end === wanted.end) return Effect.succeed(wanted.end)
  const answer = range === undefined ? "no usable Content-Range" : `bytes ${range.start} to ${range.end - 1}`
  return unreadable(
    source,
    `it answered ${answer} to a request for bytes ${wanted.start} to ${wanted.end - 1}`
  )
}

const wholeEnd = (
  source: UrlSource,
  expected: ArchiveStat,
  wanted: Range
): Effect.Effect<number, ArchiveUnreadable> =>
  wanted.start === 0
    ? Effect.succeed(expected.size)
    : unreadable(source, `the server does not support ranges, so byte ${wanted.start} cannot be reached`)

const identity = ({ headers }: HttpClientResponse, size: number): ArchiveStat => {
  const modifiedMillis = Date.parse(headers["last-modified"] ?? "")
  const etag = headers["etag"]
  return {
    size,
    modifiedMillis: Number.isNaN(modifiedMillis) ? undefined : modifiedMillis,
    // A weak one says that two contents mean the same, not that they are the same bytes.
    etag: etag !== undefined && /^"[^"]*"$/.test(etag) ? etag : undefined
  }
}

/** The length of the whole archive in bytes, where the answer is about the archive and tells it. */
const sizeIn = (response: HttpClientResponse): number | undefined => {
  if (response.status === 200) return toBytes(response.headers["content-length"])
  return response.status === 416 ? unsatisfiable(response) : rangeIn(response)?.size
}

const rangeIn = ({ headers }: HttpClientResponse): (Range & { readonly size: number }) | undefined => {
  const [, first, last, length] = /^bytes (\d+)-(\d+)\/(\d+)$/i.exec(headers["content-range"] ?? "") ?? []
  const [start, inclusive, size] = [toBytes(first), toBytes(last), toBytes(length)]
  return start === undefined || inclusive === undefined || size === undefined
    ? undefined
    : { start, end: inclusive + 1, size }
}

const unsatisfiable = ({ headers }: HttpClientResponse): number | undefined =>
  toBytes(/^bytes \*\/(\d+)$/i.exec(headers["content-range"] ?? "")?.[1])

const toBytes = (digits: string | undefined): number | undefined => {
  const bytes = digits !== undefined && /^\d+$/.test(digits) ? Number(digits) : Number.NaN
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** Offsets count the bytes of the archive, not those of a compressed copy that the server or client makes of it. */
const assertPlain = (
  source: UrlSource,
  { headers }: HttpClientResponse
): Effect.Effect<void, ArchiveUnreadable> => {
  const coding = headers["content-encoding"]?.trim().toLowerCase() ?? ""
  return coding === "" || coding === "identity"
    ? Effect.void
    : unreadable(source, `the server sends it with the content coding "${coding}", though asked for none`)
}

const passing = new Set([408, 429, 500, 502, 503, 504])

const refusal = (source: UrlSource, { status }: HttpClientResponse): Lost | ArchiveUnreadable => {
  const detail = `the server answered ${status}`
  if (passing.has(status)) return new Lost({ detail })
  if (status === 404 || status === 410) {
    return new ArchiveUnreadable({ path: source.path, reason: "NotFound", detail })
  }
  return status === 401 || status === 403
    ? new ArchiveUnreadable({ path: source.path, reason: "PermissionDenied", detail })
    : unreadable(source, detail)
}

/** The archive could not be had this time: asking again may help. */
class Lost extends Data.TaggedError("Lost")<{ readonly detail: string }> {}

const unreadable = (source: UrlSource, detail: string): ArchiveUnreadable =>
  new ArchiveUnreadable({ path: source.path, reason: "ReadFailed", detail })

/** Asking again did not help either. */
const giveUp = (source: UrlSource, lost: Lost): ArchiveUnreadable => unreadable(source, lost.detail)

type Sent = Effect.Effect<HttpClientResponse, Lost | ArchiveUnreadable, HttpClient.HttpClient | Scope.Scope>

/** The final answer, whatever its status. Its connection is closed with the scope. */
const send = (source: UrlSource, method: "GET" | "HEAD", headers: Readonly<Record<string, string>>): Sent =>
  Effect.gen(function* () {
    const url = yield* Effect.mapError(source.url, (detail) => unreadable(source, detail))
    return yield* follow(source, method, headers, { url, credentials: source.headers, redirectsLeft: 10 })
  })

interface Hop {
  readonly url: URL
  readonly credentials: UrlSource["headers"]
  readonly redirectsLeft: number
}

const follow = (
  source: UrlSource,
  method: "GET" | "HEAD",
  headers: Readonly<Record<string, string>>,
  hop: Hop
): Sent =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    // The address is given as text, because the platform writes the query of a URL anew, and a signature may be in it.
    const request = HttpClientRequest.make(method)(hop.url.href).pipe(
      HttpClientRequest.setHeaders(Record.map(hop.credentials, Redacted.value)),
      HttpClientRequest.setHeaders({ ...headers, "accept-encoding": "identity" })
    )
    const response = yield* Scope.extend(execute(source, request, hop.url), scope)
    const { location } = response.headers
    if (!redirects.has(response.status) || location === undefined) return response

    yield* Scope.close(scope, Exit.void)
    const next = yield* nextHop(source, hop, location)
    return yield* follow(source, method, headers, next)
  })

const redirects = new Set([301, 302, 303, 307, 308])

const nextHop = (source: UrlSource, hop: Hop, location: string): Effect.Effect<Hop, ArchiveUnreadable> =>
  Effect.gen(function* () {
    if (hop.redirectsLeft === 0) return yield* unreadable(source, "it is redirected without end")
    const target = URL.canParse(location, hop.url.href) ? new URL(location, hop.url).href : location
    const url = yield* Effect.mapError(parse(target), (detail) =>
      unreadable(source, `it is redirected, and ${detail}`)
    )
    if (hop.url.protocol === "https:" && url.protocol === "http:") {
      return yield* unreadable(source, "it is redirected from https to http")
    }
    return {
      url,
      credentials: url.origin === hop.url.origin ? hop.credentials : {},
      redirectsLeft: hop.redirectsLeft - 1
    }
  })

/** The platform's own spans and errors record the whole address: the span here is another one, and the errors are retold. */
const execute = (
  source: UrlSource,
  request: HttpClientRequest.HttpClientRequest,
  url: URL
): Effect.Effect<HttpClientResponse, Lost | ArchiveUnreadable, HttpClient.HttpClient | Scope.Scope> =>
  Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    const init = yield* Effect.serviceOption(FetchHttpClient.RequestInit)
    return yield* client
      .pipe(
        HttpClient.withTracerDisabledWhen(() => true),
        HttpClient.withTracerPropagation(false),
        HttpClient.withScope
      )
      .execute(request)
      .pipe(
        // Left alone, fetch would take the headers along to wherever it is sent.
        Effect.provideService(FetchHttpClient.RequestInit, {
          ...Option.getOrUndefined(init),
          redirect: "manual"
        })
      )
  }).pipe(
    Effect.catchAll((error) => answerIn(source, error)),
    Effect.timeoutFail({ duration: source.stallTimeout, onTimeout: () => silent(source) }),
    Effect.tap(({ status }) => Effect.annotateCurrentSpan(attribute.responseStatus, status)),
    spanned("Archive.url.request", {
      kind: "client",
      attributes: {
        [attribute.requestMethod]: request.method,
        ...serverOf(url),
        [attribute.archiveRange]: request.headers["range"]
      }
    })
  )

/** A client may have been told to take other statuses than 2xx for failures: the answer is still there. */
const answerIn = (
  source: UrlSource,
  error: HttpClientError.HttpClientError
): Effect.Effect<HttpClientResponse, Lost | ArchiveUnreadable> =>
  error._tag === "ResponseError" && error.reason === "StatusCode"
    ? Effect.succeed(error.response)
    : Effect.fail(failureOf(source, error))

/** The body, pulled. A line that breaks, or is silent for too long while bytes are wanted, is a `Lost`. */
const body = (
  source: UrlSource,
  response: HttpClientResponse
): Stream.Stream<Uint8Array, Lost | ArchiveUnreadable> =>
  ByteStream.timeoutFail(
    ByteStream.mapError(response.stream, (error) => failureOf(source, error)),
    { limitMillis: Duration.toMillis(source.stallTimeout), onTimeout: () => silent(source) }
  )

const silent = (source: UrlSource): Lost =>
  new Lost({ detail: `nothing came from the server for ${Duration.format(source.stallTimeout)}` })

const failureOf = (source: UrlSource, error: HttpClientError.HttpClientError): Lost | ArchiveUnreadable => {
  const { cause } = error
  const final =
    (error._tag === "RequestError" && error.reason !== "Transport") ||
    (Predicate.hasProperty(cause, "isRetryable") && cause.isRetryable === false)
  const words = cause === undefined ? (error.description ?? error.reason) : describe(rootOf(cause))
  const detail = withoutSecrets(source, words)
  return final ? unreadable(source, detail) : new Lost({ detail })
}

/** Clients quote addresses, and fetch quotes a header that it cannot send. */
const withoutSecrets = (source: UrlSource, words: string): string =>
  Object.values(source.headers)
    .map((header) => Redacted.value(header).trim())
    .filter((secret) => secret !== "")
    .reduce(
      (text, secret) => text.replaceAll(secret, "<redacted>"),
      words.replace(/https?:\/\/[^\s"'<>]+/gi, source.path)
    )

/** fetch says "fetch failed" and hides what happened below. */
const rootOf = (cause: unknown): unknown =>
  Predicate.isError(cause) && Predicate.isError(cause.cause) ? rootOf(cause.cause) : cause

/** An address as it is requested, and as it may be shown. */
export interface UrlSource {
  /** Or what is wrong with it, in words that do not repeat it. */
  readonly url: Either.Either<URL, string>
  readonly name: string
  /** The address as errors and the journal may show it. */
  readonly path: string
  readonly headers: Readonly<Record<string, Redacted.Redacted<string>>>
  readonly stallTimeout: Duration.Duration
  readonly retry: Schedule.Schedule<unknown, unknown>
}

export const makeSource = (
  address: URL | string | Redacted.Redacted<string>,
  options: UrlOptions
): UrlSource => {
  const secret = Redacted.isRedacted(address)
  const url = parse(secret ? Redacted.value(address) : String(address))
  const shown = Either.map(url, ({ origin, pathname }) =>
    secret ? { path: `${origin}/…`, name: anyName } : { path: origin + pathname, name: nameIn(pathname) }
  )
  const { name, path } = Either.getOrElse(shown, () => ({ path: options.name ?? anyName, name: anyName }))
  return {
    url,
    name: baseName(options.name ?? name),
    path,
    headers: options.headers ?? {},
    stallTimeout: Duration.decode(options.stallTimeout ?? "60 seconds"),
    retry: options.retry ?? patience
  }
}

const anyName = "archive.zip"

const patience = Schedule.exponential("500 millis").pipe(
  Schedule.union(Schedule.spaced("15 seconds")),
  Schedule.jittered,
  Schedule.intersect(Schedule.recurs(6))
)

/** An address that may be requested: http or https, and without credentials, which everybody who prints it would show. */
export const parse = (text: string): Either.Either<URL, string> => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    return Either.left("its address is not an http or https URL")
  }
  return url.username === "" && url.password === ""
    ? Either.right(url)
    : Either.left("its address contains credentials; give them as headers")
}

const nameIn = (pathname: string): string => {
  const segment = pathname.split("/").findLast((part) => part !== "") ?? anyName
  return Either.getOrElse(
    Either.filterOrLeft(
      Either.try(() => decodeURIComponent(segment)),
      (decoded) => !/\p{C}/u.test(decoded),
      () => undefined
    ),
    () => segment
  )
}

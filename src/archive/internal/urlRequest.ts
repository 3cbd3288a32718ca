/**
 * One request for an archive behind an address: private, patient for a while, and careful where it is sent on to.
 *
 * @internal
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { ArchiveUnreadable } from "../ArchiveError.ts"
import { describe } from "./archiveSource.ts"
import { parse, type UrlSource } from "./urlSource.ts"

/** The archive could not be had this time: what asking again may mend. */
export class Lost extends Data.TaggedError("Lost")<{ readonly detail: string }> {}

export const unreadable = (source: UrlSource, detail: string): ArchiveUnreadable =>
  new ArchiveUnreadable({ path: source.path, reason: "ReadFailed", detail })

/** Asking again did not help either. */
export const giveUp = (source: UrlSource, lost: Lost): ArchiveUnreadable => unreadable(source, lost.detail)

type Sent = Effect.Effect<HttpClientResponse, Lost | ArchiveUnreadable, HttpClient.HttpClient | Scope.Scope>

/** The final answer, whatever its status. Its connection is closed with the scope. */
export const send = (
  source: UrlSource,
  method: "GET" | "HEAD",
  headers: Readonly<Record<string, string>>
): Sent =>
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
    Effect.withSpan("ArchiveUrl.request", {
      kind: "client",
      captureStackTrace: false,
      attributes: {
        "http.request.method": request.method,
        "server.address": url.origin,
        "archive.range": request.headers["range"]
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
export const body = (
  source: UrlSource,
  response: HttpClientResponse
): Stream.Stream<Uint8Array, Lost | ArchiveUnreadable> =>
  response.stream.pipe(
    Stream.mapError((error) => failureOf(source, error)),
    Stream.timeoutFail(() => silent(source), source.stallTimeout)
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

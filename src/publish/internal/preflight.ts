/** A look at a download URL by the rules of the service, before the service is told of it. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import { serverOf, spanned } from "../../telemetry.ts"
import { fromHttpClientError } from "../../transfer/TransferError.ts"
import { DownloadUrlUnusable } from "../PublishError.ts"

/** Enough to tell a ZIP from a page, whatever precedes its first tag. */
const firstBytes = 1024

/** A server that has not shown a byte by then would keep the service waiting, too. */
const patience = Duration.seconds(30)

/**
 * Asks for the first bytes with a GET, as the service does: it follows no redirect and knows no credentials but those in
 * the URL. The archive's size is compared where it is known.
 */
export const check = (
  link: Redacted.Redacted<string>,
  size: Option.Option<number>
): Effect.Effect<void, DownloadUrlUnusable, ExtensionsClient> => {
  const url = new URL(Redacted.value(link))
  const unusable = (problem: Omit<ConstructorParameters<typeof DownloadUrlUnusable>[0], "origin">) =>
    new DownloadUrlUnusable({ origin: url.origin, ...problem })
  return Effect.gen(function* () {
    const { response, start } = yield* look(url)
    const problem = problemOf(url, response, start, size)
    if (Option.isSome(problem)) return yield* unusable(problem.value)
  }).pipe(
    Effect.catchTags({
      RequestError: (error) => Effect.fail(unusable(unreachable(fromHttpClientError(error)))),
      ResponseError: (error) => Effect.fail(unusable(unreachable(fromHttpClientError(error))))
    }),
    Effect.timeoutFail({
      duration: patience,
      onTimeout: () =>
        unusable(
          unreachable({ isRetryable: false, message: `It sent nothing for ${Duration.format(patience)}.` })
        )
    }),
    spanned("ExtensionPublish.preflight", { attributes: serverOf(url) })
  )
}

/** Whether a HEAD to the link succeeds, which one that was signed for GET refuses. */
export const answersHead = (
  link: Redacted.Redacted<string>
): Effect.Effect<boolean, never, ExtensionsClient> =>
  ask(HttpClientRequest.head, new URL(Redacted.value(link))).pipe(
    Effect.map(({ status }) => status >= 200 && status < 300),
    Effect.timeout(patience),
    Effect.orElseSucceed(() => false),
    Effect.scoped
  )

const look = (url: URL) =>
  Effect.scoped(
    Effect.gen(function* () {
      const response = yield* ask(HttpClientRequest.get, url)
      return { response, start: isSuccess(response) ? yield* beginningOf(response) : Buffer.alloc(0) }
    })
  )

/** Credentials in an address are for the header; as they stand, some clients refuse the address. */
const ask = Effect.fnUntraced(function* (
  method: typeof HttpClientRequest.get,
  { href, password, username }: URL
) {
  const { transport } = yield* ExtensionsClient
  const plain = new URL(href)
  plain.username = ""
  plain.password = ""
  const request = method(plain).pipe(
    HttpClientRequest.setHeaders({ range: `bytes=0-${firstBytes - 1}`, "accept-encoding": "identity" }),
    username === "" && password === ""
      ? (request) => request
      : HttpClientRequest.basicAuth(decodeURIComponent(username), decodeURIComponent(password))
  )
  return yield* HttpClient.withScope(transport.client)
    .execute(request)
    .pipe(Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" }))
})

const isSuccess = ({ status }: HttpClientResponse): boolean => status === 200 || status === 206

const beginningOf = (response: HttpClientResponse) =>
  Effect.map(
    Stream.runFoldWhile(
      response.stream,
      Buffer.alloc(0),
      ({ length }) => length < firstBytes,
      (start, bytes) => Buffer.concat([start, bytes])
    ),
    (start) => start.subarray(0, firstBytes)
  )

type Problem = Omit<ConstructorParameters<typeof DownloadUrlUnusable>[0], "origin">

const final = (reason: Problem["reason"], detail: string): Option.Option<Problem> =>
  Option.some({ reason, detail, isRetryable: false })

const unreachable = (error: { readonly isRetryable: boolean; readonly message: string }): Problem => ({
  reason: "Unreachable",
  detail: error.message,
  isRetryable: error.isRetryable
})

const passing: ReadonlySet<number> = new Set([408, 425, 429])

const problemOf = (
  url: URL,
  response: HttpClientResponse,
  start: Buffer,
  size: Option.Option<number>
): Option.Option<Problem> => {
  const { status } = response
  if (isSuccess(response)) return problemIn(response, start, size)
  if (status >= 300 && status < 400) return final("Redirects", `status ${status}${targetOf(url, response)}`)
  if (status === 404 || status === 410) return final("NotFound", `status ${status}`)
  if (status === 416) return final("NotAZip", "what it serves is empty")
  if (status >= 500 || passing.has(status)) {
    return Option.some({ reason: "Unavailable", detail: `status ${status}`, isRetryable: true })
  }
  return final("Refused", `status ${status}`)
}

/** The rest of the address that it leads to may be as secret as ours. */
const targetOf = (url: URL, { headers }: HttpClientResponse): string => {
  const { location } = headers
  if (location === undefined || !URL.canParse(location, url.href)) return ""
  const { origin } = new URL(location, url.href)
  return origin === url.origin ? ", to another path of the same server" : `, to ${origin}`
}

const localHeader = Buffer.from("PK\u0003\u0004", "latin1")

const problemIn = (
  response: HttpClientResponse,
  start: Buffer,
  size: Option.Option<number>
): Option.Option<Problem> => {
  const type = response.headers["content-type"] ?? ""
  if (/^\s*text\/html/i.test(type) || /^\s*<(!doctype|html)/i.test(start.toString("latin1"))) {
    return final("HtmlPage", "what it serves is an HTML page")
  }
  if (!start.subarray(0, localHeader.length).equals(localHeader)) {
    return final(
      "NotAZip",
      start.length === 0 ? "what it serves is empty" : "what it serves does not begin as a ZIP file does"
    )
  }
  const actual = lengthOf(response)
  return Option.flatMap(Option.all([actual, size]), ([actual, expected]) =>
    actual === expected
      ? Option.none()
      : final("WrongLength", `what it serves has ${actual} bytes, and the local archive ${expected}`)
  )
}

/** Of the whole, as far as the server tells it. */
const lengthOf = ({ headers, status }: HttpClientResponse): Option.Option<number> => {
  const told =
    status === 206 ? /\/(\d+)\s*$/.exec(headers["content-range"] ?? "")?.[1] : headers["content-length"]
  return told !== undefined && /^\d{1,15}$/.test(told) ? Option.some(Number(told)) : Option.none()
}

/** What is between here and an upload: the line to the API, the clock, the key, and what the server can do. */
import { randomUUID } from "node:crypto"
import { isIP } from "node:net"
import * as Headers from "@effect/platform/Headers"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import type { Extension } from "../../../cloud/Extension.ts"
import { ExtensionId } from "../../../cloud/ExtensionId.ts"
import type { ExtensionsClientService } from "../../../cloud/ExtensionsClient.ts"
import { Exchange } from "../../../transfer/Exchange.ts"
import * as HttpProxy from "../../../transfer/HttpProxy.ts"
import * as ResumableUpload from "../../../transfer/ResumableUpload.ts"
import { ResumptionUnsupported } from "../../../transfer/ResumableUploadError.ts"
import { fromHttpClientError, type Phase, type TransferError } from "../../../transfer/TransferError.ts"
import * as UploadHttpClient from "../../../transfer/UploadHttpClient.ts"
import type { UploadOptions } from "../../../upload/UploadSettings.ts"
import { bytes, duration, plural } from "../text.ts"
import { type Finding, failed, ok, problem, warning } from "./finding.ts"

/** More than this, and the expiry of links and uploads is misjudged. */
const tolerableSkewMillis = 30_000

interface Step {
  readonly check: string
  readonly phase: Phase
  readonly done: string
  readonly remedy: string
}

const stepsTo = (url: URL, proxy: Option.Option<HttpProxy.HttpProxy>): ReadonlyArray<Step> => {
  const isName = isIP(url.hostname.replace(/^\[|\]$/g, "")) === 0
  const resolving: Step = {
    check: "name",
    phase: "resolving",
    done: `${url.hostname} can be resolved`,
    remedy: `Check EC_ENDPOINT for a typing error ("${url.hostname}"), and the name resolution of this machine.`
  }
  const connecting: Step = {
    check: "connection",
    phase: "connecting",
    done: Option.isNone(proxy) ? `${url.host} accepts connections` : `the proxy connects to ${url.host}`,
    remedy: Option.isNone(proxy)
      ? "Check the port in EC_ENDPOINT, and that no firewall blocks it. Behind a proxy, set HTTPS_PROXY."
      : "Check HTTPS_PROXY, and that the proxy may connect to this host; NO_PROXY lists hosts to reach directly."
  }
  const securing: Step = {
    check: "tls",
    phase: "securing",
    done: "the certificate is trusted",
    remedy:
      "For a private authority, set NODE_EXTRA_CA_CERTS to its certificate. A wrong clock, or a proxy that intercepts TLS, has the same effect."
  }
  return [
    ...(isName && Option.isNone(proxy) ? [resolving] : []),
    connecting,
    ...(url.protocol === "https:" ? [securing] : [])
  ]
}

const detailOf = (error: TransferError): string =>
  error._tag === "ConnectionFailed" ? error.detail : error.message

/** What Deno was not allowed has nothing to do with the step. */
const remedyOf = (step: Step, error: TransferError): string =>
  error._tag === "ConnectionFailed" && error.code === "NotCapable" ? error.remedy : step.remedy

/** Steps before the one that failed went well. One that failed later failed in none of these. */
const failedStep = (steps: ReadonlyArray<Step>, error: TransferError): ReadonlyArray<Finding> => {
  const failedAt = steps.findIndex(({ phase }) => phase === error.phase)
  const step = steps[failedAt]
  return step === undefined
    ? [...steps.map(done), failed("answer", error)]
    : [
        ...steps.slice(0, failedAt).map(done),
        problem(step.check, detailOf(error), error, remedyOf(step, error))
      ]
}

const done = (step: Step): Finding => ok(step.check, step.done)

const clockFinding = (date: Option.Option<string>, now: number): Finding => {
  const skew = Option.match(date, { onNone: () => Number.NaN, onSome: (text) => now - Date.parse(text) })
  if (Number.isNaN(skew)) return warning("clock", "not known: the server does not tell its time")
  const seconds = Math.round(Math.abs(skew) / 1000)
  return Math.abs(skew) <= tolerableSkewMillis
    ? ok("clock", "agrees with the server's")
    : warning(
        "clock",
        `${seconds} s ${skew > 0 ? "ahead of" : "behind"} the server's`,
        "Set this machine's clock: links and unfinished uploads expire by it."
      )
}

const proxyFinding = (proxy: Option.Option<HttpProxy.HttpProxy>): Finding =>
  ok("proxy", Option.match(proxy, { onNone: () => "none", onSome: ({ address }) => address }))

/** Asks without the API key: what is found out here says nothing about the key, and nobody learns it. */
export const examineEndpoint = Effect.fnUntraced(function* (baseUrl: string) {
  // A span of its own would keep the headers of the answer, secret or not.
  const client = (yield* HttpClient.HttpClient).pipe(
    HttpClient.withTracerDisabledWhen(() => true),
    HttpClient.withTracerPropagation(false)
  )
  const url = new URL(`${baseUrl}/deployments/extensions`)
  const found = yield* Effect.either(HttpProxy.forUrl(url))
  if (Either.isLeft(found)) return { findings: [failed("proxy", found.left)], reachable: false }
  const proxy = found.right
  const steps = stepsTo(url, proxy)
  const answer = yield* Effect.either(client.get(url))
  const now = yield* Clock.currentTimeMillis
  return Either.match(answer, {
    onLeft: (error) => ({
      findings: [proxyFinding(proxy), ...failedStep(steps, fromHttpClientError(error))],
      reachable: false
    }),
    onRight: ({ headers }) => ({
      findings: [proxyFinding(proxy), ...steps.map(done), clockFinding(Headers.get(headers, "date"), now)],
      reachable: true
    })
  })
}, Effect.scoped)

/** Lists the extensions, which any key that is accepted may do. */
export const examineKey = (client: ExtensionsClientService) =>
  Effect.match(client.list, {
    onFailure: (error) => ({
      finding: failed("key", error),
      extensions: Option.none<ReadonlyArray<Extension>>()
    }),
    onSuccess: (extensions) => ({
      finding: ok("key", `accepted; it sees ${plural(extensions.length, "extension")}`),
      extensions: Option.some(extensions)
    })
  })

/** An id that no extension has: requests to it change nothing. */
const nobodysId: Effect.Effect<ExtensionId> = Effect.sync(() =>
  ExtensionId.make(randomUUID().replaceAll("-", ""))
)

const unknownUser = (detail: string): Finding =>
  warning("user", `not known whether the key has a user: ${detail}`)

/**
 * A key without a user is refused only when it writes. An empty upload to an extension that does not exist is the one write
 * that can do no harm.
 */
export const examineUser = (client: ExtensionsClientService): Effect.Effect<Finding> =>
  Effect.flatMap(nobodysId, (id) => client.upload(id, HttpBody.empty)).pipe(
    Effect.as(unknownUser("the server accepted an upload to an extension that does not exist")),
    Effect.catchTags({
      ExtensionNotFound: () => Effect.succeed(ok("user", "the key may write")),
      NoUserId: (error) => Effect.succeed(failed("user", error)),
      AuthenticationFailed: (error) => Effect.succeed(failed("user", error)),
      Forbidden: (error) => Effect.succeed(failed("user", error)),
      ElevatedPermissionsRequired: (error) => Effect.succeed(failed("user", error))
    }),
    Effect.catchAll((error) => Effect.succeed(unknownUser(error.message)))
  )

/** Whether an interrupted upload can be resumed, and whether a refusal comes before the archive is sent. */
export const examineTransfer = Effect.fnUntraced(function* (
  client: ExtensionsClientService,
  extension: Option.Option<ExtensionId>,
  settings: TransferSettings
) {
  const seen = yield* announce(client, settings)
  return [yield* examineResumption(client, extension, seen, settings), expectFinding(seen, settings)]
})

export interface TransferSettings extends Pick<UploadOptions, "interopVersion" | "resumable"> {
  /** Bytes from which a body is announced before it is sent; infinite for never. */
  readonly expectThreshold: number | undefined
}

/** What came back when an upload was announced. */
interface Seen {
  /** Statuses of the interim responses. */
  readonly interim: ReadonlyArray<number>
  /** Whether the body was asked for, or waited for in vain. */
  readonly wanted: boolean
  readonly outcome: Option.Option<{ readonly _tag: string; readonly message: string }>
}

/**
 * Announces a resumable upload with `Expect: 100-continue` to an extension that does not exist, and never sends a byte of
 * it: a server that honours it refuses at once, any other one asks for the body or says nothing.
 */
const announce = Effect.fnUntraced(function* (
  client: ExtensionsClientService,
  { expectThreshold = UploadHttpClient.leastExpecting, interopVersion }: TransferSettings
): Effect.fn.Return<Seen> {
  if (!Number.isFinite(expectThreshold)) return { interim: [], wanted: false, outcome: Option.none() }
  const wanted = yield* Ref.make(false)
  const interim = yield* Ref.make<ReadonlyArray<number>>([])
  const body = HttpBody.stream(
    Stream.fromEffect(Effect.zipRight(Ref.set(wanted, true), Effect.fail("no body byte is sent"))),
    "application/zip",
    expectThreshold
  )
  const announced = (request: HttpClientRequest.HttpClientRequest) =>
    request.pipe(
      HttpClientRequest.setBody(body),
      HttpClientRequest.setHeaders({
        "upload-complete": "?1",
        "upload-draft-interop-version": String(interopVersion)
      })
    )
  const outcome = yield* Effect.flatMap(nobodysId, (id) =>
    client.uploadWith(id, ({ client }, request) =>
      Effect.mapError(client.execute(announced(request)), fromHttpClientError)
    )
  ).pipe(
    Effect.provideService(Exchange, {
      expectContinue: true,
      onInterim: ({ status }) => Ref.update(interim, (statuses) => [...statuses, status])
    }),
    Effect.flip,
    Effect.option
  )
  return { interim: yield* Ref.get(interim), wanted: yield* Ref.get(wanted), outcome }
})

/** Asks at an extension that is there, since a server need not say anything of others. */
const examineResumption = (
  client: ExtensionsClientService,
  extension: Option.Option<ExtensionId>,
  { interim }: Seen,
  { resumable }: TransferSettings
): Effect.Effect<Finding> => {
  const offered = interim.includes(104)
  if (Option.isNone(extension)) {
    return Effect.succeed(
      offered
        ? ok("resumption", "the server offers resumption: a 104 response came through")
        : warning("resumption", "not known: there is no extension yet to ask about")
    )
  }
  const { request, transport } = client.uploadTarget(extension.value)
  return Effect.match(ResumableUpload.discover({ client: transport.client, request }), {
    onFailure: (error) => failed("resumption", error),
    onSuccess: Option.match({
      onNone: () =>
        offered
          ? ok("resumption", "the server offers resumption: a 104 response came through")
          : noResumption(transport.origin, resumable),
      onSome: (support) => ok("resumption", `${describeSupport(support)}; ${describeOffer(offered)}`)
    })
  }).pipe(Effect.scoped)
}

const describeSupport = ({ interopVersion, limits }: ResumableUpload.Support): string => {
  const { maxAgeSeconds, maxAppendSize, maxSize } = limits
  const parts = [
    ...(maxSize === undefined ? [] : [`archives up to ${bytes(maxSize)}`]),
    ...(maxAppendSize === undefined ? [] : [`${bytes(maxAppendSize)} per request`]),
    ...(maxAgeSeconds === undefined ? [] : [`kept for ${duration(maxAgeSeconds * 1000)}`])
  ]
  const known = parts.length === 0 ? "" : ` (${parts.join(", ")})`
  return `the server announces resumption to interop version ${interopVersion}${known}`
}

/** Without a 104, an upload asks for the address to resume at before it sends anything. */
const describeOffer = (offered: boolean): string =>
  offered ? "a 104 response came through" : "no 104 response was seen"

const noResumption = (origin: string, mode: UploadOptions["resumable"]): Finding => {
  const says = "the server does not offer resumption: an interrupted upload is sent again from its start"
  return mode === "required"
    ? problem("resumption", says, new ResumptionUnsupported({ origin }), "Set EC_UPLOAD_RESUMABLE to auto.")
    : warning("resumption", says)
}

const expectFinding = (
  { interim, outcome, wanted }: Seen,
  { expectThreshold = UploadHttpClient.leastExpecting }: TransferSettings
): Finding => {
  if (!Number.isFinite(expectThreshold)) return ok("expect", "switched off by EC_UPLOAD_EXPECT_THRESHOLD")
  if (wanted) {
    return warning(
      "expect",
      interim.includes(100)
        ? "the server asks for the archive before it looks at the request: a refusal costs part of an upload"
        : "the server does not answer the question whether to send: a refusal costs part of an upload"
    )
  }
  return Option.match(outcome, {
    onNone: () => warning("expect", "not known: the server accepted an upload that was never sent"),
    onSome: (error) =>
      error._tag === "ExtensionNotFound"
        ? ok(
            "expect",
            `a refusal costs no archive byte (bodies of ${bytes(expectThreshold)} or more ask first)`
          )
        : warning("expect", `not known: ${error.message}`)
  })
}

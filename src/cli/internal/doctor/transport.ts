/** What the server, or the gateway before it, can do for large uploads. */
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import type { ExtensionId } from "../../../cloud/ExtensionId.ts"
import type { ExtensionsClientService } from "../../../cloud/ExtensionsClient.ts"
import { Exchange } from "../../../transfer/Exchange.ts"
import { ResumptionUnsupported } from "../../../transfer/ResumableUploadError.ts"
import { fromHttpClientError } from "../../../transfer/TransferError.ts"
import { type UploadLimits, uploadLimits } from "../../../transfer/UploadFields.ts"
import type { UploadOptions } from "../../../upload/UploadSettings.ts"
import { nobodysId } from "./access.ts"
import { type Finding, failed, ok, problem, warning } from "./finding.ts"

const describeLimits = (limits: UploadLimits): string => {
  const parts = [
    limits.maxSize === undefined ? undefined : `archives up to ${limits.maxSize} bytes`,
    limits.maxAppendSize === undefined ? undefined : `${limits.maxAppendSize} bytes a request`,
    limits.maxAgeSeconds === undefined ? undefined : `kept for ${limits.maxAgeSeconds} s`
  ].filter((part) => part !== undefined)
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`
}

const noResumption = (origin: string, mode: UploadOptions["resumable"]): Finding => {
  const says = "the server does not offer to resume: an upload that breaks is sent again from its start"
  return mode === "required"
    ? problem("resumption", says, new ResumptionUnsupported({ origin }), "Set EC_UPLOAD_RESUMABLE to auto.")
    : warning("resumption", says)
}

/**
 * `OPTIONS` at an extension: its `Upload-Limit` is the sign of support. Says nothing about extensions that are not there.
 *
 * @internal
 */
export const examineResumption = (
  client: ExtensionsClientService,
  extension: ExtensionId | undefined,
  { interopVersion, resumable }: Pick<UploadOptions, "interopVersion" | "resumable">
): Effect.Effect<Finding> => {
  if (extension === undefined) {
    return Effect.succeed(warning("resumption", "not known: there is no extension yet to ask about"))
  }
  const { request, transport } = client.uploadTarget(extension)
  const question = request.pipe(
    HttpClientRequest.setMethod("OPTIONS"),
    HttpClientRequest.setHeader("upload-draft-interop-version", String(interopVersion))
  )
  return Effect.match(transport.client.execute(question), {
    onFailure: (error) => failed("resumption", fromHttpClientError(error)),
    onSuccess: ({ headers, status }) =>
      Option.match(status < 300 ? uploadLimits(headers) : Option.none(), {
        onNone: () => noResumption(transport.origin, resumable),
        onSome: (limits) =>
          ok("resumption", `the server can resume interrupted uploads${describeLimits(limits)}`)
      })
  }).pipe(Effect.scoped)
}

const announcing = (bytes: number) => `bodies from ${bytes} bytes on ask first`

/**
 * Announces a body with `Expect: 100-continue` to an extension that does not exist, and never sends a byte of it: a server
 * that honours it refuses at once, any other one asks for the body or says nothing.
 *
 * @internal
 */
export const examineExpect = (client: ExtensionsClientService, threshold: number): Effect.Effect<Finding> =>
  Effect.gen(function* () {
    if (!Number.isFinite(threshold)) return ok("expect", "switched off by EC_UPLOAD_EXPECT_THRESHOLD")
    const wanted = yield* Ref.make(false)
    const asked = yield* Ref.make(false)
    const body = HttpBody.stream(
      Stream.fromEffect(Effect.zipRight(Ref.set(wanted, true), Effect.fail("no body byte is sent"))),
      "application/zip",
      threshold
    )
    const outcome = yield* Effect.flatMap(nobodysId, (id) =>
      client.uploadWith(id, ({ client }, request) =>
        Effect.mapError(client.execute(HttpClientRequest.setBody(request, body)), fromHttpClientError)
      )
    ).pipe(
      Effect.provideService(Exchange, {
        onInterim: ({ status }) => (status === 100 ? Ref.set(asked, true) : Effect.void)
      }),
      Effect.flip,
      Effect.option
    )
    if (!(yield* Ref.get(wanted))) return answered(outcome, threshold)
    return warning(
      "expect",
      (yield* Ref.get(asked))
        ? "the server asks for the archive before it looks at the request: a refusal costs part of an upload"
        : "the server does not answer the question whether to send: a refusal costs part of an upload"
    )
  })

const answered = (
  outcome: Option.Option<{ readonly _tag: string; readonly message: string }>,
  threshold: number
): Finding =>
  Option.match(outcome, {
    onNone: () => warning("expect", "not known: the server took an upload that was never sent"),
    onSome: (error) =>
      error._tag === "ExtensionNotFound"
        ? ok("expect", `a refusal costs no archive byte (${announcing(threshold)})`)
        : warning("expect", `not known: ${error.message}`)
  })

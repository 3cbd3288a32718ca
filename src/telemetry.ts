/**
 * The names by which spans, log lines and metrics tell the same thing. What OpenTelemetry has a name for has that name;
 * what only this library knows begins with `elastic.`. Nothing that grants access is told: no key, no link, no path, no query.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Tracer from "effect/Tracer"

/** Attributes of spans, and annotations of log lines. Sizes are in bytes. */
export const attribute = {
  /** Host name or address alone: neither scheme nor port. */
  serverAddress: "server.address",
  serverPort: "server.port",
  requestMethod: "http.request.method",
  responseStatus: "http.response.status_code",
  /** How many attempts at the same thing came before this one. Absent on the first. */
  resendCount: "http.request.resend_count",
  /** `_tag` of the error, or the status where the answer itself is the failure. */
  errorType: "error.type",
  extensionId: "elastic.extension.id",
  extensionName: "elastic.extension.name",
  extensionType: "elastic.extension.type",
  archiveName: "elastic.archive.name",
  archiveSize: "elastic.archive.size",
  archiveRange: "elastic.archive.range",
  /** `uploaded`, `already_current`, `failed` or `interrupted`. */
  uploadOutcome: "elastic.upload.outcome",
  uploadProof: "elastic.upload.proof",
  /** Of one attempt, its number: 1 for the first. */
  uploadAttempt: "elastic.upload.attempt",
  /** Of a whole upload, how many there were. */
  uploadAttempts: "elastic.upload.attempts",
  uploadBytesSent: "elastic.upload.bytes_sent",
  uploadBytesResumed: "elastic.upload.bytes_resumed",
  /** In milliseconds; for log lines, as a span has a duration of its own. */
  uploadDuration: "elastic.upload.duration_ms",
  storePart: "aws.s3.part_number",
  releaseId: "elastic.release.id",
  releaseExecution: "elastic.release.execution",
  releaseStep: "elastic.release.step",
  /** Of one step, counted from 1. */
  releaseAttempt: "elastic.release.attempt",
  /** What is released to: an id, or type and name. */
  releaseExtension: "elastic.release.extension",
  /** Of a runner's message that could not be stored, which one. */
  releaseMessage: "elastic.release.message",
  /** `done`, `failed`, `rejected`, `cancelled` or `superseded`. */
  releaseOutcome: "elastic.release.outcome"
} as const

/** What a failure is called: the `_tag` of the error, `Defect` for a mistake of ours. None where it was only interrupted. */
export const errorTypeOf = (cause: Cause.Cause<unknown>): Option.Option<string> =>
  Option.match(Cause.failureOption(cause), {
    onNone: () => (Cause.isInterruptedOnly(cause) ? Option.none() : Option.some("Defect")),
    onSome: (error) =>
      Option.some(
        Predicate.hasProperty(error, "_tag") && typeof error._tag === "string" ? error._tag : "_OTHER"
      )
  })

/** A span that says what it failed with. */
export const spanned =
  (name: string, options?: Tracer.SpanOptions) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Tracer.ParentSpan>> =>
    self.pipe(
      // Whatever else ran after a failure in an interrupted fiber would take its place.
      Effect.onError((cause) =>
        Effect.asVoid(
          Effect.transposeMapOption(errorTypeOf(cause), (type) =>
            Effect.annotateCurrentSpan(attribute.errorType, type)
          )
        )
      ),
      Effect.withSpan(name, { captureStackTrace: false, ...options })
    )

/** Which server a request goes to, and nothing of what it asks for there. */
export const serverOf = ({ hostname, port, protocol }: URL): Readonly<Record<string, string | number>> => ({
  [attribute.serverAddress]: hostname.replace(/^\[|\]$/g, ""),
  [attribute.serverPort]: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port)
})

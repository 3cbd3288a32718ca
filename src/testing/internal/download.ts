import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Disk from "./disk.ts"
import { documented, type Refusal, undocumented } from "./reply.ts"

class DownloadFailed extends Data.TaggedError("DownloadFailed")<{ readonly detail: string }> {}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

const describe = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const parse = (url: string): Effect.Effect<URL, DownloadFailed> =>
  Effect.gen(function* () {
    const parsed = yield* Effect.try({
      try: () => new URL(url),
      catch: () => new DownloadFailed({ detail: "it is not a URL" })
    })
    if (parsed.protocol !== "http:" || !LOOPBACK.test(parsed.hostname)) {
      return yield* new DownloadFailed({ detail: "this stand-in fetches over http from this machine only" })
    }
    return parsed
  })

const open = (url: URL): Effect.Effect<ReadableStream<Uint8Array>, DownloadFailed> =>
  Effect.gen(function* () {
    const response = yield* Effect.tryPromise({
      try: (signal) => fetch(url, { signal, redirect: "error" }),
      catch: (cause) => new DownloadFailed({ detail: describe(cause) })
    })
    if (response.status !== 200 || response.body === null) {
      return yield* new DownloadFailed({ detail: `it answered ${response.status}` })
    }
    return response.body
  })

/**
 * Fetches the archive a `download_url` names, as the service does when an extension is created or updated with one.
 *
 * @internal
 */
export const fetchArchive = (
  url: string,
  disk: Disk.Disk
): Effect.Effect<Disk.ReceivedFile, Refusal, Scope.Scope> =>
  Effect.gen(function* () {
    const body = yield* Effect.flatMap(parse(url), open)
    return yield* disk.receive(
      Stream.fromReadableStream({
        evaluate: () => body,
        onError: (cause) => new DownloadFailed({ detail: describe(cause) })
      })
    )
  }).pipe(
    Effect.catchTag("DownloadFailed", ({ detail }) =>
      Effect.fail(
        documented.failed(
          `Could not download the extension from the specified URL: ${detail}.`,
          "download_url"
        )
      )
    )
  )

/**
 * What stands between clients and the service, and does not wait as long as a large download takes.
 *
 * @internal
 */
export interface Gateway {
  readonly patienceMillis: number
  /** Where work goes on that nobody waits for any more. */
  readonly background: Scope.Scope
}

/**
 * Does what includes a download. A gateway that loses patience answers 504, and the work goes on behind it.
 *
 * @internal
 */
export const behind = <A>(
  gateway: Gateway | undefined,
  work: Effect.Effect<A, Refusal>
): Effect.Effect<A, Refusal> =>
  gateway === undefined
    ? work
    : Effect.flatMap(Effect.forkIn(work, gateway.background), (fiber) =>
        Effect.timeoutFail(Fiber.join(fiber), {
          duration: gateway.patienceMillis,
          onTimeout: () => undocumented.gatewayTimeout
        })
      )

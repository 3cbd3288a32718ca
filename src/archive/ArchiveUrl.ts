/**
 * An archive behind an address: read over HTTP by ranges, from any offset, by any machine that reaches it.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"
import type * as Schedule from "effect/Schedule"
import { type Archive, TypeId } from "./Archive.ts"
import * as internal from "./internal/archiveUrl.ts"
import { makeSource } from "./internal/urlSource.ts"

/**
 * How an archive is read from its address.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The file name sent to the server. Default: the last segment of the address, or `archive.zip` for a redacted one. */
  readonly name?: string | undefined
  /** Sent to the origin of the address only: a redirect to another one goes without them. */
  readonly headers?: Readonly<Record<string, Redacted.Redacted<string>>> | undefined
  /** The longest silence while an answer is awaited or read, before the connection counts as lost. Default 60 seconds. */
  readonly stallTimeout?: Duration.DurationInput | undefined
  /**
   * When to ask again after a lost connection, a 408, a 429 or a passing 5xx. It starts over whenever bytes have arrived.
   * Default: six times, with delays that double from 500 milliseconds to 15 seconds.
   */
  readonly retry?: Schedule.Schedule<unknown, unknown> | undefined
}

/**
 * An archive at an http or https address. Nothing is requested until it is read.
 *
 * Its identity is its length, its strong `ETag` and its `Last-Modified`, as far as the server tells them; a reading that
 * meets another one fails with `ArchiveChanged`. A connection lost in the middle is taken up by a range request at the
 * byte that was reached, so the server has to support ranges. Content codings are refused.
 *
 * The address appears in errors and in the journal without its query, and a redacted one as its origin alone. Credentials
 * go into `headers`, never into the address. Redirects are followed for at most ten steps, and never from https to http.
 *
 * Any `HttpClient` will do. For `FetchHttpClient`, redirects are switched to manual through its `RequestInit`: one of your
 * own is kept when it is provided to the program rather than to the client's layer.
 *
 * @example
 * ```ts
 * import { ArchiveUrl } from "effect-elastic-extensions"
 * import { Redacted } from "effect"
 *
 * const archive = ArchiveUrl.make("https://builds.example/analysis-acme-2.1.0.zip", {
 *   headers: { authorization: Redacted.make("Bearer …") }
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  url: URL | string | Redacted.Redacted<string>,
  options: Options = {}
): Archive<HttpClient.HttpClient> => {
  const source = makeSource(url, options)
  return {
    [TypeId]: TypeId,
    name: source.name,
    path: source.path,
    stat: internal.stat(source),
    read: internal.read(source)
  }
}

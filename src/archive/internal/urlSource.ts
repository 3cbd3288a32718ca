/**
 * An address as it is requested, and as it may be shown.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type { Options } from "../ArchiveUrl.ts"
import { baseName } from "./archiveSource.ts"

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
  options: Options
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

/**
 * Configuration read from environment variables, by rules that hold for every one of them: an empty variable is an unset
 * one (CI systems set variables that way), a value that cannot be used is refused with an example of one that can, and
 * the refused value is never repeated, because it may be a secret.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as ConfigProviderPathPatch from "effect/ConfigProviderPathPatch"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as HashSet from "effect/HashSet"
import * as Option from "effect/Option"
import * as Order from "effect/Order"
import * as Redacted from "effect/Redacted"
import { formatDuration, parseBytes, parseDuration } from "./Quantity.ts"

/**
 * A variable read by a rule of its own, which gets its text without the space around it and answers with the value or
 * with what is wrong ("it …"). An empty variable counts as missing, so `Config.withDefault` and `Config.option` take it
 * for unset.
 *
 * @since 0.1.0
 * @category constructors
 */
export const parsed = <A>(
  name: string,
  parse: (text: string) => Either.Either<A, string>
): Config.Config<A> =>
  Config.mapOrFail(Config.string(name), (value) => {
    const text = value.trim()
    return text === ""
      ? Either.left(ConfigError.MissingData([], "it is empty"))
      : Either.mapLeft(parse(text), (problem) => ConfigError.InvalidData([], problem))
  })

/**
 * Any text.
 *
 * @since 0.1.0
 * @category constructors
 */
export const text = (name: string): Config.Config<string> => parsed(name, Either.right)

/**
 * A secret.
 *
 * @since 0.1.0
 * @category constructors
 */
export const secret = (name: string): Config.Config<Redacted.Redacted<string>> =>
  Config.map(text(name), Redacted.make)

/**
 * One of several words or numbers.
 *
 * @since 0.1.0
 * @category constructors
 */
export const oneOf = <const A extends string | number>(
  name: string,
  ...choices: readonly [A, ...ReadonlyArray<A>]
): Config.Config<A> =>
  parsed(name, (value) =>
    Either.fromOption(
      Arr.findFirst(choices, (choice) => String(choice) === value.toLowerCase()),
      () => `it has to be one of: ${choices.join(", ")}`
    )
  )

const switches: ReadonlyMap<string, boolean> = new Map([
  ...["true", "yes", "on", "1"].map((word) => [word, true] as const),
  ...["false", "no", "off", "0"].map((word) => [word, false] as const)
])

/**
 * `true` or `false`, also written `yes`, `on`, `1`, `no`, `off`, `0`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const boolean = (name: string): Config.Config<boolean> =>
  parsed(name, (value) =>
    Either.fromNullable(switches.get(value.toLowerCase()), () => "it has to be true or false")
  )

/**
 * A whole number of things, from `min` (0 unless given) to `max`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const count = (
  name: string,
  options: { readonly min?: number; readonly max: number }
): Config.Config<number> => {
  const min = options.min ?? 0
  return parsed(name, (value) => {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN
    return number >= min && number <= options.max
      ? Either.right(number)
      : Either.left(`it has to be a whole number from ${min} to ${options.max}`)
  })
}

/**
 * A duration such as `10s`, `5m` or `90 seconds`, within limits: at least 1 millisecond unless `min` says otherwise.
 *
 * @since 0.1.0
 * @category constructors
 */
export const duration = (
  name: string,
  options: {
    /** Shown when the value cannot be used. */
    readonly example: string
    readonly min?: Duration.DurationInput
    readonly max?: Duration.DurationInput
  }
): Config.Config<Duration.Duration> => {
  const min = Duration.decode(options.min ?? 1)
  const max = Duration.decode(options.max ?? Duration.infinity)
  const fits = Duration.between({ minimum: min, maximum: max })
  const upTo = Duration.isFinite(max) ? ` to ${formatDuration(max)}` : " upwards"
  return parsed(name, (value) =>
    Either.fromOption(
      Option.filter(parseDuration(value), fits),
      () =>
        `it has to be a number with its unit, from ${formatDuration(min)}${upTo}, such as "${options.example}"`
    )
  )
}

/**
 * Where something listens or is found, such as `10.0.0.5:8321`. An IPv6 address is in brackets, and comes without them.
 *
 * @since 0.1.0
 * @category constructors
 */
export const address = (name: string): Config.Config<{ readonly host: string; readonly port: number }> =>
  parsed(name, (value) => {
    const [, host = "", digits = ""] = /^(\[[\da-f:.]+\]|[^\s:[\]]+):(\d{1,5})$/i.exec(value) ?? []
    const port = Number(digits)
    return host === "" || port > 65_535
      ? Either.left('it has to be a host and a port, such as "10.0.0.5:8321"')
      : Either.right({ host: host.replace(/^\[|\]$/g, ""), port })
  })

/**
 * A size such as `5MB`, `5 MiB` or a plain number of bytes: at least 1 byte, and less than 9 PB.
 *
 * @since 0.1.0
 * @category constructors
 */
export const bytes = (
  name: string,
  options: {
    /** Shown when the value cannot be used. */
    readonly example: string
    /** Where it is a rate, it may end with `/s`. */
    readonly perSecond?: boolean
  }
): Config.Config<number> =>
  parsed(name, (value) => {
    const size = options.perSecond === true ? value.replace(/\s*\/\s*s$/i, "") : value
    return Either.fromOption(
      Option.filter(parseBytes(size), (bytes) => bytes > 0),
      () =>
        `it has to be a size greater than 0, in bytes or with a unit (kB, MB, GB, KiB, MiB, GiB), such as "${options.example}"`
    )
  })

/**
 * The variables that a configuration reads, whether they are set or not.
 *
 * @since 0.1.0
 * @category inspecting
 */
export const namesIn = (config: Config.Config<unknown>): Effect.Effect<ReadonlyArray<string>> =>
  Effect.suspend(() => {
    const names = new Set<string>()
    const recorder = ConfigProvider.fromFlat(
      ConfigProvider.makeFlat({
        load: (path) =>
          Effect.suspend(() => {
            names.add(path.join("_"))
            return Effect.fail(ConfigError.MissingData([...path], "it is only asked for its name"))
          }),
        enumerateChildren: () => Effect.succeed(HashSet.empty()),
        patch: ConfigProviderPathPatch.empty
      })
    )
    return Effect.map(Effect.ignore(recorder.load(config)), () => [...names])
  })

/**
 * Variables that are set, begin with the prefix (such as `EC_UPLOAD_`), and are not among the known names: probably
 * misspelt ones. They are looked for with the `ConfigProvider` in force.
 *
 * @example
 * ```ts
 * import { RetryPolicy, UploadHttpClient, UploadSettings, Variable } from "effect-elastic-extensions"
 * import { Effect } from "effect"
 *
 * const misspelt = Effect.gen(function* () {
 *   const configs = [UploadHttpClient.config, RetryPolicy.config, UploadSettings.config]
 *   const known = yield* Effect.forEach(configs, Variable.namesIn)
 *   return yield* Variable.unknownNames("EC_UPLOAD_", [...known.flat(), "EC_UPLOAD_JOURNAL"])
 * })
 * ```
 *
 * @since 0.1.0
 * @category inspecting
 */
export const unknownNames = (prefix: string, known: Iterable<string>): Effect.Effect<ReadonlyArray<string>> =>
  Effect.configProviderWith((provider) => {
    const knownNames = new Set(known)
    const isUnknown = (name: string) =>
      name.startsWith(prefix) && !knownNames.has(name)
        ? Effect.isSuccess(provider.load(text(name)))
        : Effect.succeed(false)
    // The environment's provider lists names in parts: EC, then UPLOAD, then what follows.
    const leadsThere = (name: string) => name.startsWith(prefix) || prefix.startsWith(`${name}_`)
    const below = (path: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>> =>
      Effect.gen(function* () {
        const children = yield* Effect.orElseSucceed(provider.flattened.enumerateChildren(path), () =>
          HashSet.empty<string>()
        )
        const paths = Arr.map([...children], (child) => [...path, child])
        const found = yield* Effect.forEach(paths, named)
        return found.flat()
      })
    const named = (path: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>> => {
      const name = path.join("_")
      if (!leadsThere(name)) return Effect.succeed([])
      return Effect.zipWith(isUnknown(name), below(path), (unknown, further) =>
        unknown ? [name, ...further] : further
      )
    }
    return Effect.map(below([]), Arr.sort(Order.string))
  })

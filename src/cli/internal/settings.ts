/**
 * Options that stand for environment variables. A command does not read them: they are laid over the environment as a
 * `ConfigProvider`, so that the library's own `layerConfig`s stay the one source of names, defaults and rules.
 */
import * as Options from "@effect/cli/Options"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** One option as it was given on the command line. */
export interface Given {
  /** With its dashes. */
  readonly option: string
  readonly variable: string
  readonly value: string
  /** What to type to give it again: for an option that names a file, the file. */
  readonly words: ReadonlyArray<string>
}

/** The settings of one command: an option that parses to what was given of it. */
export type Settings = Options.Options<ReadonlyArray<Given>>

interface About {
  readonly variable: string
  /** A sentence or two; the variable's name is added. */
  readonly description: string
}

const described = ({ description, variable }: About) =>
  Options.withDescription(`${description} [${variable}]`)

const given =
  (name: string, variable: string) =>
  (value: string): ReadonlyArray<Given> => [
    { option: `--${name}`, variable, value, words: [`--${name}`, value] }
  ]

const orNothing = (option: Settings): Settings =>
  Options.map(
    Options.optional(option),
    Option.getOrElse((): ReadonlyArray<Given> => [])
  )

/** `placeholder` is what help shows for the value. */
export const text = (name: string, placeholder: string, about: About): Settings =>
  Options.text(name).pipe(
    Options.withPseudoName(placeholder),
    described(about),
    Options.map(given(name, about.variable)),
    orNothing
  )

export const choice = (name: string, choices: ReadonlyArray<string>, about: About): Settings =>
  Options.choice(name, choices).pipe(
    Options.withPseudoName(choices.join("|")),
    described(about),
    Options.map(given(name, about.variable)),
    orNothing
  )

export const flag = (name: string, about: About): Settings =>
  Options.boolean(name).pipe(
    described(about),
    Options.map((isOn) =>
      isOn ? [{ option: `--${name}`, variable: about.variable, value: "true", words: [`--${name}`] }] : []
    )
  )

/** May be given again and again; the values become one comma-separated variable. */
export const repeated = (name: string, placeholder: string, about: About): Settings =>
  Options.text(name).pipe(
    Options.withPseudoName(placeholder),
    described(about),
    Options.repeated,
    Options.map((values) => {
      const words = values.flatMap((value) => [`--${name}`, value])
      return values.length === 0
        ? []
        : [{ option: `--${name}`, variable: about.variable, value: values.join(","), words }]
    })
  )

/** The variable's value is what the file holds. */
export const file = (name: string, about: About): Settings =>
  Options.fileText(name).pipe(
    Options.withPseudoName("path"),
    described(about),
    Options.map(([path, content]) => [
      { option: `--${name}`, variable: about.variable, value: content, words: [`--${name}`, path] }
    ]),
    orNothing
  )

export const all = (...settings: ReadonlyArray<Settings>): Settings =>
  Options.map(Options.all(settings), (givens) => givens.flat())

/** No settings: for commands that read no configuration. */
export const none: Settings = Options.map(Options.none, () => [])

/**
 * A variable that was given as an option is read from there and nowhere else: unlike with `ConfigProvider.orElse`, a value
 * that is refused is not silently replaced by the environment's.
 */
const over = (
  environment: ConfigProvider.ConfigProvider,
  givens: ReadonlyArray<Given>
): ConfigProvider.ConfigProvider => {
  const values = new Map(givens.map(({ value, variable }) => [variable, value]))
  const options = ConfigProvider.fromMap(values).flattened
  return ConfigProvider.fromFlat({
    ...environment.flattened,
    load: (path, primitive, split) =>
      (values.has(path.join("_")) ? options : environment.flattened).load(path, primitive, split)
  })
}

export const provide =
  (givens: ReadonlyArray<Given>) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.configProviderWith((environment) => Effect.withConfigProvider(self, over(environment, givens)))

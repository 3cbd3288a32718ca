/** The words of a command line, made fit for the parser, and what is wrong with them in plainer words than its own. */
import * as AutoCorrect from "@effect/cli/AutoCorrect"
import * as CliConfig from "@effect/cli/CliConfig"
import { type Entry, isRequired, namesOf, placeholderOf } from "./page.ts"
import * as versionOption from "./versionOption.ts"

export const beforeDashes = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const dashes = args.indexOf("--")
  return dashes === -1 ? args : args.slice(0, dashes)
}

/**
 * The parser does not take `--option=value` where the option may be repeated, and takes an argument such as `1` for the
 * value of the flag before it: options get their values as words of their own, and flags get theirs spelt out.
 */
export const forParser = (
  args: ReadonlyArray<string>,
  options: ReadonlyArray<Entry>
): ReadonlyArray<string> => {
  const flags = new Set(options.filter((option) => placeholderOf(option) === undefined).flatMap(namesOf))
  const words = beforeDashes(args)
  const separated = words.flatMap((word) => {
    const [, option, value] = /^(--[a-z-]+)=(.*)$/s.exec(word) ?? []
    if (option !== undefined && value !== undefined) return [option, value]
    return flags.has(word) ? [word, "true"] : [word]
  })
  return [...versionOption.put(separated), ...args.slice(words.length)]
}

/** The parser's own options, which it takes everywhere. */
const builtIn = ["--help", "-h", "--version", "--completions", "--log-level", "--wizard"]

/** Looks for what the parser can only call an unknown argument. */
export const problemWith = (
  words: ReadonlyArray<string>,
  options: ReadonlyArray<Entry>
): string | undefined => {
  const byName = new Map(options.flatMap((option) => namesOf(option).map((name) => [name, option] as const)))
  let isValue = false
  for (const [i, word] of words.entries()) {
    const [name = ""] = word.split("=", 1)
    if (isValue || !/^--?[a-z]/i.test(word)) {
      isValue = false
    } else {
      const option = byName.get(name)
      if (option === undefined && !builtIn.includes(name)) return unknown(name, [...byName.keys()])
      const placeholder = option === undefined ? undefined : placeholderOf(option)
      isValue = placeholder !== undefined && name === word
      if (isValue && i === words.length - 1)
        return `The option ${name} needs a value: ${name} ${placeholder}.`
    }
  }
  const missing = options.filter((option) => isRequired(option) && !isGiven(option, words))
  return missing.length === 0 ? undefined : `Missing: ${missing.map(({ term }) => term).join(", ")}.`
}

const isGiven = (option: Entry, words: ReadonlyArray<string>): boolean =>
  namesOf(option).some((name) => words.some((word) => word === name || word.startsWith(`${name}=`)))

const unknown = (name: string, known: ReadonlyArray<string>): string => {
  const distance = (other: string) => AutoCorrect.levensteinDistance(name, other, CliConfig.defaultConfig)
  const [nearest] = known.filter((other) => distance(other) <= 2).sort((a, b) => distance(a) - distance(b))
  const hint = nearest === undefined ? "" : ` Did you mean ${nearest}?`
  return `There is no option ${name}.${hint}`
}

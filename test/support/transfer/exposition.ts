/** Reads the text format of Prometheus by its published grammar, strictly, and knows nothing of how it was written. */

export interface Series {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Exposition {
  readonly types: ReadonlyMap<string, string>
  readonly help: ReadonlyMap<string, string>
  readonly series: ReadonlyArray<Series>
}

const metricName = "[a-zA-Z_:][a-zA-Z0-9_:]*"
const label = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"'
const sample = new RegExp(`^(${metricName})(?:\\{(${label}(?:,${label})*)\\})? (\\S+)$`)
const oneLabel = new RegExp(label, "g")
const suffixes = /_(bucket|sum|count)$/

const unescaped = (text: string): string =>
  text.replace(/\\(.)/g, (_, character) => (character === "n" ? "\n" : character))

const labelsIn = (text: string): Readonly<Record<string, string>> => {
  const pairs = (text.match(oneLabel) ?? []).map((pair) => {
    const equals = pair.indexOf("=")
    return [pair.slice(0, equals), unescaped(pair.slice(equals + 2, -1))] as const
  })
  const labels = Object.fromEntries(pairs)
  if (Object.keys(labels).length !== pairs.length) throw new Error(`a label twice: ${text}`)
  return labels
}

const numbers: Readonly<Record<string, number>> = {
  "+Inf": Number.POSITIVE_INFINITY,
  "-Inf": Number.NEGATIVE_INFINITY,
  NaN: Number.NaN
}

export const parse = (text: string): Exposition => {
  if (text !== "" && !text.endsWith("\n")) throw new Error("the last line is not ended")
  const types = new Map<string, string>()
  const help = new Map<string, string>()
  const series: Array<Series> = []
  const seen = new Set<string>()
  let family = ""
  for (const line of text.split("\n").slice(0, -1)) {
    const told = /^# (HELP|TYPE) (\S+) (.*)$/s.exec(line)
    if (told !== null) {
      const [, what, name = "", rest = ""] = told
      const place = what === "HELP" ? help : types
      if (place.has(name)) throw new Error(`${what} twice for ${name}`)
      place.set(name, what === "HELP" ? unescaped(rest) : rest)
      family = name
      continue
    }
    const [, name = "", labels = "", value = ""] = sample.exec(line) ?? []
    if (name === "") throw new Error(`not a sample: ${line}`)
    const known = types.get(name) === undefined ? name.replace(suffixes, "") : name
    if (known !== family && name.replace(suffixes, "") !== family)
      throw new Error(`${name} stands below ${family}`)
    const id = line.slice(0, line.lastIndexOf(" "))
    if (seen.has(id)) throw new Error(`twice: ${id}`)
    seen.add(id)
    series.push({ name, labels: labelsIn(labels), value: numbers[value] ?? Number(value) })
  }
  return { types, help, series }
}

/**
 * Prints where the files that are named could be changed, and into what, as JSON. Only StrykerJS knows, which is installed
 * in this folder alone: hence a program of its own.
 */
import { readFileSync } from "node:fs"
import { createInstrumenter } from "@stryker-mutator/instrumenter"
import { createInjector } from "typed-inject"

const [excluded = "", ...files] = process.argv.slice(2)
const left = new Set(excluded.split(","))
const quiet = () => {}
const logger = {
  isTraceEnabled: () => false,
  isDebugEnabled: () => false,
  trace: quiet,
  debug: quiet,
  info: quiet,
  warn: quiet,
  error: quiet
}
const instrumenter = createInjector()
  .provideValue("logger", logger)
  .provideValue("getLogger", () => logger)
  .provideValue("options", {})
  .injectFunction(createInstrumenter)
const sources = files.map((name) => ({ name, content: readFileSync(name, "utf8"), mutate: true }))
const lines = new Map(sources.map(({ content, name }) => [name, content.split("\n")]))
/** What stands in a place. Lines and columns count from 0. */
const textOf = (file, start, end) =>
  lines
    .get(file)
    .slice(start.line, end.line + 1)
    .map((line, at) =>
      line.slice(at === 0 ? start.column : 0, at === end.line - start.line ? end.column : line.length).trim()
    )
    .join(" ")

const { mutants } = await instrumenter.instrument(sources, {
  plugins: null,
  excludedMutations: [...left],
  ignorers: []
})
const places = mutants
  .filter(({ ignoreReason, mutatorName }) => ignoreReason === undefined && !left.has(mutatorName))
  .map(({ fileName, location: { end, start } }) => ({
    file: fileName,
    start,
    end,
    text: textOf(fileName, start, end)
  }))
process.stdout.write(JSON.stringify(places))

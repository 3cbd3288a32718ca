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
const { mutants } = await instrumenter.instrument(
  files.map((name) => ({ name, content: readFileSync(name, "utf8"), mutate: true })),
  { plugins: null, excludedMutations: [...left], ignorers: [] }
)
const places = mutants
  .filter(({ ignoreReason, mutatorName }) => ignoreReason === undefined && !left.has(mutatorName))
  .map(({ fileName, location: { end, start } }) => ({ file: fileName, start, end }))
process.stdout.write(JSON.stringify(places))

#!/usr/bin/env node
/**
 * Starts the command where it is installed: this file answers what needs no command (help, the version, completions, and
 * what is wrong with a command line), and loads the bundled command beside it for everything else. What Node 22 and newer
 * have compiled of that one is kept for the next start.
 *
 * @since 0.1.0
 */
import * as Module from "node:module"
import { join } from "node:path"
import process from "node:process"
import type { WriteStream } from "node:tty"
import * as Option from "effect/Option"
import { shownLine } from "../outsideText.ts"
import { exitCodes } from "./ExitCode.ts"
import { Answer, answerTo } from "./internal/answer.ts"
import { accountLines, colours, plain, type Style } from "./internal/style.ts"
import { helpRemedy, pageWidthOf } from "./internal/text.ts"
import { commandName } from "./Project.ts"

/** In the user's own folder: compiled code that somebody else could write there would be run. */
const keepCompiled = async (): Promise<void> => {
  const runtime: object = Module
  if (!("enableCompileCache" in runtime) || typeof runtime.enableCompileCache !== "function") return
  const home = await homeOf()
  if (home !== "") runtime.enableCompileCache(join(home, ".cache", commandName))
}

/** A user without an entry in the system has none. */
const homeOf = async (): Promise<string> => {
  const { homedir } = await import("node:os")
  try {
    return homedir()
  } catch {
    return ""
  }
}

const runCommand = async (): Promise<void> => {
  await keepCompiled()
  await import(new URL(`./${commandName}.js`, import.meta.url).href)
}

/** As the command decides it. */
const styleOf = ({ isTTY }: WriteStream): Style => (isTTY === true && !isOff() ? colours() : plain)

/** Where Deno may not read the variable, it is not set. */
const isOff = (): boolean => {
  try {
    // biome-ignore lint/style/noProcessEnv: reading it with Config would load what this file is there to avoid.
    return (process.env["NO_COLOR"] ?? "") !== ""
  } catch {
    return false
  }
}

/** Whether the text has left the process, or nobody reads it any more (`… | head -1`). */
const written = (stream: WriteStream, text: string): Promise<boolean> =>
  new Promise((resolve) => {
    stream.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code === "EPIPE"))
    stream.write(text, (error) => {
      if (!error) resolve(true)
    })
  })

await Answer.$match(answerTo(process.argv.slice(2)), {
  Show: async ({ page }) => {
    const { stdout } = process
    const screen = { style: styleOf(stdout), width: pageWidthOf(stdout.columns || 80) }
    // The command knows how to tell that standard output takes nothing.
    if (!(await written(stdout, page(screen)))) await runCommand()
  },
  VersionLine: runCommand,
  Refuse: async ({ command, output, problem }) => {
    if (output.json || Option.isSome(output.jsonFile)) return await runCommand()
    const { stderr } = process
    const texts = [problem, helpRemedy(Option.getOrUndefined(command))]
    const [heading = "", ...lines] = accountLines("UsageError", texts, styleOf(stderr), stderr.columns || 80)
    await written(stderr, [heading, ...lines.map(shownLine), ""].join("\n"))
    process.exitCode = exitCodes.usage
  },
  Run: runCommand
})

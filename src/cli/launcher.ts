#!/usr/bin/env node
/**
 * Starts the command where it is installed as two files: this one, and the bundled command beside it. What Node 22 and newer
 * have compiled of the large one is kept for the next start, and `--version` needs none of it.
 *
 * @since 0.1.0
 */
import * as Module from "node:module"
import { homedir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { packageVersion } from "../cloud/PackageVersion.ts"
import { commandName } from "./Project.ts"

/** In the user's own folder: compiled code that somebody else could write there would be run. */
const keepCompiled = (): void => {
  const runtime: object = Module
  if (!("enableCompileCache" in runtime) || typeof runtime.enableCompileCache !== "function") return
  const home = homeOf()
  if (home !== "") runtime.enableCompileCache(join(home, ".cache", commandName))
}

/** A user without an entry in the system has none. */
const homeOf = (): string => {
  try {
    return homedir()
  } catch {
    return ""
  }
}

const [first, ...further] = process.argv.slice(2)
if (first === "--version" && further.length === 0) {
  process.stdout.write(`${packageVersion}\n`)
} else {
  keepCompiled()
  await import(new URL(`./${commandName}.js`, import.meta.url).href)
}

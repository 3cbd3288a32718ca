/** The command line that goes on with what this one began. */
import { shellWord } from "./format.ts"
import { commandName } from "./remedy.ts"
import type { Given } from "./settings.ts"

/** Words and settings as a line to copy into a shell. What the environment holds is expected to be there again. */
export const resumeCommand = (words: ReadonlyArray<string>, settings: ReadonlyArray<Given>): string =>
  [commandName, ...words, ...settings.flatMap(({ words }) => words)].map(shellWord).join(" ")

/**
 * What the steps of the action share. They run on a runner where nothing is installed, so they are plain programs of Node
 * without dependencies.
 */
import { randomUUID } from "node:crypto"
import { appendFileSync } from "node:fs"

/** The variable, or "" where it is not set: an input that was left out is an empty variable. */
export const variable = (name) => process.env[name] ?? ""

/** Appends to one of the runner's files, as `GITHUB_OUTPUT`. */
const append = (file, text) => appendFileSync(variable(file), text)

/** Sets outputs of the step. A delimiter that nobody can guess keeps a value from setting others. */
export const setOutputs = (outputs) => {
  for (const [name, value] of Object.entries(outputs)) {
    const end = randomUUID()
    append("GITHUB_OUTPUT", `${name}<<${end}\n${value}\n${end}\n`)
  }
}

/** Adds Markdown to the summary of the job. */
export const addSummary = (markdown) => append("GITHUB_STEP_SUMMARY", `${markdown}\n`)

/** Shows an error at the head of the run. What is in it stays text: it cannot end the line and begin a command. */
export const annotate = (title, message) => {
  const line = (text) => text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A")
  const property = (text) => line(text).replaceAll(":", "%3A").replaceAll(",", "%2C")
  console.log(`::error title=${property(title)}::${line(message)}`)
}

/** Runs the command, again where that can help, and tells the job how it ended. Ends with 0: a later step fails the job. */
import { spawn } from "node:child_process"
import { appendFileSync, existsSync, readFileSync, rmSync } from "node:fs"
import { join, resolve } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { addSummary, annotate, setOutputs, variable } from "./runner.mjs"
import { summaryOf } from "./summary.mjs"

/** The upload was interrupted, or may have arrived: the same command asks the server before it sends anything. */
const worthAnotherTry = [2, 7]

const archive = resolve(variable("ARCHIVE"))
const option = (name, value) => (value === "" ? [] : [name, value])

const target =
  variable("EXTENSION_ID") === ""
    ? [
        ...["publish", archive, "--name", variable("NAME"), "--type", variable("TYPE")],
        ...["--version", variable("EXTENSION_VERSION")],
        ...option("--description", variable("DESCRIPTION"))
      ]
    : ["upload", variable("EXTENSION_ID"), archive]
const temp = variable("RUNNER_TEMP")
const linesFile = join(temp, "elastic-extensions-lines.jsonl")
const words = [...target, ...option("--stage", variable("STAGE")), "--json-file", linesFile]

const program = join(temp, "elastic-extensions/node_modules/elastic-extensions/elastic-extensions.js")
const report = join(temp, "elastic-extensions-report.jsonl")
rmSync(report, { force: true })

let running
let isCancelled = false
// The runner tells this process only, when a job is cancelled; the upload then saves where it is.
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    isCancelled = true
    running?.kill("SIGTERM")
  })
}

/** Runs the command once. People read its progress in the log; its lines of JSON go into the report. */
const runOnce = async () => {
  rmSync(linesFile, { force: true })
  const child = spawn(process.execPath, [program, ...words], { stdio: ["ignore", "inherit", "inherit"] })
  running = child
  const code = await new Promise((resolve) => child.once("close", (code) => resolve(code ?? 1)))
  const lines = existsSync(linesFile) ? readFileSync(linesFile, "utf8") : ""
  appendFileSync(report, lines)
  return {
    code,
    events: lines
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  }
}

const attempts = Math.max(1, Number(variable("ATTEMPTS")) || 1)
const pause = Math.max(0, Number(variable("PAUSE")) || 0)

let run = await runOnce()
const events = [...run.events]
for (let attempt = 2; attempt <= attempts && worthAnotherTry.includes(run.code) && !isCancelled; attempt++) {
  console.log(`Trying again in ${pause} s: ${attempt} of ${attempts}`)
  await sleep(pause * 1000)
  run = await runOnce()
  events.push(...run.events)
}

const end = events.at(-1) ?? { _tag: "Defect", message: "The command has said nothing.", remedy: "" }
const isResumable = worthAnotherTry.includes(run.code)
setOutputs({
  "exit-code": run.code,
  resumable: isResumable,
  outcome: end._tag,
  "extension-id": end.extensionId ?? variable("EXTENSION_ID"),
  proof: end.proof ?? "",
  report
})
addSummary(summaryOf({ end, events, isResumable }))
if (run.code !== 0) annotate(end._tag, end.message)

/** Runs the command, again where that can help, and tells the job how it ended. Ends with 0: a later step fails the job. */
import { spawn } from "node:child_process"
import { createWriteStream } from "node:fs"
import { join, resolve } from "node:path"
import { createInterface } from "node:readline"
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
const words = [...target, ...option("--stage", variable("STAGE")), "--json"]

const program = join(
  variable("RUNNER_TEMP"),
  "elastic-extensions/node_modules/elastic-extensions/elastic-extensions.js"
)
const reportFile = join(variable("RUNNER_TEMP"), "elastic-extensions-report.jsonl")
const report = createWriteStream(reportFile)

let running
let isCancelled = false
// The runner tells this process only, when a job is cancelled; the upload then saves where it is.
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    isCancelled = true
    running?.kill("SIGTERM")
  })
}

/** These come ten times a second: enough for a report, too much for a log. */
const steps = new Set(["DigestProgress", "BytesWritten", "BytesAcknowledged", "VerificationProgress"])
const betweenStepsMillis = 10_000
let lastStepAt = 0

const log = (event, line) => {
  if (steps.has(event._tag)) {
    if (Date.now() - lastStepAt < betweenStepsMillis) return
    lastStepAt = Date.now()
  }
  console.log(line)
}

/** Runs the command once. Its lines go into the report and the log; the last one says how it ended. */
const runOnce = async () => {
  const child = spawn(process.execPath, [program, ...words], { stdio: ["ignore", "pipe", "inherit"] })
  running = child
  const events = []
  const ended = new Promise((resolve) => child.once("close", (code) => resolve(code ?? 1)))
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line)
    report.write(`${line}\n`)
    log(event, line)
    events.push(event)
  }
  return { code: await ended, events }
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
await new Promise((resolve) => report.end(resolve))

const end = events.at(-1) ?? { _tag: "Defect", message: "The command has said nothing.", remedy: "" }
const isResumable = worthAnotherTry.includes(run.code)
setOutputs({
  "exit-code": run.code,
  resumable: isResumable,
  outcome: end._tag,
  "extension-id": end.extensionId ?? variable("EXTENSION_ID"),
  proof: end.proof ?? "",
  report: reportFile
})
addSummary(summaryOf({ end, events, isResumable }))
if (run.code !== 0) annotate(end._tag, end.message)

/** Looks at the inputs before anything is installed, and decides what a journal of an earlier attempt must belong to. */
import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { stat } from "node:fs/promises"
import { join } from "node:path"
import { annotate, setOutputs, variable } from "./runner.mjs"

const [major, minor] = process.versions.node.split(".").map(Number)
const id = variable("EXTENSION_ID")
const names = ["NAME", "TYPE", "EXTENSION_VERSION"].map(variable)

const problem = async () => {
  if (major < 20 || (major === 20 && minor < 15))
    return `Node ${process.versions.node} is too old: put actions/setup-node with Node 24 before this step.`
  if (variable("HAS_KEY") !== "true")
    return "The input api-key is empty. Is the secret set? Workflows that a fork starts get no secrets."
  if (id !== "" && names.some((name) => name !== ""))
    return "Give either extension-id, or name, type and version."
  if (id === "" && names.some((name) => name === ""))
    return "Say where the archive goes: extension-id, or name, type and version."
  const archive = await stat(variable("ARCHIVE")).catch(() => undefined)
  if (archive?.isFile() !== true)
    return `There is no file ${variable("ARCHIVE")}. Is it built before this step?`
  return undefined
}

const sha256OfFile = async (path) => {
  const hash = createHash("sha256")
  for await (const chunk of createReadStream(path)) hash.update(chunk)
  return hash.digest("hex")
}

const found = await problem()
if (found !== undefined) {
  annotate("Elastic Cloud extension", found)
  process.exit(64)
}

const sha256 = await sha256OfFile(variable("ARCHIVE"))
const target = createHash("sha256")
  .update(JSON.stringify([id, ...names, variable("STAGE")]))
  .digest("hex")
setOutputs({
  sha256,
  journal: variable("JOURNAL") || join(variable("RUNNER_TEMP"), "elastic-extensions-journal"),
  // Of this commit, this archive and this extension: what a journal remembers of another is of no use, and may be stale.
  key: `elastic-extensions-${variable("GITHUB_SHA")}-${sha256}-${target.slice(0, 16)}-`
})

/** Runs an example with tsx as a user would, against the stand-in, in an environment that holds only what it needs. */
import { spawn } from "node:child_process"
import { dirname, join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import { Effect } from "effect"
import { node } from "../../../scripts/support/node.ts"
import { LocalElasticCloud } from "../../../src/testing/LocalElasticCloud.ts"
import { apiKey } from "../upload/world.ts"

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const root = join(import.meta.dirname, "../../..")

/** A temporary folder for the journal and whatever else is kept between runs; deleted with the scope. */
export const stateFolder = Effect.flatMap(FileSystem.FileSystem, (fs) =>
  fs.makeTempDirectoryScoped({ prefix: "example-" })
)

/** The process is killed with the scope, if it has not ended by then. */
export const start = (state: string, example: string, ...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { url } = yield* LocalElasticCloud
    const child = spawn(node, ["--import", "tsx", `examples/${example}`, ...args], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: dirname(node),
        EC_API_KEY: apiKey,
        EC_ENDPOINT: url,
        EC_UPLOAD_JOURNAL: join(state, "journal"),
        EC_UPLOAD_RETRY_BASE_DELAY: "10 millis",
        EC_UPLOAD_RECONCILE_WINDOW: "60 millis",
        DICTIONARIES_API_KEY: apiKey,
        DICTIONARIES_ENDPOINT: url,
        DICTIONARIES_JOURNAL: join(state, "journal")
      }
    })
    const output = { stdout: "", stderr: "" }
    child.stdout.on("data", (bytes: Buffer) => {
      output.stdout += bytes.toString()
    })
    child.stderr.on("data", (bytes: Buffer) => {
      output.stderr += bytes.toString()
    })
    const closed = new Promise<number | null>((resolve) => child.once("close", resolve))
    const ended = Effect.promise(() => closed.then((code): Ran => ({ code, ...output })))
    const kill = Effect.sync(() => child.kill("SIGKILL"))
    yield* Effect.addFinalizer(() => Effect.zipRight(kill, ended))
    return { kill, ended }
  })

export const run = (state: string, example: string, ...args: ReadonlyArray<string>) =>
  Effect.flatMap(start(state, example, ...args), ({ ended }) => ended)

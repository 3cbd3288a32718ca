/** The requests of docs/runner-api.md, made as they are written, with the answers that are written there. */
import { spawn } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { FileSystem } from "@effect/platform"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ReleaseList from "../../src/workflow/ReleaseList.ts"
import { serving, token, url } from "../support/runner/runner.ts"
import { zipOf } from "../support/upload/archives.ts"

const page = readFileSync(resolve(import.meta.dirname, "../../docs/runner-api.md"), "utf8")

/** A request in a shell, and the answer that follows it, if one does. */
const requests = [...page.matchAll(/^```sh\n([^`]*curl[^`]*)^```\n(?:\n```json\n([^`]*)^```)?/gm)].map(
  ([, command = "", answer]) => ({ command, answer: answer === undefined ? undefined : JSON.parse(answer) })
)

const shell = (folder: string, env: Readonly<Record<string, string>>, command: string) =>
  Effect.async<string>((resume) => {
    const child = spawn("bash", ["-euc", command], {
      cwd: folder,
      env: { PATH: process.env["PATH"], ...env }
    })
    let output = ""
    child.stdout.on("data", (chunk) => {
      output += chunk
    })
    child.on("close", () => resume(Effect.succeed(output)))
    return Effect.sync(() => child.kill())
  })

/** What differs each time: ids and words that are cut short, and times. */
const anyTime = (value: unknown): unknown => {
  if (typeof value === "string" && value.includes("…")) return expect.any(String)
  if (typeof value === "number" && value > 1e12) return expect.any(Number)
  if (Array.isArray(value)) return value.map(anyTime)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, anyTime(one)]))
}

it("the page has requests to make", () => {
  expect(requests.length).toBeGreaterThan(5)
  expect(requests.filter(({ answer }) => answer !== undefined).length).toBeGreaterThan(4)
})

it.scopedLive("the requests of the page get the answers of the page", () =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped()
    writeFileSync(join(folder, "words.zip"), yield* zipOf(1000))
    writeFileSync(join(folder, "token"), `${token}\n`)
    writeFileSync(join(folder, "auth"), `Authorization: Bearer ${token}\n`)
    const address = yield* url
    const env = { RUNNER: `${address}/api/v1/releases` }
    let earlier = ""
    for (const { answer, command } of requests) {
      const real = command.replaceAll("/builds/words.zip", join(folder, "words.zip"))
      const output = yield* shell(folder, env, `${earlier}${real}`)
      // What one block sets, the next ones use.
      earlier += [...real.matchAll(/^\w+=\$\(.*\)$/gm)].map(([line]) => `${line}\n`).join("")
      const got: unknown = JSON.parse(output)
      if (answer !== undefined) expect(got, command).toEqual(anyTime(answer))
      yield* ReleaseList.find("words-1.0.0").pipe(
        Effect.delay("20 millis"),
        Effect.repeat({ until: ({ state }) => state === "held" || state === "done" })
      )
    }
  }).pipe(Effect.provide(serving()))
)

/** `delete`: asks first, and leaves alone what deployments use. */
import { spawn } from "node:child_process"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { node } from "../../../scripts/support/node.ts"
import { Confirmation } from "../../../src/cli/internal/terminal.ts"
import * as Fault from "../../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../../src/testing/LocalElasticCloud.ts"
import { cli, environment } from "../../support/cli/managing.ts"
import { executable, isInstalled, objects, run, spawned } from "../../support/cli/program.ts"
import { world } from "../../support/cli/world.ts"
import { seed, traffic } from "../../support/upload/world.ts"

describe("delete", () => {
  const gone = (id: string) =>
    Effect.flatMap(LocalElasticCloud.LocalElasticCloud, (cloud) =>
      Effect.map(cloud.extension(id), Option.isNone)
    )

  const answering = (answer: string, asked: Array<string>) =>
    Effect.provideService(Confirmation, {
      isThere: true,
      ask: (question) => {
        asked.push(question)
        return Effect.succeed(answer)
      }
    })

  it.scopedLive("asks, and deletes on a yes alone", () =>
    Effect.gen(function* () {
      const id = yield* seed()
      const asked: Array<string> = []
      for (const answer of ["", "n", "yesterday"]) {
        expect(yield* cli("delete", id).pipe(answering(answer, asked))).toEqual({
          code: 1,
          out: "",
          err: "Nothing was deleted.\n"
        })
      }
      expect(yield* gone(id)).toBe(false)
      expect(yield* cli("delete", id).pipe(answering(" YES ", asked))).toEqual({
        code: 0,
        out: `Deleted the bundle dictionary (${id}).\n`,
        err: ""
      })
      expect(yield* gone(id)).toBe(true)
      expect(new Set(asked)).toEqual(
        new Set([`Delete the bundle dictionary (${id}) and its archive for good? [y/N] `])
      )
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive.skipIf(!isInstalled("script"))("is interrupted by Ctrl-C at its question", () =>
    Effect.gen(function* () {
      const id = yield* seed()
      const env = yield* environment()
      const command = `'${node}' '${yield* executable}' delete ${id}`
      const ran = yield* Effect.async<{ readonly code: number | null; readonly text: string }>((resume) => {
        const terminal = spawn("/usr/bin/env", ["script", "-qfec", command, "/dev/null"], {
          env: { ...env, PATH: String(process.env["PATH"]) }
        })
        let text = ""
        let isAsked = false
        terminal.stdout.on("data", (bytes: Buffer) => {
          text += bytes.toString()
          if (isAsked || !text.includes("[y/N] ")) return
          isAsked = true
          terminal.stdin.write("\u0003")
        })
        terminal.once("close", (code) => resume(Effect.succeed({ code, text })))
        return Effect.sync(() => terminal.kill("SIGKILL"))
      })
      expect(ran.text).toContain("Interrupted")
      expect(ran.code).toBe(130)
      expect(yield* gone(id)).toBe(false)
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("does not ask where nobody can answer, and wants --yes", () =>
    Effect.gen(function* () {
      const id = yield* seed()
      const env = yield* environment()
      const ran = yield* spawned(["delete", id], { env })
      expect(ran).toMatchObject({ code: 64, out: "" })
      expect(ran.err).toContain("pass --yes")
      expect(yield* cli("delete", id, "--json").pipe(answering("y", []))).toMatchObject({ code: 64 })
      const inPipeline = run(["delete", id], { env: { ...env, CI: "true" } })
      expect(yield* inPipeline.pipe(answering("y", []))).toMatchObject({ code: 64 })
      expect(yield* gone(id)).toBe(false)
      expect(objects(yield* cli("delete", id, "--yes", "--json"))).toEqual([
        { _tag: "ExtensionDeleted", extension: expect.objectContaining({ id }) }
      ])
      expect(yield* gone(id)).toBe(true)
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("leaves one alone that deployments use, and names them", () =>
    Effect.gen(function* () {
      const id = yield* seed({ deployments: ["d1", "d2"] })
      const ran = yield* cli("delete", id, "--yes")
      expect(ran).toMatchObject({ code: 6, out: "" })
      expect(ran.err.replace(/\s+/g, " ")).toContain("because 2 deployments still use it: d1, d2. Remove")
      expect(objects(yield* cli("delete", id, "--yes", "--json"))).toEqual([
        expect.objectContaining({ _tag: "DeletionRefused", exitCode: 6 })
      ])
      expect(yield* traffic).toEqual(["GET 200", "GET 200"])
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("is refused by the service where a deployment came in between", () =>
    Effect.gen(function* () {
      const id = yield* seed()
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const attach = Effect.asVoid(seed({ id, deployments: ["d9"] })).pipe(
        Effect.provideService(LocalElasticCloud.LocalElasticCloud, cloud)
      )
      yield* cloud.plan({ method: "DELETE", fault: Fault.run("arrival", attach) })
      const ran = yield* cli("delete", id, "--yes")
      expect(ran).toMatchObject({ code: 6, out: "" })
      expect(ran.err).toContain("ExtensionInUse")
      expect(ran.err).toContain("d9")
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("looks only, in a dry run", () =>
    Effect.gen(function* () {
      const id = yield* seed()
      expect(yield* cli("delete", id, "--dry-run")).toMatchObject({
        code: 0,
        out: `Would delete the bundle dictionary (${id}).\n`
      })
      expect(yield* gone(id)).toBe(false)
    }).pipe(Effect.provide(world()))
  )
})

/** `cloud`: the stand-in as a command, until it is interrupted. */
import { type ChildProcess, spawn } from "node:child_process"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { node } from "../../../scripts/support/node.ts"
import { linesIn } from "../../support/cli/lines.ts"
import { executable } from "../../support/cli/program.ts"
import { askAt, EXTENSIONS } from "../../support/testing/server.ts"

interface Ran {
  readonly output: () => string
  readonly process: ChildProcess
  /** Fulfilled with the exit code. */
  readonly ended: Effect.Effect<number | null>
  readonly says: (pattern: RegExp) => Effect.Effect<RegExpMatchArray>
}

const runCloud = (...args: ReadonlyArray<string>) =>
  Effect.flatMap(executable, (program) => start(program, args))

const start = (program: string, args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync((): Ran => {
      const child = spawn(node, [program, "cloud", ...args], {
        stdio: "pipe"
      })
      let output = ""
      for (const stream of [child.stdout, child.stderr]) {
        stream.on("data", (bytes: Buffer) => {
          output += bytes.toString()
        })
      }
      const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
      return {
        output: () => output,
        process: child,
        ended: Effect.promise(() => ended),
        says: (pattern) =>
          Effect.sync(() => pattern.exec(output)).pipe(
            Effect.delay("20 millis"),
            Effect.repeat({ until: (match) => match !== null }),
            Effect.flatMap(Effect.fromNullable),
            Effect.timeout("15 seconds"),
            Effect.orDie
          )
      }
    }),
    (ran) => Effect.sync(() => ran.process.kill("SIGKILL"))
  )

describe("cloud", () => {
  it.scopedLive("runs a stand-in with the key and the extensions asked for, until it is interrupted", () =>
    Effect.gen(function* () {
      const cloud = yield* runCloud("--api-key", "k1", "--extension", "one", "--extension", "two")
      const [, url = "", key] = yield* cloud.says(/EC_ENDPOINT=(\S+) EC_API_KEY=(\S+)/)
      expect(key).toBe("k1")
      expect(cloud.output()).toMatch(/one has the id \d{10}\n.*two has the id \d{10}/)
      const listed = yield* askAt(url, { path: EXTENSIONS, key: "k1" })
      expect(listed.json()).toMatchObject({ extensions: [{ name: "one" }, { name: "two" }] })
      // By its id: what Deno has killed itself never counts as ended by its own doing.
      process.kill(cloud.process.pid ?? 0, "SIGINT")
      expect(yield* cloud.ended).toBe(0)
      expect((yield* Effect.flip(askAt(url, { path: EXTENSIONS }))).code).toBe("ECONNREFUSED")
    })
  )

  it.scopedLive("tells a program the same as JSON", () =>
    Effect.gen(function* () {
      const cloud = yield* runCloud("--json", "--extension", "one")
      const [line = ""] = yield* cloud.says(/^.*\n/)
      expect(linesIn(line)).toEqual([
        expect.objectContaining({
          _tag: "LocalCloud",
          url: expect.stringContaining("http://"),
          apiKey: "local-key"
        })
      ])
    })
  )

  it.scopedLive.each([
    [["--port", "100000"], "--port has to be a number from 0 to 65535"],
    [["--prot", "1"], "There is no option --prot. Did you mean --port?"]
  ] as const)("explains what is wrong with %j", ([args, message]) =>
    Effect.gen(function* () {
      const cloud = yield* runCloud(...args)
      expect(yield* cloud.ended).toBe(64)
      expect(cloud.output()).toContain(message)
    })
  )
})

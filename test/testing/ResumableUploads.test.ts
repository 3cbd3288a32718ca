import { spawn } from "node:child_process"
import * as Fs from "node:fs/promises"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { node } from "../../scripts/support/node.ts"
import { executable } from "../support/cli/program.ts"
import { askAt, bigZip, KEY, pathOf } from "../support/testing/server.ts"

const bin = (name: string): string => `node_modules/.bin/${name}`

const runtimes = [
  ["Node", node, []],
  ["Bun", bin("bun"), []],
  ["Deno", bin("deno"), ["run", "--allow-all"]]
] as const

interface Cloud {
  readonly url: string
  readonly id: string
  /** No farewell: what is not on disk by now is lost. */
  readonly kill: Effect.Effect<void>
}

const runCloud = (command: string, args: ReadonlyArray<string>, data: string) =>
  Effect.flatMap(executable, (program) => startCloud(program, command, args, data))

const startCloud = (program: string, command: string, args: ReadonlyArray<string>, data: string) =>
  Effect.acquireRelease(
    Effect.promise(async (): Promise<Cloud> => {
      const options = [program, "cloud", "--resumable", "--data", data, "--extension", "one"]
      const child = spawn(command, [...args, ...options], { stdio: ["ignore", "pipe", "inherit"] })
      const closed = new Promise<void>((resolve) => child.once("close", () => resolve()))
      const kill = Effect.promise(() => {
        child.kill("SIGKILL")
        return closed
      })
      let output = ""
      for await (const bytes of child.stdout) {
        output += String(bytes)
        const url = /EC_ENDPOINT=(\S+)/.exec(output)?.[1]
        const id = /one has the id (\d+)/.exec(output)?.[1]
        if (url !== undefined && id !== undefined) return { url, id, kill }
      }
      throw new Error(`the stand-in ended: ${output}`)
    }),
    ({ kill }) => kill
  )

/** Sends a creation and a part of its content; returns what was answered up to the offset that was acknowledged. */
const createPart = ({ id, url }: Cloud, archive: Uint8Array, bytes: number) =>
  Effect.async<string>((resume) => {
    const { hostname, port } = new URL(url)
    const socket = Net.connect(Number(port), hostname)
    let received = ""
    socket.on("error", () => undefined)
    socket.on("data", (text) => {
      const wasWaiting = !received.includes("100 Continue")
      received += text.toString("latin1")
      if (wasWaiting && received.includes("100 Continue")) socket.write(archive.subarray(0, bytes))
      if (received.includes("Upload-Offset")) resume(Effect.succeed(received))
    })
    socket.write(
      [
        `PUT ${pathOf(id)} HTTP/1.1`,
        "Host: localhost",
        `Authorization: ApiKey ${KEY}`,
        "Content-Type: application/zip",
        `Content-Length: ${archive.length}`,
        "Expect: 100-continue",
        "Upload-Complete: ?1",
        "Upload-Draft-Interop-Version: 8\r\n\r\n"
      ].join("\r\n")
    )
    return Effect.sync(() => socket.destroy())
  })

describe("cloud --resumable", () => {
  it.scopedLive.each(runtimes)("on %s sends 104, and survives its own death", ([, command, args]) =>
    Effect.gen(function* () {
      const data = yield* Effect.acquireRelease(
        Effect.promise(() => Fs.mkdtemp(Path.join(Os.tmpdir(), "local-elastic-cloud-test-"))),
        (path) => Effect.promise(() => Fs.rm(path, { recursive: true }))
      )
      const archive = yield* bigZip(9_000_000)
      const first = yield* runCloud(command, args, data)
      const received = yield* createPart(first, archive, 6_000_000)
      yield* first.kill
      const [, path = "", acknowledged] =
        /^HTTP\/1\.1 104 .+\r\n(?:.+\r\n)*Location: (\S+)\r\n(?:.+\r\n)*\r\nHTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 104 (?:.+\r\n)*Upload-Offset: (\d+)\r\n/.exec(
          received
        ) ?? []
      const second = yield* runCloud(command, args, data)
      const head = yield* askAt(second.url, { method: "HEAD", path })
      const offset = Number(head.headers["upload-offset"])
      expect(offset).toBeGreaterThanOrEqual(Number(acknowledged))
      expect(offset).toBeLessThanOrEqual(6_000_000)
      const answer = yield* askAt(second.url, {
        method: "PATCH",
        path,
        headers: {
          "content-type": "application/partial-upload",
          "upload-offset": offset,
          "upload-complete": "?1"
        },
        body: archive.subarray(offset)
      })
      expect([answer.status, answer.headers["upload-complete"]]).toStrictEqual([200, "?1"])
      expect(answer.json()).toMatchObject({ id: first.id, file_metadata: { size: archive.length } })
    })
  )
})

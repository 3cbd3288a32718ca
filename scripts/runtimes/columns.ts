/** What the suite runs on: every runtime, with the source and with the published modules. */
import { join, resolve } from "node:path"

export const root = resolve(import.meta.dirname, "../..")
const bin = (name: string) => join(root, "node_modules/.bin", name)

/** The permissions that the test suite needs on Deno; an upload needs far fewer. */
export const denoRights = [
  "--allow-env",
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-run",
  "--allow-sys",
  "--allow-ffi"
] as const

export const runtimes = {
  node: { name: "Node, oldest", command: [process.execPath] },
  newest: {
    name: "Node, newest",
    command: [join(root, "test/runtimes/node_modules/.bin/node")]
  },
  bun: { name: "Bun", command: [bin("bun"), "--bun"] },
  deno: { name: "Deno", command: [bin("deno"), "run", "--no-prompt", ...denoRights] }
} as const

export type Runtime = keyof typeof runtimes
export const runtimeNames = ["node", "newest", "bun", "deno"] as const satisfies ReadonlyArray<Runtime>

/** The modules under test, and the configuration of vitest that takes them. */
export const subjects = {
  source: join(root, "vitest.config.ts"),
  built: join(root, "test/runtimes/built.config.ts")
} as const

export type Subject = keyof typeof subjects
export const subjectNames = ["source", "built"] as const satisfies ReadonlyArray<Subject>

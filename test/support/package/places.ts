/** Where a consumer's program runs: a runtime, the installer that goes with it, and the command that starts a program. */
import { join } from "node:path"
import { root } from "./pack.ts"

/** What a program may do on a runtime that asks. */
export interface Rights {
  /** Host and port of the server it talks to. */
  readonly host: string
  /** The folder it writes to; it reads from its own. */
  readonly journal: string
}

export interface Place {
  readonly name: string
  readonly installer: "npm" | "bun"
  /** Of a program in the consumer's folder, by its name without an extension. */
  readonly command: (program: string, rights: Rights) => readonly [string, ...ReadonlyArray<string>]
}

export const newestNode = join(root, "test/runtimes/node_modules/.bin/node")

const bin = (name: string) => join(root, "node_modules/.bin", name)

/** Node 20 runs what the compiler made of a program, the others the program itself. Deno installs no tarballs. */
export const places: ReadonlyArray<Place> = [
  {
    name: "this Node",
    installer: "npm",
    command: (program) => [process.execPath, `out/${program}.js`]
  },
  {
    name: "the newest Node",
    installer: "npm",
    command: (program) => [newestNode, `${program}.ts`]
  },
  {
    name: "Bun",
    installer: "bun",
    command: (program) => [bin("bun"), `${program}.ts`]
  },
  {
    name: "Deno",
    installer: "npm",
    command: (program, { host, journal }) => [
      bin("deno"),
      "run",
      "--no-prompt",
      "--allow-env",
      `--allow-net=${host}`,
      `--allow-read=.,${journal}`,
      `--allow-write=${journal}`,
      `${program}.ts`
    ]
  }
]

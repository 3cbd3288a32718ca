/** The tarballs as they would be published. */
import { execFile } from "node:child_process"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { buildCommandPackage } from "../../../scripts/support/command.ts"

export const root = resolve(import.meta.dirname, "../../..")

const execute = promisify(execFile)

/** Standard output; what the command wrote to both streams is in the message when it fails. */
export const run = async (
  cwd: string,
  command: string,
  args: ReadonlyArray<string>,
  env: NodeJS.ProcessEnv = process.env
): Promise<string> => {
  try {
    return (await execute(command, args, { cwd, env, maxBuffer: 2 ** 26 })).stdout
  } catch (error) {
    const { stdout, stderr } = Schema.decodeUnknownSync(Output)(error)
    throw new Error(`${command} ${args.join(" ")} failed\n${stdout}${stderr}`, { cause: error })
  }
}

const Output = Schema.Struct({ stdout: Schema.String, stderr: Schema.String })

const Packed = Schema.NonEmptyArray(
  Schema.Struct({
    name: Schema.String,
    version: Schema.String,
    filename: Schema.String,
    size: Schema.Number,
    unpackedSize: Schema.Number,
    files: Schema.Array(Schema.Struct({ path: Schema.String, size: Schema.Number, mode: Schema.Number }))
  })
)

export interface Tarball {
  /** Of the package. */
  readonly name: string
  readonly version: string
  readonly path: string
  /** Bytes. */
  readonly size: number
  readonly unpackedSize: number
  readonly files: ReadonlyArray<{ readonly path: string; readonly size: number; readonly mode: number }>
}

/** Builds the library and packs it into `folder`. */
export const packLibrary = async (folder: string): Promise<Tarball> => {
  await run(root, "npm", ["run", "build", "--silent"])
  return pack(folder, root)
}

/** Builds the command and packs it into `folder`. */
export const packCommand = async (folder: string): Promise<Tarball> => {
  const source = join(folder, "command")
  await Effect.runPromise(buildCommandPackage(source))
  return pack(folder, source)
}

const pack = async (folder: string, source: string): Promise<Tarball> => {
  const looks = ["--json", "--ignore-scripts", "--pack-destination", folder]
  const output = await run(source, "npm", ["pack", ...looks])
  const [packed] = Schema.decodeUnknownSync(Schema.parseJson(Packed))(output)
  return { ...packed, path: join(folder, packed.filename) }
}

/** An empty folder of its own, outside of this repository. */
export const emptyFolder = (): Promise<string> => mkdtemp(join(tmpdir(), "package-"))

export const remove = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true })

export const write = async (
  folder: string,
  files: Readonly<Record<string, string | object | Uint8Array>>
): Promise<void> => {
  for (const [name, content] of Object.entries(files)) {
    const file = join(folder, name)
    await mkdir(resolve(file, ".."), { recursive: true })
    const plain = typeof content === "string" || content instanceof Uint8Array
    await writeFile(file, plain ? content : JSON.stringify(content, null, 2))
  }
}

/** Projects that use this package as its manual says: an empty folder, an installer, and what the README shows. */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { root, run, type Tarball, write } from "./pack.ts"

const { peerDependencies }: { readonly peerDependencies: Readonly<Record<string, string>> } = JSON.parse(
  await readFile(join(root, "package.json"), "utf8")
)

/** What an application with the example of the README needs beside this package. */
export const needed = ["effect", "@effect/platform", "@effect/platform-node", "@types/node"] as const
export const allPeers = [...needed, ...Object.keys(peerDependencies)]

/** Versions are those that this repository is tested with, unless given as `name@version`. */
const manifest = async (tarball: Tarball, others: ReadonlyArray<string>) => {
  const versions = others.map(async (other) => {
    const at = other.indexOf("@", 1)
    if (at > 0) return [other.slice(0, at), other.slice(at + 1)] as const
    const { version } = JSON.parse(await readFile(join(root, "node_modules", other, "package.json"), "utf8"))
    return [other, version] as const
  })
  return {
    name: "consumer",
    private: true,
    type: "module",
    dependencies: {
      [tarball.name]: `file:${tarball.path}`,
      ...Object.fromEntries(await Promise.all(versions))
    }
  }
}

const installers = {
  npm: ["npm", "install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"],
  bun: [join(root, "node_modules/.bin/bun"), "install", "--ignore-scripts"]
} as const

export const install = async (
  folder: string,
  tarball: Tarball,
  installer: keyof typeof installers,
  others: ReadonlyArray<string> = needed
): Promise<void> => {
  await write(folder, { "package.json": await manifest(tarball, others) })
  const [command, ...args] = installers[installer]
  await run(folder, command, args)
}

/** The embedding example of the README, word for word. */
export const example = async (): Promise<string> => {
  const readme = await readFile(join(root, "README.md"), "utf8")
  const [code, ...others] = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, text]) => text)
  if (code === undefined || others.length > 0) throw new Error("the README has not exactly one example")
  return code
}

/** A program that loads each of the modules, and says how many. */
export const importsOf = (modules: ReadonlyArray<string>): string =>
  [
    ...modules.map((module, n) => `import * as M${n} from "effect-elastic-extensions/${module}"`),
    `console.log([${modules.map((_, n) => `M${n}`).join(", ")}].length)`,
    ""
  ].join("\n")

export const resolutions = ["NodeNext", "Bundler"] as const
export type Resolution = (typeof resolutions)[number]

const tsc = join(root, "node_modules/typescript/bin/tsc")

const tsconfig = (resolution: Resolution) => ({
  compilerOptions: {
    target: "ES2022",
    lib: ["ES2023"],
    module: resolution === "NodeNext" ? "NodeNext" : "ESNext",
    moduleResolution: resolution,
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: true,
    outDir: "out"
  },
  include: ["*.ts"]
})

/** Compiles the project's programs into `out`; fails with what the compiler says. */
export const compile = async (folder: string, resolution: Resolution): Promise<void> => {
  await write(folder, { "tsconfig.json": tsconfig(resolution) })
  await run(folder, process.execPath, [tsc, "-p", folder])
}

/** What the compiler has to say about this package's own declarations; the declarations of others are theirs. */
export const complaints = async (folder: string, resolution: Resolution): Promise<ReadonlyArray<string>> => {
  await write(folder, { "tsconfig.json": tsconfig(resolution) })
  const checked = [tsc, "-p", folder, "--noEmit", "--skipLibCheck", "false", "--pretty", "false"]
  const said = await run(folder, process.execPath, checked).catch(({ message }: Error) => message)
  return said
    .split("\n")
    .filter((line) => line.startsWith("node_modules/effect-elastic-extensions/") || /^[\w.]+\(/.test(line))
}

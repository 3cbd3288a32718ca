/**
 * Checks the documentation: every TypeScript block of a page and every `@example` compiles, every public export is
 * documented, every link between the pages leads somewhere.
 */
import { spawnSync } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { blocksIn } from "./support/docs/blocks.ts"
import { gapsIn } from "./support/docs/docstrings.ts"
import { brokenLinksIn } from "./support/docs/links.ts"

const root = resolve(fileURLToPath(import.meta.url), "../..")
const cache = join(root, "node_modules/.cache")

const filesBelow = (folder: string, ending: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name))

const read = (path: string): string => readFileSync(join(root, path), "utf8")

const pages = [...readdirSync(root).filter((name) => name.endsWith(".md")), ...filesBelow("docs", ".md")]
const modules = filesBelow("src", ".ts")

const blocks = [
  ...pages.flatMap((file) => blocksIn(read(file), "markdown").map((block) => ({ file, ...block }))),
  ...modules.flatMap((file) => blocksIn(read(file), "source").map((block) => ({ file, ...block })))
]

/** Compiles each block as its own module, in one project. */
const compileBlocks = (): ReadonlyArray<string> => {
  mkdirSync(cache, { recursive: true })
  const workspace = realpathSync(mkdtempSync(join(cache, "check-docs-")))
  const names = new Map(
    blocks.map((block) => {
      const name = `${block.file.replace(/\W+/g, "-")}-line-${block.line}.ts`
      writeFileSync(join(workspace, name), `${block.code}\nexport {}\n`)
      return [name, block] as const
    })
  )
  writeFileSync(
    join(workspace, "tsconfig.json"),
    JSON.stringify({
      extends: join(root, "tsconfig.json"),
      compilerOptions: {
        noUnusedLocals: false,
        noUnusedParameters: false,
        paths: {
          "effect-elastic-extensions": [join(root, "src/index.ts")],
          "effect-elastic-extensions/*": [join(root, "src/*.ts")]
        }
      },
      include: [join(workspace, "*.ts")]
    })
  )
  const { status, stdout } = spawnSync(
    process.execPath,
    [join(root, "node_modules/typescript/bin/tsc"), "-p", workspace, "--pretty", "false"],
    { encoding: "utf8", cwd: workspace }
  )
  rmSync(workspace, { recursive: true, force: true })
  const lines = stdout.split("\n").filter((line) => line !== "")
  if (status !== 0 && lines.length === 0) return ["the compiler could not be run"]
  return lines.map((line) => {
    const [, name, row] = /^([^(]+)\((\d+),/.exec(line) ?? []
    const block = name === undefined ? undefined : names.get(name)
    return block === undefined ? line : `${block.file}:${block.line + Number(row)}: ${line}`
  })
}

/** The folders that the package exports. */
const manifest: { readonly exports: object } = JSON.parse(read("package.json"))
const publicFolders = new Set(
  Object.keys(manifest.exports).flatMap((entry) => /^\.\/(\w+)\//.exec(entry)?.[1] ?? [])
)

const undocumented = [...publicFolders]
  .flatMap((folder) => readdirSync(join(root, "src", folder)).map((name) => join("src", folder, name)))
  .filter((file) => file.endsWith(".ts"))
  .flatMap((file) =>
    gapsIn(read(file)).map(
      ({ line, missing, name }) => `${file}:${line}: ${name} has no ${missing.join(", ")}`
    )
  )

const broken = pages.flatMap((file) =>
  brokenLinksIn(file, read(file), (path) =>
    existsSync(join(root, path)) ? (path.endsWith(".md") ? read(path) : "") : undefined
  ).map(({ line, target }) => `${file}:${line}: ${target} leads nowhere`)
)

if (blocks.length === 0 || publicFolders.size === 0) throw new Error("nothing was found to check")
const problems = [...compileBlocks(), ...undocumented, ...broken]
for (const problem of problems) console.error(problem)
console.log(
  `${blocks.length} TypeScript blocks in ${new Set(blocks.map(({ file }) => file)).size} files, ${modules.length} modules and ${pages.length} pages checked`
)
process.exitCode = problems.length === 0 ? 0 : 1

/** Type-checks every TypeScript block of the documentation and every `@example` of the source, each as a module. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const root = resolve(fileURLToPath(import.meta.url), "../..")
const workspace = join(root, "node_modules/.cache/check-docs")

const filesBelow = (folder: string, ending: string): ReadonlyArray<string> =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(ending))
        .map((name) => join(folder, name))
    : []

interface Block {
  readonly file: string
  readonly line: number
  readonly code: string
}

/** Fenced blocks marked `ts`; in source files, the comment's asterisks are taken off first. */
const blocksIn = (file: string): ReadonlyArray<Block> => {
  const text = readFileSync(join(root, file), "utf8")
  const plain = file.endsWith(".ts") ? text.replace(/^[ \t]*\* ?/gm, "") : text
  return [...plain.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => ({
    file,
    line: plain.slice(0, match.index).split("\n").length,
    code: match[1] ?? ""
  }))
}

const sources = ["README.md", ...filesBelow("docs", ".md"), ...filesBelow("src", ".ts")]
const blocks = sources.flatMap(blocksIn)

rmSync(workspace, { recursive: true, force: true })
mkdirSync(workspace, { recursive: true })
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
for (const line of stdout.split("\n").filter((line) => line !== "")) {
  const [, name, row] = /^([^(]+)\((\d+),/.exec(line) ?? []
  const block = name === undefined ? undefined : names.get(name)
  console.error(block === undefined ? line : `${block.file}:${block.line + Number(row)}: ${line}`)
}
if (blocks.length === 0) throw new Error("no TypeScript block was found: the search is broken")
console.log(
  `${blocks.length} TypeScript blocks in ${new Set(blocks.map(({ file }) => file)).size} files checked`
)
process.exitCode = status ?? 1

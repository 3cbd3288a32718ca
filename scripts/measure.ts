/**
 * Counts files, lines, imports and circles of `src`: `npm run measure`, or `npm run measure -- <folder>` for another tree.
 */
import { resolve } from "node:path"
import { circlesIn, crossingsIn, isPair, type Module, modulesIn } from "./support/modules.ts"

const [folder = resolve(import.meta.dirname, "../src")] = process.argv.slice(2)
const modules = modulesIn(resolve(folder))

const linesOf = ({ text }: Module): number => text.split("\n").length - 1
const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((total, number) => total + number, 0)
const count = (of: ReadonlyArray<Module>, pattern: RegExp): number =>
  sum(of.map(({ text }) => text.match(pattern)?.length ?? 0))

const median = (numbers: ReadonlyArray<number>): number => {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

const row = (name: string, of: ReadonlyArray<Module>): string => {
  const lines = of.map(linesOf)
  const total = sum(lines)
  const perThousand = (number: number) => ((1000 * number) / Math.max(1, total)).toFixed(1)
  const inner = sum(of.filter(({ path }) => path.includes("/internal/")).map(linesOf))
  const cells = [
    name,
    of.length,
    total,
    median(lines),
    Math.max(0, ...lines),
    `${Math.round((100 * inner) / Math.max(1, total))} %`,
    perThousand(count(of, /^(?:import|export) .*? from "|^\} from "/gm)),
    perThousand(count(of, /\bPick</g)),
    `${count(of, /Effect\.fn(?:Untraced)?\b/g)} : ${count(of, /=>\s*Effect\.gen\b/g)}`
  ]
  return `| ${cells.join(" | ")} |`
}

const folders = [...new Set(modules.map(({ path }) => path.split("/")[0] ?? ""))].filter(
  (name) => !name.endsWith(".ts")
)

const crossings = crossingsIn(modules)
const circles = circlesIn(modules)

const list = (lines: ReadonlyArray<string>) => lines.map((line) => `- ${line}`).join("\n")

console.log(`| folder | files | lines | median | max | in internal/ | imports per kLOC | Pick< per kLOC | Effect.fn : => Effect.gen |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
${[
  row("src", modules),
  ...folders.map((name) =>
    row(
      name,
      modules.filter(({ path }) => path.startsWith(`${name}/`))
    )
  )
].join("\n")}

Imports that enter another folder's internal/: ${crossings.length}
${list(crossings)}

Circles: ${circles.length}, of which are pairs of a module and its implementation: ${circles.filter(isPair).length}
${list(circles.map((circle) => circle.join(", ")))}`)

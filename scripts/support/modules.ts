/** The modules of a folder, and what they import from each other. */
import { readdirSync, readFileSync } from "node:fs"
import { posix } from "node:path"

export interface Module {
  /** Relative to the folder, with slashes. */
  readonly path: string
  readonly text: string
  /** Paths of the modules that it imports or re-exports, types included. */
  readonly imports: ReadonlyArray<string>
}

const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "")

const relativeImport = /\b(?:from|import)\s*\(?\s*"(\.[^"]+)"/g

/** Of the text of the module at `path`. */
export const importsIn = (path: string, text: string): ReadonlyArray<string> => [
  ...new Set(
    [...withoutComments(text).matchAll(relativeImport)].map(([, target = ""]) =>
      posix.join(posix.dirname(path), target)
    )
  )
]

export const modulesIn = (folder: string): ReadonlyArray<Module> =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => name.endsWith(".ts"))
    .sort()
    .map((path) => {
      const text = readFileSync(posix.join(folder, path), "utf8")
      return { path, text, imports: importsIn(path, text) }
    })

/** Every set of modules that reach each other: the strongly connected components of more than one (Tarjan). */
export const circlesIn = (modules: ReadonlyArray<Module>): ReadonlyArray<ReadonlyArray<string>> => {
  const imports = new Map(modules.map((module) => [module.path, module.imports]))
  const order = new Map<string, number>()
  const lowest = new Map<string, number>()
  const open: Array<string> = []
  const circles: Array<ReadonlyArray<string>> = []

  const visit = (path: string): number => {
    const index = order.size
    order.set(path, index)
    open.push(path)
    let low = index
    for (const next of imports.get(path) ?? []) {
      if (!imports.has(next)) continue
      const seen = order.get(next)
      if (seen === undefined) low = Math.min(low, visit(next))
      else if (open.includes(next)) low = Math.min(low, lowest.get(next) ?? seen)
    }
    lowest.set(path, low)
    if (low === index) {
      const circle = open.splice(open.indexOf(path))
      if (circle.length > 1) circles.push(circle.sort())
    }
    return low
  }

  for (const { path } of modules) if (!order.has(path)) visit(path)
  return circles
}

const lowerFirst = (name: string): string => `${name.charAt(0).toLowerCase()}${name.slice(1)}`

/**
 * A module that is implemented in `internal/`: `X.ts` with `internal/x.ts`, or with files of `internal/x/`. Such a pair
 * may import each other, as Effect's own packages do; no other circle is allowed.
 */
export const isPair = (circle: ReadonlyArray<string>): boolean => {
  const [owner = "", ...others] = circle.filter((path) => !path.includes("/internal/"))
  const own = posix.join(posix.dirname(owner), "internal", lowerFirst(posix.basename(owner, ".ts")))
  return (
    others.length === 0 &&
    circle.every((path) => path === owner || path === `${own}.ts` || path.startsWith(`${own}/`))
  )
}

const internalOf = (path: string): string | undefined => /^(.*)\/internal\//.exec(path)?.[1]

/** Imports that enter another folder's `internal/`. */
export const crossingsIn = (modules: ReadonlyArray<Module>): ReadonlyArray<string> =>
  modules.flatMap(({ imports, path }) =>
    imports
      .filter((target) => {
        const folder = internalOf(target)
        return folder !== undefined && !path.startsWith(`${folder}/`)
      })
      .map((target) => `${path} → ${target}`)
  )

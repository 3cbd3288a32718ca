/** Which licences are welcome. */

/** They ask for no more than their own text beside a copy. */
const permissive = new Set([
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "CC0-1.0",
  "ISC",
  "MIT",
  "Python-2.0",
  "Zlib"
])

/** Packages whose manifest names none, with where it is written. Nothing of them is published. */
const exceptions: Readonly<Record<string, string>> = {
  "combine-errors": "MIT, in its Readme"
}

export interface Part {
  /** An SPDX expression. */
  readonly license?: string | undefined
  /** Whether it is for the development only. */
  readonly dev: boolean
}

/** Of an expression with `AND` all have to be welcome, of one with `OR` one has to be. */
const isWelcome = (expression: string): boolean =>
  expression
    .replace(/[()]/g, "")
    .split(" OR ")
    .some((choice) => choice.split(" AND ").every((licence) => permissive.has(licence.trim())))

/** What is wrong with the parts of a lock file, by their paths. */
export const problemsIn = (
  parts: ReadonlyArray<readonly [path: string, part: Part]>
): ReadonlyArray<string> =>
  parts.flatMap(([path, { dev, license }]) => {
    const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length)
    if (license === undefined) {
      const isKnown = name in exceptions || name.startsWith("@effect/tsgo-")
      return dev && isKnown ? [] : [`${name} has no licence`]
    }
    return isWelcome(license) ? [] : [`${name} has the licence ${license}`]
  })

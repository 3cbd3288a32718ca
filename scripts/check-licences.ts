/**
 * Checks the licences of everything that the lock files name: what is published must be free to use, and what this repository
 * is developed with must be free to run.
 */
import { readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import * as Schema from "effect/Schema"
import { problemsIn } from "./support/licences.ts"

const root = resolve(import.meta.dirname, "..")

const Lock = Schema.parseJson(
  Schema.Struct({
    packages: Schema.Record({
      key: Schema.String,
      value: Schema.Struct({
        license: Schema.optional(Schema.String),
        dev: Schema.optionalWith(Schema.Boolean, { default: () => false }),
        link: Schema.optionalWith(Schema.Boolean, { default: () => false })
      })
    })
  })
)

const files = ["package-lock.json", "test/runtimes/package-lock.json", "scripts/site/package-lock.json"]

const checked = files.map((file) => {
  const { packages } = Schema.decodeUnknownSync(Lock)(readFileSync(join(root, file), "utf8"))
  const parts = Object.entries(packages).filter(([path, { link }]) => path.includes("node_modules/") && !link)
  return { file, count: parts.length, problems: problemsIn(parts) }
})

for (const { file, problems } of checked) for (const problem of problems) console.error(`${file}: ${problem}`)
console.log(`the licences of ${checked.reduce((sum, { count }) => sum + count, 0)} packages checked`)
process.exitCode = checked.every(({ problems }) => problems.length === 0) ? 0 : 1

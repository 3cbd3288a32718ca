/** What a package is made of, for those who watch over what they run: CycloneDX, from the lock file. */
import { readFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import * as Command from "@effect/platform/Command"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const root = resolve(import.meta.dirname, "../..")

const Ref = Schema.Struct({ "bom-ref": Schema.String, name: Schema.String, version: Schema.String })
const Component = Schema.extend(Ref, Schema.Record({ key: Schema.String, value: Schema.Unknown }))
const Sbom = Schema.Struct(
  {
    components: Schema.Array(Component),
    dependencies: Schema.Array(Schema.Struct({ ref: Schema.String, dependsOn: Schema.Array(Schema.String) })),
    metadata: Schema.Struct({ component: Component }, { key: Schema.String, value: Schema.Unknown })
  },
  { key: Schema.String, value: Schema.Unknown }
)

const Manifest = Schema.parseJson(
  Schema.Struct({
    name: Schema.String,
    version: Schema.String,
    dependencies: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.String }), {
      default: () => ({})
    })
  })
)

const manifestIn = (folder: string) =>
  Effect.flatMap(
    Effect.promise(() => readFile(join(folder, "package.json"), "utf8")),
    Schema.decode(Manifest)
  )

/** Of all that the lock file holds, npm's own account. */
const whole = Command.make("npm", "sbom", "--package-lock-only", "--sbom-format", "cyclonedx").pipe(
  Command.workingDirectory(root),
  Command.string,
  Effect.flatMap(Schema.decode(Schema.parseJson(Sbom)))
)

/** The references that can be reached from these. */
const reached = (sbom: typeof Sbom.Type, from: ReadonlyArray<string>): ReadonlySet<string> => {
  const dependsOn = new Map(sbom.dependencies.map(({ dependsOn, ref }) => [ref, dependsOn]))
  const found = new Set<string>()
  const visit = (ref: string): void => {
    if (found.has(ref)) return
    found.add(ref)
    for (const next of dependsOn.get(ref) ?? []) visit(next)
  }
  for (const ref of from) visit(ref)
  return found
}

/** The account of a package: itself, and of the whole what it consists of. */
const accountOf = (
  sbom: typeof Sbom.Type,
  { name, version }: typeof Manifest.Type,
  direct: ReadonlyArray<string>,
  parts: ReadonlySet<string>
): typeof Sbom.Type => {
  const self = `${name}@${version}`
  return {
    ...sbom,
    metadata: {
      ...sbom.metadata,
      component: {
        ...sbom.metadata.component,
        "bom-ref": self,
        name,
        purl: `pkg:npm/${self}`
      }
    },
    // What this repository only develops with may be a part of what it publishes.
    components: sbom.components
      .filter((part) => parts.has(part["bom-ref"]))
      .map((part) => ({ ...part, scope: "required", properties: [] })),
    dependencies: [
      { ref: self, dependsOn: direct },
      ...sbom.dependencies
        .filter(({ ref }) => parts.has(ref))
        .map(({ dependsOn, ref }) => ({ ref, dependsOn: dependsOn.filter((each) => parts.has(each)) }))
    ]
  }
}

/** Of the library: its dependencies and theirs. Peers are the application's own. */
export const sbomOfLibrary = Effect.gen(function* () {
  const sbom = yield* whole
  const manifest = yield* manifestIn(root)
  const direct = Object.entries(manifest.dependencies).map(([name, version]) => `${name}@${version}`)
  return accountOf(sbom, manifest, direct, reached(sbom, direct))
})

/** Of the command in this folder: the packages in its program, by the folders that they came from. */
export const sbomOfCommand = (folder: string, bundled: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const sbom = yield* whole
    const parts = yield* Effect.forEach(bundled, manifestIn)
    const refs = parts.map(({ name, version }) => `${name}@${version}`)
    return accountOf(sbom, yield* manifestIn(folder), refs, new Set(refs))
  })

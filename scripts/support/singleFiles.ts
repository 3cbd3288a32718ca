/** The command as a program that needs no Node: a single file for each platform, compiled by Bun with a Bun of that platform. */
import { join, resolve } from "node:path"
import * as Command from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { commandName } from "../../src/cli/Project.ts"

const root = resolve(import.meta.dirname, "../..")

/** The Bun of another platform could not be had, or is not the one that the lock file names. */
export class BunUnavailable extends Schema.TaggedError<BunUnavailable>()("BunUnavailable", {
  package: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.package} cannot be used: ${this.problem}`
  }
}

/** The platforms, by the names of the files. */
export const platforms = {
  "linux-x64": { bun: "linux-x64", target: "bun-linux-x64" },
  "linux-arm64": { bun: "linux-aarch64", target: "bun-linux-arm64" },
  "linux-x64-musl": { bun: "linux-x64-musl", target: "bun-linux-x64-musl" },
  "linux-arm64-musl": { bun: "linux-aarch64-musl", target: "bun-linux-arm64-musl" },
  "macos-x64": { bun: "darwin-x64", target: "bun-darwin-x64" },
  "macos-arm64": { bun: "darwin-aarch64", target: "bun-darwin-arm64" },
  "windows-x64": { bun: "windows-x64", target: "bun-windows-x64" }
} as const

export type Platform = keyof typeof platforms

export const platformNames = Object.keys(platforms).filter((name): name is Platform => name in platforms)

const isWindows = (platform: Platform): boolean => platform.startsWith("windows")

export const fileNameOf = (platform: Platform): string =>
  `${commandName}-${platform}${isWindows(platform) ? ".exe" : ""}`

const Lock = Schema.parseJson(
  Schema.Struct({
    packages: Schema.Record({
      key: Schema.String,
      value: Schema.Struct({
        version: Schema.optional(Schema.String),
        integrity: Schema.optional(Schema.String)
      })
    })
  })
)

const Packed = Schema.parseJson(
  Schema.NonEmptyArray(Schema.Struct({ filename: Schema.String, integrity: Schema.String }))
)

/** Fetches the Bun of a platform from the registry into `folder`; returns its path. The lock file says which one it has to be. */
const fetchBun = Effect.fnUntraced(function* (platform: Platform, folder: string) {
  const fs = yield* FileSystem.FileSystem
  const name = `@oven/bun-${platforms[platform].bun}`
  const lock = yield* Effect.flatMap(fs.readFileString(join(root, "package-lock.json")), Schema.decode(Lock))
  const { integrity, version } = lock.packages[`node_modules/${name}`] ?? {}
  if (version === undefined || integrity === undefined)
    return yield* new BunUnavailable({ package: name, problem: "the lock file does not name it" })
  const place = join(folder, platform)
  yield* fs.makeDirectory(place, { recursive: true })
  const said = yield* Command.string(
    Command.make(
      "npm",
      "pack",
      `${name}@${version}`,
      "--json",
      "--ignore-scripts",
      "--pack-destination",
      place
    )
  )
  const [packed] = yield* Effect.mapError(
    Schema.decode(Packed)(said),
    () => new BunUnavailable({ package: name, problem: "the registry does not give it" })
  )
  if (packed.integrity !== integrity)
    return yield* new BunUnavailable({ package: name, problem: "its content is not what the lock file says" })
  yield* Command.exitCode(Command.make("tar", "-xzf", join(place, packed.filename), "-C", place)).pipe(
    Effect.filterOrFail(
      (code) => code === 0,
      () => new BunUnavailable({ package: name, problem: "it cannot be unpacked" })
    )
  )
  return join(place, "package/bin", isWindows(platform) ? "bun.exe" : "bun")
})

/** The Bun that is installed here, which compiles for its own platform as it is. */
const bun = join(root, "node_modules/.bin/bun")

/**
 * Compiles `program` for a platform into `outfile`. Settings of the folder in which it is started are not read: a key must
 * not come from a file that somebody else has put there.
 */
export const compileSingleFile = (program: string, platform: Platform, outfile: string, isThisOne = false) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "single-file-" })
    const from = isThisOne ? [] : [`--compile-executable-path=${yield* fetchBun(platform, folder)}`]
    // What is native and optional stays outside: the command says what to do without it.
    const flags = [
      "--no-compile-autoload-dotenv",
      "--no-compile-autoload-bunfig",
      "--external=@libsql/client",
      `--outfile=${outfile}`
    ]
    const said = yield* Command.make(
      ...([
        bun,
        "build",
        "--compile",
        `--target=${platforms[platform].target}`,
        ...from,
        ...flags,
        program
      ] as const)
    ).pipe(Command.workingDirectory(folder), Command.stderr("inherit"), Command.exitCode)
    if (said !== 0)
      return yield* new BunUnavailable({ package: platform, problem: "it does not compile the command" })
  }).pipe(Effect.scoped)

/** What scenes run on: two stand-ins, one of which can resume, a shell, and the output so far. */
import { join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { LocalElasticCloud } from "../../../src/index.ts"
import { makeArchive, noise } from "./archives.ts"
import { type Environment, makeShell, type Shell } from "./shell.ts"
import { stable } from "./stable.ts"

type Cloud = LocalElasticCloud.LocalElasticCloudService

export interface Stage {
  /** Like the service today. */
  readonly cloud: Cloud
  /** Like a gateway that implements the resumable-upload draft. */
  readonly gateway: Cloud
  readonly shell: Shell
  /** Runs command lines in turn; returns what a terminal would show. */
  readonly play: (...lines: ReadonlyArray<Line>) => Effect.Effect<string>
}

/** A command line, or one with its own conditions. `$ID` is the first extension that was created. */
export type Line =
  | string
  | {
      readonly line: string
      readonly env?: Environment
      readonly before?: (kill: (signal: NodeJS.Signals) => void) => Effect.Effect<void>
    }

/** Shown instead of the ids that the stand-in generates, in order. */
const shownIds = ["4711081547", "1618033988", "2718281828"]

const prepareArchives = (folder: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    yield* fs.makeDirectory(join(folder, "dist"), { recursive: true })
    const path = (name: string) => join(folder, "dist", name)
    const descriptor = (version: string) =>
      [
        "description=Analysis for Acme",
        "version=2.1.0",
        "name=analysis-acme",
        "classname=com.acme.AnalysisPlugin",
        "java.version=21",
        `elasticsearch.version=${version}`,
        ""
      ].join("\n")
    yield* makeArchive(path("words.zip"), { "hunspell/en_US/en_US.dic": noise(550_000, 1) })
    yield* makeArchive(path("words-2.zip"), { "hunspell/en_US/en_US.dic": noise(600_000, 2) })
    yield* makeArchive(path("acme.zip"), {
      "plugin-descriptor.properties": descriptor("8.17.0"),
      "analysis-acme-2.1.0.jar": noise(40_000, 3)
    })
    yield* makeArchive(path("broken.zip"), {
      "acme/plugin-descriptor.properties": descriptor("8.*"),
      "acme/analysis-acme-2.1.0.jar": noise(40_000, 4)
    })
  })

/** Starts the stand-ins and the shell, for as long as the scope lives. */
export const makeStage: Effect.Effect<Stage, unknown, FileSystem.FileSystem | Scope.Scope> = Effect.gen(
  function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "transcripts-" })
    const cloud = yield* LocalElasticCloud.make()
    const gateway = yield* LocalElasticCloud.make({ resumable: { progressEveryBytes: 50_000 } })
    const shell = yield* makeShell(folder, {
      EC_API_KEY: "local-key",
      EC_ENDPOINT: cloud.url,
      EC_UPLOAD_JOURNAL: ".uploads",
      EC_UPLOAD_RETRY_BASE_DELAY: "20 millis",
      EC_UPLOAD_RECONCILE_WINDOW: "60 millis"
    })
    yield* prepareArchives(join(folder, "work"))
    const seeded = new Set<string>()
    const seeds = [
      { id: "882519870", name: "hunspell-en-us", extension_type: "bundle", version: "*" },
      {
        id: "882519871",
        name: "analysis-acme",
        extension_type: "plugin",
        version: "8.17.0",
        deployments: ["0f1c2d3e4b5a69788796a5b4c3d2e1f0"]
      }
    ] as const
    for (const each of [cloud, gateway]) for (const seed of seeds) seeded.add((yield* each.seed(seed)).id)

    /** The generated ids in order of creation, deleted ones included, with those to show instead. */
    const ids = new Map<string, string>()
    const learnIds = Effect.map(cloud.extensions, (extensions) => {
      for (const { id } of extensions)
        if (!seeded.has(id) && !ids.has(id)) ids.set(id, shownIds[ids.size] ?? id)
    })

    const playOne = ({ before, env = {}, line }: Exclude<Line, string>) =>
      Effect.gen(function* () {
        const [id = ""] = ids.keys()
        const command = line.replaceAll("$ID", id)
        let kill: (signal: NodeJS.Signals) => void = () => {}
        if (before !== undefined) yield* before((signal) => kill(signal))
        const { code, output } = yield* shell.run(command, {
          env,
          onStart: (killer) => {
            kill = killer
          }
        })
        yield* learnIds
        const exit = code === 0 ? "" : `$ echo $?\n${code}\n`
        return stable(`$ ${command}\n${output}${exit}`, ids)
      })

    return {
      cloud,
      gateway,
      shell,
      play: (...lines) =>
        Effect.map(
          Effect.forEach(lines, (line) => playOne(typeof line === "string" ? { line } : line)),
          (parts) => `\`\`\`console\n${parts.join("\n")}\`\`\``
        )
    }
  }
)

/** Who uploads: a name, the server it speaks to, and the commands of one upload from start to exit. */
import { join, resolve } from "node:path"
import * as Command from "@effect/platform/Command"
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import { buildSync } from "esbuild"
import { bundleCommand } from "../support/command.ts"
import type { ArchiveOnDisk } from "./archives.ts"

/** One job for a contender. */
export interface Job {
  readonly url: string
  readonly archive: ArchiveOnDisk
  /** How many times the archive is uploaded, all at once and by one process. */
  readonly uploads: number
  /** An empty folder for any use. */
  readonly folder: string
}

export interface Contender {
  readonly name: string
  readonly server: "sink" | "tus"
  readonly commands: (job: Job) => Arr.NonEmptyReadonlyArray<Command.Command>
}

const root = resolve(import.meta.dirname, "../..")
const programFolder = resolve(import.meta.dirname, "programs")
const programs = [
  "nodeHttp",
  "fetchHttpClient",
  "nodeHttpClient",
  "undiciHttpClient",
  "tus",
  "uploadHttpClient",
  "uploadArchive"
] as const

type Program = (typeof programs)[number]

/** Some bundled packages are CommonJS and call `require`. */
const requireBanner =
  'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);'

/** Every program as one file, as a command would be published. */
const bundle = (outdir: string) =>
  Effect.sync(() => {
    buildSync({
      entryPoints: programs.map((program) => join(programFolder, `${program}.ts`)),
      outdir,
      bundle: true,
      minify: true,
      platform: "node",
      target: "node20",
      format: "esm",
      outExtension: { ".js": ".mjs" },
      banner: { js: requireBanner },
      logLevel: "error"
    })
    return (program: Program) => join(outdir, `${program}.mjs`)
  })

const extensionUrl = ({ url }: Job) => `${url}/api/v1/deployments/extensions/benchmark`

const curl = (job: Job) =>
  Command.make("curl", "-sS", "--fail", "--noproxy", "*", "-T", job.archive.path, extensionUrl(job))

const sha256 = ({ archive }: Job) => Command.make("openssl", "dgst", "-sha256", archive.path)

/** Where the library and its command read their settings. */
const configured = ({ folder, url }: Job) =>
  Command.env({
    EC_ENDPOINT: url,
    EC_API_KEY: "benchmark",
    EC_UPLOAD_JOURNAL: join(folder, "journal"),
    EC_UPLOAD_VERIFICATION: "response",
    EC_UPLOAD_ALLOW: "over-direct-upload-limit",
    DENO_NO_UPDATE_CHECK: "1"
  })

/** A script of one `ExtensionUpload.upload`. */
const library =
  (...runtime: Arr.NonEmptyReadonlyArray<string>) =>
  (job: Job) => {
    const [executable, ...args] = runtime
    return Command.make(executable, ...args, job.archive.path, String(job.uploads)).pipe(
      configured(job),
      Command.workingDirectory(root)
    )
  }

const command = (bin: string) => (job: Job) =>
  Command.make(process.execPath, bin, "upload", "benchmark", job.archive.path).pipe(configured(job))

export interface Contenders {
  readonly curl: Contender
  /** The reference for the library: it also reads the archive twice, once to hash it. */
  readonly opensslAndCurl: Contender
  readonly nodeHttp: Contender
  readonly fetch: Contender
  readonly nodeHttpClient: Contender
  readonly undici: Contender
  readonly tus: Contender
  readonly transport: Contender
  readonly command: Contender
  readonly library: Contender
  readonly libraryUnbuilt: Contender
  readonly libraryOnBun: Contender
  readonly libraryOnDeno: Contender
}

const toSink = (name: string, ...commands: Arr.NonEmptyReadonlyArray<(job: Job) => Command.Command>) => {
  const [first, ...others] = commands
  const contender: Contender = {
    name,
    server: "sink",
    commands: (job) => [first(job), ...others.map((command) => command(job))]
  }
  return contender
}

/** Bundles the programs into `folder`, which also is the only one that Deno may read or write. */
export const makeContenders = (folder: string) =>
  Effect.gen(function* () {
    const bundled = yield* bundle(folder)
    const bundledCommand = join(folder, "command.mjs")
    yield* bundleCommand(bundledCommand)
    const onNode = (program: Program) => (job: Job) =>
      Command.make(process.execPath, bundled(program), extensionUrl(job), job.archive.path)
    const bin = (name: string) => join(root, "node_modules/.bin", name)
    const uploadArchive = bundled("uploadArchive")
    const denoRights = [
      "--no-prompt",
      "--allow-net=127.0.0.1",
      "--allow-env",
      "--allow-sys",
      `--allow-read=${folder}`,
      `--allow-write=${folder}`
    ]
    const contenders: Contenders = {
      curl: toSink("curl -T", curl),
      opensslAndCurl: toSink("openssl dgst -sha256 && curl -T", sha256, curl),
      nodeHttp: toSink("bare node:http", onNode("nodeHttp")),
      fetch: toSink("FetchHttpClient.layer", onNode("fetchHttpClient")),
      nodeHttpClient: toSink("NodeHttpClient.layer", onNode("nodeHttpClient")),
      undici: toSink("NodeHttpClient.layerUndici", onNode("undiciHttpClient")),
      tus: {
        name: "tus-js-client to @tus/server",
        server: "tus",
        commands: ({ archive, url }) => [
          Command.make(process.execPath, bundled("tus"), `${url}/files`, archive.path)
        ]
      },
      transport: toSink("UploadHttpClient alone", onNode("uploadHttpClient")),
      command: toSink("this library's command", command(bundledCommand)),
      library: toSink("this library in a script", library(process.execPath, uploadArchive)),
      libraryUnbuilt: toSink(
        "this library in a script, with tsx",
        library(process.execPath, "--import", "tsx", join(programFolder, "uploadArchive.ts"))
      ),
      libraryOnBun: toSink("this library on Bun", library(bin("bun"), uploadArchive)),
      libraryOnDeno: toSink("this library on Deno", library(bin("deno"), "run", ...denoRights, uploadArchive))
    }
    return contenders
  })

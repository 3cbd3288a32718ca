/** Who uploads: a name, the server it speaks to, and the commands of one upload from start to exit. */
import { writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import * as Command from "@effect/platform/Command"
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { buildSync } from "esbuild"
import { commandName } from "../../src/cli/Project.ts"
import { bundleCommand, bundleLauncher } from "../support/command.ts"
import type { ArchiveOnDisk } from "./archives.ts"

/** One job for a contender. */
export interface Job {
  readonly url: string
  readonly archive: ArchiveOnDisk
  /** How many times the archive is uploaded, all at once and by one process. */
  readonly uploads: number
  /** An empty folder for any use. */
  readonly folder: string
  /** The file of an authority to trust. */
  readonly authority: Option.Option<string>
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

/** Without `Expect`, which would let it wait for the server first. */
const curl = (job: Job) =>
  Command.make(
    "curl",
    ...["-sS", "--fail", "--noproxy", "*", "-H", "Expect:"],
    ...Option.match(job.authority, { onNone: () => [], onSome: (file) => ["--cacert", file] }),
    ...["-T", job.archive.path, extensionUrl(job)]
  )

/** As many uploads as are wanted, each by a process of its own, 64 at a time. */
const curls = ({ archive, uploads, url }: Job) =>
  Command.make(
    "sh",
    "-c",
    `seq 1 "$1" | xargs -P 64 -I N curl -sS --fail --noproxy '*' -H Expect: -o /dev/null -T "$2" "$3/api/v1/deployments/extensions/benchmark-N"`,
    "sh",
    ...[String(uploads), archive.path, url]
  )

const sha256 = ({ archive }: Job) => Command.make("openssl", "dgst", "-sha256", archive.path)

/** Where the library and its command read their settings. */
const configured = ({ authority, folder, url }: Job) =>
  Command.env({
    ...Option.match(authority, {
      onNone: () => ({}),
      onSome: (file) => ({ NODE_EXTRA_CA_CERTS: file, DENO_CERT: file })
    }),
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

const command =
  (bin: string, ...runtime: Arr.NonEmptyReadonlyArray<string>) =>
  (job: Job) => {
    const [executable, ...args] = runtime
    return Command.make(executable, ...args, bin, "upload", "benchmark", job.archive.path).pipe(
      configured(job)
    )
  }

/** The newest Node, which `npm ci --prefix test/runtimes` installs. */
export const newestNode = resolve(root, "test/runtimes/node_modules/.bin/node")

export interface Contenders {
  readonly curl: Contender
  readonly curls: Contender
  /** The reference for the library: it also reads the archive twice, once to hash it. */
  readonly opensslAndCurl: Contender
  readonly nodeHttp: Contender
  readonly fetch: Contender
  readonly nodeHttpClient: Contender
  readonly undici: Contender
  readonly tus: Contender
  readonly transport: Contender
  /** On the Node that runs the benchmark. */
  readonly command: Contender
  readonly commandOnNewestNode: Contender
  readonly commandOnBun: Contender
  readonly commandOnDeno: Contender
  readonly library: Contender
  readonly libraryUnbuilt: Contender
  /** 64 uploads at a time. */
  readonly libraryBy64: Contender
  readonly libraryOnNewestNode: Contender
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
    const launcher = join(folder, "launcher.js")
    yield* Effect.promise(() => writeFile(join(folder, "package.json"), '{ "type": "module" }'))
    yield* bundleCommand(join(folder, `${commandName}.js`))
    yield* bundleLauncher(launcher)
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
    const deno = [bin("deno"), "run", ...denoRights] as const
    const contenders: Contenders = {
      curl: toSink("curl -T", curl),
      curls: toSink("64 × curl -T", curls),
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
      command: toSink("this library's command", command(launcher, process.execPath)),
      commandOnNewestNode: toSink("this library's command, newest Node", command(launcher, newestNode)),
      commandOnBun: toSink("this library's command on Bun", command(launcher, bin("bun"))),
      commandOnDeno: toSink("this library's command on Deno", command(launcher, ...deno)),
      library: toSink("this library in a script", library(process.execPath, uploadArchive)),
      libraryUnbuilt: toSink(
        "this library in a script, with tsx",
        library(process.execPath, "--import", "tsx", join(programFolder, "uploadArchive.ts"))
      ),
      libraryBy64: toSink("this library in a script, 64 at a time", (job) =>
        Command.env(library(process.execPath, uploadArchive)(job), { CONCURRENCY: "64" })
      ),
      libraryOnNewestNode: toSink("this library on the newest Node", library(newestNode, uploadArchive)),
      libraryOnBun: toSink("this library on Bun", library(bin("bun"), uploadArchive)),
      libraryOnDeno: toSink("this library on Deno", library(...deno, uploadArchive))
    }
    return { contenders, launcher, deno }
  })

/**
 * Measures how an archive gets into an object store, beside other programs that do it:
 * `npm run bench:staging [-- --quick] [--write]`. Needs a store (`scripts/staging/debian.sh`, or `S3_ENDPOINT`); `rclone` is
 * measured where it is installed. `--write` puts the table into `docs/staging.md`.
 */
import { join, resolve } from "node:path"
import * as CliCommand from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Command from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Arr from "effect/Array"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as ObjectServer from "../test/support/s3/objectServer.ts"
import * as Archives from "./bench/archives.ts"
import { medians } from "./bench/contest.ts"
import { describeMachine } from "./bench/document.ts"
import { cell, formatMemory, formatRatio, formatSeconds, markdownTable } from "./bench/format.ts"
import { measure, type Usage } from "./bench/usage.ts"
import { serveFile } from "./bench-staging/fileServer.ts"
import { fillMarks } from "./support/docs/marks.ts"
import { bundleProgram } from "./support/program.ts"

interface Contender {
  readonly name: string
  /** Whether it knows the SHA-256 of the whole archive in the end, as the proof of what the service stores needs. */
  readonly digest: boolean
  readonly commands: Arr.NonEmptyReadonlyArray<Command.Command>
}

class StoredWrong extends Schema.TaggedError<StoredWrong>()("StoredWrong", {
  expected: Schema.Number,
  stored: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `the store holds objects of ${this.stored.join(", ") || "nothing"}, not one of ${this.expected} bytes`
  }
}

const folderOf = (name: string) => resolve(import.meta.dirname, "bench-staging", name)

/** The reference, and the one to compare with: the digest is part of the work. */
const sdk = "openssl dgst -sha256 && @aws-sdk/lib-storage"

const makeContenders = (folder: string, archive: string, address: string) =>
  Effect.gen(function* () {
    const server = yield* ObjectServer.ObjectServer
    const bundled = (source: string) =>
      Effect.as(
        Effect.promise(() =>
          bundleProgram(folderOf(source), join(folder, `${source}.mjs`), { minify: true })
        ),
        join(folder, `${source}.mjs`)
      )
    const [library, sdkUpload] = [yield* bundled("stageArchive.ts"), yield* bundled("sdkUpload.mjs")]
    const secret = Redacted.value(server.owner.secretAccessKey)
    const variables = Command.env({
      AWS_ACCESS_KEY_ID: server.owner.accessKeyId,
      AWS_SECRET_ACCESS_KEY: secret,
      AWS_REGION: server.region,
      AWS_ENDPOINT_URL_S3: server.endpoint,
      EC_UPLOAD_STAGE: `s3://${server.bucket}`,
      RCLONE_CONFIG_STORE_TYPE: "s3",
      RCLONE_CONFIG_STORE_PROVIDER: "Ceph",
      RCLONE_CONFIG_STORE_ENV_AUTH: "true",
      RCLONE_CONFIG_STORE_ENDPOINT: server.endpoint,
      RCLONE_CONFIG: "/notfound"
    })
    const viaSdk = variables(Command.make(process.execPath, sdkUpload, archive, server.bucket, "archive.zip"))
    const contenders: ReadonlyArray<Contender> = [
      {
        name: "this library",
        digest: true,
        commands: [variables(Command.make(process.execPath, library, archive))]
      },
      {
        name: "this library, from an address",
        digest: true,
        commands: [variables(Command.make(process.execPath, library, address))]
      },
      { name: sdk, digest: true, commands: [Command.make("openssl", "dgst", "-sha256", archive), viaSdk] },
      { name: "@aws-sdk/lib-storage", digest: false, commands: [viaSdk] },
      {
        name: "rclone copyto",
        digest: false,
        commands: [
          variables(
            Command.make(
              // It cannot have both a transport of its own and this variable.
              ...(["env", "-u", "AWS_CA_BUNDLE", "rclone", "copyto"] as const),
              ...[archive, `store:${server.bucket}/archive.zip`],
              ...["--s3-chunk-size", "8Mi", "--s3-upload-concurrency", "4", "--s3-no-check-bucket"]
            )
          )
        ]
      }
    ]
    return contenders
  })

/** The store holds the archive and nothing else; afterwards it is empty, so that the next one finds what this one found. */
const runOnce = (contender: Contender, size: number) =>
  Effect.gen(function* () {
    const server = yield* ObjectServer.ObjectServer
    const usage = yield* measure(contender.commands)
    const { body } = yield* ObjectServer.ask(server, { method: "GET", path: "?list-type=2" })
    const stored = ObjectServer.elements(body, "Size")
    if (stored.join() !== String(size)) return yield* new StoredWrong({ expected: size, stored })
    return usage
  }).pipe(
    Effect.ensuring(Effect.flatMap(ObjectServer.ObjectServer, ObjectServer.empty)),
    Effect.tapBoth({
      onFailure: ({ message }) => Console.error(`  ${contender.name}: ${message}`),
      onSuccess: ({ wallMillis }) => Console.error(`  ${contender.name}: ${Math.round(wallMillis)} ms`)
    }),
    Effect.either
  )

/** Every contender runs once a round, in alternating order, so that none always runs first. */
const contest = (contenders: ReadonlyArray<Contender>, size: number, runs: number) =>
  Effect.gen(function* () {
    const rounds = yield* Effect.forEach(Arr.range(1, runs), (round) => {
      const indexed = contenders.map((contender, index) => ({ contender, index }))
      return Effect.forEach(round % 2 === 1 ? indexed : indexed.reverse(), ({ contender, index }) =>
        Effect.map(runOnce(contender, size), (run) => ({ index, run }))
      )
    })
    return contenders.map((contender, index) => ({
      contender,
      outcome: Either.all(rounds.flat().flatMap((each) => (each.index === index ? [each.run] : []))).pipe(
        Either.mapLeft(({ message }) => message.split("\n", 1).join()),
        Either.filterOrLeft(Arr.isNonEmptyArray, () => "it was not run"),
        Either.map((usages: Arr.NonEmptyArray<Usage>) => medians(usages))
      )
    }))
  })

type Result = Effect.Effect.Success<ReturnType<typeof contest>>[number]

const table = (results: ReadonlyArray<Result>): string => {
  const against = Either.getOrUndefined(
    results.find(({ contender }) => contender.name === sdk)?.outcome ?? Either.left("")
  )
  return markdownTable(
    ["", "SHA-256 of the whole", "wall", "ratio", "processor", "peak memory"],
    results.map(({ contender: { digest, name }, outcome }) =>
      Either.match(outcome, {
        onLeft: (reason) => [`\`${name}\``, digest ? "yes" : "no", reason, "–", "–", "–"],
        onRight: ({ cpuMillis, peakBytes, wallMillis }) => [
          `\`${name}\``,
          digest ? "yes" : "no",
          formatSeconds(wallMillis),
          against === undefined ? "–" : formatRatio(wallMillis / against.wallMillis),
          cell(cpuMillis, formatSeconds),
          cell(peakBytes, formatMemory)
        ]
      })
    )
  )
}

const options = {
  quick: Options.boolean("quick").pipe(Options.withDescription("64 MiB and one run: good for a look.")),
  runs: Options.integer("runs").pipe(Options.withSchema(Schema.Positive), Options.withDefault(3)),
  write: Options.boolean("write").pipe(Options.withDescription("Put the table into docs/staging.md."))
}

const bench = CliCommand.make("bench-staging", options, ({ quick, runs: wanted, write }) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "bench-staging-" })
    const plan = { size: (quick ? 64 : 1024) * 1024 ** 2, runs: quick ? 1 : wanted }
    const archive = yield* Archives.make(folder, plan.size)
    yield* Console.error("warming up")
    const small = yield* Archives.make(folder, 16 * 1024 ** 2)
    const contendersFor = ({ path, size }: Archives.ArchiveOnDisk) =>
      Effect.flatMap(serveFile(path, size), (address) => makeContenders(folder, path, address))
    yield* contest(yield* contendersFor(small), small.size, 1)
    yield* Console.error("measuring")
    const results = yield* contest(yield* contendersFor(archive), archive.size, plan.runs)
    const figures = `${describeMachine(plan)}\n\n${table(results)}`
    yield* Console.log(figures)
    if (write) yield* fillMarks("docs/staging.md", [["staging", figures]])
  }).pipe(Effect.scoped, Effect.provide(ObjectServer.layer))
)

CliCommand.run(bench, { name: "bench-staging", version: "0.1.0" })(process.argv).pipe(
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain()
)

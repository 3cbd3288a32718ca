/** What the doctor says of servers, keys, clocks, lines and journals that are well, and of those that are not. */
import { hostname } from "node:os"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Chunk, ConfigProvider, Effect, Layer, Option, Stream } from "effect"
import { diagnosis } from "../../../src/cli/internal/doctor/diagnosis.ts"
import type { Finding } from "../../../src/cli/internal/doctor/finding.ts"
import { journalId, prepare } from "../../../src/journal/JournalRecord.ts"
import * as UploadJournal from "../../../src/journal/UploadJournal.ts"
import * as Fault from "../../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../../src/testing/LocalElasticCloud.ts"
import * as UploadHttpClient from "../../../src/transfer/UploadHttpClient.ts"
import { objects, run, spawned } from "../../support/cli/program.ts"
import { authority } from "../../support/transfer/authority.ts"
import { seed } from "../../support/upload/world.ts"

const Transport = UploadHttpClient.layer({ continueTimeout: "200 millis", connectTimeout: "5 seconds" })

const journalFolder = Effect.flatMap(FileSystem.FileSystem, (fs) =>
  fs.makeTempDirectoryScoped({ prefix: "journal-" })
)

/** The findings with the environment given, and no other. */
const diagnose = (environment: Readonly<Record<string, string>>) =>
  Effect.map(Stream.runCollect(diagnosis), Chunk.toReadonlyArray).pipe(
    Effect.provide(Transport),
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(environment))))
  )

/** The environment of somebody who has set everything right. */
const environment = Effect.gen(function* () {
  const { url } = yield* LocalElasticCloud.LocalElasticCloud
  return { EC_API_KEY: "local-key", EC_ENDPOINT: url, EC_UPLOAD_JOURNAL: yield* journalFolder }
})

const examine = (changes: Readonly<Record<string, string>> = {}) =>
  Effect.flatMap(environment, (right) => diagnose({ ...right, ...changes }))

const verdicts = (findings: ReadonlyArray<Finding>) =>
  findings.map(({ check, verdict }) => `${check} ${verdict}`)

const named = (findings: ReadonlyArray<Finding>, check: string) =>
  findings.filter((finding) => finding.check === check)

const remedies = (findings: ReadonlyArray<Finding>, check: string) =>
  named(findings, check).flatMap(({ remedy }) => Option.toArray(remedy))

const at = (options?: LocalElasticCloud.LocalElasticCloudOptions) =>
  LocalElasticCloud.layer(options).pipe(Layer.provideMerge(NodeContext.layer), Layer.orDie)

describe("a diagnosis", () => {
  it.scopedLive("finds everything well where a server can resume", () =>
    Effect.gen(function* () {
      yield* seed()
      const findings = yield* examine()
      expect(verdicts(findings)).toEqual([
        "runtime ok",
        "settings ok",
        "proxy ok",
        "connection ok",
        "clock ok",
        "key ok",
        "user ok",
        "resumption ok",
        "expect ok",
        "journal ok",
        "pending ok"
      ])
      expect(named(findings, "key")[0]?.says).toBe("accepted; it sees 1 extension")
      expect(named(findings, "resumption")[0]?.says).toBe(
        "the server announces resumption to interop version 10 (archives up to 5.0 kB); no 104 response was seen"
      )
    }).pipe(Effect.provide(at({ resumable: { limits: { maxSize: 5000 } } })))
  )

  it.scopedLive("sends no byte of any body, changes nothing, and knocks without its key", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const id = yield* seed()
      const before = yield* cloud.extensions
      yield* examine()
      yield* cloud.settled
      const requests = yield* cloud.requests
      expect(yield* cloud.extensions).toEqual(before)
      expect(requests.filter(({ bodyBytes }) => bodyBytes > 0)).toEqual([])
      expect(requests.map(({ headers }) => "authorization" in headers)).toEqual([
        false,
        ...requests.slice(1).map(() => true)
      ])
      const written = requests.filter(({ method }) => method !== "GET" && method !== "OPTIONS")
      expect(written.map(({ method, status }) => `${method} ${status}`)).toEqual(["PUT 404", "PUT 404"])
      expect(written.filter(({ path }) => path.includes(id))).toEqual([])
      expect(yield* cloud.uploads).toEqual([])
    }).pipe(Effect.provide(at({ resumable: {} })))
  )

  it.scopedLive("warns where a broken upload begins again, and fails where resumption is required", () =>
    Effect.gen(function* () {
      yield* seed()
      expect(named(yield* examine(), "resumption")[0]).toMatchObject({ verdict: "warning" })
      expect(named(yield* examine({ EC_UPLOAD_RESUMABLE: "required" }), "resumption")[0]).toMatchObject({
        verdict: "problem",
        failure: { value: { _tag: "ResumptionUnsupported" } },
        remedy: { value: "Set EC_UPLOAD_RESUMABLE to auto." }
      })
    }).pipe(Effect.provide(at()))
  )
})

describe("resumption", () => {
  const offer = { status: 104, reason: "Upload Resumption Supported" }

  it.scopedLive("is told by what came through, besides what is announced", () =>
    Effect.gen(function* () {
      yield* seed()
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      yield* cloud.plan({ method: "PUT", fault: Fault.delay(0, "arrival") })
      yield* cloud.plan({ method: "PUT", fault: Fault.interim("arrival", offer) })
      const [finding] = named(yield* examine(), "resumption")
      expect(finding).toMatchObject({ verdict: "ok" })
      expect(finding?.says).toMatch(/^the server announces resumption .*; a 104 response came through$/)
      expect(yield* cloud.uploads).toEqual([])
    }).pipe(Effect.provide(at({ resumable: {} })))
  )

  it.scopedLive("is not doubted where nothing is announced, but a 104 came through", () =>
    Effect.gen(function* () {
      yield* seed()
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      yield* cloud.plan({ method: "PUT", fault: Fault.delay(0, "arrival") })
      yield* cloud.plan({ method: "PUT", fault: Fault.interim("arrival", offer) })
      expect(named(yield* examine(), "resumption")).toMatchObject([
        { verdict: "ok", says: "the server offers resumption: a 104 response came through" }
      ])
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("is asked for in every interop version, from the newest down", () =>
    Effect.gen(function* () {
      yield* seed()
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      yield* cloud.plan({ method: "OPTIONS", times: 2, fault: Fault.answer({ status: 204 }) })
      const [finding] = named(yield* examine(), "resumption")
      expect(finding?.says).toContain("announces resumption to interop version 8")
      const asked = (yield* cloud.requests)
        .filter(({ method }) => method === "OPTIONS")
        .map(({ headers }) => headers["upload-draft-interop-version"])
      expect(asked).toEqual(["10", "9", "8"])
    }).pipe(Effect.provide(at({ resumable: {} })))
  )
})

describe("variables", () => {
  it.scopedLive("that do not exist are named, with the one that was probably meant", () =>
    Effect.gen(function* () {
      const findings = yield* examine({
        EC_UPLOAD_RETIRES: "3",
        EC_UPLOAD_SECRET_SAUCE: "hush",
        EC_UPLOAD_VERIFICATION: ""
      })
      expect(named(findings, "variable").map(({ says, verdict }) => [verdict, says])).toEqual([
        ["warning", "EC_UPLOAD_RETIRES is set, but there is no such variable"],
        ["warning", "EC_UPLOAD_SECRET_SAUCE is set, but there is no such variable"]
      ])
      expect(remedies(findings, "variable")).toEqual(["Did you mean EC_UPLOAD_RETRIES?"])
      expect(JSON.stringify(findings)).not.toContain("hush")
      expect(verdicts(findings)).toContain("connection ok")
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive.each(["socks5://user:hush@127.0.0.1:9", "http://user:hu#sh@127.0.0.1:9", "ftp://127.0.0.1"])(
    "of a proxy that cannot be used (%s) are a finding that keeps the password",
    (proxy) =>
      Effect.gen(function* () {
        const env = {
          EC_API_KEY: "key",
          EC_ENDPOINT: "https://example.invalid",
          EC_UPLOAD_JOURNAL: yield* journalFolder,
          HTTPS_PROXY: proxy
        }
        const ran = yield* spawned(["doctor", "--json"], { env })
        expect(ran).toMatchObject({ code: 64, err: "" })
        const lines = objects(ran)
        expect(lines.filter(({ verdict }) => verdict === "problem")).toMatchObject([
          { check: "proxy", says: expect.stringContaining("HTTPS_PROXY") }
        ])
        expect(lines.at(-1)).toMatchObject({ _tag: "Diagnosis", problems: 1 })
        expect(ran.out).not.toContain("hu")
      }).pipe(Effect.provide(NodeContext.layer))
  )
})

describe("the key", () => {
  it.scopedLive("is missing: the endpoint is examined all the same", () =>
    Effect.gen(function* () {
      const { EC_API_KEY: _, ...keyless } = yield* environment
      const findings = yield* diagnose(keyless)
      expect(named(findings, "key")[0]).toMatchObject({
        verdict: "problem",
        failure: { value: { _tag: "InvalidConfiguration" } }
      })
      expect(named(findings, "key")[0]?.says).toContain("EC_API_KEY is not set")
      expect(verdicts(findings)).toContain("connection ok")
      expect(verdicts(findings)).not.toContain("user ok")
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("is refused, and stays out of what is said", () =>
    Effect.gen(function* () {
      const findings = yield* examine({ EC_API_KEY: "a-wrong-key" })
      expect(named(findings, "key")[0]).toMatchObject({
        verdict: "problem",
        failure: { value: { _tag: "AuthenticationFailed" } }
      })
      expect(JSON.stringify(findings)).not.toContain("a-wrong-key")
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("has no user", () =>
    Effect.gen(function* () {
      const findings = yield* examine({ EC_API_KEY: "userless" })
      expect(verdicts(findings)).toContain("key ok")
      expect(named(findings, "user")[0]).toMatchObject({
        verdict: "problem",
        failure: { value: { _tag: "NoUserId" } }
      })
    }).pipe(Effect.provide(at({ accounts: [{ apiKey: "userless", owner: undefined }] })))
  )

  it.scopedLive("is kept from writing by a firewall", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const page = { "content-type": "text/html" }
      yield* cloud.plan({
        method: "PUT",
        fault: Fault.answer({ status: 403, headers: page, body: "<html>" })
      })
      expect(named(yield* examine(), "user")[0]).toMatchObject({
        verdict: "problem",
        failure: { value: { _tag: "Forbidden", reason: "Firewall" } }
      })
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("is not blamed for a server that is ill", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      yield* cloud.plan({ method: "PUT", fault: Fault.answer({ status: 503 }) })
      expect(named(yield* examine(), "user")[0]).toMatchObject({ verdict: "warning" })
    }).pipe(Effect.provide(at()))
  )
})

describe("the way to the endpoint", () => {
  it.scopedLive("a name that does not exist", () =>
    Effect.gen(function* () {
      const findings = yield* examine({ EC_ENDPOINT: "https://no-such-host.invalid" })
      expect(named(findings, "name")[0]).toMatchObject({
        verdict: "problem",
        failure: { value: { _tag: "ConnectionFailed", phase: "resolving" } }
      })
      expect(remedies(findings, "name")).toEqual([expect.stringContaining('"no-such-host.invalid"')])
      expect(verdicts(findings)).not.toContain("connection ok")
      expect(verdicts(findings)).toContain("journal ok")
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("a port where nobody listens", () =>
    Effect.gen(function* () {
      const findings = yield* examine({ EC_ENDPOINT: "http://localhost:1" })
      expect(verdicts(findings)).toContain("name ok")
      expect(named(findings, "connection")[0]).toMatchObject({
        verdict: "problem",
        failure: { value: { _tag: "ConnectionFailed", phase: "connecting" } }
      })
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("a certificate that nobody vouches for", () =>
    Effect.gen(function* () {
      const { server } = yield* authority
      const findings = yield* Effect.gen(function* () {
        const { url } = yield* LocalElasticCloud.LocalElasticCloud
        return yield* examine({ EC_ENDPOINT: url.replace("127.0.0.1", "localhost") })
      }).pipe(Effect.provide(at({ tls: server })))
      expect(verdicts(findings)).toEqual(expect.arrayContaining(["name ok", "connection ok", "tls problem"]))
      expect(remedies(findings, "tls")).toEqual([expect.stringContaining("NODE_EXTRA_CA_CERTS")])
    })
  )

  it.scopedLive("a server that takes connections and hangs up", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      yield* cloud.plan({ method: "GET", fault: Fault.cut("arrival") })
      const findings = yield* examine()
      expect(verdicts(findings)).toEqual(expect.arrayContaining(["connection ok", "answer problem"]))
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("an endpoint and settings that cannot be used are each named", () =>
    Effect.gen(function* () {
      const findings = yield* examine({ EC_ENDPOINT: "http://example.com", EC_UPLOAD_RETRIES: "many" })
      expect(verdicts(findings)).toEqual([
        "runtime ok",
        "settings problem",
        "endpoint problem",
        "journal ok",
        "pending ok"
      ])
      expect(named(findings, "settings")[0]?.says).toContain("EC_UPLOAD_RETRIES")
      expect(named(findings, "endpoint")[0]?.says).toContain("plain http")
    }).pipe(Effect.provide(at()))
  )
})

describe("the clock", () => {
  it.scopedLive.each([
    { server: 60_000, says: "behind the server's" },
    { server: -90_000, says: "ahead of the server's" }
  ])("is $says", ({ says, server }) =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const date = new Date(Date.now() + server).toUTCString()
      yield* cloud.plan({ method: "GET", fault: Fault.answer({ status: 401, headers: { date } }) })
      const [clock] = named(yield* examine(), "clock")
      expect(clock).toMatchObject({ verdict: "warning", says: expect.stringMatching(`^\\d+ s ${says}$`) })
      // A date has no milliseconds, and the test takes a moment.
      const seconds = Number.parseInt(clock?.says ?? "", 10)
      expect(Math.abs(seconds - Math.abs(server) / 1000)).toBeLessThan(3)
    }).pipe(Effect.provide(at()))
  )
})

describe("asking before sending", () => {
  it.scopedLive("a server that never says whether to send", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      yield* cloud.plan({ method: "PUT", fault: Fault.delay(0, "arrival") })
      yield* cloud.plan({ method: "PUT", fault: Fault.hang("arrival") })
      const [expecting] = named(yield* examine(), "expect")
      expect(expecting).toMatchObject({ verdict: "warning" })
      expect(expecting?.says).toContain("does not answer the question")
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("a gateway that asks for everything at once", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      yield* cloud.plan({ method: "PUT", fault: Fault.delay(0, "arrival") })
      const more = Fault.interim("arrival", { status: 100, reason: "Continue" })
      yield* cloud.plan({ method: "PUT", fault: [more, Fault.hang("arrival")] })
      const [expecting] = named(yield* examine(), "expect")
      expect(expecting).toMatchObject({ verdict: "warning" })
      expect(expecting?.says).toContain("asks for the archive before it looks")
      expect((yield* cloud.requests).filter(({ bodyBytes }) => bodyBytes > 0)).toEqual([])
    }).pipe(Effect.provide(at()))
  )
})

describe("the journal", () => {
  const key = (origin: string) => ({ origin, extensionId: "882519870" })

  const begun = (origin: string) =>
    prepare({
      ...key(origin),
      archive: { path: "/tmp/words.zip", name: "words.zip", size: 10, sha256: "0".repeat(64) },
      contentType: "application/zip",
      representationSize: 10,
      baseline: {}
    })

  it.scopedLive("holds unfinished uploads, one in use and one that cannot be read", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const here = yield* environment
      const origin = `${here.EC_ENDPOINT}/api/v1`
      yield* Effect.gen(function* () {
        const journal = yield* UploadJournal.UploadJournal
        const session = yield* journal.open(key(origin))
        yield* session.save(yield* begun(origin))
        const elsewhere = yield* journal.open(key("https://example.com/api/v1"))
        yield* elsewhere.save(yield* begun("https://example.com/api/v1"))
        const corrupt = journalId(key("https://third.example.com/api/v1"))
        yield* fs.writeFileString(path.join(here.EC_UPLOAD_JOURNAL, `${corrupt}.json`), "{")
        const findings = yield* diagnose(here)
        expect(named(findings, "pending")[0]).toMatchObject({
          verdict: "warning",
          says: "1 unfinished upload (and 1 at other endpoints)"
        })
        const locks = named(findings, "lock").map(({ says }) => says)
        expect(locks).toHaveLength(2)
        expect(locks[0]).toContain(`in use by process ${process.pid} on ${hostname()}`)
        expect(named(findings, "record")[0]?.says).toContain(corrupt)
      }).pipe(Effect.scoped, Effect.provide(UploadJournal.layerFileSystem(here.EC_UPLOAD_JOURNAL)))

      expect(named(yield* diagnose(here), "lock")).toEqual([])
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("is a file, where a folder should be", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const file = yield* fs.makeTempFileScoped()
      expect(named(yield* examine({ EC_UPLOAD_JOURNAL: file }), "journal")[0]).toMatchObject({
        verdict: "problem",
        failure: { value: { _tag: "JournalUnavailable", reason: "NotAFolder" } }
      })
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("is created when first needed, and not by looking", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = `${yield* journalFolder}/not/yet`
      expect(named(yield* examine({ EC_UPLOAD_JOURNAL: folder }), "journal")[0]).toMatchObject({
        verdict: "ok",
        says: `${folder} will be created when first needed`
      })
      expect(yield* fs.exists(folder)).toBe(false)
    }).pipe(Effect.provide(at()))
  )
})

describe("the command", () => {
  it.scopedLive("marks each line, tells what to do, and fits on 80 columns", () =>
    Effect.gen(function* () {
      yield* seed()
      const env = { ...(yield* environment), EC_UPLOAD_CONTINUE_TIMEOUT: "200 millis" }
      const ran = yield* run(["doctor"], { env })
      expect(ran).toMatchObject({ code: 0, err: "" })
      const lines = ran.out.split("\n")
      expect(lines[0]).toMatch(/^✓ runtime {5}elastic-extensions \d/)
      expect(lines).toContain("✓ key         accepted; it sees 1 extension")
      expect(ran.out).toMatch(/^! resumption {2}the server does not offer resumption/m)
      expect(lines.at(-2)).toBe("Uploads will work; see the warning above.")
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive.each([
    { what: "no key", env: { EC_API_KEY: "" }, code: 64, check: "key" },
    { what: "a refused key", env: { EC_API_KEY: "wrong" }, code: 3, check: "key" },
    { what: "nobody there", env: { EC_ENDPOINT: "http://127.0.0.1:1" }, code: 1, check: "connection" }
  ])("exits $code for $what, and says with --quiet only that", ({ check, code, env }) =>
    Effect.gen(function* () {
      const all = { ...(yield* environment), ...env }
      const quiet = yield* run(["doctor", "--quiet"], { env: all })
      expect(quiet).toMatchObject({ code, err: "" })
      expect(quiet.out).toMatch(new RegExp(`^✗ ${check} `))
      const ran = yield* run(["doctor", "--json"], { env: all })
      const lines = objects(ran)
      expect(ran).toMatchObject({ code, err: "" })
      expect(lines.at(-1)).toMatchObject({ _tag: "Diagnosis", problems: 1 })
      const problems = lines.filter(({ verdict }) => verdict === "problem")
      expect(problems).toEqual([expect.objectContaining({ _tag: "Finding", check })])
    }).pipe(Effect.provide(at()))
  )
})

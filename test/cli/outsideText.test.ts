/** Whatever a server, an archive, a file name, a record or a variable says: a terminal and a pipeline only show it. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { definitions } from "../../src/cli/internal/definitions.ts"
import { journalId } from "../../src/journal/JournalRecord.ts"
import { zip } from "../support/archive/zip.ts"
import { ofExtensions, ofFile, ofReleases } from "../support/cli/commands.ts"
import { linesIn } from "../support/cli/lines.ts"
import { type Environment, type Ran, run } from "../support/cli/program.ts"
import {
  type Answer,
  extensionBody,
  resourceHeaders,
  scriptedServer
} from "../support/cloud/scriptedServer.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"

/** Everything that a terminal or a runner of pipelines obeys, around words that can be found again. */
const canary = (where: string) =>
  `::add-mask::${where}\r\n::add-mask::${where} ::stop-commands::x\n ##[error]${where} ##vso[task.setvariable]${where} ##teamcity[x` +
  "\u001b]0;title\u0007\u001b[2J\u001b[35m\u009b31m\u0085::warning::w\u2028::error::e\u202e\u2066\u200f\ufeff::x\u0000\u007f\ud800"

/** What may stand in a header. */
const narrow = (where: string) => canary(where).replace(/[^\x20-\x7e\x80-\xff]/g, " ")

/** Our own colours and movements; no canary has any of these. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: this is about control characters.
const ours = /\u001b\[(?:1|2|22|31|32|33|39)m|\u001b\[2K(?:\u001b\[1A)?|\r(?=\u001b\[2K)/g

const expectHarmless = (text: string) => {
  const words = text.replace(ours, "")
  expect(words).not.toMatch(/[^\P{Cc}\n]|[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
  for (const line of words.split("\n")) {
    expect(line).not.toMatch(/^\s*::/)
    expect(line).not.toMatch(/##\w*\[/)
  }
}

/** How often an output shows a canary: what shows none, was not tested. */
const sightings = ({ err, out }: Ran) => (`${out}${err}`.match(/add-mask/g) ?? []).length

/** In a pipeline and for programs, and where it is asked for, on a terminal; everything that was written is searched. */
const look = (args: ReadonlyArray<string>, env: Environment, onTerminal = false) =>
  Effect.gen(function* () {
    const plain = yield* run(args, { env })
    const json = yield* run([...args, "--json"], { env })
    const all = onTerminal ? [plain, json, yield* run(args, { env, columns: 60 })] : [plain, json]
    for (const { err, out } of all) {
      expectHarmless(out)
      expectHarmless(err)
    }
    linesIn(json.out)
    return { json, seen: all.reduce((sum, ran) => sum + sightings(ran), 0) }
  })

const id = "882519870"

const hostile = {
  ...extensionBody,
  name: canary("name"),
  url: canary("url"),
  description: canary("description"),
  download_url: canary("download"),
  deployments: [canary("d1"), canary("d2")],
  file_metadata: { ...extensionBody.file_metadata, size: 7, url: canary("link") }
}

const hostileHeaders = { ...resourceHeaders, "x-cloud-resource-version": narrow("version") }

/** Of the service, and of a runner. */
const errorBody = {
  _tag: "UnknownExecution",
  executionId: canary("execution"),
  message: canary("message"),
  remedy: canary("remedy"),
  errors: [{ code: canary("code"), message: canary("message"), fields: [canary("field")] }]
}

const refusal = (status: number): Answer => ({
  status,
  body: errorBody,
  headers: {
    "x-cloud-error-codes": narrow("codes"),
    "x-request-id": narrow("request"),
    server: narrow("server")
  }
})

const place = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const journal = yield* fs.makeTempDirectoryScoped({ prefix: "journal-" })
  const archive = yield* fileWith(yield* zipOf(500))
  const env = (origin: string): Environment => ({
    EC_API_KEY: "local-key",
    EC_ENDPOINT: origin,
    EC_RUNNER_URL: origin,
    EC_RUNNER_TOKEN: "a-token-of-this-test",
    EC_UPLOAD_JOURNAL: journal,
    EC_UPLOAD_RETRIES: "1",
    EC_UPLOAD_RETRY_BASE_DELAY: "1 millis",
    EC_UPLOAD_RECONCILE_WINDOW: "1 millis",
    EC_UPLOAD_CONTINUE_TIMEOUT: "1 millis"
  })
  return { archive, env, fs, journal }
})

const commandsOn = (archive: string) => [...ofExtensions({ archive }), ...ofReleases({ archive })]

/** As a runner tells of a release. */
const release = {
  summary: {
    executionId: canary("execution"),
    releaseId: canary("release"),
    attempt: 1,
    extension: { _tag: "Named", name: canary("name"), type: "bundle", version: canary("version") },
    extensionId: canary("id"),
    sha256: canary("sha256"),
    holdForApproval: true,
    state: "failed",
    waitsFor: { _tag: "Runner", why: canary("why") },
    failure: { tag: canary("tag"), message: canary("message"), remedy: canary("remedy") },
    decision: { verdict: "rejected", by: canary("by"), note: canary("note"), decidedAtMillis: 1 },
    runner: canary("runner"),
    submittedAtMillis: 1,
    updatedAtMillis: 1
  },
  steps: [
    {
      step: canary("step"),
      attempt: 1,
      state: "failed",
      runner: canary("runner"),
      startedAtMillis: 1,
      endedAtMillis: 2,
      failure: { tag: canary("tag"), message: canary("message"), remedy: canary("remedy") },
      facts: { [canary("fact")]: canary("value") }
    }
  ],
  receipt: null
}

const answerOfRunner = (method: string, url: string): unknown => {
  if (method === "POST")
    return { executionId: canary("execution"), isFirst: false, inForce: release.summary.decision }
  return /releases\/./.test(url) ? release : { releases: [release.summary], next: null }
}

const statusOf = (method: string, url: string): number => {
  if (method !== "POST" || /\/(?:approve|reject)$/.test(url)) return 200
  return url.includes("/releases") ? 202 : 201
}

describe("what is shown, whoever has written it", () => {
  it.scopedLive("comes from answers that succeed", () =>
    Effect.gen(function* () {
      const { archive, env } = yield* place
      const { origin } = yield* scriptedServer((response, { method, url }) => {
        const ofCloud =
          url.includes(`/extensions/${id}`) || method === "POST" ? hostile : { extensions: [hostile] }
        const body = url.includes("/releases") ? answerOfRunner(method, url) : ofCloud
        response.writeHead(statusOf(method, url), {
          "content-type": "application/json",
          ...hostileHeaders
        })
        response.end(JSON.stringify(body))
      })
      for (const args of commandsOn(archive)) {
        const { seen } = yield* look(args, env(origin), true)
        const isShown = ["list", "create", "releases"].includes(args[0] ?? "")
        if (isShown || (args[0] === "show" && args[1] === id)) expect(seen, args.join(" ")).toBeGreaterThan(0)
      }
      const { json } = yield* look(["show", id, "--deployments"], env(origin))
      expect(linesIn(json.out)).toEqual([
        expect.objectContaining({
          extension: expect.objectContaining({
            name: hostile.name,
            description: hostile.description,
            deployments: hostile.deployments
          })
        })
      ])
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scopedLive("comes from answers that refuse", () =>
    Effect.gen(function* () {
      const { archive, env } = yield* place
      for (const status of [400, 401, 404, 409, 500]) {
        const { origin } = yield* scriptedServer(refusal(status))
        for (const args of status === 404 ? commandsOn(archive) : ofExtensions({ archive })) {
          const { seen } = yield* look(args, env(origin))
          const isShown =
            status === 404
              ? args[0] === "releases" && args[1] !== "list" && args[1] !== "submit"
              : args[0] === "list" && status === 400
          if (isShown) expect(seen, args.join(" ")).toBeGreaterThan(0)
        }
      }
      for (const body of [
        canary("text"),
        `<html>${canary("html")}</html>`,
        `{"errors":[{"code":"${canary("cut")}`
      ]) {
        for (const status of [200, 403]) {
          const { origin } = yield* scriptedServer({
            status,
            body,
            headers: { "content-type": "text/html" }
          })
          for (const args of [["list"], ["upload", id, archive]]) yield* look(args, env(origin))
        }
      }
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scopedLive("comes from archives and their names", () =>
    Effect.gen(function* () {
      const { env } = yield* place
      const { origin } = yield* scriptedServer({
        status: 200,
        body: extensionBody,
        headers: resourceHeaders
      })
      const escaped = (text: string) =>
        Array.from(
          { length: text.length },
          (_, i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, "0")}`
        ).join("")
      const keys = [
        "name",
        "description",
        "version",
        "classname",
        "java.version",
        "elasticsearch.version",
        "type"
      ]
      const descriptor = [...keys, "extended.plugins", "has.native.controller"]
        .map((key) => `${key}=${escaped(canary(key))}`)
        .join("\n")
      const archives = [
        zip([{ name: "plugin-descriptor.properties", data: descriptor }]),
        zip([{ name: "plugin-descriptor.properties", data: `name=\\uZZZZ${canary("line")}` }]),
        zip([{ name: "stable-plugin-descriptor.properties", data: descriptor }]),
        zip([
          { name: canary("entry").replaceAll("\0", ""), data: "x" },
          { name: `../${canary("up")}`, data: "x" }
        ]),
        zip([{ name: "dictionaries/a.dic", data: "x" }], { comment: canary("comment") }),
        Buffer.from(canary("no zip"))
      ]
      const name = `${canary("file").replaceAll("\0", "").replaceAll("/", "").replaceAll("\ud800", "")}.zip`
      for (const content of archives) {
        const file = yield* fileWith(content, name)
        for (const args of [
          ["inspect", file],
          ["upload", id, file],
          ["publish", file, "--name", "words", "--type", "plugin", "--version", "8.17.0", "--dry-run"]
        ]) {
          expect((yield* look(args, env(origin))).seen).toBeGreaterThan(0)
        }
      }
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scopedLive("comes from records and locks of the journal", () =>
    Effect.gen(function* () {
      const { env, fs, journal } = yield* place
      const { origin } = yield* scriptedServer(refusal(404))
      const api = `${origin}/api/v1`
      const record = (extensionId: string, more: object) => ({
        schemaVersion: 2,
        id: journalId({ origin: api, extensionId }),
        origin: api,
        extensionId,
        archive: { path: canary("path"), name: canary("name"), size: 1, sha256: "ab".repeat(32) },
        contentType: canary("type"),
        representationSize: 1,
        baseline: { resourceVersion: canary("version") },
        checkpoints: [],
        attempts: 1,
        bytesSent: 1,
        phase: "Sending",
        createdAtMillis: 1,
        updatedAtMillis: Date.now(),
        ...more
      })
      const extension = canary("extension")
      for (const kept of [
        record(id, {}),
        record(extension, {}),
        record(extension, { phase: canary("phase") })
      ]) {
        yield* fs.writeFileString(`${journal}/${kept.id}.json`, JSON.stringify(kept), { mode: 0o600 })
      }
      const lock = {
        token: "ab".repeat(16),
        extensionId: extension,
        pid: 1,
        hostname: canary("host"),
        acquiredAtMillis: 1
      }
      const file = `${journal}/${journalId({ origin: api, extensionId: "1" })}.lock`
      yield* fs.writeFileString(file, JSON.stringify(lock), { mode: 0o600 })
      yield* fs.writeFileString(`${journal}/${"ab".repeat(16)}.json`, canary("corrupt"), { mode: 0o600 })
      for (const args of [["pending"], ["doctor"], ["cancel", "1"], ["resume", "1"], ["resume", "--all"]]) {
        expect((yield* look(args, env(origin))).seen).toBeGreaterThan(0)
      }
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scopedLive("comes from answers to a runner, by way of its log and of what it keeps", () =>
    Effect.gen(function* () {
      const { archive, env, journal } = yield* place
      const { origin } = yield* scriptedServer(refusal(403))
      for (const flags of [[], ["--json"]]) {
        const database = `${journal}/releases${flags.join("")}.db`
        const { EC_RUNNER_URL: _, ...alone } = env(origin)
        for (const args of ofFile({ archive, database })) {
          const ran = yield* run([...args, ...flags], { env: alone })
          expectHarmless(ran.out)
          expectHarmless(ran.err)
          const isTold = args[0] === "runner" || args[1] === "show"
          if (isTold) expect(sightings(ran), args.join(" ")).toBeGreaterThan(0)
        }
      }
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scopedLive("comes from options, arguments and variables", () =>
    Effect.gen(function* () {
      const { archive, env } = yield* place
      const { origin } = yield* scriptedServer(refusal(404))
      const value = canary("value").replaceAll("\0", "")
      for (const { entries, name } of definitions) {
        for (const entry of entries) {
          // What a file for the JSON is called is up to who runs this; a folder that is not there does for all.
          const isFile =
            entry._tag === "Value" && ["--json-file", "--database"].includes(entry.names[0] ?? "")
          const given = isFile ? `/dev/null/${value}` : value
          const words = entry._tag === "Value" ? [entry.names[0] ?? "", given] : [value]
          yield* look([...name.split(" "), ...words], env(origin))
        }
        yield* look([...name.split(" "), `--${value}`], env(origin))
      }
      expect((yield* look([value], env(origin))).seen).toBeGreaterThan(0)
      const variables = [
        ...Object.keys(env("")),
        "EC_HOST",
        "EC_UPLOAD_ALLOW",
        "EC_UPLOAD_BANDWIDTH",
        "HTTPS_PROXY"
      ]
      for (const variable of variables) {
        for (const args of [["doctor"], ["upload", id, archive]]) {
          yield* look(args, { ...env(origin), [variable]: `/dev/null/${value}` })
        }
      }
    }).pipe(Effect.provide(NodeContext.layer))
  )
})

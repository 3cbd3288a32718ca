/** Servers that know every secret and say it in every answer, and a search for what has become of them. */
import { resolve } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import { expect } from "@effect/vitest"
import { Effect } from "effect"
import { type RecordedRequest, type Script, scriptedServer } from "../cloud/scriptedServer.ts"
import { bundleChild, type Runtime, startChild } from "../runtimes/child.ts"
import { fileWith, zipOf } from "../upload/archives.ts"

/** As Elastic makes keys: the name and the secret of one, as base64. */
const plainKey = "VuaCfGcBCdbkQm-e5aOx:ui2lp2axTNmsyakw9tvNnw"
const key = Buffer.from(plainKey).toString("base64")
const linkToken = "bGlua3M/work+like-keys"
const signature = "5ignature-of-a-link"
const uploadToken = "tok3n-of-an-upload-resource"
const proxyWord = "pa55word-of-a-proxy"
const runnerToken = "t0ken-that-opens-a-runner"

const secrets = [key, plainKey, linkToken, signature, uploadToken, proxyWord, runnerToken]

const each = (text: string, notation: (hex: string, code: number) => string) =>
  Array.from(text, (character) => {
    const code = character.charCodeAt(0)
    return notation(code.toString(16).padStart(2, "0"), code)
  }).join("")

/** How a server can write down a key that it was given. */
export const notations: Readonly<Record<string, string>> = {
  itself: key,
  "a header": `authorization: ApiKey ${key}`,
  "what it stands for": plainKey,
  "percent-encoded": encodeURIComponent(key),
  "every character percent-encoded": each(key, (hex) => `%${hex}`),
  "percent-encoded twice": each(key, (hex) => `%25${hex}`),
  "JSON escapes": each(key, (hex) => `\\u00${hex}`),
  "JSON escapes in JSON": each(key, (hex) => `\\\\u00${hex}`),
  "string escapes": each(key, (hex) => `\\x${hex}`),
  "HTML references": each(key, (_, code) => `&#${code};`),
  "HTML hexadecimal references": each(key, (hex) => `&#x${hex};`),
  hexadecimal: Buffer.from(key).toString("hex"),
  base64: Buffer.from(key).toString("base64"),
  "base64 without padding": Buffer.from(`x${key}`).toString("base64").replace(/=+$/, ""),
  "base64 of a header": Buffer.from(`Authorization: ApiKey ${key}\r\n`).toString("base64"),
  "base64 for URLs": Buffer.from(`ApiKey ${key}`).toString("base64url"),
  "without its padding": key.replace(/=+$/, ""),
  "its first half": key.slice(0, key.length / 2),
  "its second half": key.slice(key.length / 2),
  "the secret alone": plainKey.slice(plainKey.indexOf(":") + 1)
}

const echo = Object.entries(notations)
  .map(([name, text]) => `${name}: ${text}.`)
  .join(" ")

/** Split over fields, and whole in each. */
const errors = {
  errors: [
    { code: key.slice(0, 30), message: key.slice(30), fields: [plainKey.slice(0, 20), plainKey.slice(20)] },
    ...Object.entries(notations).map(([name, text]) => ({
      code: text,
      message: `${name} ${text}`,
      fields: [text]
    }))
  ]
}

const headers = {
  "x-request-id": key,
  "x-cloud-request-id": echo.replace(/[^\x20-\x7e]/g, ""),
  "x-cloud-error-codes": key,
  server: key,
  [`x-${Buffer.from(key).toString("hex")}`]: "1",
  location: `/u/${uploadToken}?signature=${signature}`,
  link: `</u/${uploadToken}>; rel=next`
}

/** Every status that has an error of its own, in turn. */
const statuses = [400, 401, 403, 404, 408, 409, 413, 422, 429, 449, 500, 503, 304, 300]

const extension = (link: string) => ({
  id: "882519870",
  name: "words",
  url: "repo://882519870",
  version: "*",
  extension_type: "bundle",
  description: "",
  download_url: null,
  deployments: [],
  file_metadata: { last_modified_date: "2026-01-02T03:04:05.678Z", size: 1234, url: link }
})

const json = { "content-type": "application/json" }

const linkOf = ({ headers: { host } }: RecordedRequest) =>
  `http://${host}/files/${encodeURIComponent(linkToken)}?signature=${signature}`

/** What goes wrong, by name. */
const servers = (): Readonly<Record<string, Script>> => {
  let turn = 0
  const next = () => statuses[turn++ % statuses.length] ?? 500
  return {
    "refuses in JSON": (response) => {
      response.writeHead(next(), { ...json, ...headers })
      response.end(JSON.stringify(errors))
    },
    "refuses in HTML": (response) => {
      response.writeHead(next(), { ...headers, "content-type": "text/html" })
      response.end(`<html>${echo}</html>`)
    },
    "succeeds with something else": (response) => {
      response.writeHead(200, { ...json, ...headers })
      response.end(
        JSON.stringify({ id: key, name: [echo], extensions: [{ [echo]: key, id: { [key]: echo } }] })
      )
    },
    "succeeds with what is no JSON": (response) => {
      response.writeHead(200, headers)
      response.end(echo)
    },
    redirects: (response) => {
      response.writeHead(307, {
        ...headers,
        location: `http://127.0.0.1:1/${encodeURIComponent(key)}?key=${key}`
      })
      response.end(echo)
    },
    "gives links that fail": (response, request) => {
      if (request.url.startsWith("/files/")) {
        response.writeHead(403, headers)
        response.end(`${echo} ${linkOf(request)} ${request.url} ${signature}`)
        return
      }
      if (request.method === "PUT") {
        response.writeHead(200, { ...json, "x-cloud-resource-version": "18" })
      } else response.writeHead(200, { ...json, "x-cloud-resource-version": "17" })
      const one = extension(linkOf(request))
      response.end(JSON.stringify(request.url.endsWith("/extensions") ? { extensions: [one] } : one))
    },
    "offers to resume, and refuses": (response, request) => {
      if (request.method !== "PUT") {
        response.writeHead(200, { ...json, "x-cloud-resource-version": "17" })
        response.end(JSON.stringify(extension(linkOf(request))))
        return
      }
      const version = request.headers["upload-draft-interop-version"] ?? "8"
      response.socket?.write(
        `HTTP/1.1 104 Upload Resumption Supported\r\nupload-draft-interop-version: ${version}\r\nlocation: /u/${uploadToken}\r\n\r\n`
      )
      response.writeHead(400, headers)
      response.end(`no upload at /u/${uploadToken}: ${echo}`)
    },
    "breaks off": (response) =>
      void response.socket?.end(`HTTP/1.1 200 OK\r\nx: ${key}\r\ncontent-length: 99\r\n\r\n${key}`)
  }
}

const tokenEcho = [
  `Bearer ${runnerToken}`,
  each(runnerToken, (hex) => `\\u00${hex}`),
  each(runnerToken, (hex) => `%${hex}`),
  Buffer.from(runnerToken).toString("base64"),
  Buffer.from(runnerToken).toString("hex")
].join(" ")

const tokenHeaders = {
  "x-request-id": runnerToken,
  location: `/${encodeURIComponent(runnerToken)}`,
  link: `</${runnerToken}>; rel=next`
}

/** What a runner, or who is taken for one, answers with that was given a token. */
const runners = (): ReadonlyArray<Script> => {
  const tell =
    (status: number, body: object | string): Script =>
    (response) => {
      response.writeHead(status, { ...(typeof body === "string" ? {} : json), ...tokenHeaders })
      response.end(typeof body === "string" ? body : JSON.stringify(body))
    }
  const words = { message: tokenEcho, remedy: tokenEcho }
  return [
    tell(404, { _tag: "UnknownExecution", executionId: tokenEcho, ...words }),
    tell(503, { _tag: "EngineUnavailable", resource: runnerToken, detail: tokenEcho, ...words }),
    tell(401, { _tag: "AccessTokenRefused", token: runnerToken, ...words }),
    tell(400, { _tag: "MalformedRequest", detail: tokenEcho, ...words }),
    tell(200, {
      releases: [{ executionId: { [tokenEcho]: runnerToken } }],
      next: [tokenEcho],
      summary: tokenEcho
    }),
    tell(200, tokenEcho),
    tell(307, tokenEcho),
    (response) =>
      void response.socket?.end(
        `HTTP/1.1 200 OK\r\nx: ${runnerToken}\r\ncontent-length: 99\r\n\r\n${runnerToken}`
      )
  ]
}

const proxies = [
  `http://user:${proxyWord}@127.0.0.1:1`,
  `http://user:${proxyWord}@bad host/`,
  `http://u%zz:${proxyWord}@127.0.0.1:1`,
  `socks5://user:${proxyWord}@127.0.0.1:1`
]

/** What a text says, in plain: each way to write something down undone, as often as anybody might have used it. */
const undone = (text: string): ReadonlyArray<string> => {
  const plain = (hex: string) => String.fromCharCode(Number.parseInt(hex, 16))
  const unescaped = [text]
  for (let times = 0; times < 4; times++) {
    unescaped.push(
      (unescaped.at(-1) ?? "")
        .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => plain(hex))
        .replace(/\\+(?:u00|x)([0-9a-f]{2})/gi, (_, hex: string) => plain(hex))
        .replace(/&#x0*([0-9a-f]{2});/gi, (_, hex: string) => plain(hex))
        .replace(/&#0*(\d{2,3});/g, (_, code: string) => String.fromCharCode(Number(code)))
    )
  }
  const decoded = unescaped.flatMap((each) => [
    ...(each.match(/[A-Za-z0-9+/_-]{12,}/g) ?? []).flatMap((run) =>
      [0, 1, 2, 3].map((from) => Buffer.from(run.slice(from), "base64").toString("latin1"))
    ),
    ...(each.match(/(?:[0-9a-f]{2}){8,}/gi) ?? []).map((run) => Buffer.from(run, "hex").toString("latin1"))
  ])
  return [...unescaped, decoded.join("\n")]
}

/** So much of a secret is no coincidence. */
const telling = 14

/** What a text gives away, in whatever notation: the first of each secret, with what stands around it. */
export const leaksIn = (text: string): ReadonlyArray<string> =>
  undone(text).flatMap((plain) =>
    secrets.flatMap((secret) => {
      const parts = Array.from({ length: Math.max(1, secret.length - telling + 1) }, (_, at) =>
        secret.slice(at, at + telling)
      )
      const at = parts.map((part) => plain.indexOf(part)).find((index) => index >= 0)
      return at === undefined ? [] : [plain.slice(Math.max(0, at - 200), at + 200)]
    })
  )

/** Whatever a process on this runtime tells of all of it holds no secret. */
export const expectNoLeak = (runtime: Runtime) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "secrets-" })
    const started = yield* Effect.forEach(Object.values(servers()), scriptedServer)
    const asked = yield* Effect.forEach(runners(), scriptedServer)
    // Beside the packages, where the native one is found that keeps releases in a file.
    const programs = resolve("node_modules/.cache/secrets", `${process.pid}-${runtime}`)
    const child = yield* startChild({
      runtime,
      program: yield* bundleChild(programs, "faults/secretsChild.ts"),
      // Whether a folder can be written to depends on who asks.
      rights: ["--allow-sys=uid,gid"],
      env: {
        CANARY_ORIGINS: started.map(({ origin }) => origin).join(","),
        CANARY_RUNNERS: asked.map(({ origin }) => origin).join(","),
        CANARY_PROXIES: proxies.join(","),
        CANARY_KEY: key,
        CANARY_TOKEN: runnerToken,
        CANARY_FOLDER: `${folder}/journal`,
        CANARY_ARCHIVE: yield* fileWith(yield* zipOf(500))
      }
    })
    const ended = yield* child.ended
    const output = ended._tag === "Failed" ? ended.output : ""
    const [handled = "", unhandled = ""] = output.split("# an error that nobody handles")
    expect(handled).toContain("<redacted>")
    expect(unhandled, output.slice(-500)).toMatch(/error/i)
    // Every server has learnt what it could tell.
    const given = (requests: ReadonlyArray<RecordedRequest>) =>
      requests.map(({ headers: { authorization } }) => authorization)
    for (const { requests } of started) expect(given(requests)).toContain(`ApiKey ${key}`)
    for (const { requests } of asked)
      expect(new Set(given(requests))).toEqual(new Set([`Bearer ${runnerToken}`]))
    // And a runner has worked for each of them. Deno cannot open its file.
    const failures = handled.match(/^.*Step \S+ failed/gm) ?? []
    if (runtime !== "deno") expect(failures.length).toBeGreaterThanOrEqual(started.length)
    expect(leaksIn(output)).toEqual([])
  })

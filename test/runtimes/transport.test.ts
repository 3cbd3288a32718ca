/**
 * What the transport does on each runtime: one row a behaviour, one column a runtime. The client runs unbuilt in a process of
 * its own; the server here says what it was really sent.
 */
import { createHash } from "node:crypto"
import { writeFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { afterAll } from "vitest"
import { type Runtime, run, runtimes } from "../support/runtimes/runtimes.ts"
import { byPath, flooded } from "../support/runtimes/scripts.ts"
import type { Addresses, Probe } from "../support/runtimes/transport-probe.ts"
import { authority } from "../support/transfer/authority.ts"
import { type CountingServer, countingServer, lettingGo } from "../support/transfer/counting.ts"
import { proxyTo } from "../support/transfer/proxy.ts"
import { eventually, type Received, serve } from "../support/transfer/wire.ts"

const mebibyte = 1024 * 1024
const scope = Effect.runSync(Scope.make())
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const temporaryFile = (content: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "transport-"))),
      (directory) => Effect.promise(() => rm(directory, { recursive: true }))
    ),
    (directory) => {
      const file = join(directory, "authority.pem")
      writeFileSync(file, content)
      return file
    }
  )

interface Column {
  readonly runtime: Runtime
  readonly seen: Probe
  readonly received: (path: string) => ReadonlyArray<Received>
  readonly tunnels: ReadonlyArray<string>
  /** The requests of each connection to a server that counts them. */
  readonly counted: Readonly<Record<"plain" | "secure", CountingServer>>
  /** The requests of each connection to a server that lets go of connections. */
  readonly letGo: Readonly<Record<"plain" | "secure", CountingServer>>
  /** Whether each of two connections resumed a TLS session. */
  readonly resumed: () => ReadonlyArray<boolean>
  /** Time from the last answer to the end of the process. */
  readonly endedAfter: () => number
}

const column = (runtime: Runtime): Promise<Column> =>
  Effect.gen(function* () {
    const { ca, server: keys } = yield* authority
    const plain = yield* serve(byPath)
    const secure = yield* serve(byPath, keys)
    const other = yield* authority
    const extra = yield* serve(byPath, other.server)
    const extraFile = yield* temporaryFile(other.ca)
    const proxy = yield* proxyTo(secure)
    const counting = yield* countingServer()
    const countingSecure = yield* countingServer({ tls: keys })
    const countingProxy = yield* proxyTo(countingSecure)
    const lettingGoPlain = yield* lettingGo()
    const lettingGoSecure = yield* lettingGo(keys)
    const resuming = yield* countingServer({ tls: keys })
    const gone = yield* Effect.scoped(serve({}))
    const addresses: Addresses = {
      plain: plain.url,
      secure: secure.url,
      extra: extra.url,
      proxy: proxy.url,
      nobody: gone.url,
      ca,
      counting: counting.url,
      countingSecure: countingSecure.url,
      countingProxy: countingProxy.url,
      lettingGo: lettingGoPlain.url,
      lettingGoSecure: lettingGoSecure.url,
      resuming: resuming.url
    }
    const output = yield* Effect.promise(() =>
      run(runtime, "test/support/runtimes/transport-probe.ts", [JSON.stringify(addresses), "run"], {
        HTTPS_PROXY: proxy.url,
        NO_PROXY: "",
        NODE_EXTRA_CA_CERTS: extraFile
      })
    )
    const ended = performance.now()
    const seen: Probe = JSON.parse(output)
    const all = () => [plain, secure, extra].flatMap((server) => server.connections)
    return {
      runtime,
      seen,
      received: (path: string) => all().filter((one) => one.target === `/${path}`),
      tunnels: proxy.tunnels.map(({ target }) => target),
      counted: { plain: counting, secure: countingSecure },
      letGo: { plain: lettingGoPlain, secure: lettingGoSecure },
      resumed: () => resuming.connections.map(({ resumed }) => resumed),
      endedAfter: () => ended - (counting.lastRequestAt() ?? 0)
    }
  }).pipe(Scope.extend(scope), Effect.runPromise)

const columns = new Map<Runtime, Promise<Column>>()
/** One after the other: each measures time. */
for (const runtime of runtimes) {
  const before = [...columns.values()].at(-1) ?? Promise.resolve()
  columns.set(
    runtime,
    before.then(() => column(runtime))
  )
}

const sha256 = (mebibytes: number): string => {
  const hash = createHash("sha256")
  for (let n = 1; n <= mebibytes; n++) hash.update(new Uint8Array(mebibyte).fill(n))
  return hash.digest("hex")
}
const stored = (mebibytes: number) => ({ value: `200 ${sha256(mebibytes)}` })
const bodies = (connections: ReadonlyArray<Received>) => connections.map(({ bodyBytes }) => bodyBytes)

/** Where Bun runs this test, it is the server here, and takes some of what it was told not to read. */
const takenUnread = "Bun" in globalThis ? 2 * mebibyte : 0

const rows: Readonly<Record<string, (column: Column) => void | Promise<void>>> = {
  "a streamed body has its exact Content-Length": ({ received, seen }) => {
    expect(seen.exact).toEqual(stored(6))
    expect(received("exact").map((one) => one.header("content-length"))).toEqual([String(6 * mebibyte)])
    expect(received("exact")[0]?.header("transfer-encoding")).toBeUndefined()
  },
  "a body that ends short is never whole": ({ received, seen }) => {
    expect(seen.short).toMatchObject({ tag: "BodyLengthMismatch", phase: "sending" })
    expect(bodies(received("short"))[0]).toBeLessThan(4 * mebibyte)
  },
  "a body that runs long is never whole": ({ received, seen }) => {
    expect(seen.long).toMatchObject({ tag: "BodyLengthMismatch", phase: "sending" })
    expect(bodies(received("long"))[0]).toBeLessThan(2 * mebibyte + 1)
  },
  "no more than 8 MiB are pulled for a server that does not read": ({ seen }) => {
    expect(seen.pulled).toBeGreaterThan(mebibyte)
    expect(seen.pulled).toBeLessThanOrEqual(8 * mebibyte + takenUnread)
  },
  "a source may use four buffers in turn": ({ seen }) => {
    expect(seen.recycled).toEqual(stored(48))
  },
  "one attempt is one send, even when the connection dies after the whole request": ({ received, seen }) => {
    expect(seen.once).toMatchObject({
      tag: "ConnectionFailed",
      phase: "awaiting-response",
      bytesSent: mebibyte
    })
    expect(bodies(received("once"))).toEqual([mebibyte])
  },
  "a refusal before 100 Continue costs no byte of the body": ({ received, seen }) => {
    expect(seen.refused).toEqual({ value: "401 who are you" })
    expect(bodies(received("refused"))).toEqual([0])
  },
  "417 is answered by the request without Expect, on a new connection": ({ received, seen }) => {
    expect(seen.withoutExpect).toEqual(stored(2))
    expect(bodies(received("withoutExpect"))).toEqual([0, 2 * mebibyte])
  },
  "silence instead of 100 Continue is waited out": ({ received, seen }) => {
    expect(seen.unanswered).toEqual(stored(2))
    expect(received("unanswered")[0]?.header("expect")).toBe("100-continue")
  },
  "100, 103 and 104 are seen, in order": ({ seen }) => {
    expect(seen.interim).toEqual({ status: 200, interim: ["100", "103", "104 /u/1"] })
  },
  "endless interim responses are held back, and none is lost": ({ seen }) => {
    expect(seen.flooded).toEqual({ status: 200, count: 20_000 })
    expect(Math.max(...flooded.values())).toBeLessThan(10_000)
  },
  "an early answer is read though the server closes": ({ seen }) => {
    expect(seen.early).toBe(10)
  },
  "an early answer is read though the server closes, over TLS": ({ seen }) => {
    expect(seen.earlySecure).toBe(10)
  },
  "a refused connection": ({ seen }) => {
    expect(seen.noConnection).toMatchObject({ tag: "ConnectionFailed", phase: "connecting" })
  },
  "a handshake that never ends": ({ seen }) => {
    expect(seen.handshake).toMatchObject({ tag: "ConnectTimeout", phase: "securing" })
  },
  "a stall while sending": ({ seen }) => {
    expect(seen.stalled).toMatchObject({ tag: "UploadStalled", phase: "sending" })
  },
  "a slow line is no stall": ({ seen }) => {
    expect(seen.slow).toEqual(stored(32))
  },
  "a server that never answers": ({ seen }) => {
    expect(seen.unhurried).toMatchObject({
      tag: "UploadStalled",
      phase: "awaiting-response",
      bytesSent: mebibyte
    })
  },
  "a deadline": ({ seen }) => {
    expect(seen.deadline).toMatchObject({ tag: "DeadlineExceeded", phase: "awaiting-response" })
  },
  "an answer that is cut": ({ seen }) => {
    expect(seen.cut).toMatchObject({ tag: "ConnectionFailed", phase: "receiving" })
  },
  "an answer nobody reads keeps no connection": async ({ received }) => {
    await Effect.runPromise(eventually(() => received("unread")[0]?.closed === true))
  },
  "an answer of which a part was taken keeps no connection": async ({ received, seen }) => {
    expect(seen.taken).toBe(1)
    await Effect.runPromise(eventually(() => received("taken")[0]?.closed === true))
  },
  "a redirect is refused, and tells no more than the target's origin": ({ seen }) => {
    expect(seen.redirected).toMatchObject({ tag: "RedirectRefused" })
    expect(JSON.stringify(seen.redirected)).toContain("https://elsewhere.test")
    expect(JSON.stringify(seen.redirected)).not.toContain("token")
  },
  "a limit on the bandwidth": ({ seen }) => {
    expect(seen.took).toBeGreaterThan(700)
    expect(seen.took).toBeLessThan(3000)
  },
  "interrupted uploads close their connections": async ({ received }) => {
    await Effect.runPromise(eventually(() => received("interrupted").every(({ closed }) => closed)))
    expect(received("interrupted").length).toBeGreaterThan(0)
  },
  "an authority of one's own": ({ seen }) => {
    expect(seen.secure).toEqual(stored(20))
  },
  "an authority from NODE_EXTRA_CA_CERTS": ({ seen }) => {
    expect(seen.extra).toEqual(stored(2))
  },
  "an unknown authority": ({ seen }) => {
    expect(seen.untrusted).toMatchObject({ tag: "ConnectionFailed", phase: "securing", bytesSent: 0 })
  },
  "reads share a connection, and content has the one that was opened ahead": ({ counted, seen }) => {
    expect([seen.shared, seen.sharedSecure, seen.sharedByProxy]).toEqual(["stored", "stored", "stored"])
    const reads = (path: string) => [`GET ${path}, GET ${path}`, `PUT ${path}`]
    // Two that are opened at once arrive in any order.
    const byConnection = (server: CountingServer) => server.requests().map((all) => all.join(", "))
    expect(byConnection(counted.plain).sort()).toEqual([...reads("/shared"), "GET /last"].sort())
    expect(byConnection(counted.secure).sort()).toEqual(
      [...reads("/shared"), ...reads("/proxied-reads")].sort()
    )
    // None was opened for nothing.
    expect([counted.plain, counted.secure].map(({ connections }) => connections.length)).toEqual([3, 4])
  },
  "a read whose kept connection the server closes is made again at once": ({ letGo, seen }) => {
    expect(seen.readAgain).toEqual({ plain: "stored", secure: "stored" })
    for (const server of Object.values(letGo)) {
      expect(server.requests().slice(0, 2)).toEqual([["GET /again", "GET /again"], ["GET /again"]])
    }
  },
  "a connection opened ahead that the server has done with is not used": ({ letGo, seen }) => {
    expect(seen.passedOver).toEqual({ plain: ["stored", "stored", "stored"], secure: ["stored", "stored"] })
    const requests = (server: CountingServer) => server.requests().slice(2)
    const each = (...endings: ReadonlyArray<string>) =>
      endings.flatMap((ending) => [[`GET /${ending}`], [`PUT /${ending}`]])
    expect(requests(letGo.plain)).toEqual(each("closed", "reset", "answered-unasked"))
    expect(requests(letGo.secure)).toEqual(each("closed", "answered-unasked"))
  },
  "a TLS session is resumed, except on Deno, which keeps it to itself": ({ resumed, runtime, seen }) => {
    expect(seen.resuming).toEqual(["stored", "stored"])
    expect(resumed()).toEqual([false, runtime !== "deno"])
  },
  "a kept connection does not hold up the end of the process": ({ endedAfter }) => {
    expect(endedAfter()).toBeLessThan(3900)
  },
  "a proxy": ({ seen, tunnels }) => {
    expect(seen.proxied).toEqual(stored(5))
    expect(tunnels).toContain("upload.test:443")
  },
  "a proxy from the environment, and none for loopback": ({ seen, tunnels }) => {
    expect(seen.proxiedByEnvironment).toEqual(stored(1))
    expect(tunnels).toHaveLength(2)
  }
}

describe.each(Object.entries(rows))("%s", (_, check) => {
  it.each([...columns])("on %s", async (_runtime, column) => {
    await check(await column)
  })
})

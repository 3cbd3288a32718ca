import { afterEach, beforeEach, describe, expect, it, vi } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import * as HttpProxy from "../../src/transfer/HttpProxy.ts"

const variables = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"]

const setAll = (values: Readonly<Record<string, string>>) => {
  for (const [name, value] of Object.entries(values)) vi.stubEnv(name, value)
}

beforeEach(() => {
  setAll(
    Object.fromEntries(
      variables.flatMap((name) => [
        [name, ""],
        [name.toLowerCase(), ""]
      ])
    )
  )
})
afterEach(() => {
  vi.unstubAllEnvs()
})

/** Host and port of the proxy that a request to the URL goes through; nothing where it goes directly. */
const proxyFor = (url: string, option?: string | false) =>
  Effect.map(HttpProxy.forUrl(new URL(url), option), (proxy) =>
    Option.getOrUndefined(Option.map(proxy, ({ address }) => address))
  )

describe("the proxy of a URL", () => {
  const cases: ReadonlyArray<
    readonly [environment: Readonly<Record<string, string>>, url: string, proxy: string | undefined]
  > = [
    [{}, "https://a.test/", undefined],
    [{ HTTPS_PROXY: "http://p:3128" }, "https://a.test/", "p:3128"],
    [{ https_proxy: "http://p:3128", HTTPS_PROXY: "http://q:1" }, "https://a.test/", "p:3128"],
    [{ HTTPS_PROXY: "", ALL_PROXY: "http://p:3128" }, "https://a.test/", "p:3128"],
    [{ HTTP_PROXY: "http://p:3128" }, "https://a.test/", undefined],
    [{ HTTP_PROXY: "http://p:3128" }, "http://a.test/", "p:3128"],
    [{ HTTPS_PROXY: "p:3128" }, "https://a.test/", "p:3128"],
    [{ HTTPS_PROXY: "http://p" }, "https://a.test/", "p:80"],
    [{ HTTPS_PROXY: "https://p" }, "https://a.test/", "p:443"],
    [{ HTTPS_PROXY: "http://p:3128" }, "https://127.0.0.1/", undefined],
    [{ HTTPS_PROXY: "http://p:3128" }, "https://localhost:1/", undefined],
    [{ HTTPS_PROXY: "http://p:3128" }, "https://[::1]/", undefined],
    // What is bad and not needed is not in the way.
    [{ HTTPS_PROXY: "socks5://p:1" }, "https://127.0.0.1/", undefined],
    [{ HTTPS_PROXY: "socks5://p:1", NO_PROXY: "a.test" }, "https://a.test/", undefined],
    [{ HTTPS_PROXY: "http://p:3128", ALL_PROXY: "socks5://p:1" }, "https://a.test/", "p:3128"]
  ]
  it.effect.each(cases)("%j, %s", ([environment, url, proxy]) =>
    Effect.gen(function* () {
      setAll(environment)
      expect(yield* proxyFor(url)).toBe(proxy)
    })
  )

  it.effect("may be given or denied in code", () =>
    Effect.gen(function* () {
      setAll({ HTTPS_PROXY: "http://p:3128", NO_PROXY: "*" })
      expect(yield* proxyFor("https://a.test/", "http://q:1")).toBe("q:1")
      expect(yield* proxyFor("https://127.0.0.1/", "http://q:1")).toBe("q:1")
      setAll({ NO_PROXY: "" })
      expect(yield* proxyFor("https://a.test/", false)).toBeUndefined()
    })
  )

  it.effect("keeps its password to itself", () =>
    Effect.gen(function* () {
      setAll({ HTTPS_PROXY: "http://user:hunter2@p:3128" })
      const proxy = Option.getOrThrow(yield* HttpProxy.forUrl(new URL("https://a.test/")))
      expect(proxy.address).toBe("p:3128")
      expect(Redacted.value(proxy.url).password).toBe("hunter2")
      expect(JSON.stringify(proxy) + String(proxy.url)).not.toContain("hunter2")
    })
  )
})

describe("NO_PROXY, as curl reads it", () => {
  const cases: ReadonlyArray<readonly [noProxy: string, url: string, direct: boolean]> = [
    ["*", "https://a.test/", true],
    ["a.test", "https://a.test/", true],
    ["a.test", "https://b.a.test/", true],
    ["a.test", "https://ba.test/", false],
    [".a.test", "https://a.test/", true],
    [".a.test", "https://b.a.test/", true],
    ["*.a.test", "https://b.a.test/", true],
    ["A.Test", "https://b.a.TEST/", true],
    ["a.test.", "https://a.test/", true],
    ["a.test", "https://a.test./", true],
    ["x, a.test ,y", "https://a.test/", true],
    ["x a.test y", "https://a.test/", true],
    [",,", "https://a.test/", false],
    ["a.test:8443", "https://a.test:8443/", true],
    ["a.test:8443", "https://a.test/", false],
    ["a.test:443", "https://a.test/", true],
    ["a.test:80", "http://b.a.test/", true],
    ["10.0.0.1", "https://10.0.0.1/", true],
    ["10.0.0.1", "https://10.0.0.11/", false],
    ["0.0.1", "https://10.0.0.1/", false],
    ["10.0.0.1:443", "https://10.0.0.1/", true],
    ["10.0.0.0/8", "https://10.1.2.3/", true],
    ["10.0.0.0/8", "https://11.1.2.3/", false],
    ["192.168.0.0/24", "https://192.168.1.1/", false],
    ["10.0.0.0/8", "https://10.test/", false],
    ["0.0.0.0/0", "https://8.8.8.8/", true],
    ["10.0.0.0/33", "https://10.0.0.1/", false],
    ["10.0.0.0/x", "https://10.0.0.1/", false],
    ["fd00::/8", "https://[fd12::1]/", true],
    ["fd00::/8", "https://[fe80::1]/", false],
    ["fd00::1", "https://[fd00:0:0::1]/", true],
    ["[fd00::1]", "https://[fd00::1]/", true],
    ["[fd00::1]:8443", "https://[fd00::1]:8443/", true],
    ["[fd00::1]:8443", "https://[fd00::1]/", false],
    ["::1/200", "https://[fd00::1]/", false]
  ]
  it.effect.each(cases)("%s, %s", ([noProxy, url, direct]) =>
    Effect.gen(function* () {
      setAll({ ALL_PROXY: "http://p:3128", NO_PROXY: noProxy })
      expect(yield* proxyFor(url)).toBe(direct ? undefined : "p:3128")
    })
  )
})

describe("a proxy that cannot be used", () => {
  const cases: ReadonlyArray<readonly [value: string, problem: string]> = [
    ["http://user:hunter2@proxy.corp:80a80", "it is not an address"],
    ["http://user:hunter2@bad host/", "it is not an address"],
    ["http://user:hunter2%zz@proxy.corp:8080", "a % that encodes nothing"],
    ["http://user:p@ss#hunter2@proxy.corp:8080", "%23"],
    ["http://user:8/hunter2@proxy.corp:8080", "%2F"],
    ["http://user:8?hunter2@proxy.corp:8080", "%3F"],
    ["socks5://user:hunter2@proxy.corp:1080", "SOCKS proxy"],
    ["socks5h://proxy.corp:1080", "SOCKS proxy"],
    ["ftp://user:hunter2@proxy.corp", "not an http or https address"],
    ["http://", "it is not an address"]
  ]
  it.effect.each(cases)("is refused by the variable's name, without its password: %s", ([value, problem]) =>
    Effect.gen(function* () {
      setAll({ https_proxy: value })
      const error = yield* Effect.flip(HttpProxy.forUrl(new URL("https://a.test/secret?x=1")))
      expect(error).toMatchObject({
        _tag: "InvalidProxy",
        variable: "https_proxy",
        origin: "https://a.test",
        isRetryable: false
      })
      expect(error.message).toContain(`https_proxy cannot be used: `)
      expect(error.message).toContain(problem)
      expect(error.message).toContain("http://proxy.example:3128")
      const printed = [JSON.stringify(error), error.message, String(error.stack)].join()
      expect(printed).not.toMatch(/hunter2|ss#|secret/)
    })
  )

  it.effect("is told without a variable where code names it", () =>
    Effect.map(Effect.flip(HttpProxy.forUrl(new URL("https://a.test/"), "socks5://p:1")), (error) => {
      expect(error.variable).toBeUndefined()
      expect(error.message).toContain("The proxy cannot be used: it names a SOCKS proxy")
    })
  )
})

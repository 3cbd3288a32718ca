import { describe, expect, it } from "@effect/vitest"
import { Config, ConfigProvider, Duration, Effect, Redacted } from "effect"
import * as RetryPolicy from "../../src/transfer/RetryPolicy.ts"
import * as UploadHttpClient from "../../src/transfer/UploadHttpClient.ts"
import * as Variable from "../../src/transfer/Variable.ts"

const environment = (variables: Readonly<Record<string, string>>) =>
  Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))

/** What a variable X with this text is read as. */
const read = <A>(config: Config.Config<A>, text: string) => config.pipe(environment({ X: text }))
const refusal = (config: Config.Config<unknown>, text: string) =>
  Effect.map(Effect.flip(read(config, text)), String)

const timeout = Variable.duration("X", { example: "30s", max: "1 day" })
const size = Variable.bytes("X", { example: "5MB" })
const choice = Variable.oneOf("X", "raw", "multipart")

describe("an empty variable", () => {
  const configs: ReadonlyArray<readonly [name: string, config: Config.Config<unknown>]> = [
    ["text", Variable.text("X")],
    ["secret", Variable.secret("X")],
    ["oneOf", choice],
    ["boolean", Variable.boolean("X")],
    ["count", Variable.count("X", { max: 9 })],
    ["duration", timeout],
    ["address", Variable.address("X")],
    ["bytes", size]
  ]
  it.effect.each(configs)("is an unset one: %s", ([, config]) =>
    Effect.gen(function* () {
      for (const text of ["", " ", "\n"]) {
        expect(yield* read(Config.withDefault(config, "the default"), text)).toBe("the default")
        expect(yield* refusal(config, text)).toContain("Missing data at X")
      }
    })
  )

  it.effect("changes no setting of the library", () =>
    Effect.gen(function* () {
      const all = Config.all([UploadHttpClient.config, RetryPolicy.config])
      const names = yield* Variable.namesIn(all)
      expect(names.length).toBeGreaterThan(10)
      const empty = yield* all.pipe(environment(Object.fromEntries(names.map((name) => [name, ""]))))
      const unset = yield* all.pipe(environment({}))
      expect(empty).toEqual(unset)
      expect(unset[1].maxRetries).toBe(8)
    })
  )
})

describe("a value", () => {
  it.effect("may have space around it", () =>
    Effect.gen(function* () {
      expect(yield* read(Variable.text("X"), " a b\n")).toBe("a b")
      expect(Redacted.value(yield* read(Variable.secret("X"), "key\n"))).toBe("key")
      expect(yield* read(choice, " Raw ")).toBe("raw")
      expect(yield* read(Variable.count("X", { max: 9 }), " 7 ")).toBe(7)
    })
  )

  it.effect("may be an address of either kind, or a name, with its port", () =>
    Effect.gen(function* () {
      const address = (text: string) => read(Variable.address("X"), text)
      expect(yield* address("10.0.0.5:8321")).toEqual({ host: "10.0.0.5", port: 8321 })
      expect(yield* address("[2001:db8::1]:0")).toEqual({ host: "2001:db8::1", port: 0 })
      expect(yield* address(" runner.example:65535 ")).toEqual({ host: "runner.example", port: 65_535 })
    })
  )

  it.effect.each([
    ["true", true],
    ["YES", true],
    ["1", true],
    ["off", false],
    ["0", false]
  ] as const)("of a switch may be %s", ([text, value]) =>
    Effect.map(read(Variable.boolean("X"), text), (actual) => expect(actual).toBe(value))
  )

  it.effect("of a limit or a size has its unit", () =>
    Effect.gen(function* () {
      expect(Duration.toMillis(yield* read(timeout, "10s"))).toBe(10_000)
      expect(yield* read(size, "5MB")).toBe(5_000_000)
      expect(yield* read(Variable.bytes("X", { example: "1MB", perSecond: true }), "5 MiB/s")).toBe(5_242_880)
    })
  )

  const refused: ReadonlyArray<readonly [config: Config.Config<unknown>, text: string, problem: string]> = [
    [timeout, "0s", 'it has to be a number with its unit, from 1 ms to 1 day, such as "30s"'],
    [timeout, "-5s", 'such as "30s"'],
    [timeout, "30", 'such as "30s"'],
    [timeout, "25h", "to 1 day"],
    [timeout, "infinity", "to 1 day"],
    [
      size,
      "0",
      'it has to be a size greater than 0, in bytes or with a unit (kB, MB, GB, KiB, MiB, GiB), such as "5MB"'
    ],
    [size, "-1", 'such as "5MB"'],
    [size, "5MB/s", 'such as "5MB"'],
    [choice, "zip", "it has to be one of: raw, multipart"],
    [Variable.boolean("X"), "perhaps", "it has to be true or false"],
    [Variable.count("X", { max: 1000 }), "1001", "it has to be a whole number from 0 to 1000"],
    [Variable.count("X", { min: 1, max: 9 }), "0", "from 1 to 9"],
    ...[
      "runner",
      ":8321",
      "runner:",
      "runner:65536",
      "::1:8321",
      "run ner:1",
      "[::1]",
      "http://runner:1"
    ].map((text) => [Variable.address("X"), text, 'a host and a port, such as "10.0.0.5:8321"'] as const)
  ]
  it.effect.each(refused)(
    "that cannot be used is refused by name, with what can: %# %s",
    ([config, text, problem]) =>
      Effect.map(refusal(config, text), (message) => {
        expect(message).toContain("Invalid data at X")
        expect(message).toContain(problem)
      })
  )

  it.effect("is not repeated: it may be a secret", () =>
    Effect.gen(function* () {
      for (const config of [timeout, size, choice, Variable.boolean("X"), Variable.count("X", { max: 9 })]) {
        expect(yield* refusal(config, "hunter2")).not.toContain("hunter2")
      }
    })
  )
})

describe("limits of the library", () => {
  it.effect.each([
    "EC_UPLOAD_CONNECT_TIMEOUT",
    "EC_UPLOAD_STALL_TIMEOUT",
    "EC_UPLOAD_RESPONSE_TIMEOUT",
    "EC_UPLOAD_READ_TIMEOUT",
    "EC_UPLOAD_DEADLINE",
    "EC_UPLOAD_CONTINUE_TIMEOUT",
    "EC_UPLOAD_BANDWIDTH",
    "EC_UPLOAD_EXPECT_THRESHOLD"
  ])("%s is more than nothing", (name) =>
    Effect.gen(function* () {
      for (const text of ["0", "0s", "-1", "-5s"]) {
        const error = yield* Effect.flip(UploadHttpClient.config.pipe(environment({ [name]: text })))
        expect(String(error)).toMatch(new RegExp(`${name}.*such as `))
      }
    })
  )
})

describe("namesIn", () => {
  it.effect("lists what a configuration reads", () =>
    Effect.map(Variable.namesIn(RetryPolicy.config), (names) =>
      expect([...names].sort()).toEqual([
        "EC_UPLOAD_RETRIES",
        "EC_UPLOAD_RETRY_BASE_DELAY",
        "EC_UPLOAD_RETRY_DEADLINE",
        "EC_UPLOAD_RETRY_MAX_DELAY"
      ])
    )
  )
})

describe("unknownNames", () => {
  const known = ["EC_UPLOAD_RETRIES", "EC_UPLOAD_RETRY_DEADLINE"]
  const variables = {
    EC_UPLOAD_RETRIES: "1",
    EC_UPLOAD_RETRIEZ: "1",
    EC_UPLOAD_RETRY_DEADLINE: "1h",
    EC_UPLOAD_RETRY_DEADLINES: "1h",
    EC_UPLOAD_OF_NOTHING: "",
    EC_UPLOADS: "1",
    HOME: "/root"
  }
  const misspelt = ["EC_UPLOAD_RETRIEZ", "EC_UPLOAD_RETRY_DEADLINES"]

  it.effect("finds misspelt variables in a map", () =>
    Effect.map(Variable.unknownNames("EC_UPLOAD_", known).pipe(environment(variables)), (names) =>
      expect(names).toEqual(misspelt)
    )
  )

  it.effect("finds them in the environment, which lists names in parts", () =>
    Effect.gen(function* () {
      const parts = ConfigProvider.fromMap(new Map(Object.entries(variables)), { pathDelim: "_" })
      const names = yield* Effect.withConfigProvider(Variable.unknownNames("EC_UPLOAD_", known), parts)
      expect(names).toEqual(misspelt)
    })
  )
})

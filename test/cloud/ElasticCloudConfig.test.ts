import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as ElasticCloudConfig from "../../src/cloud/ElasticCloudConfig.ts"

const key = "VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHA="

const fromEnv = (env: Record<string, string>) =>
  ElasticCloudConfig.ElasticCloudConfig.pipe(
    Effect.provide(ElasticCloudConfig.layerConfig),
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(env))))
  )

const fromOptions = (options: ElasticCloudConfig.ElasticCloudOptions) =>
  ElasticCloudConfig.ElasticCloudConfig.pipe(Effect.provide(ElasticCloudConfig.layer(options)))

const endpointOf = (env: Record<string, string>) =>
  Effect.map(fromEnv({ EC_API_KEY: key, ...env }), ({ baseUrl }) => baseUrl)

const refusal = (env: Record<string, string>) => Effect.map(Effect.flip(fromEnv(env)), String)

describe("ElasticCloudConfig.layerConfig", () => {
  it.effect("needs nothing but the key", () =>
    Effect.gen(function* () {
      const config = yield* fromEnv({ EC_API_KEY: ` ${key}\n` })
      expect(config).toMatchObject({
        baseUrl: "https://api.elastic-cloud.com/api/v1",
        origin: "https://api.elastic-cloud.com"
      })
      expect(Redacted.value(config.apiKey)).toBe(key)
      expect(JSON.stringify(config)).not.toContain(key)
    })
  )

  const accepted: ReadonlyArray<readonly [env: Record<string, string>, baseUrl: string]> = [
    [
      { EC_ENDPOINT: "https://api.us-gov-east-1.aws.elastic-cloud.com/" },
      "https://api.us-gov-east-1.aws.elastic-cloud.com/api/v1"
    ],
    [{ EC_ENDPOINT: "https://coordinator:12443" }, "https://coordinator:12443/api/v1"],
    [{ EC_ENDPOINT: "https://proxy.example/ess//" }, "https://proxy.example/ess/api/v1"],
    [{ EC_ENDPOINT: "https://proxy.example/ess/api/v1/" }, "https://proxy.example/ess/api/v1"],
    [{ EC_ENDPOINT: "https://one.example", EC_HOST: "two.example" }, "https://one.example/api/v1"],
    [{ EC_ENDPOINT: " ", EC_HOST: "" }, "https://api.elastic-cloud.com/api/v1"],
    [{ EC_HOST: "coordinator:12443" }, "https://coordinator:12443/api/v1"],
    [{ EC_HOST: "https://api.example" }, "https://api.example/api/v1"],
    [{ EC_ENDPOINT: "http://localhost:8080" }, "http://localhost:8080/api/v1"],
    [{ EC_ENDPOINT: "http://127.0.0.1:8080" }, "http://127.0.0.1:8080/api/v1"],
    [{ EC_ENDPOINT: "http://127.9.9.9" }, "http://127.9.9.9/api/v1"],
    [{ EC_ENDPOINT: "http://[::1]:8080" }, "http://[::1]:8080/api/v1"],
    [{ EC_ENDPOINT: "http://cloud.internal", EC_ALLOW_INSECURE_HTTP: "true" }, "http://cloud.internal/api/v1"]
  ]

  it.effect.each(accepted)("takes %j", ([env, baseUrl]) =>
    Effect.map(endpointOf(env), (actual) => expect(actual).toBe(baseUrl))
  )

  const refusedEndpoints: ReadonlyArray<readonly [env: Record<string, string>, why: string]> = [
    [{ EC_ENDPOINT: "http://api.elastic-cloud.com" }, "set EC_ALLOW_INSECURE_HTTP=true"],
    [{ EC_ENDPOINT: "http://localhost.evil.example" }, "plain http"],
    [{ EC_ENDPOINT: "http://127.0.0.1.evil.example" }, "plain http"],
    [{ EC_ENDPOINT: "http://[::2]" }, "plain http"],
    [{ EC_ENDPOINT: "https://user:hunter2@api.example" }, "user name or password"],
    [{ EC_ENDPOINT: "https://api.example?x=1" }, "query or a fragment"],
    [{ EC_ENDPOINT: "https://api.example/?" }, "query or a fragment"],
    [{ EC_ENDPOINT: "https://api.example/#top" }, "query or a fragment"],
    [{ EC_ENDPOINT: "ftp://api.example" }, "not an https address"],
    [{ EC_ENDPOINT: "https://" }, "not an address"],
    [{ EC_ENDPOINT: "a b" }, "not an address"],
    [{ EC_ENDPOINT: "https://api.example/api/v1/deployments/extensions" }, "up to /api/v1"],
    [{ EC_ENDPOINT: "https://api.example/deployments/extensions/882519870" }, "up to /api/v1"],
    [{ EC_ENDPOINT: "https://api.example/api/v1/stack" }, "up to /api/v1"],
    [{ EC_ENDPOINT: "https://cloud.elastic.co/home" }, "the console"],
    [{ EC_ENDPOINT: "127.0.0.1:9200" }, "whether http or https is meant"],
    [{ EC_ENDPOINT: "localhost:9200" }, "whether http or https is meant"]
  ]

  it.effect.each(refusedEndpoints)("refuses %j", ([env, why]) =>
    Effect.map(refusal({ EC_API_KEY: key, ...env }), (message) => {
      expect(message).toContain("EC_ENDPOINT")
      expect(message).toContain(why)
      expect(message).not.toContain("hunter2")
    })
  )

  it.effect("takes an empty variable for an unset one", () =>
    Effect.map(endpointOf({ EC_ENDPOINT: "", EC_HOST: " ", EC_ALLOW_INSECURE_HTTP: "" }), (baseUrl) =>
      expect(baseUrl).toBe("https://api.elastic-cloud.com/api/v1")
    )
  )

  it.effect("tells the endpoint alone, without a key", () =>
    Effect.map(
      ElasticCloudConfig.endpoint.pipe(
        Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["EC_HOST", "one.example"]])))
      ),
      (endpoint) =>
        expect(endpoint).toEqual({ baseUrl: "https://one.example/api/v1", origin: "https://one.example" })
    )
  )

  it.effect("names EC_HOST when that is the wrong one", () =>
    Effect.map(refusal({ EC_API_KEY: key, EC_HOST: "http://api.example" }), (message) =>
      expect(message).toContain("EC_HOST")
    )
  )

  it.effect("refuses a switch that is neither true nor false", () =>
    Effect.map(refusal({ EC_API_KEY: key, EC_ALLOW_INSECURE_HTTP: "perhaps" }), (message) =>
      expect(message).toContain("EC_ALLOW_INSECURE_HTTP")
    )
  )

  const refusedKeys: ReadonlyArray<readonly [env: Record<string, string>, why: string]> = [
    [{}, "EC_API_KEY is not set, or empty. Create an API key"],
    [{ EC_API_KEY: "  " }, "EC_API_KEY is not set, or empty"],
    [{ EC_API_KEY: "hunter2\r\nx-evil: 1" }, "a line break"],
    [{ EC_API_KEY: "hunter2 hunter2" }, "a space"],
    [{ EC_API_KEY: "hünter2" }, "no API key has"],
    [{ EC_API_KEY: "ApiKey hunter2" }, "begins with the name of a scheme"],
    [{ EC_API_KEY: '"hunter2"' }, "in quotes"],
    [{ EC_API_KEY: "'hunter2'" }, "in quotes"],
    [{ EC_API_KEY: "$hunter2" }, "name of a variable"],
    [{ EC_API_KEY: "$" + "{hunter2}" }, "name of a variable"],
    [{ EC_API_KEY: "%hunter2%" }, "name of a variable"],
    [{ EC_API_KEY: "{{hunter2}}" }, "name of a variable"],
    [{ EC_API_KEY: "<hunter2>" }, "a placeholder"],
    [{ EC_API_KEY: "***" }, "the mask that is shown"]
  ]

  it.effect.each(refusedKeys)("refuses the key of %j", ([env, why]) =>
    Effect.map(refusal(env), (message) => {
      expect(message).toContain("EC_API_KEY")
      expect(message).toContain(why)
      expect(message).not.toMatch(/h[uü]nter2/)
    })
  )
})

describe("ElasticCloudConfig.layer", () => {
  it.effect("takes a plain or a redacted key, and a URL", () =>
    Effect.gen(function* () {
      const plain = yield* fromOptions({ apiKey: key })
      const redacted = yield* fromOptions({
        apiKey: Redacted.make(key),
        endpoint: new URL("https://api.example/")
      })
      expect(Redacted.value(plain.apiKey)).toBe(Redacted.value(redacted.apiKey))
      expect([plain.baseUrl, redacted.baseUrl]).toEqual([
        "https://api.elastic-cloud.com/api/v1",
        "https://api.example/api/v1"
      ])
    })
  )

  const refused: ReadonlyArray<
    readonly [
      options: ElasticCloudConfig.ElasticCloudOptions,
      setting: ElasticCloudConfig.InvalidElasticCloudConfig["setting"],
      why: string
    ]
  > = [
    [{ apiKey: "" }, "apiKey", "it is empty"],
    [{ apiKey: "hunter2\n2" }, "apiKey", "a line break"],
    [{ apiKey: key, endpoint: "http://api.example" }, "endpoint", "set allowInsecureHttp"],
    [{ apiKey: key, endpoint: "https://a:hunter2@api.example" }, "endpoint", "user name or password"]
  ]

  it.effect.each(refused)("fails with a typed error on %j", ([options, setting, why]) =>
    Effect.map(Effect.flip(fromOptions(options)), (error) => {
      expect(error._tag).toBe("InvalidElasticCloudConfig")
      expect(error.setting).toBe(setting)
      expect(error.message).toContain(why)
      expect(JSON.stringify(error) + error.message).not.toContain("hunter2")
    })
  )

  it.effect("lets plain http pass when asked to", () =>
    Effect.map(
      fromOptions({ apiKey: key, endpoint: "http://cloud.internal", allowInsecureHttp: true }),
      ({ origin }) => expect(origin).toBe("http://cloud.internal")
    )
  )
})

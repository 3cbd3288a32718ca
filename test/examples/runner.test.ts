/** The files of `examples/runner`, against what the command takes and serves. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import { parse, parseAllDocuments } from "yaml"
import { answerTo } from "../../src/cli/internal/answer.ts"
import { runner } from "../../src/cli/internal/definitions.ts"
import { namesOf } from "../../src/cli/internal/parameters.ts"

const read = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../examples/runner/${name}`, import.meta.url)), "utf8")

/** All that the runner reads, by the variables that its help names; the token may also be given itself. */
const variables = new Set([
  "DATABASE_URL",
  "EC_RUNNER_TOKEN",
  ...runner.entries.flatMap(({ meaning }) => /\[([A-Z_]+)\]$/.exec(meaning)?.[1] ?? [])
])

const options = new Set(runner.entries.flatMap(namesOf))

/** In milliseconds. */
const seconds = (text: string) => Number(/^(\d+) ?s/.exec(text)?.[1]) * 1000

describe("the compose file", () => {
  const { secrets, services, volumes } = parse(read("compose.yaml"))
  const { entrypoint, environment, secrets: used, stop_grace_period } = services.runner
  const script: string = entrypoint[2]

  it("runs the command with options and variables that it takes", () => {
    const given = script.match(/--[a-z-]+/g) ?? []
    expect(given).toContain("--address")
    for (const option of given) expect(options).toContain(option)
    for (const name of Object.keys(environment)) expect(variables).toContain(name)
    expect(answerTo(["runner", "--address", "a:1", "--listen", "0.0.0.0:8321"])).toMatchObject({
      _tag: "Run",
      command: "runner"
    })
  })

  it("waits longer than the runner drains, and names what it declares", () => {
    expect(seconds(stop_grace_period)).toBeGreaterThan(seconds(environment.EC_RUNNER_DRAIN) + 10_000)
    for (const name of used) expect(secrets).toHaveProperty(name)
    expect(Object.keys(volumes)).toEqual(["database"])
  })
})

describe("the manifests", () => {
  const documents = parseAllDocuments(read("kubernetes.yaml"))
  const manifests = documents.map((document) => document.toJS())
  const of = (kind: string) => manifests.find((manifest) => manifest.kind === kind)
  const { spec } = of("Deployment").spec.template
  const [container] = spec.containers

  it("are YAML without errors, of the kinds that a runner needs", () => {
    expect(documents.flatMap(({ errors }) => errors)).toEqual([])
    expect(manifests.map(({ kind }) => kind)).toEqual([
      "Secret",
      "Deployment",
      "Service",
      "PodDisruptionBudget"
    ])
  })

  it("give the command variables that it reads, and no secret outside of the secret", () => {
    const given: ReadonlyArray<{ readonly name: string; readonly value?: string }> = container.env
    for (const { name } of given.filter(({ name }) => name !== "POD_IP")) expect(variables).toContain(name)
    for (const name of Object.keys(of("Secret").stringData)) expect(variables).toContain(name)
    expect(JSON.stringify(given)).not.toMatch(/API_KEY|TOKEN|DATABASE_URL/)
    expect(container.envFrom).toEqual([{ secretRef: { name: of("Secret").metadata.name } }])
    expect(container.args).toEqual([runner.name])
  })

  it("ask for its health where it listens, and select the pods that they mean", () => {
    const port = (name: string) =>
      container.ports.find((one: { readonly name: string }) => one.name === name)?.containerPort
    const value = (name: string) =>
      container.env.find((one: { readonly name: string }) => one.name === name)?.value
    expect(value("EC_RUNNER_LISTEN")).toBe(`0.0.0.0:${port("http")}`)
    expect(value("EC_RUNNER_ADDRESS")).toBe(`$(POD_IP):${port("runners")}`)
    expect(container.livenessProbe.httpGet).toEqual({ path: "/healthz", port: "http" })
    expect(container.readinessProbe.httpGet).toEqual({ path: "/readyz", port: "http" })
    const { labels } = of("Deployment").spec.template.metadata
    expect(of("Service").spec.selector).toEqual(labels)
    expect(of("PodDisruptionBudget").spec.selector.matchLabels).toEqual(labels)
    const drain = seconds(value("EC_RUNNER_DRAIN"))
    const sleep = Number(container.lifecycle.preStop.exec.command[1]) * 1000
    expect(spec.terminationGracePeriodSeconds * 1000).toBeGreaterThan(drain + sleep + 10_000)
  })
})

/** A release on SQLite whose processes are killed, one after the other, in every one of its steps. */
import { join } from "node:path"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { expect, it } from "@effect/vitest"
import { Deferred, Effect, Layer } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import * as ReleaseTarget from "../../src/workflow/ReleaseTarget.ts"
import { ledger } from "../support/faults/ledger.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"
import { sha256 } from "../support/upload/world.ts"
import { encodedPayload } from "../support/workflow/payloads.ts"
import { momentName, type Report } from "../support/workflow/reports.ts"
import { type RunnerProcess, RunnerProgram, startRunner } from "../support/workflow/runners.ts"

const size = 1024 * 1024
/** What one kill in mid-transfer may cost in bytes that are sent again. */
const window = 256 * 1024

const steps = ["inspect", "digest", "ensure", "transfer", "verify", "request-approval", "announce"]
const inTransfer = momentName("BytesAcknowledged", "transfer")
const moments = steps.flatMap((step) => {
  const [started, ended] = [momentName("StepStarted", step), momentName("StepEnded", step)]
  return step === "transfer" ? [started, inTransfer, ended] : [started, ended]
})

const isMoment = (name: string) => (report: Report) =>
  report._tag === "Moment" && momentName(report.moment, report.step) === name

/** What a process reports that goes on in a step and comes as far as a moment. */
const wayThrough = (step: string, moment: string | undefined) =>
  moments
    .slice(
      moments.indexOf(momentName("StepStarted", step)),
      moment === undefined ? undefined : moments.indexOf(moment) + 1
    )
    .filter((name) => name !== inTransfer)

const stepsOf = (reports: ReadonlyArray<Report>) =>
  reports.flatMap((report) =>
    report._tag === "Moment" && report.moment.startsWith("Step")
      ? [momentName(report.moment, report.step)]
      : []
  )

const announcements = (reports: ReadonlyArray<Report>) =>
  reports.flatMap((report) => (report._tag === "Announced" ? [report.idempotencyKey] : []))

const story = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const cloud = yield* LocalElasticCloud.LocalElasticCloud
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "releases-" })
  const content = yield* zipOf(size)
  const payload = yield* encodedPayload({
    releaseId: "2.1.0",
    extension: ReleaseTarget.named({ name: "analysis-acme", type: "bundle", version: "*" }),
    archive: { _tag: "Path", path: yield* fileWith(content) },
    holdForApproval: true
  })
  const process = (env: Readonly<Record<string, string>> = {}) =>
    startRunner({
      EC_API_KEY: "local-key",
      EC_ENDPOINT: cloud.url,
      EC_UPLOAD_JOURNAL: join(folder, "journal"),
      EC_UPLOAD_BANDWIDTH: "4000000",
      RELEASE_DATABASE: join(folder, "releases.db"),
      RELEASE_PAYLOAD: payload,
      ...env
    })
  /** Lets a process do what is left, and expects it to be right. */
  const finish = Effect.gen(function* () {
    const last = yield* process({ RELEASE_APPROVE: "true" })
    const result = yield* last.saw(({ _tag }) => _tag === "Result")
    expect(result).toMatchObject({ _tag: "Result", outcome: "Released", sha256: sha256(content) })
    expect(yield* last.ended).toMatchObject({ code: 0 })
    return yield* last.reports
  })
  return { content, process, finish }
})

/** That there is one extension, which was filled once, with this content. */
const released = (content: Uint8Array) =>
  Effect.gen(function* () {
    const cloud = yield* LocalElasticCloud.LocalElasticCloud
    const extensions = yield* cloud.extensions
    expect(extensions.map(({ file, uploads }) => ({ sha256: file?.sha256, uploads }))).toEqual([
      { sha256: sha256(content), uploads: 1 }
    ])
    const requests = yield* cloud.requests
    expect(requests.filter(({ method }) => method === "POST")).toHaveLength(1)
  })

const World = LocalElasticCloud.layer({ resumable: { progressEveryBytes: 64 * 1024 } }).pipe(
  Layer.provideMerge(Layer.merge(NodeContext.layer, FetchHttpClient.layer)),
  Layer.orDie
)

const live = { excludeTestServices: true, timeout: "30 seconds" } as const

it.layer(RunnerProgram.layer, live)("a release whose process is killed", (it) => {
  it.scoped(
    "in every step in turn: each goes on in the step it died in, and in the middle of the archive",
    () =>
      Effect.gen(function* () {
        const { content, finish, process } = yield* story
        let diedIn = "inspect"
        const announced: Array<string> = []
        for (const moment of moments) {
          const runner = yield* process({
            RELEASE_HOLD_AT: moment,
            ...(moment === momentName("StepStarted", "announce") && { RELEASE_APPROVE: "true" })
          })
          yield* runner.saw(isMoment(moment))
          yield* runner.kill
          const reports = yield* runner.reports
          expect(stepsOf(reports), moment).toEqual(wayThrough(diedIn, moment))
          announced.push(...announcements(reports))
          diedIn = moment.split(" ")[1] ?? ""
        }
        const reports = yield* finish
        expect(stepsOf(reports)).toEqual(wayThrough("announce", undefined))
        announced.push(...announcements(reports))

        yield* released(content)
        // Killed before and after it, but announced under one key.
        expect(announced).toHaveLength(2)
        expect(announced[0]).toEqual(announced[1])
        const { received, requests } = yield* ledger(content.length)
        expect(requests.map((line) => line.split(" ")[0])).toEqual(["PUT", "PATCH"])
        expect(received, requests.join(", ")).toBeLessThanOrEqual(content.length + window)
      }).pipe(Effect.provide(World))
  )

  const requests = ["POST", "PUT"]
  it.scoped.each(requests)(
    "when a %s was carried out and not yet answered: it is not carried out again",
    (method) =>
      Effect.gen(function* () {
        const { content, finish, process } = yield* story
        const cloud = yield* LocalElasticCloud.LocalElasticCloud
        const victim = yield* Deferred.make<RunnerProcess>()
        yield* cloud.plan({
          method,
          fault: Fault.run(
            "applied",
            Effect.flatMap(Deferred.await(victim), ({ kill }) => kill)
          )
        })
        const runner = yield* process()
        yield* Deferred.succeed(victim, runner)
        expect(yield* runner.ended).toMatchObject({ signal: "SIGKILL" })
        yield* finish
        yield* released(content)
      }).pipe(Effect.provide(World))
  )

  it.scoped("is not helped by a second one while it lives", () =>
    Effect.gen(function* () {
      const { content, finish, process } = yield* story
      const moment = momentName("StepStarted", "digest")
      const first = yield* process({ RELEASE_HOLD_AT: moment })
      yield* first.saw(isMoment(moment))
      const second = yield* process()
      const ending = yield* second.ended
      expect(ending.code).not.toBe(0)
      expect(ending.output).toContain("EngineLocked")
      expect(stepsOf(yield* second.reports)).toEqual([])
      yield* first.kill
      yield* finish
      yield* released(content)
    }).pipe(Effect.provide(World))
  )
})

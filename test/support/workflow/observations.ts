/** What the reports of runners say about the releases they worked on. */
import { Effect, Schedule } from "effect"
import type { Heard } from "./reports.ts"
import type { RunnerProcess } from "./runners.ts"

type Moment = Extract<Heard, { _tag: "Moment" }>
type Reports = ReadonlyArray<Heard>

const momentsOf = (reports: Reports) =>
  reports.flatMap((report) => (report._tag === "Moment" ? [report] : []))

/** Every step that was begun, in the order of their beginning. */
export const started = (reports: Reports) =>
  momentsOf(reports).filter(({ moment }) => moment === "StepStarted")

export const executionsOf = (moments: ReadonlyArray<Moment>) =>
  new Set(moments.map(({ executionId }) => executionId))

/** Releases in the middle of their archive. */
export const transferring = (reports: Reports) => {
  const moments = momentsOf(reports)
  const sent = moments.filter(({ moment, step }) => moment === "StepEnded" && step === "transfer")
  const done = executionsOf(sent)
  return executionsOf(
    moments.filter(({ executionId, moment }) => moment === "SendingStarted" && !done.has(executionId))
  )
}

/** Until a runner is in the middle of so many archives. */
export const untilTransferring = (runner: RunnerProcess, count: number) =>
  Effect.repeat(Effect.map(runner.reports, transferring), {
    until: ({ size }) => size >= count,
    schedule: Schedule.spaced("20 millis")
  })

const stepOrder = ["inspect", "digest", "ensure", "transfer", "verify", "announce"]

/**
 * Steps that were begun although somebody had gone on from them to the next: then their results had been stored. The last
 * step of a runner that was lost may have ended without that being stored, and is done again.
 */
export const repeatedSteps = (earlier: Reports, later: Reports) =>
  started(later).filter((again) =>
    started(earlier).some(
      (before) =>
        before.executionId === again.executionId &&
        before.at < again.at &&
        stepOrder.indexOf(before.step) > stepOrder.indexOf(again.step)
    )
  )

/** When a survivor went on with each release that a lost runner was sending, in milliseconds after the loss. */
export const takeovers = (lost: Reports, survivor: Reports, lostAt: number) =>
  [...transferring(lost)].map((executionId) => {
    const first = started(survivor).find((moment) => moment.executionId === executionId)
    return (first?.at ?? Number.POSITIVE_INFINITY) - lostAt
  })

/** Of the announcements, the keys by which a receiver tells a repeated one. */
export const announcedKeys = (reports: Reports) =>
  reports.flatMap((report) => (report._tag === "Announced" ? [report.idempotencyKey] : []))

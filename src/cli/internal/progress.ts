/** How far an upload has come, as one line of a terminal: what is known, and how it looks. */
import type { PublishEvent } from "../../publish/PublishEvent.ts"
import { bytes, clock, portion, spinner } from "./text.ts"

/** The events that say how far something has come, and come often. */
export type Step = Extract<
  PublishEvent,
  {
    readonly _tag:
      | "DigestProgress"
      | "BytesWritten"
      | "BytesAcknowledged"
      | "StagingProgress"
      | "VerificationProgress"
  }
>

export const isStep = (event: PublishEvent): event is Step =>
  event._tag === "DigestProgress" ||
  event._tag === "BytesWritten" ||
  event._tag === "BytesAcknowledged" ||
  event._tag === "StagingProgress" ||
  event._tag === "VerificationProgress"

/** Bytes done, of `total`. */
export const doneOf = (step: Step): number => ("offset" in step ? step.offset : step.bytes)

/** What is known. Times are in milliseconds on whatever clock gives `now`. */
export interface Progress {
  readonly activity: "hashing" | "sending" | "verifying" | "waiting" | undefined
  /** What takes its time while none of these is under way. */
  readonly meanwhile: string
  /** Bytes. */
  readonly total: number
  readonly done: number
  /** Of what was sent, what the server has said it keeps. */
  readonly acknowledged: number | undefined
  readonly attempt: number
  /** The retry that is waited for, of so many without progress. */
  readonly retry: number
  readonly retries: number
  /** When the next attempt begins. */
  readonly retryAt: number
  /** When what happens now began. */
  readonly since: number
  /** Where `done` was when, over the last seconds, oldest first. */
  readonly samples: ReadonlyArray<{ readonly at: number; readonly done: number }>
}

export const nothingYet: Progress = {
  activity: undefined,
  meanwhile: "reading the archive",
  total: 0,
  done: 0,
  acknowledged: undefined,
  attempt: 1,
  retry: 0,
  retries: 0,
  retryAt: 0,
  since: 0,
  samples: []
}

/** Long enough for an even figure, short enough to notice that the line has stalled. */
const windowMillis = 5000
const sampleMillis = 100

export const advance = (progress: Progress, event: PublishEvent, now: number): Progress =>
  isStep(event) ? step(progress, event, now) : { ...next(progress, event, now), since: now }

const next = (progress: Progress, event: Exclude<PublishEvent, Step>, now: number): Progress => {
  switch (event._tag) {
    case "AttemptStarted":
      return { ...progress, attempt: event.attempt }
    case "SendingStarted":
      return begin(progress, "sending", event.offset, event.total, now)
    case "RetryScheduled":
      return { ...progress, activity: "waiting", retry: event.retry, retryAt: now + event.delayMillis }
    case "StagingRetryScheduled":
      return { ...progress, activity: "waiting", retryAt: now + event.delayMillis }
    case "ArchiveInspected":
      return { ...progress, meanwhile: "asking the service for the extension" }
    case "DigestComputed":
      return progress.activity === "hashing" ? { ...progress, activity: undefined } : progress
    case "ReconciliationStarted":
      return { ...progress, activity: undefined, meanwhile: "asking whether the archive arrived" }
    case "VerificationStarted":
      return { ...progress, activity: undefined, meanwhile: "asking what the service has stored" }
    case "DownloadStarted":
      return { ...progress, activity: undefined, meanwhile: "the service is fetching the archive" }
    case "StagingCompleted":
    case "Verified":
    case "Completed":
      return { ...progress, activity: undefined, meanwhile: "finishing" }
    default:
      return progress
  }
}

const activities = {
  DigestProgress: "hashing",
  BytesWritten: "sending",
  StagingProgress: "sending",
  VerificationProgress: "verifying"
} as const

const step = (progress: Progress, event: Step, now: number): Progress => {
  if (event._tag === "BytesAcknowledged") return { ...progress, acknowledged: event.offset }
  const activity = activities[event._tag]
  const current = progress.activity === activity ? progress : begin(progress, activity, 0, event.total, now)
  const done = doneOf(event)
  return { ...current, done, total: event.total, samples: sampled(current.samples, now, done) }
}

const begin = (
  progress: Progress,
  activity: NonNullable<Progress["activity"]>,
  done: number,
  total: number,
  now: number
): Progress => ({
  ...progress,
  activity,
  done,
  total,
  acknowledged: activity === "sending" ? progress.acknowledged : undefined,
  samples: [{ at: now, done }]
})

const sampled = (samples: Progress["samples"], now: number, done: number): Progress["samples"] => {
  const last = samples.at(-1)
  if (last !== undefined && samples.length > 1 && now - last.at < sampleMillis) return samples
  const recent = samples.filter(({ at }) => now - at <= windowMillis)
  return [...(recent.length === 0 ? samples.slice(-1) : recent), { at: now, done }]
}

/** Bytes per second over the last seconds; undefined until there is something to go by. */
export const rateOf = ({ done, samples }: Progress, now: number): number | undefined => {
  const first = samples[0]
  if (first === undefined || now - first.at < 500) return undefined
  return (Math.max(0, done - first.done) * 1000) / (now - first.at)
}

/** One line of at most `columns` characters; empty when there is nothing to show. */
export const render = (progress: Progress, now: number, columns: number): string => {
  const { activity, meanwhile, since } = progress
  if (activity === undefined) {
    const waited = now - since
    return waited < patienceMillis
      ? ""
      : `${spinner(waited)} ${meanwhile}  ${clock(waited)}`.slice(0, columns)
  }
  if (activity === "waiting") return waitingFor(progress, now).slice(0, columns)
  const room = Math.min(columns, 80) - activity.length - 2 - smallestBar
  const figures = fitting(figuresOf(progress, now), room)
  const width = Math.min(largestBar, smallestBar + room - lengthOf(figures))
  const line = width < smallestBar ? [activity, ...figures] : [activity, bar(progress, width), ...figures]
  return line.join(separator).slice(0, columns)
}

/** A wait shorter than this needs no word. */
const patienceMillis = 1000

const waitingFor = ({ retries, retry, retryAt }: Progress, now: number): string =>
  `waiting: retry ${retry} of ${retries} in ${clock(retryAt - now)}`

/** The same as a line of a log, for which there is always something to say. */
export const describe = (progress: Progress, now: number): string => {
  const { activity, done, meanwhile, total } = progress
  if (activity === undefined) return `still at work: ${meanwhile}`
  if (activity === "waiting") return waitingFor(progress, now)
  if (activity === "sending" && done >= total) return "all is sent: waiting for the server's answer"
  const rate = bytes(rateOf(progress, now) ?? 0)
  return `${activity}: ${percent(done, total).trim()} (${portion(done, total).trim()}), ${rate}/s`
}

const separator = "  "
const smallestBar = 12
const largestBar = 20

/** With how much each matters: where there is no room for all, the least goes first. */
const figuresOf = (
  progress: Progress,
  now: number
): ReadonlyArray<readonly [text: string, weight: number]> => {
  const { acknowledged, activity, attempt, done, total } = progress
  const rate = rateOf(progress, now)
  const isKept = activity === "sending" && acknowledged !== undefined
  return [
    [percent(done, total), 7],
    ...(isKept ? [[`kept ${percent(acknowledged, total).trim()}`, 3] as const] : []),
    [portion(done, total), 2],
    ...(rate === undefined ? [] : [[`${bytes(rate)}/s`.padStart(10), 5] as const]),
    ...(rate === undefined || rate <= 0
      ? []
      : [[`${clock(((total - done) * 1000) / rate)} left`, 6] as const]),
    ...(activity === "sending" && attempt > 1 ? [[`try ${attempt}`, 4] as const] : [])
  ]
}

const fitting = (
  figures: ReadonlyArray<readonly [text: string, weight: number]>,
  room: number
): ReadonlyArray<string> => {
  const texts = figures.map(([text]) => text)
  if (lengthOf(texts) <= room || figures.length <= 1) return texts
  const lightest = Math.min(...figures.map(([, weight]) => weight))
  return fitting(
    figures.filter(([, weight]) => weight !== lightest),
    room
  )
}

const lengthOf = (texts: ReadonlyArray<string>): number =>
  texts.reduce((length, text) => length + separator.length + text.length, 0)

const percent = (part: number, total: number): string =>
  `${Math.floor((100 * part) / Math.max(1, total))} %`.padStart(5)

/** What the server keeps is solid, what it has only been sent is shaded. Without a word from it, what was sent is solid. */
const bar = ({ acknowledged, done, total }: Progress, width: number): string => {
  const cells = (bytes: number) => Math.round(((width - 2) * Math.min(bytes, total)) / Math.max(1, total))
  const sent = cells(done)
  const kept = Math.min(sent, cells(acknowledged ?? done))
  return `[${"█".repeat(kept)}${"▒".repeat(sent - kept)}${"·".repeat(width - 2 - sent)}]`
}

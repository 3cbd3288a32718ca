/**
 * Which requests were just answered. The cluster takes one for what it is at work at until its next reading has begun, and passes
 * over it when it reads it: a run that is woken right after it was suspended would be marked as read, and nobody would have it.
 * So such a message is kept back, for a reading after that.
 */
import type * as Message from "@effect/cluster/Message"
import type { Snowflake } from "@effect/cluster/Snowflake"

export interface Answers {
  /** The answer to a request is about to be stored. */
  readonly begin: (request: Snowflake) => void
  /** It is stored, or will not be. Tells whether the request was kept back meanwhile. */
  readonly end: (request: Snowflake) => boolean
  readonly beginReading: () => void
  /** Those of the messages read that the cluster will not pass over. The others are kept back. */
  readonly keepBack: <M extends Message.Incoming<never>>(messages: ReadonlyArray<M>) => Array<M>
  /** Forgets what was kept back, and gives it: it is marked as read in the database, and has to be read by itself. */
  readonly takeKept: () => ReadonlyArray<Snowflake>
  /** Whether another reading may hand out some of it. */
  readonly isWorthReading: () => boolean
}

export const makeAnswers = (): Answers => {
  let reading = 0
  /** In which reading a request was answered; infinite while its answer is being stored. */
  const answered = new Map<Snowflake, number>()
  const kept = new Set<Snowflake>()

  const isPassedOver = (message: Message.Incoming<never>) =>
    message._tag === "IncomingRequest" && answered.has(message.envelope.requestId)

  return {
    begin: (request) => void answered.set(request, Number.POSITIVE_INFINITY),
    end: (request) => {
      answered.set(request, reading)
      return kept.has(request)
    },
    beginReading: () => {
      reading += 1
      // The cluster notes what is answered a moment after it is stored, so the reading before this one may have missed it.
      for (const [request, at] of answered) if (at < reading - 1) answered.delete(request)
    },
    keepBack: (messages) => {
      for (const message of messages) if (isPassedOver(message)) kept.add(message.envelope.requestId)
      return messages.filter((message) => !isPassedOver(message))
    },
    takeKept: () => {
      const taken = [...kept]
      kept.clear()
      return taken
    },
    isWorthReading: () => [...kept].some((request) => Number.isFinite(answered.get(request)))
  }
}

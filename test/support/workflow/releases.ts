/** Releases in this process, against a stand-in, and what they went through. */
import { Effect, Fiber, Layer, Option } from "effect"
import * as UploadHttpClient from "../../../src/transfer/UploadHttpClient.ts"
import * as Announcement from "../../../src/workflow/Announcement.ts"
import * as EngineMemory from "../../../src/workflow/EngineMemory.ts"
import * as ExtensionRelease from "../../../src/workflow/ExtensionRelease.ts"
import * as ReleaseEvents from "../../../src/workflow/ReleaseEvents.ts"
import * as ReleasePayload from "../../../src/workflow/ReleasePayload.ts"
import * as ReleaseRetry from "../../../src/workflow/ReleaseRetry.ts"
import * as ReleaseTarget from "../../../src/workflow/ReleaseTarget.ts"
import { fileWith, zipOf } from "../upload/archives.ts"
import { type WorldOptions, world } from "../upload/world.ts"

/** Keeps what a runner's hooks and observers are told. */
export const record = () => {
  const events: Array<ReleaseEvents.ReleaseEvent> = []
  const released: Array<Announcement.Notice> = []
  const requested: Array<Announcement.Notice> = []
  return {
    released,
    requested,
    /** `ensure 1`, or `transfer 2 RateLimited` for the second attempt that failed. */
    steps: () =>
      events.flatMap((event) =>
        event._tag === "StepEnded"
          ? [[event.step, event.attempt, ...Option.toArray(event.failure)].join(" ")]
          : []
      ),
    layer: Layer.merge(
      ReleaseEvents.layer((event) => Effect.sync(() => void events.push(event))),
      Announcement.layer({
        released: (notice) => Effect.sync(() => void released.push(notice)),
        approvalRequested: (notice) => Effect.sync(() => void requested.push(notice))
      })
    )
  }
}

/** Over an engine, the world and the hooks of the test. Waits between attempts are short. */
export const runner = (hooks: Layer.Layer<never> = Layer.empty) =>
  ExtensionRelease.layer.pipe(
    Layer.provide(hooks),
    Layer.provide(ReleaseRetry.layer({ firstDelay: "20 millis", maxDelay: "100 millis", maxAttempts: 3 }))
  )

/** A stand-in, a client without retries of its own, and whatever reads archives. */
export const place = (options: WorldOptions = {}) =>
  UploadHttpClient.layer().pipe(
    Layer.provideMerge(world({ ...options, retry: { maxRetries: 0, ...options.retry } }))
  )

/** A runner with an engine in memory, in a place of its own. */
export const inMemory = (hooks?: Layer.Layer<never>, options?: WorldOptions) =>
  runner(hooks).pipe(Layer.provideMerge(EngineMemory.layer), Layer.provideMerge(place(options)))

export const bundle = ReleaseTarget.named({ name: "words", type: "bundle", version: "*" })

/** A release of an archive of its own; with `content` for what it should put in place. */
export const newRelease = (request: Partial<ReleasePayload.ReleaseRequest> = {}, bytes = 1000) =>
  Effect.gen(function* () {
    const content = yield* zipOf(bytes)
    const path = yield* fileWith(content)
    const payload = yield* ReleasePayload.prepare({
      releaseId: "words-1",
      extension: bundle,
      archive: { _tag: "Path", path },
      ...request
    })
    return { content, path, payload, executionId: yield* ExtensionRelease.executionId(payload) }
  })

/** Runs a release that the engine knows when this returns. The effect inside waits for its end. */
export const begin = (payload: ReleasePayload.ReleasePayload) =>
  ExtensionRelease.submit(payload).pipe(
    Effect.zipRight(Effect.fork(Effect.either(ExtensionRelease.execute(payload)))),
    Effect.map((running) => Effect.flatten(Fiber.join(running)))
  )

/** Until a release is in that state. */
export const untilStatus = (executionId: string, status: ExtensionRelease.ReleaseStatus["_tag"]) =>
  ExtensionRelease.poll(executionId).pipe(
    Effect.delay("20 millis"),
    Effect.repeat({ until: ({ _tag }) => _tag === status })
  )

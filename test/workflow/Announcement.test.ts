/** Hooks that do not return, and an extension that somebody changed after its release was announced. */
import { expect, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import * as Announcement from "../../src/workflow/Announcement.ts"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"
import { zipOf } from "../support/upload/archives.ts"
import { otherWriter } from "../support/upload/world.ts"
import { begin, inMemory, newRelease } from "../support/workflow/releases.ts"

it.scopedLive("a hook that never returns fails when its time is over, whatever it does", () => {
  const stubborn = Announcement.layer({
    released: () => Effect.uninterruptible(Effect.never),
    limit: "50 millis"
  })
  return Effect.gen(function* () {
    const error = yield* Effect.flip(ExtensionRelease.execute((yield* newRelease()).payload))
    expect(error).toMatchObject({ _tag: "AnnouncementFailed", detail: "the hook did not return within 50ms" })
  }).pipe(Effect.provide(inMemory(stubborn)))
})

it.scopedLive("a hook that never returns can be cancelled", () =>
  Effect.gen(function* () {
    const called = yield* Deferred.make<void>()
    const silent = Announcement.layer({
      released: () => Effect.zipRight(Deferred.succeed(called, undefined), Effect.never)
    })
    yield* Effect.gen(function* () {
      const { executionId, payload } = yield* newRelease()
      const outcome = yield* begin(payload)
      yield* Deferred.await(called)
      yield* ExtensionRelease.cancel(executionId)
      expect(yield* Effect.flip(outcome)).toMatchObject({ _tag: "ReleaseCancelled" })
    }).pipe(Effect.provide(inMemory(silent)))
  })
)

it.scopedLive("an archive that was replaced after the announcement is told of, once", () => {
  const told: Array<Announcement.Notice> = []
  let replaced: Effect.Effect<void> = Effect.void
  const watching = Announcement.layer({
    released: () => replaced,
    contentChanged: (notice) => Effect.sync(() => void told.push(notice)),
    watchFor: "50 millis"
  })
  return Effect.gen(function* () {
    const context = yield* Effect.context<Effect.Effect.Context<ReturnType<typeof otherWriter>>>()
    const content = yield* zipOf(2000)
    const first = yield* newRelease({ releaseId: "1.0.0" })
    const { extensionId } = yield* ExtensionRelease.execute(first.payload)
    expect(told).toEqual([])
    replaced = Effect.provide(otherWriter(extensionId, content), context)
    const second = yield* newRelease({ releaseId: "1.0.1" })
    yield* ExtensionRelease.execute(second.payload)
    expect(told.map(({ receipt }) => receipt.releaseId)).toEqual(["1.0.1"])
  }).pipe(Effect.provide(inMemory(watching)))
})

import { assert, describe, it } from "@effect/vitest"
import {
  Chunk,
  Context,
  Duration,
  Effect,
  Exit,
  FastCheck,
  Fiber,
  Option,
  Ref,
  type Scope,
  Stream,
  TestClock
} from "effect"
import * as ByteStream from "../src/byteStream.ts"
import * as Monotonic from "../src/transfer/Monotonic.ts"

class Unit extends Context.Tag("Unit")<Unit, number>() {}

const bytes = (...numbers: ReadonlyArray<number>) => Uint8Array.from(numbers)

/** The two ways through the same chunks: an ordinary stream, and one that can be pulled. */
const sources = (chunks: ReadonlyArray<Uint8Array>) =>
  [
    ["a stream", Stream.fromIterable(chunks)],
    ["a stream of large chunks", Stream.fromChunk(Chunk.fromIterable(chunks))],
    [
      "a pull",
      ByteStream.make(
        Effect.sync(() => {
          const rest = chunks.values()
          return Effect.suspend(() => {
            const { done, value } = rest.next()
            return done === true ? Effect.fail(Option.none()) : Effect.succeed(value)
          })
        })
      )
    ]
  ] as const

const pulled = <E, R>(stream: Stream.Stream<Uint8Array, E, R>) =>
  Effect.gen(function* () {
    const seen: Array<Uint8Array> = []
    const exit = yield* Effect.exit(
      ByteStream.forEach(stream, (chunk) => Effect.sync(() => seen.push(chunk)))
    )
    return { seen, exit }
  })

const anyChunks = FastCheck.array(FastCheck.uint8Array({ maxLength: 4 }), { maxLength: 8 })

describe("a stream that can be pulled", () => {
  it.effect.prop(
    "gives the same chunks as the stream that it is, through all operators",
    { chunks: anyChunks },
    ({ chunks }) =>
      Effect.gen(function* () {
        const expected = chunks
          .filter(({ length }) => length > 0)
          .map((chunk) => chunk.map((byte) => byte ^ 1))
        for (const [name, source] of sources(chunks)) {
          const tapped: Array<Uint8Array> = []
          const flipped = ByteStream.unwrap(
            Effect.map(Unit, (one) =>
              ByteStream.mapEffect(source, (chunk) => Effect.succeed(chunk.map((byte) => byte ^ one)))
            )
          )
          const stream = ByteStream.suspend(() => ByteStream.withoutEmpty(flipped)).pipe(
            (self) => ByteStream.tap(self, (chunk) => Effect.sync(() => tapped.push(chunk))),
            (self) => ByteStream.provideContext(self, Context.make(Unit, 1))
          )
          const { exit, seen } = yield* pulled(stream)
          assert.deepStrictEqual(seen, expected, name)
          assert.isTrue(Exit.isSuccess(exit))
          assert.deepStrictEqual(tapped, expected, name)
          assert.deepStrictEqual(Chunk.toReadonlyArray(yield* Stream.runCollect(stream)), expected, name)
        }
      })
  )

  it.effect("fails as the stream does, and tells of it once", () =>
    Effect.gen(function* () {
      const source = Stream.concat(Stream.make(bytes(1), bytes(2)), Stream.fail("gone"))
      const told: Array<string> = []
      const stream = ByteStream.tapError(
        ByteStream.mapError(source, (error) => `it is ${error}`),
        (error) => Effect.sync(() => told.push(error))
      )
      const { exit, seen } = yield* pulled(stream)
      assert.deepStrictEqual(seen, [bytes(1), bytes(2)])
      assert.deepStrictEqual(exit, Exit.fail("it is gone"))
      assert.deepStrictEqual(told, ["it is gone"])
      const failing = ByteStream.mapEffect<string, never, string>(source, () => Effect.fail("refused"))
      assert.deepStrictEqual((yield* pulled(failing)).exit, Exit.fail("refused"))
      const refusing = ByteStream.unwrap<never, never, string, never>(Effect.fail("not begun"))
      assert.deepStrictEqual((yield* pulled(refusing)).exit, Exit.fail("not begun"))
    })
  )

  it.effect.prop(
    "gives as many bytes as are taken of it, and is pulled no further",
    { chunks: anyChunks, wanted: FastCheck.nat({ max: 40 }) },
    ({ chunks, wanted }) =>
      Effect.gen(function* () {
        const all = chunks.flatMap((chunk) => [...chunk])
        for (const [name, source] of sources(chunks)) {
          let given = 0
          const counted = ByteStream.tap(source, ({ length }) => Effect.sync(() => (given += length)))
          const { exit, seen } = yield* pulled(ByteStream.take(counted, wanted))
          assert.isTrue(Exit.isSuccess(exit))
          assert.deepStrictEqual(
            seen.flatMap((chunk) => [...chunk]),
            all.slice(0, wanted),
            name
          )
          const last = seen.at(-1)?.length ?? 0
          assert.isBelow(given - Math.min(wanted, all.length), Math.max(1, 5 - last), name)
        }
      })
  )

  it.effect.prop(
    "gives the same bytes in full buffers",
    { chunks: anyChunks, size: FastCheck.integer({ min: 1, max: 9 }) },
    ({ chunks, size }) =>
      Effect.gen(function* () {
        const all = chunks.flatMap((chunk) => [...chunk])
        for (const [name, source] of sources(chunks)) {
          const buffers = Effect.sync(() => new Uint8Array(size))
          const { exit, seen } = yield* pulled(ByteStream.into(source, buffers))
          assert.isTrue(Exit.isSuccess(exit))
          assert.deepStrictEqual(
            seen.map((chunk) => [...chunk]),
            Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
              all.slice(index * size, (index + 1) * size)
            ),
            name
          )
          const failing = ByteStream.into(Stream.concat(source, Stream.fail("gone")), buffers)
          const broken = yield* pulled(failing)
          assert.deepStrictEqual(broken.exit, Exit.fail("gone"))
          assert.strictEqual(broken.seen.length, Math.floor(all.length / size), name)
        }
      })
  )

  describe("with a limit for each chunk", () => {
    const late = { limitMillis: 1000, onTimeout: () => "late" }
    /** A chunk after each of these delays, in milliseconds. */
    const delayed = (...delays: ReadonlyArray<number>) =>
      Stream.mapEffect(Stream.fromIterable(delays), (delay) =>
        Effect.as(Effect.sleep(delay), bytes(delay % 250))
      )

    /** How it ended, and how many milliseconds it took. */
    const watched = <E>(stream: Stream.Stream<Uint8Array, E>) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(Effect.timed(pulled(stream)))
        // Little by little, so that nothing is found out later than it happened.
        for (let time = 0; time < 6000; time += 50) yield* TestClock.adjust(50)
        const [took, { exit, seen }] = yield* Fiber.join(fiber)
        return { took: Duration.toMillis(took), exit, seen: seen.length }
      })

    it.effect("lets chunks pass that come in time, for as long as they come", () =>
      Effect.gen(function* () {
        const inTime = yield* watched(ByteStream.timeoutFail(delayed(950, 0, 900, 0, 0, 950, 950), late))
        assert.deepStrictEqual(inTime, { took: 3750, exit: Exit.void, seen: 7 })
      })
    )

    it.effect("fails when one does not, whenever its turn comes, and interrupts what it waited for", () =>
      Effect.gen(function* () {
        const first = yield* watched(ByteStream.timeoutFail(delayed(1050), late))
        assert.deepStrictEqual(first, { took: 1000, exit: Exit.fail("late"), seen: 0 })
        let isInterrupted = false
        const hung = Stream.fromEffect(
          Effect.onInterrupt(Effect.never, () =>
            Effect.sync(() => {
              isInterrupted = true
            })
          )
        )
        const third = yield* watched(ByteStream.timeoutFail(Stream.concat(delayed(900, 700), hung), late))
        assert.deepStrictEqual(third, { took: 2600, exit: Exit.fail("late"), seen: 2 })
        assert.isTrue(isInterrupted)
      })
    )

    it.effect("does not count the time in which nobody asks for one", () =>
      Effect.gen(function* () {
        const slowly = ByteStream.mapEffect(ByteStream.timeoutFail(delayed(500, 0, 900), late), (chunk) =>
          Effect.as(Effect.sleep(1400), chunk)
        )
        assert.deepStrictEqual(yield* watched(slowly), { took: 5600, exit: Exit.void, seen: 3 })
      })
    )

    it.effect("keeps to a deadline as well, which also those miss who ask after it", () =>
      Effect.gen(function* () {
        const deadlineAt = (yield* Monotonic.now) + 1500
        const options = { ...late, deadlineAt }
        const waiting = yield* Effect.fork(watched(ByteStream.timeoutFail(delayed(900, 900), options)))
        const idle = ByteStream.mapEffect(ByteStream.timeoutFail(delayed(0, 0), options), (chunk) =>
          Effect.as(Effect.sleep(2000), chunk)
        )
        assert.deepStrictEqual(yield* watched(idle), { took: 2000, exit: Exit.fail("late"), seen: 1 })
        assert.deepStrictEqual(yield* Fiber.join(waiting), { took: 1500, exit: Exit.fail("late"), seen: 1 })
      })
    )

    it.effect("fails as the stream does, and ends when it is interrupted", () =>
      Effect.gen(function* () {
        const failing = ByteStream.timeoutFail(Stream.concat(delayed(100), Stream.fail("gone")), late)
        assert.deepStrictEqual(yield* watched(failing), { took: 100, exit: Exit.fail("gone"), seen: 1 })
        let isInterrupted = false
        const endless = Stream.fromEffect(
          Effect.onInterrupt(Effect.never, () =>
            Effect.sync(() => {
              isInterrupted = true
            })
          )
        )
        const reading = yield* Effect.fork(pulled(ByteStream.timeoutFail(endless, late)))
        yield* TestClock.adjust(500)
        yield* Fiber.interrupt(reading)
        assert.isTrue(isInterrupted)
      })
    )
  })

  it.effect(
    "lets go of what it holds at its end, at a failure, when enough was read or taken, and when it is interrupted",
    () =>
      Effect.gen(function* () {
        const open = yield* Ref.make(0)
        const pulls = yield* Ref.make(0)
        const holding = (pull: ByteStream.Pull<never>) =>
          ByteStream.make<never, never>(
            Effect.as(
              Effect.acquireRelease(
                Ref.update(open, (n) => n + 1),
                () => Ref.update(open, (n) => n - 1)
              ),
              Effect.zipRight(
                Ref.update(pulls, (n) => n + 1),
                pull
              )
            )
          )
        const endless = holding(Effect.succeed(bytes(7)))

        yield* ByteStream.forEach(holding(Effect.fail(Option.none())), () => Effect.void)
        assert.strictEqual(yield* Ref.get(open), 0)
        yield* Effect.exit(ByteStream.forEach(endless, () => Effect.fail("refused")))
        assert.strictEqual(yield* Ref.get(open), 0)

        yield* Ref.set(pulls, 0)
        let left = 3
        yield* ByteStream.runWhile(endless, () => --left > 0)
        assert.strictEqual(yield* Ref.get(pulls), 3)
        assert.strictEqual(yield* Ref.get(open), 0)

        yield* Ref.set(pulls, 0)
        yield* ByteStream.forEach(ByteStream.take(endless, 3), () => Effect.void)
        assert.strictEqual(yield* Ref.get(pulls), 3)
        assert.strictEqual(yield* Ref.get(open), 0)

        const waiting = yield* Effect.fork(ByteStream.forEach(holding(Effect.never), () => Effect.void))
        yield* Effect.yieldNow()
        assert.strictEqual(yield* Ref.get(open), 1)
        yield* Fiber.interrupt(waiting)
        assert.strictEqual(yield* Ref.get(open), 0)
      })
  )

  it.effect("takes no stack for a hundred thousand chunks", () =>
    Effect.gen(function* () {
      let left = 100_000
      const stream = ByteStream.make<never, never>(
        Effect.succeed(
          Effect.suspend(() => (left-- === 0 ? Effect.fail(Option.none()) : Effect.succeed(bytes(0))))
        )
      )
      let seen = 0
      yield* ByteStream.forEach(stream, () => Effect.sync(() => (seen += 1)))
      assert.strictEqual(seen, 100_000)
    })
  )

  it.scoped("is closed with its reading, though whoever gave its context has a scope that lives on", () =>
    Effect.gen(function* () {
      const closed = yield* Ref.make(0)
      const finalizer = Effect.addFinalizer(() => Ref.update(closed, (n) => n + 1))
      const opened = ByteStream.make(Effect.as(finalizer, Effect.fail(Option.none())))
      const stream = ByteStream.provideContext(opened, yield* Effect.context<Scope.Scope>())
      yield* ByteStream.forEach(stream, () => Effect.void)
      assert.strictEqual(yield* Ref.get(closed), 1)
      yield* Stream.runDrain(stream)
      assert.strictEqual(yield* Ref.get(closed), 2)
    })
  )
})

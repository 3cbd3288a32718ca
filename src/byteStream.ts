/**
 * Streams of bytes that can also be pulled chunk by chunk, past the channels that a stream is made of. A channel takes some forty
 * steps of a fiber for each chunk and each operator, and an archive goes through a dozen operators on its way to the socket.
 *
 * Who knows nothing of this has an ordinary stream. The operators here take any stream, and make one that can be pulled.
 */
import type * as Chunk from "effect/Chunk"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/** The next chunk, or `None` at the end. One at a time, and none after a failure. */
export type Pull<E> = Effect.Effect<Uint8Array, Option.Option<E>>

/** Makes ready to read, for as long as the scope is open. */
export type Begin<E, R> = Effect.Effect<Pull<E>, E, R | Scope.Scope>

type ByteStream<E, R> = Stream.Stream<Uint8Array, E, R>

const beginKey: unique symbol = Symbol.for("effect-elastic-extensions/byteStream/begin")

interface Pulled<E, R> extends ByteStream<E, R> {
  readonly [beginKey]: Begin<E, R>
}

const isPulled = <E, R>(stream: ByteStream<E, R>): stream is Pulled<E, R> => beginKey in stream

export const make = <E, R>(begin: Begin<E, R>): ByteStream<E, R> =>
  Object.assign(Stream.unwrapScoped(Effect.map(begin, Stream.repeatEffectOption)), { [beginKey]: begin })

export const begin = <E, R>(stream: ByteStream<E, R>): Begin<E, R> =>
  isPulled(stream)
    ? stream[beginKey]
    : Effect.flatMap(Effect.context<R>(), (context) =>
        Effect.map(Stream.toPull(stream), (several) => oneByOne(Effect.provide(several, context)))
      )

const oneByOne = <E>(several: Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<E>>): Pull<E> => {
  let rest: Iterator<Uint8Array> = [].values()
  const next: Pull<E> = Effect.suspend(() => {
    const { done, value } = rest.next()
    if (done !== true) return Effect.succeed(value)
    return Effect.flatMap(several, (chunk) => {
      rest = chunk[Symbol.iterator]()
      return next
    })
  })
  return next
}

export const suspend = <E, R>(evaluate: () => ByteStream<E, R>): ByteStream<E, R> =>
  make(Effect.suspend(() => begin(evaluate())))

export const unwrap = <E, R, E2, R2>(
  effect: Effect.Effect<ByteStream<E, R>, E2, R2>
): ByteStream<E | E2, R | R2> => make(Effect.flatMap(effect, (stream) => begin<E | E2, R | R2>(stream)))

export const provideContext = <E, R>(
  stream: ByteStream<E, R>,
  context: Context.Context<R>
): ByteStream<E, never> =>
  make<E, never>(
    // Whoever gave the context may live in a scope as well: what is opened here has to be closed with the reading.
    Effect.flatMap(Effect.scope, (scope) =>
      Effect.provide(begin(stream), Context.add(context, Scope.Scope, scope))
    )
  )

export const mapEffect = <E, R, E2>(
  stream: ByteStream<E, R>,
  f: (bytes: Uint8Array) => Effect.Effect<Uint8Array, E2>
): ByteStream<E | E2, R> =>
  make(
    Effect.map(begin<E | E2, R>(stream), (pull) =>
      Effect.flatMap(pull, (bytes) => Effect.mapError(f(bytes), Option.some))
    )
  )

export const withoutEmpty = <E, R>(stream: ByteStream<E, R>): ByteStream<E, R> =>
  make(
    Effect.map(begin(stream), (pull) => {
      const next: Pull<E> = Effect.filterOrElse(
        pull,
        ({ length }) => length > 0,
        () => next
      )
      return next
    })
  )

/** The first so many bytes. What comes after them is not pulled, and closed with the reading. */
export const take = <E, R>(stream: ByteStream<E, R>, bytes: number): ByteStream<E, R> =>
  make(
    Effect.map(begin(stream), (pull) => {
      let left = bytes
      const next = Effect.map(pull, (chunk) => {
        const taken = chunk.length <= left ? chunk : chunk.subarray(0, left)
        left -= taken.length
        return taken
      })
      return Effect.suspend(() => (left === 0 ? Effect.fail(Option.none()) : next))
    })
  )

/** How long a chunk may take, in milliseconds. */
export interface TimeoutOptions<out E> {
  readonly limitMillis: number
  /** When all of it has to be there, in milliseconds on the clock that `Monotonic` reads. Default: any time. */
  readonly deadlineAt?: number | undefined
  readonly onTimeout: () => E
}

/**
 * Fails when a chunk takes too long. One fiber watches over the whole reading, so that no chunk pays for a timer of its own: it
 * sleeps until one could first be late.
 */
export const timeoutFail = <E, R, E2>(
  stream: ByteStream<E, R>,
  options: TimeoutOptions<E2>
): ByteStream<E | E2, R> => {
  const { deadlineAt = Number.POSITIVE_INFINITY, limitMillis } = options
  if (Math.min(deadlineAt, limitMillis) === Number.POSITIVE_INFINITY) return stream
  return make(
    Effect.flatMap(
      Effect.all([begin<E | E2, R>(stream), Effect.runtime<never>(), Effect.clock]),
      ([pull, runtime, clock]) => watched(pull, { ...options, deadlineAt }, runtime, clock)
    )
  )
}

const watched = <E, E2>(
  pull: Pull<E>,
  { deadlineAt, limitMillis, onTimeout }: TimeoutOptions<E2> & { readonly deadlineAt: number },
  runtime: Runtime.Runtime<never>,
  clock: Clock.Clock
): Effect.Effect<Pull<E | E2>, never, Scope.Scope> => {
  const fork = Runtime.runFork(runtime)
  // As `Monotonic` does, which is above this file.
  const now = () => Number(clock.unsafeCurrentTimeNanos()) / 1_000_000
  const late = Effect.suspend(() => Effect.fail(Option.some(onTimeout())))
  let waiting: { readonly since: number; readonly giveUp: () => void } | undefined

  const watch: Effect.Effect<void> = Effect.suspend(() => {
    const time = now()
    const left = Math.min((waiting?.since ?? time) + limitMillis, deadlineAt) - time
    if (left > 0) return Effect.zipRight(Effect.sleep(Duration.millis(Math.ceil(left))), watch)
    waiting?.giveUp()
    return Effect.void
  })
  const limited: Pull<E | E2> = Effect.suspend(() => {
    if (now() >= deadlineAt) return late
    // It runs here and now, until it has to wait.
    const pulling = fork(Effect.exit(pull))
    const exit = pulling.unsafePoll()
    if (exit !== null) return Effect.flatten(exit)
    return Effect.async((resume) => {
      waiting = { since: now(), giveUp: () => resume(Effect.zipRight(Fiber.interrupt(pulling), late)) }
      pulling.addObserver((exit) => {
        waiting = undefined
        resume(Effect.flatten(exit))
      })
      return Fiber.interrupt(pulling)
    })
  })
  return Effect.as(Effect.forkScoped(watch), limited)
}

/** The same bytes in buffers of the reader's own, which are full but for the last one. */
export const into = <E, R>(
  stream: ByteStream<E, R>,
  nextBuffer: Effect.Effect<Uint8Array>
): ByteStream<E, R> =>
  make(
    Effect.map(begin(stream), (pull) => {
      let rest: Uint8Array = new Uint8Array(0)
      let isOver = false
      const fill = (buffer: Uint8Array, filled: number): Pull<E> => {
        const piece = rest.subarray(0, buffer.length - filled)
        buffer.set(piece, filled)
        rest = rest.subarray(piece.length)
        const length = filled + piece.length
        if (length === buffer.length) return Effect.succeed(buffer)
        return Effect.matchEffect(pull, {
          onSuccess: (bytes) => {
            rest = bytes
            return fill(buffer, length)
          },
          onFailure: (end) => {
            isOver = Option.isNone(end)
            return isOver && length > 0 ? Effect.succeed(buffer.subarray(0, length)) : Effect.fail(end)
          }
        })
      }
      return Effect.suspend(() =>
        isOver ? Effect.fail(Option.none()) : Effect.flatMap(nextBuffer, (buffer) => fill(buffer, 0))
      )
    })
  )

export const tap = <E, R, E2>(
  stream: ByteStream<E, R>,
  f: (bytes: Uint8Array) => Effect.Effect<unknown, E2>
): ByteStream<E | E2, R> => mapEffect(stream, (bytes) => Effect.as(f(bytes), bytes))

export const mapError = <E, R, E2>(stream: ByteStream<E, R>, f: (error: E) => E2): ByteStream<E2, R> =>
  make(Effect.map(Effect.mapError(begin(stream), f), Effect.mapError(Option.map(f))))

export const tapError = <E, R>(
  stream: ByteStream<E, R>,
  f: (error: E) => Effect.Effect<unknown>
): ByteStream<E, R> =>
  make(
    Effect.map(
      Effect.tapError(begin(stream), f),
      Effect.tapError(Option.match({ onNone: () => Effect.void, onSome: f }))
    )
  )

/** Runs for each chunk, which may be overwritten when the next one is pulled. */
export const forEach = <E, R, E2, R2>(
  stream: ByteStream<E, R>,
  f: (bytes: Uint8Array) => Effect.Effect<unknown, E2, R2>
): Effect.Effect<void, E | E2, R | R2> =>
  pulling(begin<E | E2, R | R2>(stream), (pull) => {
    const step = Effect.flatMap(pull, (bytes) => Effect.mapError(f(bytes), Option.some))
    const rest: Effect.Effect<never, Option.Option<E | E2>, R | R2> = Effect.flatMap(step, () => rest)
    return rest
  })

/** Runs for each chunk until it is false for one: nothing is pulled after that. */
export const runWhile = <E, R>(
  stream: ByteStream<E, R>,
  isMoreWanted: (bytes: Uint8Array) => boolean
): Effect.Effect<void, E, R> =>
  pulling(begin(stream), (pull) => {
    const rest: Effect.Effect<void, Option.Option<E>> = Effect.flatMap(pull, (bytes) =>
      isMoreWanted(bytes) ? rest : Effect.void
    )
    return rest
  })

const pulling = <E, R>(
  begin: Begin<E, R>,
  use: (pull: Pull<E>) => Effect.Effect<void, Option.Option<E>, R>
): Effect.Effect<void, E, R> =>
  Effect.scoped(
    Effect.flatMap(begin, (pull) =>
      Effect.catchAll(use(pull), Option.match({ onNone: () => Effect.void, onSome: Effect.fail }))
    )
  )

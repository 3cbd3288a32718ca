/**
 * Streams of bytes that can also be pulled chunk by chunk, past the channels that a stream is made of. A channel takes some forty
 * steps of a fiber for each chunk and each operator, and an archive goes through a dozen operators on its way to the socket.
 *
 * Who knows nothing of this has an ordinary stream. The operators here take any stream, and make one that can be pulled.
 */
import type * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
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

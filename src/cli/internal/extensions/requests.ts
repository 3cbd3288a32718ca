/** What the commands that manage extensions ask of the API, and how patiently. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { ExtensionId } from "../../../cloud/ExtensionId.ts"
import { InvalidRequest, type Operation } from "../../../cloud/ExtensionsError.ts"
import { problemsOf } from "../../../cloud/internal/problems.ts"
import * as RetryPolicy from "../../../transfer/RetryPolicy.ts"
import { UsageError } from "../../Failure.ts"
import * as format from "../format.ts"
import * as layers from "../layers.ts"
import { Output } from "../output.ts"

/** The six operations, and how often what only asks is asked again. */
export const client = Layer.merge(layers.client, RetryPolicy.layerConfig)

/** For requests that change nothing. */
export const persistently = <A, E extends RetryPolicy.Retryable & { readonly message: string }, R>(
  request: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | Output> =>
  Effect.flatMap(Output, ({ note }) =>
    RetryPolicy.retry<E>(({ delayMillis, error }) =>
      note(`${error.message} Trying again in ${format.duration(delayMillis)}.`)
    )(request)
  )

/** Reads an id from the command line. */
export const requireId = (id: string, command: string): Effect.Effect<ExtensionId, UsageError> =>
  Schema.decodeEither(ExtensionId)(id).pipe(
    Either.mapLeft((error) => {
      const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
      return new UsageError({ problem: `${JSON.stringify(id)}: ${issue?.message}`, command })
    })
  )

/** What the API would refuse is refused before anything is sent, also where nothing is going to be sent. */
export const check = <A, I>(
  operation: Operation,
  schema: Schema.Schema<A, I>,
  request: A
): Effect.Effect<I, InvalidRequest> =>
  Effect.mapError(
    Schema.encode(schema, { errors: "all" })(request),
    (error) => new InvalidRequest({ operation, problems: problemsOf(error, (text) => text) })
  )

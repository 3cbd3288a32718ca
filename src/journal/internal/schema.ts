import * as Schema from "effect/Schema"

export const optional = <A, I, R>(schema: Schema.Schema<A, I, R>) =>
  Schema.optionalWith(schema, { exact: true })

/** Milliseconds since the epoch, within what a date can hold. */
export const Millis = Schema.Int.pipe(Schema.between(0, 8.64e15))

/** What the server processes of the benchmark print: one JSON line each. */
import * as Schema from "effect/Schema"

/** The same clock in every process of this machine, in milliseconds since the epoch, with fractions. */
export const epochMillis = (): number => performance.timeOrigin + performance.now()

export const Listening = Schema.TaggedStruct("Listening", { url: Schema.String })

/** One upload, whole or not, as the server saw it. */
export const Received = Schema.TaggedStruct("Received", {
  /** What `Content-Length` (tus: `Upload-Length`) said, in bytes; `null` for a chunked body. */
  announced: Schema.NullOr(Schema.Number),
  /** Body bytes that arrived. */
  received: Schema.Number,
  /** When the first connection since the upload before was accepted. */
  connectedAt: Schema.NullOr(Schema.Number),
  /** When the first byte of the body arrived. */
  firstByteAt: Schema.NullOr(Schema.Number),
  /** Connections accepted since the upload before. */
  connections: Schema.Number
})

export type Received = typeof Received.Type

export const Message = Schema.parseJson(Schema.Union(Listening, Received))

const encode = Schema.encodeSync(Message)

export const say = (message: typeof Message.Type): void => {
  process.stdout.write(`${encode(message)}\n`)
}

/** The parent keeps the server's standard input open, so the server ends when its parent dies. */
export const endWithParent = (): void => {
  process.stdin.resume().on("end", () => process.exit())
}

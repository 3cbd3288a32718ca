/** What is answered, and how it is sent. */
import * as Fs from "node:fs"
import * as FsPromises from "node:fs/promises"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ConnectionGone, Exchange, gone, hold } from "./exchange.ts"
import * as RequestBody from "./requestBody.ts"

/** A final answer. */
export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: ReplyBody
}

export type ReplyBody =
  | { readonly _tag: "Bytes"; readonly bytes: Uint8Array }
  | { readonly _tag: "File"; readonly path: string; readonly size: number }

export const bytes = (
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array
): Reply => ({
  status,
  headers,
  body: { _tag: "Bytes", bytes: typeof body === "string" ? Buffer.from(body) : body }
})

export const empty = (status: number, headers: Readonly<Record<string, string>> = {}): Reply =>
  bytes(status, headers, "")

export const json = (status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Reply =>
  bytes(status, { "content-type": "application/json", ...headers }, JSON.stringify(value))

interface ErrorElement {
  readonly code: string
  readonly message: string
  readonly fields?: ReadonlyArray<string>
}

/** A request that is not carried out, and what is said about it. */
export class Refusal extends Data.TaggedError("Refusal")<{
  readonly status: number
  readonly errors: ReadonlyArray<ErrorElement>
  readonly headers?: Readonly<Record<string, string>>
}> {}

export const refused = ({ errors, headers, status }: Refusal): Reply => {
  const codes = new Set(errors.map(({ code }) => code))
  return json(status, { errors }, { ...headers, "x-cloud-error-codes": [...codes].join(",") })
}

const refusal = (status: number, code: string, message: string) =>
  new Refusal({ status, errors: [{ code, message }] })

/** The refusals the published description documents, under their own codes. */
export const documented = {
  unauthorised: refusal(401, "extensions.unauthorised", "The extension does not belong to you."),
  noUserId: (status: 401 | 404) =>
    refusal(
      status,
      "extensions.no_user_id",
      "Your current session does not have a user id associated with it."
    ),
  notFound: (id: string) => refusal(404, "extensions.not_found", `The extension [${id}] does not exist.`),
  failed: (message: string, ...fields: ReadonlyArray<string>) =>
    new Refusal({
      status: 400,
      errors: [
        { code: "extensions.request_execution_failed", message, ...(fields.length === 0 ? {} : { fields }) }
      ]
    }),
  inUse: (deployments: ReadonlyArray<string>) =>
    refusal(
      400,
      "extensions.extension_in_use",
      `The extension is used by ${deployments.length === 1 ? "1 deployment" : `${deployments.length} deployments`}: ${deployments.join(", ")}.`
    )
}

/**
 * Refusals of the service around the extensions, which the description leaves out. The `root.` codes follow the
 * service's style and are not promised anywhere.
 */
export const undocumented = {
  unauthenticated: new Refusal({
    status: 401,
    errors: [{ code: "root.unauthenticated", message: "The API key is missing or not valid." }],
    headers: { "www-authenticate": "ApiKey" }
  }),
  unknownPath: refusal(404, "root.resource_not_found", "The requested resource could not be found."),
  wrongMethod: (allowed: ReadonlyArray<string>) =>
    new Refusal({
      status: 405,
      errors: [{ code: "root.method_not_allowed", message: `Only ${allowed.join(", ")} can be used here.` }],
      headers: { allow: allowed.join(", ") }
    }),
  tooLarge: (maxBytes: number) =>
    refusal(413, "root.request_too_large", `The request body is larger than ${maxBytes} bytes.`),
  unknownExpectation: refusal(417, "root.expectation_failed", "Only 100-continue can be expected."),
  failure: refusal(500, "root.internal_error", "There was an internal server error."),
  gatewayTimeout: refusal(504, "root.gateway_timeout", "The service did not answer in time.")
}

/** How long a refused client may take to notice, in milliseconds, before its unread bytes cost it the answer. */
const LINGER_MILLIS = 1000

/**
 * Answers. If the body was not read to its end, the connection closes, but only after the client had a moment to stop
 * sending: closing on unread bytes would take the answer back.
 */
export const send = Effect.fnUntraced(function* (reply: Reply) {
  const { entry, response } = yield* Exchange
  const isUnread = !entry.isComplete()
  yield* sendWhole(reply, isUnread)
  if (isUnread) yield* Effect.timeoutOption(RequestBody.linger, LINGER_MILLIS)
  response.end()
})

/** Answers and reads nothing: either closes at once, or leaves the connection as it is. */
export const sendUnread = Effect.fnUntraced(function* (reply: Reply, close: boolean) {
  const { request } = yield* Exchange
  yield* sendWhole(reply, close)
  if (!close) return yield* hold
  request.socket.destroySoon()
})

/** Begins to answer, and closes the connection when so many bytes of the body are sent, by default half of them. */
export const sendPart = Effect.fnUntraced(function* (reply: Reply, bytes: Option.Option<number>) {
  const { request } = yield* Exchange
  const size = sizeOf(reply.body)
  yield* sendHead(reply, false)
  yield* sendBody(
    reply.body,
    Math.min(
      Option.getOrElse(bytes, () => Math.floor(size / 2)),
      size
    )
  )
  request.socket.destroySoon()
})

const sizeOf = (body: ReplyBody): number => (body._tag === "File" ? body.size : body.bytes.length)

const sendWhole = (reply: Reply, isLast: boolean): Effect.Effect<void, ConnectionGone, Exchange> =>
  Effect.zipRight(sendHead(reply, isLast), sendBody(reply.body, sizeOf(reply.body)))

const sendHead = Effect.fnUntraced(function* ({ body, headers, status }: Reply, isLast: boolean) {
  const { entry, request, response } = yield* Exchange
  if (request.socket.destroyed) return yield* new ConnectionGone()
  entry.answered(status)
  response.writeHead(status, {
    ...(isBodyless(status) ? {} : { "content-length": String(sizeOf(body)) }),
    ...(isLast ? { connection: "close" } : {}),
    ...headers
  })
  response.flushHeaders()
})

/** These statuses have no body and must not speak of one. */
const isBodyless = (status: number): boolean => status === 204 || status === 304

const sendBody = Effect.fnUntraced(function* (body: ReplyBody, bytes: number) {
  const { response } = yield* Exchange
  if (bytes === 0) return
  const sending = Effect.tryPromise({
    try: (signal) => pipeline(firstBytes(body, bytes), response, { end: false, signal }),
    catch: () => new ConnectionGone()
  })
  // An answer that waits for an earlier one of its connection is not told that the connection has ended.
  yield* Effect.raceFirst(sending, gone)
})

/** The whole body in memory. */
export const content = ({ body }: Reply): Effect.Effect<Uint8Array> =>
  body._tag === "Bytes" ? Effect.succeed(body.bytes) : Effect.promise(() => FsPromises.readFile(body.path))

const firstBytes = (body: ReplyBody, bytes: number): Readable =>
  body._tag === "File"
    ? Fs.createReadStream(body.path, { end: bytes - 1 })
    : Readable.from([body.bytes.subarray(0, bytes)])

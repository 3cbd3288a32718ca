/** The body of a request, read as far as any that means something goes. */
import type { IncomingMessage } from "node:http"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { BodyTooLarge, BodyTooSlow, MalformedRequest } from "../RunnerError.ts"

/** Bytes. The longest note and the longest address of an archive fit in. */
export const limit = 64 * 1024

const patience = Duration.seconds(15)

const isAnnouncedTooLarge = (message: IncomingMessage) =>
  Number(message.headers["content-length"] ?? 0) > limit

/**
 * What is beyond the limit is let go as it comes: a sender that is cut off in the middle often loses the answer. How long that
 * may go on is up to the server's limit for a request.
 */
const read = (message: IncomingMessage) =>
  Effect.async<string, BodyTooLarge | MalformedRequest>((resume) => {
    const chunks: Array<Uint8Array> = []
    let size = 0
    const stop = () => {
      message.off("data", take).off("end", end).off("error", fail).off("close", fail).resume()
    }
    const take = (chunk: Uint8Array) => {
      size += chunk.length
      if (size <= limit) return void chunks.push(chunk)
      stop()
      resume(new BodyTooLarge({ limit }))
    }
    const end = () => {
      stop()
      resume(Effect.succeed(Buffer.concat(chunks).toString("utf8")))
    }
    const fail = () => {
      stop()
      resume(problem("the body", "it broke off"))
    }
    message.on("data", take).on("end", end).on("error", fail).on("close", fail)
    return Effect.sync(stop)
  })

const problem = (field: string, what: string) =>
  new MalformedRequest({ problems: [{ field, problem: what }] })

const isJson = (text: string) => Option.isSome(readJson(text))

const readJson = Schema.decodeOption(Schema.parseJson())

/** The same request, with a body that was read and is JSON or empty. */
export const bounded = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  const message = NodeHttpServerRequest.toIncomingMessage(request)
  const type = request.headers["content-type"] ?? ""
  if (isAnnouncedTooLarge(message)) return yield* new BodyTooLarge({ limit })
  const text = yield* Effect.timeoutFail(read(message), {
    duration: patience,
    onTimeout: () => new BodyTooSlow({ limitMillis: Duration.toMillis(patience) })
  })
  if (text === "") return withBody(request, undefined)
  // A page of another site can send any other type without asking first.
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    return yield* problem("the header Content-Type", "it has to be application/json")
  }
  if (!isJson(text)) return yield* problem("the body", "it is not JSON")
  return withBody(request, text)
})

const withBody = (request: HttpServerRequest.HttpServerRequest, body: string | undefined) => {
  const { method, originalUrl } = request
  const read = body === undefined ? {} : { body, headers: { "content-type": "application/json" } }
  return HttpServerRequest.fromWeb(new Request(new URL(originalUrl, "http://runner"), { method, ...read }))
}

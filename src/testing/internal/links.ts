import * as Effect from "effect/Effect"
import type { Operation } from "./operations.ts"
import { bytes, type Reply } from "./reply.ts"
import * as RequestBody from "./requestBody.ts"

const xmlError = (status: number, code: string, message: string): Reply =>
  bytes(
    status,
    { "content-type": "application/xml" },
    `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`
  )

/**
 * The object store behind `file_metadata.url`: the signature in the link is the only credential it takes, and another
 * one beside it is refused.
 *
 * @internal
 */
export const download: Operation = (cloud, exchange, token) =>
  Effect.gen(function* () {
    yield* RequestBody.discard(exchange)
    if (exchange.request.headers.authorization !== undefined) {
      return xmlError(400, "InvalidArgument", "Only one authentication mechanism is allowed.")
    }
    const all = yield* cloud.store.all
    const signature = exchange.query.get("signature")
    const file = all.find(({ file }) => file?.token === token && file.signature === signature)?.file
    return file === undefined || file === null
      ? xmlError(403, "AccessDenied", "The link is not valid, or no longer.")
      : {
          status: 200,
          headers: { "content-type": "application/zip" },
          body: { _tag: "File", path: cloud.disk.pathOf(file.name), size: file.size }
        }
  })

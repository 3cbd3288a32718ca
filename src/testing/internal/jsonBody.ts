import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { ConnectionGone, Exchange } from "./exchange.ts"
import { documented, Refusal } from "./reply.ts"
import * as RequestBody from "./requestBody.ts"

const MAX_BYTES = 1024 * 1024

/** A plugin runs on one release; a bundle may serve a whole line of them. */
const versions = {
  plugin: /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/,
  bundle: /^(\*|\d+\.\*|\d+\.\d+\.\*|\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?)$/
}

const optional = Schema.optionalWith(Schema.String, { nullable: true })

const ExtensionRequest = Schema.parseJson(
  Schema.Struct({
    name: Schema.String.pipe(
      Schema.pattern(/^[A-Za-z0-9_.-]+$/, {
        message: () => "Only ASCII letters, digits, '_', '.' and '-' are allowed."
      })
    ),
    extension_type: Schema.Literal("plugin", "bundle").annotations({
      message: () => ({ message: "Must be plugin or bundle.", override: true })
    }),
    version: Schema.String,
    description: optional,
    download_url: optional
  }).pipe(
    Schema.filter(({ extension_type, version }) =>
      versions[extension_type].test(version)
        ? undefined
        : { path: ["version"], message: `"${version}" is not a version a ${extension_type} can have.` }
    )
  )
)

/**
 * The body of the requests to create and to update an extension.
 *
 * @internal
 */
export type ExtensionRequest = typeof ExtensionRequest.Type

const decode = Schema.decodeUnknown(ExtensionRequest, { errors: "all" })

const invalid = (cause: ParseResult.ParseError): Refusal =>
  new Refusal({
    status: 400,
    errors: ParseResult.ArrayFormatter.formatErrorSync(cause).map(({ message, path }) => ({
      code: "extensions.request_execution_failed",
      message,
      ...(path.length === 0 ? {} : { fields: path.map(String) })
    }))
  })

const isJson = (contentType: string | undefined): boolean =>
  /^application\/json\s*(;|$)/i.test(contentType ?? "")

const readText = (exchange: Exchange): Effect.Effect<string, ConnectionGone | Refusal> =>
  RequestBody.stream(exchange).pipe(
    Stream.mapEffect((chunk) =>
      exchange.entry.bodyBytes() > MAX_BYTES
        ? Effect.fail(documented.failed(`The request body is larger than ${MAX_BYTES} bytes.`))
        : Effect.succeed(chunk)
    ),
    Stream.runCollect,
    Effect.map((chunks) => Buffer.concat(Chunk.toReadonlyArray(chunks)).toString("utf8"))
  )

/**
 * Reads and checks the body of a request to create or update an extension; names every field that is wrong.
 *
 * @internal
 */
export const read = (exchange: Exchange): Effect.Effect<ExtensionRequest, ConnectionGone | Refusal> =>
  Effect.gen(function* () {
    if (!isJson(exchange.request.headers["content-type"])) {
      return yield* documented.failed("The request body must be application/json.")
    }
    const text = yield* readText(exchange)
    return yield* Effect.catchTag(decode(text), "ParseError", (cause) => Effect.fail(invalid(cause)))
  })

/**
 * Uploads one archive: `npx tsx examples/upload.ts <extension-id> <archive> [--json]`.
 *
 * Runs unbuilt on tsx, Bun and Deno. Configured by environment variables (see the README). Progress goes to standard
 * error; standard output gets the receipt, or with `--json` exactly one JSON object. Exits 0 or 1.
 */
import { parseArgs } from "node:util"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as ConfigError from "effect/ConfigError"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Archive, ExtensionUpload, UploadReceipt } from "effect-elastic-extensions"
import { describeReceipt, makeReporter } from "./support/report.ts"

const usage = "usage: npx tsx examples/upload.ts <extension-id> <archive> [--json]"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  strict: false,
  options: { json: { type: "boolean", default: false } }
})
const json = values.json === true

const encodeReceipt = Schema.encode(Schema.parseJson(UploadReceipt.UploadReceipt))
const report = makeReporter((line) => process.stderr.write(`${line}\n`))

const printFailure = (failure: { readonly _tag: string; readonly message: string }) =>
  json
    ? Console.log(JSON.stringify({ _tag: failure._tag, message: failure.message }))
    : Console.error(`${failure._tag}: ${failure.message}`)

class UsageError extends Schema.TaggedError<UsageError>()("UsageError", { message: Schema.String }) {}

const args = Effect.suspend(() => {
  const [extensionId, path, ...others] = positionals
  const isUnknown = Object.keys(values).some((name) => name !== "json")
  return extensionId === undefined || path === undefined || others.length > 0 || isUnknown
    ? Effect.fail(new UsageError({ message: usage }))
    : Effect.succeed({ extensionId, path })
})

const upload = ({ extensionId, path }: Effect.Effect.Success<typeof args>) =>
  Effect.gen(function* () {
    const receipt = yield* ExtensionUpload.upload({
      extensionId,
      archive: Archive.file(path),
      onEvent: (event) => Effect.sync(() => (json ? undefined : report(event)))
    })
    yield* Console.log(json ? yield* encodeReceipt(receipt) : describeReceipt(receipt))
  }).pipe(Effect.provide(ExtensionUpload.layerConfig), Effect.provide(NodeContext.layer))

const describeCause = (
  cause: Cause.Cause<{ readonly _tag: string; readonly message: string } | ConfigError.ConfigError>
) =>
  Option.match(Cause.failureOption(cause), {
    onNone: () => ({ _tag: "UnexpectedFailure", message: Cause.pretty(cause) }),
    onSome: (error) =>
      ConfigError.isConfigError(error) ? { _tag: "ConfigError", message: String(error) } : error
  })

const program = args.pipe(
  Effect.flatMap(upload),
  Effect.onInterrupt(() =>
    printFailure({
      _tag: "Interrupted",
      message:
        "The upload is paused. Run the same command again to resume it: it asks the server before it sends anything."
    })
  ),
  Effect.tapErrorCause((cause) =>
    Cause.isInterrupted(cause) ? Effect.void : printFailure(describeCause(cause))
  )
)

NodeRuntime.runMain(program, {
  disableErrorReporting: true,
  teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) ? 0 : 1)
})

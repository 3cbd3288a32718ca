/** One upload run of its own process, to be killed: prints a receipt when it is let live. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Archive from "../../../src/archive/Archive.ts"
import * as ExtensionUpload from "../../../src/upload/ExtensionUpload.ts"
import { UploadReceipt } from "../../../src/upload/UploadReceipt.ts"

const upload = Effect.gen(function* () {
  const extensionId = yield* Config.string("CRASH_EXTENSION")
  const path = yield* Config.string("CRASH_ARCHIVE")
  const receipt = yield* ExtensionUpload.upload({ extensionId, archive: Archive.file(path) })
  yield* Console.log(yield* Schema.encode(Schema.parseJson(UploadReceipt))(receipt))
})

NodeRuntime.runMain(
  upload.pipe(Effect.provide(ExtensionUpload.layerConfig), Effect.provide(NodeContext.layer))
)

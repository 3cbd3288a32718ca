/**
 * The whole of the library: the archive is inspected, hashed, journaled, sent and the answer decoded. Configured by the
 * environment; with a number, so many uploads to as many extensions at once.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Archive from "../../../src/archive/Archive.ts"
import * as ExtensionUpload from "../../../src/upload/ExtensionUpload.ts"

const [path = "", uploads = "1"] = process.argv.slice(2)
const archive = Archive.file(path)

const extensions = Arr.makeBy(Number(uploads), (index) => `benchmark-${index}`)

NodeRuntime.runMain(
  Effect.forEach(extensions, (extensionId) => ExtensionUpload.upload({ extensionId, archive }), {
    concurrency: "unbounded",
    discard: true
  }).pipe(Effect.provide(ExtensionUpload.layerConfig), Effect.provide(NodeContext.layer))
)

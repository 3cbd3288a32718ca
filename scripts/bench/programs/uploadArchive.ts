/**
 * The whole library: it inspects, hashes, journals and sends the archive, and decodes the answer. Configured by the
 * environment. A number as second argument uploads to that many extensions, at once or `CONCURRENCY` at a time.
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
    concurrency: Number(process.env["CONCURRENCY"] ?? uploads),
    discard: true
  }).pipe(Effect.provide(ExtensionUpload.layerConfig), Effect.provide(NodeContext.layer))
)

/**
 * A process that works on an upload: opens it, saves a record, says so, and stays until it is killed (`hold`) or ends by
 * itself (`once`).
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as UploadJournal from "../../../src/journal/UploadJournal.ts"
import { key, prepared, withUpload } from "./fixtures.ts"

const [mode, folder = ""] = process.argv.slice(2)

const program = Effect.gen(function* () {
  const journal = yield* UploadJournal.UploadJournal
  const session = yield* journal.open(key)
  const found = yield* session.record
  yield* session.save(withUpload(yield* prepared()))
  const before = Option.match(found, { onNone: () => "nothing", onSome: (record) => record.phase })
  yield* Effect.sync(() => console.log(`holding, found ${before}`))
  if (mode === "hold") return yield* Effect.never
}).pipe(
  Effect.scoped,
  Effect.catchTag("JournalLocked", (error) => Effect.sync(() => console.log(`locked: ${error.message}`)))
)

const layer = UploadJournal.layerFileSystem(folder).pipe(
  Layer.provide(Layer.mergeAll(NodeFileSystem.layer, NodePath.layer))
)

// Effect.never alone keeps no process alive.
const alive = setInterval(() => {}, 1_000)
Effect.runPromise(Effect.provide(program, layer)).finally(() => clearInterval(alive))

/** Uploads in processes of their own, killed at random moments and started again until they are done. */
import { Effect, Schema } from "effect"
import { UploadReceipt } from "../../../src/upload/UploadReceipt.ts"
import { type ChildOptions, type Ended, startChild } from "../runtimes/child.ts"

export type Ending =
  | Exclude<Ended, { readonly _tag: "Done" }>
  | { readonly _tag: "Done"; readonly receipt: UploadReceipt; readonly millis: number }

const decodeReceipt = Schema.decodeSync(Schema.parseJson(UploadReceipt))

/** Runs until it ends, or for so many milliseconds until it is killed without warning. */
export const runChild = (options: ChildOptions, killAfterMillis: number | undefined): Effect.Effect<Ending> =>
  Effect.scoped(
    Effect.gen(function* () {
      const child = yield* startChild(options)
      if (killAfterMillis !== undefined) {
        yield* Effect.forkScoped(Effect.delay(Effect.sync(child.kill), killAfterMillis))
      }
      const ended = yield* child.ended
      return ended._tag === "Done"
        ? { _tag: "Done", receipt: decodeReceipt(ended.stdout), millis: ended.millis }
        : ended
    })
  )

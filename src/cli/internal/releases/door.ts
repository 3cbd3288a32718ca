/**
 * How commands of the same user reach a runner that has locked its file: it leaves its address and a token beside the file, which
 * nobody else can read.
 */
import { randomBytes } from "node:crypto"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { ClientOptions } from "../../../runner/ReleasesApi.ts"

const Door = Schema.parseJson(Schema.Struct({ url: Schema.String, token: Schema.Redacted(Schema.String) }))

const doorOf = (file: string) => `${file}-runner`

export const newToken: Effect.Effect<Redacted.Redacted<string>> = Effect.sync(() =>
  Redacted.make(randomBytes(32).toString("base64url"))
)

/** Open as long as the scope is. */
export const open = Effect.fnUntraced(function* (
  file: string,
  url: string,
  token: Redacted.Redacted<string>
) {
  const fs = yield* FileSystem.FileSystem
  const text = yield* Effect.orDie(Schema.encode(Door)({ url, token }))
  yield* Effect.acquireRelease(
    Effect.ignore(fs.remove(doorOf(file))).pipe(
      Effect.zipRight(fs.writeFileString(doorOf(file), text, { mode: 0o600 })),
      Effect.catchAll((error) => Effect.logWarning(`Commands cannot reach this runner: ${error.message}`))
    ),
    () => Effect.ignore(fs.remove(doorOf(file)))
  )
})

/** Of the runner on this file, if one has left it open. */
export const find = (
  file: string
): Effect.Effect<Option.Option<ClientOptions>, never, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString(doorOf(file))).pipe(
    Effect.flatMap(Schema.decode(Door)),
    Effect.option
  )

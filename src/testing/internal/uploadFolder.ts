import * as Crypto from "node:crypto"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

const FinalAnswer = Schema.Struct({
  status: Schema.Number,
  headers: Schema.Record({ key: Schema.String, value: Schema.String }),
  body: Schema.String,
  /** Bytes of the representation it is about. */
  offset: Schema.Number,
  millis: Schema.Number
})

const UploadRecord = Schema.Struct({
  token: Schema.String,
  extensionId: Schema.String,
  owner: Schema.String,
  contentType: Schema.String,
  interopVersion: Schema.Number,
  length: Schema.NullOr(Schema.Number),
  reprDigest: Schema.NullOr(Schema.String),
  expiresAtMillis: Schema.NullOr(Schema.Number),
  /** What the extension answered, once it was given the whole. */
  answer: Schema.NullOr(FinalAnswer)
})

/** @internal */
export type UploadRecord = typeof UploadRecord.Type

const Text = Schema.parseJson(UploadRecord)
const decode = Schema.decodeEither(Text)
const encode = Schema.encodeSync(Text)

/**
 * Upload resources on disk: `<token>.json` says what they are, `<token>.part` is what was received. The length of that
 * file is the offset; there is no other count that could differ from it.
 *
 * @internal
 */
export interface UploadFolder {
  /** Every upload that is whole; what a process that died left of others is deleted. */
  readonly load: Effect.Effect<ReadonlyArray<UploadRecord>>
  /** An empty upload. */
  readonly begin: (record: UploadRecord) => Effect.Effect<void>
  readonly write: (record: UploadRecord) => Effect.Effect<void>
  readonly remove: (token: string) => Effect.Effect<void>
  readonly removeContent: (token: string) => Effect.Effect<void>
  readonly contentOf: (token: string) => string
  /** Bytes received; none when there is no such file (any more). */
  readonly size: (token: string) => Effect.Effect<Option.Option<number>>
  /** Cuts the content, or fills it up with zeros. */
  readonly resize: (token: string, bytes: number) => Effect.Effect<void>
  /** Opens the content to write at its end. A chunk is written as a whole or, if the process dies, in part. */
  readonly appender: (
    token: string
  ) => Effect.Effect<(chunk: Uint8Array) => Effect.Effect<void>, never, Scope.Scope>
}

const read = async (folder: string, name: string): Promise<ReadonlyArray<UploadRecord>> => {
  if (!name.endsWith(".json")) return []
  const decoded = decode(await Fs.readFile(Path.join(folder, name), "utf8"))
  return Either.match(decoded, { onLeft: () => [], onRight: (record) => [record] })
}

const load = async (folder: string): Promise<ReadonlyArray<UploadRecord>> => {
  const names = await Fs.readdir(folder)
  const records = (await Promise.all(names.map((name) => read(folder, name)))).flat()
  const whole = records.filter(({ answer, token }) => answer !== null || names.includes(`${token}.part`))
  const inUse = new Set(
    whole.flatMap(({ answer, token }) => [`${token}.json`, ...(answer === null ? [`${token}.part`] : [])])
  )
  const stale = names.filter((name) => !inUse.has(name))
  await Promise.all(stale.map((name) => Fs.rm(Path.join(folder, name), { force: true })))
  return whole
}

/** @internal */
export const make = (folder: string): UploadFolder => {
  const recordOf = (token: string) => Path.join(folder, `${token}.json`)
  const contentOf = (token: string) => Path.join(folder, `${token}.part`)
  const remove = (path: string) => Effect.promise(() => Fs.rm(path, { force: true }))
  const write = (record: UploadRecord) =>
    Effect.promise(async () => {
      const next = `${recordOf(record.token)}.${Crypto.randomUUID()}`
      await Fs.writeFile(next, encode(record))
      await Fs.rename(next, recordOf(record.token))
    }).pipe(Effect.uninterruptible)
  return {
    load: Effect.promise(() => load(folder)),
    begin: (record) =>
      Effect.zipRight(
        Effect.promise(() => Fs.writeFile(contentOf(record.token), "")),
        write(record)
      ).pipe(Effect.uninterruptible),
    write,
    remove: (token) =>
      Effect.zipRight(remove(recordOf(token)), remove(contentOf(token))).pipe(Effect.uninterruptible),
    removeContent: (token) => remove(contentOf(token)),
    contentOf,
    size: (token) => Effect.option(Effect.tryPromise(async () => (await Fs.stat(contentOf(token))).size)),
    resize: (token, bytes) =>
      Effect.uninterruptible(Effect.promise(() => Fs.truncate(contentOf(token), bytes))),
    appender: (token) =>
      Effect.acquireRelease(
        Effect.promise(() => Fs.open(contentOf(token), "a")),
        (file) => Effect.promise(() => file.close())
      ).pipe(
        Effect.map(
          (file) => (chunk: Uint8Array) =>
            Effect.uninterruptible(Effect.promise(() => file.appendFile(chunk)))
        )
      )
  }
}

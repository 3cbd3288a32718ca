/** The upload resources: what is known of them, their content on disk, and whose turn it is to change one. */
import * as Crypto from "node:crypto"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { LocalElasticCloudError } from "../../LocalElasticCloudError.ts"
import type { StoredUpload } from "../../ResumableUploads.ts"
import { Disk } from "../disk.ts"
import { ConnectionGone, Exchange, type ExchangeService } from "../exchange.ts"
import { bytes, type Reply } from "../reply.ts"

const FinalAnswer = Schema.Struct({
  status: Schema.Number,
  headers: Schema.Record({ key: Schema.String, value: Schema.String }),
  body: Schema.String,
  /** Bytes of the representation it is about. */
  offset: Schema.Number,
  millis: Schema.Number
})

type FinalAnswer = typeof FinalAnswer.Type

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

type UploadRecord = typeof UploadRecord.Type

export interface Upload extends UploadRecord {
  /** Bytes of the representation that are on disk. */
  readonly offset: number
  readonly isExpired: boolean
}

/** What the creation of an upload says about it. */
export type NewUpload = Omit<UploadRecord, "token" | "expiresAtMillis" | "answer">

/** Whoever changes an upload has a turn for it. */
export class Uploads extends Context.Tag("effect-elastic-extensions/testing/Uploads")<
  Uploads,
  {
    readonly turns: Turns
    readonly content: Content
    readonly all: Effect.Effect<ReadonlyArray<Upload>>
    readonly create: (upload: NewUpload) => Effect.Effect<Upload>
    /** None when there is no such upload, or no longer. */
    readonly find: (token: string) => Effect.Effect<Option.Option<Upload>>
    /** Keeps what has become known of an upload; its offset is what is on disk, whatever is said here. */
    readonly update: (upload: Upload) => Effect.Effect<void>
    /** Keeps the extension's answer and lets go of the content. */
    readonly complete: (upload: Upload, offset: number, reply: Reply) => Effect.Effect<void>
    readonly remove: (token: string) => Effect.Effect<void>
    /** Takes up what is on disk, as a new process would. */
    readonly reload: Effect.Effect<void>
  }
>() {}

export const layer = ({
  keepCompletedMillis = Number.POSITIVE_INFINITY,
  maxAgeSeconds
}: {
  readonly maxAgeSeconds: number | undefined
  readonly keepCompletedMillis: number | undefined
}): Layer.Layer<Uploads, LocalElasticCloudError, Disk> =>
  Layer.effect(
    Uploads,
    Effect.gen(function* () {
      const folder = makeFolder(yield* (yield* Disk).folder("uploads"))
      const records = yield* Ref.make<ReadonlyMap<string, UploadRecord>>(new Map())

      const put = (record: UploadRecord) =>
        Ref.update(records, (all) => new Map(all).set(record.token, record))

      const save = (record: UploadRecord) =>
        Effect.zipRight(folder.write(record), put(record)).pipe(Effect.uninterruptible)

      const isOver = ({ answer, expiresAtMillis }: UploadRecord, now: number) =>
        (expiresAtMillis !== null && expiresAtMillis <= now) ||
        (answer !== null && answer.millis + keepCompletedMillis <= now)

      /** An upload whose content is gone is either complete by now, or lost. */
      const look = (token: string): Effect.Effect<Option.Option<Upload>> =>
        Effect.gen(function* () {
          const record = (yield* Ref.get(records)).get(token)
          if (record === undefined) return Option.none()
          const now = yield* Clock.currentTimeMillis
          const offset =
            record.answer === null ? yield* folder.content.size(token) : Option.some(record.answer.offset)
          if (Option.isSome(offset)) {
            return Option.some({ ...record, offset: offset.value, isExpired: isOver(record, now) })
          }
          const hasChanged = (yield* Ref.get(records)).get(token) !== record
          return hasChanged ? yield* look(token) : Option.none()
        })

      const reload = Effect.flatMap(folder.load, (loaded) =>
        Ref.set(records, new Map(loaded.map((record) => [record.token, record])))
      )
      yield* reload

      return {
        turns: makeTurns(),
        content: folder.content,
        all: Effect.flatMap(Ref.get(records), (all) => Effect.forEach([...all.keys()], look)).pipe(
          Effect.map(Arr.getSomes)
        ),
        create: Effect.fnUntraced(function* (upload) {
          const now = yield* Clock.currentTimeMillis
          const record: UploadRecord = {
            ...upload,
            token: Crypto.randomBytes(16).toString("hex"),
            expiresAtMillis: maxAgeSeconds === undefined ? null : now + maxAgeSeconds * 1000,
            answer: null
          }
          yield* folder.begin(record)
          yield* put(record)
          return { ...record, offset: 0, isExpired: false }
        }),
        find: (token) =>
          Effect.map(
            look(token),
            Option.filter(({ isExpired }) => !isExpired)
          ),
        update: save,
        complete: Effect.fnUntraced(function* (record, offset, reply) {
          const millis = yield* Clock.currentTimeMillis
          const { headers, status } = reply
          yield* save({
            ...record,
            length: offset,
            answer: { status, headers, body: textOf(reply), offset, millis }
          })
          yield* folder.removeContent(record.token)
        }, Effect.uninterruptible),
        remove: (token) =>
          Effect.zipRight(
            Ref.update(records, (all) => new Map([...all].filter(([other]) => other !== token))),
            folder.remove(token)
          ).pipe(Effect.uninterruptible),
        reload
      }
    })
  )

/** Where clients find an upload, on whatever host they found the stand-in. */
export const addressOf = ({ token }: { readonly token: string }): string => `/uploads/${token}`

/** The final answer, once more. */
export const replay = ({ body, headers, status }: FinalAnswer): Reply => bytes(status, headers, body)

/** Answers to uploads are always JSON. */
const textOf = ({ body }: Reply): string =>
  body._tag === "Bytes" ? Buffer.from(body.bytes).toString("utf8") : ""

// What a test sees of the uploads, and does to them, past the API.

export const stored = (origin: string): Effect.Effect<ReadonlyArray<StoredUpload>, never, Uploads> =>
  Effect.flatMap(Uploads, (uploads) =>
    Effect.map(uploads.all, (all) =>
      all.map((upload) => ({
        token: upload.token,
        url: `${origin}${addressOf(upload)}`,
        extensionId: upload.extensionId,
        offset: upload.offset,
        length: upload.length ?? undefined,
        complete: upload.answer !== null,
        expired: upload.isExpired
      }))
    )
  )

export const forget = (address: string): Effect.Effect<void, never, Uploads> =>
  Effect.flatMap(Uploads, ({ remove, turns }) => {
    const token = tokenOf(address)
    return turns.exclusively(token, remove(token))
  })

export const setOffset = (address: string, offset: number): Effect.Effect<void, never, Uploads> =>
  Effect.flatMap(Uploads, ({ content, find, turns }) => {
    const token = tokenOf(address)
    return turns.exclusively(
      token,
      Effect.flatMap(find(token), (upload) =>
        Option.exists(upload, ({ answer }) => answer === null) ? content.resize(token, offset) : Effect.void
      )
    )
  })

/** A token is what an address ends in. */
const tokenOf = (address: string): string => address.slice(address.lastIndexOf("/") + 1)

// Uploads on disk: `<token>.json` says what they are, `<token>.part` is what was received. The length of that file is
// the offset; there is no other count that could differ from it.

/** What was received of uploads that are not complete. */
interface Content {
  readonly pathOf: (token: string) => string
  /** Bytes received; none when there is no such file (any more). */
  readonly size: (token: string) => Effect.Effect<Option.Option<number>>
  /** Cuts the content, or fills it up with zeros. */
  readonly resize: (token: string, bytes: number) => Effect.Effect<void>
  /** Opens the content to write at its end. A chunk is written as a whole or, if the process dies, in part. */
  readonly appender: (
    token: string
  ) => Effect.Effect<(chunk: Uint8Array) => Effect.Effect<void>, never, Scope.Scope>
}

const makeFolder = (folder: string) => {
  const recordOf = (token: string) => Path.join(folder, `${token}.json`)
  const pathOf = (token: string) => Path.join(folder, `${token}.part`)
  const remove = (path: string) => Effect.promise(() => Fs.rm(path, { force: true }))
  const write = (record: UploadRecord) =>
    Effect.promise(async () => {
      const next = `${recordOf(record.token)}.${Crypto.randomUUID()}`
      await Fs.writeFile(next, encode(record))
      await Fs.rename(next, recordOf(record.token))
    }).pipe(Effect.uninterruptible)
  const content: Content = {
    pathOf,
    size: (token) => Effect.option(Effect.tryPromise(async () => (await Fs.stat(pathOf(token))).size)),
    resize: (token, bytes) => Effect.uninterruptible(Effect.promise(() => Fs.truncate(pathOf(token), bytes))),
    appender: (token) =>
      Effect.acquireRelease(
        Effect.promise(() => Fs.open(pathOf(token), "a")),
        (file) => Effect.promise(() => file.close())
      ).pipe(
        Effect.map(
          (file) => (chunk: Uint8Array) =>
            Effect.uninterruptible(Effect.promise(() => file.appendFile(chunk)))
        )
      )
  }
  return {
    content,
    /** Every upload that is whole; what a process that died left of others is deleted. */
    load: Effect.promise(() => load(folder)),
    /** An empty upload. */
    begin: (record: UploadRecord) =>
      Effect.zipRight(
        Effect.promise(() => Fs.writeFile(pathOf(record.token), "")),
        write(record)
      ).pipe(Effect.uninterruptible),
    write,
    remove: (token: string) =>
      Effect.zipRight(remove(recordOf(token)), remove(pathOf(token))).pipe(Effect.uninterruptible),
    removeContent: (token: string) => remove(pathOf(token))
  }
}

const Text = Schema.parseJson(UploadRecord)
const decode = Schema.decodeEither(Text)
const encode = Schema.encodeSync(Text)

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

/**
 * One request at a time for each upload. A request that comes while content is still being received is proof that the
 * client gave that transfer up: the transfer is ended, its connection with it, and the newcomer sees what is left.
 */
interface Turns {
  /** Ends what is being transferred, then runs the effect. */
  readonly exclusively: <A, E, R>(token: string, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** The same for an effect that receives content itself, and is ended by the next request. */
  readonly transferring: <A, E, R>(
    token: string,
    effect: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | ConnectionGone, R | Exchange>
}

interface Receiving {
  readonly exchange: ExchangeService
  readonly ended: Deferred.Deferred<never, ConnectionGone>
}

interface Line {
  readonly semaphore: Effect.Semaphore
  readonly transfers: Set<Receiving>
}

const makeTurns = (): Turns => {
  const lines = new Map<string, Line>()
  const lineOf = (token: string): Line => {
    const line = lines.get(token) ?? { semaphore: Effect.unsafeMakeSemaphore(1), transfers: new Set() }
    lines.set(token, line)
    return line
  }
  return {
    exclusively: (token, effect) =>
      Effect.suspend(() => {
        const line = lineOf(token)
        return Effect.zipRight(endAll(line), line.semaphore.withPermits(1)(effect))
      }),
    transferring: (token, effect) =>
      Effect.suspend(() => {
        const line = lineOf(token)
        return Effect.acquireUseRelease(
          Effect.zipRight(endAll(line), begin(line)),
          ({ ended }) => Effect.raceFirst(line.semaphore.withPermits(1)(effect), Deferred.await(ended)),
          (transfer) => Effect.sync(() => line.transfers.delete(transfer))
        )
      })
  }
}

const begin = Effect.fnUntraced(function* (line: Line) {
  const transfer = { exchange: yield* Exchange, ended: yield* Deferred.make<never, ConnectionGone>() }
  line.transfers.add(transfer)
  return transfer
})

const endAll = (line: Line): Effect.Effect<void> =>
  Effect.suspend(() => Effect.forEach([...line.transfers], end, { discard: true }))

const end = ({ ended, exchange }: Receiving): Effect.Effect<void> =>
  Effect.suspend(() => {
    exchange.request.socket.destroy()
    return Deferred.fail(ended, new ConnectionGone())
  })

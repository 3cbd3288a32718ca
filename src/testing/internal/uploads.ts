import * as Crypto from "node:crypto"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import type { Reply, ReplyBody } from "./reply.ts"
import { bytes } from "./reply.ts"
import type { UploadFolder, UploadRecord } from "./uploadFolder.ts"
import * as Turns from "./uploadTurns.ts"

/** @internal */
export interface Upload extends UploadRecord {
  /** Bytes of the representation that are on disk. */
  readonly offset: number
  readonly isExpired: boolean
}

/**
 * Where clients find an upload, on whatever host they found the stand-in.
 *
 * @internal
 */
export const addressOf = ({ token }: Pick<Upload, "token">): string => `/uploads/${token}`

/**
 * What the creation of an upload says about it.
 *
 * @internal
 */
export type NewUpload = Omit<UploadRecord, "token" | "expiresAtMillis" | "answer">

/**
 * The upload resources. Whoever changes one has a turn for it.
 *
 * @internal
 */
export interface Uploads {
  readonly turns: Turns.Turns
  readonly folder: UploadFolder
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

/** @internal */
export interface Lifetimes {
  readonly maxAgeSeconds: number | undefined
  readonly keepCompletedMillis: number | undefined
}

/** Answers to uploads are always JSON. */
const textOf = (body: ReplyBody): string =>
  body._tag === "Bytes" ? Buffer.from(body.bytes).toString("utf8") : ""

/**
 * The final answer, once more.
 *
 * @internal
 */
export const replay = ({ body, headers, status }: NonNullable<UploadRecord["answer"]>): Reply =>
  bytes(status, headers, body)

/**
 * Whole seconds an upload has left, if its time is limited.
 *
 * @internal
 */
export const secondsLeft = ({ expiresAtMillis }: UploadRecord): Effect.Effect<number | undefined> =>
  Effect.map(Clock.currentTimeMillis, (now) =>
    expiresAtMillis === null ? undefined : Math.max(0, Math.floor((expiresAtMillis - now) / 1000))
  )

const isOver = (keepCompletedMillis: number, { answer, expiresAtMillis }: UploadRecord, now: number) =>
  (expiresAtMillis !== null && expiresAtMillis <= now) ||
  (answer !== null && answer.millis + keepCompletedMillis <= now)

/** @internal */
export const make = (
  folder: UploadFolder,
  { keepCompletedMillis = Number.POSITIVE_INFINITY, maxAgeSeconds }: Lifetimes
): Effect.Effect<Uploads> =>
  Effect.gen(function* () {
    const records = yield* Ref.make<ReadonlyMap<string, UploadRecord>>(new Map())

    const put = (record: UploadRecord) => Ref.update(records, (all) => new Map(all).set(record.token, record))

    const save = (record: UploadRecord) =>
      Effect.zipRight(folder.write(record), put(record)).pipe(Effect.uninterruptible)

    /** An upload whose content is gone is either complete by now, or lost. */
    const look = (token: string): Effect.Effect<Option.Option<Upload>> =>
      Effect.gen(function* () {
        const record = (yield* Ref.get(records)).get(token)
        if (record === undefined) return Option.none()
        const now = yield* Clock.currentTimeMillis
        const offset = record.answer === null ? yield* folder.size(token) : Option.some(record.answer.offset)
        if (Option.isSome(offset)) {
          const isExpired = isOver(keepCompletedMillis, record, now)
          return Option.some({ ...record, offset: offset.value, isExpired })
        }
        const hasChanged = (yield* Ref.get(records)).get(token) !== record
        return hasChanged ? yield* look(token) : Option.none()
      })

    const reload = Effect.flatMap(folder.load, (loaded) =>
      Ref.set(records, new Map(loaded.map((record) => [record.token, record])))
    )
    yield* reload

    return {
      turns: Turns.make(),
      folder,
      all: Effect.flatMap(Ref.get(records), (all) => Effect.forEach([...all.keys()], look)).pipe(
        Effect.map(Arr.getSomes)
      ),
      create: (upload) =>
        Effect.gen(function* () {
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
      complete: (record, offset, { body, headers, status }) =>
        Effect.gen(function* () {
          const millis = yield* Clock.currentTimeMillis
          const answer = { status, headers, body: textOf(body), offset, millis }
          yield* save({ ...record, length: offset, answer })
          yield* folder.removeContent(record.token)
        }).pipe(Effect.uninterruptible),
      remove: (token) =>
        Effect.zipRight(
          Ref.update(records, (all) => new Map([...all].filter(([other]) => other !== token))),
          folder.remove(token)
        ).pipe(Effect.uninterruptible),
      reload
    }
  })

/** What one machine has that stages archives in a store of this process: a client, its credentials, and a part size for tests. */
import type * as HttpClient from "@effect/platform/HttpClient"
import { Effect, Layer, Redacted, Stream } from "effect"
import * as Archive from "../../../src/archive/Archive.ts"
import { ObjectStore, type PartToSend } from "../../../src/staging/ObjectStore.ts"
import * as S3ObjectStore from "../../../src/staging/S3ObjectStore.ts"
import { type StagingEvent, StagingEvents } from "../../../src/staging/StagingEvent.ts"
import * as RetryPolicy from "../../../src/transfer/RetryPolicy.ts"
import * as UploadHttpClient from "../../../src/transfer/UploadHttpClient.ts"
import { content, layer as Files, writeTemp } from "../archive/sources.ts"
import { sha256 } from "../upload/world.ts"
import { type ObjectStoreServer, rootKey } from "./objectStore.ts"
import type { KnownKey } from "./signature.ts"

export const partBytes = 64 * 1024

export interface MachineOptions {
  readonly s3?: Partial<S3ObjectStore.S3Options>
  readonly retry?: RetryPolicy.RetryPolicyOptions
  readonly http?: UploadHttpClient.UploadHttpClientOptions
  /** In place of `UploadHttpClient`. */
  readonly transport?: Layer.Layer<HttpClient.HttpClient>
}

export const credentialsOf = ({ accessKeyId, secret, token }: KnownKey): S3ObjectStore.Credentials => ({
  accessKeyId,
  secretAccessKey: Redacted.make(secret),
  sessionToken: token
})

/** The settings that lead to the store, with its first key. */
export const optionsFor = ({ settings, url }: ObjectStoreServer): S3ObjectStore.S3Options => {
  const [key] = settings.keys
  return {
    location: `s3://${settings.bucket}/elastic`,
    endpoint: url,
    region: settings.region,
    credentials: key === undefined ? Effect.never : credentialsOf(key)
  }
}

/** The variables that lead there, for a process of its own. */
export const variablesFor = ({ settings, url }: ObjectStoreServer): Readonly<Record<string, string>> => ({
  AWS_ENDPOINT_URL_S3: url,
  AWS_REGION: settings.region,
  AWS_ACCESS_KEY_ID: rootKey.accessKeyId,
  AWS_SECRET_ACCESS_KEY: rootKey.secret,
  EC_UPLOAD_STAGE: `s3://${settings.bucket}/elastic`
})

/** Parts may be as small as the store of the test takes them. */
const smallParts = (server: ObjectStoreServer) =>
  Layer.effect(
    ObjectStore,
    Effect.map(ObjectStore, (store) =>
      ObjectStore.of({ ...store, limits: { ...store.limits, minPartBytes: server.settings.minPartBytes } })
    )
  )

/** A machine of its own: nothing in it knows of another one. */
export const machine = (server: ObjectStoreServer, options: MachineOptions = {}) =>
  Layer.merge(
    smallParts(server).pipe(
      Layer.provide(S3ObjectStore.layer({ ...optionsFor(server), ...options.s3 })),
      Layer.provide(
        options.transport ?? UploadHttpClient.layer({ continueTimeout: "200 millis", ...options.http })
      ),
      Layer.orDie
    ),
    RetryPolicy.layer({ baseDelay: "5 millis", maxDelay: "20 millis", maxRetries: 3, ...options.retry })
  )

/** A part to send, of bytes in memory. */
export const partOf = (number: number, bytes: Uint8Array): PartToSend => ({
  number,
  size: bytes.length,
  body: Stream.succeed(bytes),
  sha256: sha256(bytes)
})

/** Of so many parts, the last one half as long. */
export const archiveOf = (parts: number, name = "dictionaries.zip") => {
  const bytes = content(Math.floor((parts - 0.5) * partBytes))
  return { bytes, archive: Archive.bytes({ name, bytes }) }
}

/** The same as a file, until the scope ends. */
export const fileOf = (parts: number) =>
  Effect.gen(function* () {
    const { bytes } = archiveOf(parts)
    const path = yield* writeTemp(bytes)
    return { bytes, path, archive: Archive.file(path) }
  }).pipe(Effect.provide(Files))

/** The two kinds of archives: a file is read into the buffers of the reader, what comes in chunks of its own is copied into them. */
export const kinds = [
  ["in memory", (parts: number) => Effect.succeed(archiveOf(parts))],
  ["in a file", fileOf]
] as const

/** The events that an effect brings about, in order. */
export const watched = <A, E, R>(self: Effect.Effect<A, E, R>) => {
  const events: Array<StagingEvent> = []
  return Effect.map(
    Effect.provideService(Effect.exit(self), StagingEvents, {
      onEvent: (event) => Effect.sync(() => void events.push(event))
    }),
    (exit) => ({ exit, events })
  )
}

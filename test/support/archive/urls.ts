/** An archive behind an address, and what the tests of it share. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import type * as HttpClient from "@effect/platform/HttpClient"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schedule from "effect/Schedule"
import type * as Archive from "../../../src/archive/Archive.ts"
import * as UploadHttpClient from "../../../src/transfer/UploadHttpClient.ts"
import type { Held, How, Script } from "./rangeServer.ts"
import { content, drain } from "./sources.ts"

export const MiB = 1024 * 1024
export const first = 128 * 1024
export const sample = content(2.5 * MiB)
export const size = sample.length
export const modified = new Date("2020-02-02T02:02:02.000Z")
export const held: Held = { bytes: sample, etag: '"one"', modified }

/** Up to three retries without progress, and no waiting between them. */
export const options: Archive.UrlOptions = { retry: Schedule.recurs(3) }

export const same = (actual: Uint8Array, expected: Uint8Array) =>
  assert.isTrue(Buffer.from(expected).equals(actual))

/** Sockets take no test clock. */
export const realTime = { excludeTestServices: true } as const

export const clients = {
  UploadHttpClient: UploadHttpClient.layer(),
  FetchHttpClient: FetchHttpClient.layer
}

/** Answers the n-th GET with the n-th way to do it, and all further ones with the last. HEAD is answered as it should be. */
export const inTurn = (...ways: ReadonlyArray<How>): Script => {
  let turn = 0
  return (serve, { method }) => serve(method === "HEAD" ? {} : (ways[turn++] ?? ways.at(-1) ?? {}))
}

export const readAll = (archive: Archive.Archive<HttpClient.HttpClient>, offset = 0) =>
  Effect.flatMap(archive.stat, (expected) => drain(archive.read({ offset, expected })))

export const failure = <E>(exit: Either.Either<void, E>) => Either.getOrThrow(Either.flip(exit))

import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as ArchiveLocator from "../../src/archive/ArchiveLocator.ts"
import { rangeServer } from "../support/archive/rangeServer.ts"
import { content, drain, layer, writeTemp } from "../support/archive/sources.ts"

const decode = Schema.decodeUnknownEither(ArchiveLocator.ArchiveLocator)
const bytes = content(300_000)

describe("ArchiveLocator", () => {
  it("is the same after a journey through JSON", () => {
    const json = Schema.parseJson(ArchiveLocator.ArchiveLocator)
    for (const locator of [
      ArchiveLocator.Path.make({ path: "dist/a.zip" }),
      ArchiveLocator.Url.make({ url: "https://builds.example/a.zip?X-Amz-Signature=abc" })
    ]) {
      assert.deepStrictEqual(Schema.decodeSync(json)(Schema.encodeSync(json)(locator)), locator)
    }
  })

  for (const url of [
    "https://user:hush@builds.example/a.zip",
    "https://hush@builds.example/a.zip",
    "ftp://builds.example/hush",
    "dist/hush.zip",
    ""
  ]) {
    it(`refuses the address "${url}" without repeating it`, () => {
      const error = Either.getOrThrow(Either.flip(decode({ _tag: "Url", url })))
      assert.include(error.message, "Expected an http or https URL without a user name or password")
      assert.notInclude(error.message, "hush")
    })
  }

  it("refuses no path and no place", () => {
    assert.isTrue(Either.isLeft(decode({ _tag: "Path", path: "" })))
    assert.isTrue(Either.isLeft(decode({ _tag: "Elsewhere", url: "https://builds.example/a.zip" })))
  })

  it.scopedLive("leads to the same bytes by a folder and by an address", () =>
    Effect.gen(function* () {
      const server = yield* rangeServer({ bytes, etag: '"one"' })
      const locators = [
        { _tag: "Path", path: yield* writeTemp(bytes) },
        { _tag: "Url", url: server.url }
      ] as const
      for (const locator of locators) {
        const archive = ArchiveLocator.toArchive(locator)
        const expected = yield* archive.stat
        const read = yield* drain(archive.read({ offset: 7, expected }))
        assert.isTrue(Buffer.from(bytes.subarray(7)).equals(read.bytes))
      }
    }).pipe(Effect.provide(Layer.merge(layer, FetchHttpClient.layer)))
  )
})

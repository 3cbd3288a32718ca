import { describe, expect, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { ExtensionId, toPathSegment } from "../../src/cloud/ExtensionId.ts"
import { against, extensionBody } from "../support/cloud/scriptedServer.ts"

const decode = Schema.decodeUnknownEither(ExtensionId)

const refused: ReadonlyArray<readonly [id: string, why: string]> = [
  ["", "it is empty"],
  [".", "it names a folder"],
  ["..", "it names a folder"],
  ["../secrets", "it contains a slash"],
  ["a/b", "it contains a slash"],
  ["a\\b", "it contains a slash"],
  ["882519870\n", "it contains a control character"],
  ["a\u0000b", "it contains a control character"],
  ["a\u007fb", "it contains a control character"],
  ["a\u2028b", "it contains a control character"],
  ["a\ud800", "it is not well-formed Unicode"],
  ["x".repeat(256), "it is longer than 255 characters"]
]

describe("ExtensionId", () => {
  it.each(refused)("refuses %j", (id, why) => {
    const error = Either.getOrThrow(Either.flip(decode(id)))
    expect(error.message).toContain(`This is not an extension id: ${why}`)
  })

  it.each(["882519870", "0123456789abcdef0123456789abcdef", "a b", "%2e%2e", "ü", "x".repeat(255)])(
    "accepts %j",
    (id) => {
      expect(decode(id)).toEqual(Either.right(id))
    }
  )

  it.prop("stays one path segment on the wire", [ExtensionId], ([id]) => {
    const url = new URL(`https://api.example/base/${toPathSegment(id)}`)
    const segments = url.pathname.split("/")
    return (
      segments.length === 3 &&
      url.search === "" &&
      url.hash === "" &&
      decodeURIComponent(segments[2] ?? "") === id
    )
  })

  it.effect("travels percent-encoded", () =>
    Effect.gen(function* () {
      const ids = ["a b", "%2e%2e", "x?y=1#z", "ü€😀", "..;", "a:b@c", "+&="]
      const seen = yield* Effect.forEach(ids, (id) =>
        against({ status: 200, body: extensionBody }, (client) => client.get(ExtensionId.make(id)))
      )
      expect(seen.map(({ requests }) => requests.map(({ url }) => url))).toEqual(
        ids.map((id) => [`/api/v1/deployments/extensions/${encodeURIComponent(id)}`])
      )
    })
  )

  it.effect("never reaches the server when refused", () =>
    Effect.gen(function* () {
      const { exit, requests } = yield* against({ status: 200, body: extensionBody }, (client) =>
        Effect.all(
          Arr.map(refused, ([id]) =>
            Schema.decode(ExtensionId)(id).pipe(Effect.flatMap(client.get), Effect.flip)
          )
        )
      )
      expect(Either.getOrThrow(exit).map((error) => error._tag)).toEqual(refused.map(() => "ParseError"))
      expect(requests).toEqual([])
    })
  )
})

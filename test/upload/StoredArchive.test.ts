import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { describe, expect, it } from "@effect/vitest"
import { DateTime, Effect, Option, Redacted } from "effect"
import { ExtensionId } from "../../src/cloud/ExtensionId.ts"
import * as StoredArchive from "../../src/upload/StoredArchive.ts"
import { clientFor, type Script, scriptedServer } from "../support/cloud/scriptedServer.ts"
import { sha256 } from "../support/upload/world.ts"

const ours = Buffer.from("PK our archive")
const content = { size: ours.length, sha256: sha256(ours) }

/** Compares with what a link that is answered by the script leads to. */
const behindLink = (script: Script) =>
  Effect.gen(function* () {
    const { origin } = yield* scriptedServer(script)
    const stored = {
      extensionId: ExtensionId.make("1"),
      told: {},
      link: Option.some(Redacted.make(`${origin}/stored.zip`))
    }
    return yield* StoredArchive.match(stored, content).pipe(
      Effect.provide(clientFor(origin, NodeHttpClient.layer))
    )
  }).pipe(Effect.scoped)

const answering =
  (bytes: Uint8Array): Script =>
  (response) => {
    response.writeHead(200)
    response.end(bytes)
  }

describe("match by the bytes behind the link", () => {
  it.effect("is the same where they are ours", () =>
    Effect.map(behindLink(answering(ours)), (match) => expect(match).toEqual({ _tag: "Same", proof: "hash" }))
  )

  it.effect("is different where they are others", () =>
    Effect.map(behindLink(answering(Buffer.from("PK other bytes"))), (match) =>
      expect(match).toMatchObject({ _tag: "Different", reason: "Hash" })
    )
  )

  it.effect("is different, and read no further, where they go on without an end", () =>
    Effect.map(
      behindLink((response) => {
        response.writeHead(200)
        response.write(ours)
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536))) {}
          response.once("drain", more)
        }
        more()
      }),
      (match) =>
        expect(match).toEqual({ _tag: "Different", reason: "Size", actual: `more than ${content.size}` })
    )
  )
})

const told = (file?: { readonly size?: number; readonly modified?: DateTime.Utc }) => ({
  extensionId: ExtensionId.make("1"),
  told: file === undefined ? {} : { file },
  link: Option.none()
})

describe("what the service tells alone", () => {
  it.each([
    ["nothing", undefined, false, { _tag: "Unknown" }],
    ["a file without its size", {}, true, { _tag: "Unknown" }],
    ["a file of our size", { size: ours.length }, true, { _tag: "Same", proof: "size" }],
    [
      "a file of another size",
      { size: ours.length + 1 },
      false,
      { _tag: "Different", reason: "Size", actual: String(ours.length + 1) }
    ]
  ] as const)("%s", (_, file, mayHold, match) => {
    expect(StoredArchive.mayHold(told(file), content)).toBe(mayHold)
    expect(StoredArchive.matchSize(told(file), content)).toEqual(match)
  })

  const noon = DateTime.unsafeMake("2026-11-26T12:00:00Z")
  const later = DateTime.unsafeMake("2026-11-26T12:00:01Z")
  const versions = { before: { resourceVersion: "1" }, after: { resourceVersion: "2" } }
  it.each([
    ["the same file", { size: 5, modified: noon }, { size: 5, modified: noon }, "Unchanged"],
    ["a file of another time", { size: 5, modified: noon }, { size: 5, modified: later }, "Changed"],
    ["a file of another size", { size: 5, modified: noon }, { size: 6, modified: noon }, "Changed"],
    ["files without their times", { size: 5 }, { size: 5 }, "Changed"],
    ["files without their sizes", { modified: noon }, { modified: noon }, "Changed"]
  ] as const)("of %s under another version", (_, before, after, movement) => {
    expect(
      StoredArchive.replacement({ ...versions.before, file: before }, { ...versions.after, file: after })
    ).toBe(movement)
  })
})

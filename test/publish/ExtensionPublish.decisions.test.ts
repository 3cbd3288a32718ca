/** What publishing decides about an extension, from what is there and what is wanted. */
import { describe, expect, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import { Extension } from "../../src/cloud/Extension.ts"
import { ExtensionId } from "../../src/cloud/ExtensionId.ts"
import { InvalidResponse, ServiceUnavailable } from "../../src/cloud/ExtensionsError.ts"
import {
  createRequest,
  differences,
  fieldsOf,
  isSmallRequestOpen
} from "../../src/publish/internal/ensure.ts"
import { ConnectionFailed } from "../../src/transfer/TransferError.ts"
import { extensionBody } from "../support/cloud/scriptedServer.ts"

const current = Schema.decodeUnknownSync(Extension)(extensionBody)
const wanted = { name: current.name, type: current.type, version: current.version }
const described = Option.getOrThrow(current.description)

describe("what differs", () => {
  it.each([
    ["nothing, where nothing is said of the description", {}, {}],
    ["nothing, where the description is the same", { description: described }, {}],
    ["the description", { description: "" }, { description: "" }],
    ["the version", { version: "9.0.0" }, { version: "9.0.0" }]
  ] as const)("is %s", (_, more, expected) => {
    const changes = differences(current, { ...wanted, ...more })
    expect(changes).toEqual(expected)
    expect(fieldsOf(changes)).toEqual(Object.keys(expected))
  })

  it("is not the empty description of an extension that has none", () => {
    const bare = { ...current, description: Option.none<string>() }
    expect(differences(bare, { ...wanted, description: "" })).toEqual({})
  })

  it("is told in one order", () => {
    expect(fieldsOf({ downloadUrl: "u", description: "d", version: "v" })).toEqual([
      "version",
      "description",
      "downloadUrl"
    ])
  })
})

describe("what is created", () => {
  it("has a description only where one is wanted", () => {
    expect(createRequest(wanted)).toEqual(wanted)
    expect(createRequest({ ...wanted, description: "d" })).toEqual({ ...wanted, description: "d" })
  })
})

describe("a request without a file", () => {
  const lost = (phase: ConnectionFailed["phase"]) =>
    new ConnectionFailed({
      method: "POST",
      origin: "https://api.example",
      phase,
      bytesSent: 0,
      detail: "lost"
    })
  const answer = {
    operation: "create",
    extensionId: ExtensionId.make("1"),
    errors: [],
    requestContext: {}
  } as const

  it.each([
    [lost("resolving"), false],
    [lost("connecting"), false],
    [lost("securing"), false],
    [lost("awaiting-continue"), false],
    [lost("sending"), true],
    [lost("awaiting-response"), true],
    [lost("receiving"), true],
    [new ServiceUnavailable({ ...answer, status: 504, body: "" }), true],
    [new InvalidResponse({ ...answer, status: 201, reason: "NotJson", problems: [] }), true]
  ] as const)("that ends with %s may have taken effect: %s", (error, isOpen) => {
    expect(isSmallRequestOpen(error)).toBe(isOpen)
  })
})

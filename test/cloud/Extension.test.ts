import { describe, expect, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import {
  ApiErrorBody,
  CreateExtensionRequest,
  Extension,
  ResourceHeaders,
  UpdateExtensionRequest,
  updateRequest
} from "../../src/cloud/Extension.ts"
import { extensionBody, resourceHeaders } from "../support/cloud/scriptedServer.ts"

const decode = Schema.decodeUnknownEither(Extension)
const required = { id: "1", name: "a", version: "*", extension_type: "bundle" }

describe("Extension", () => {
  it("decodes everything the service documents", () => {
    const extension = Either.getOrThrow(decode(extensionBody))
    expect(extension).toMatchObject({
      id: "882519870",
      name: "analysis-acme",
      version: "8.17.0",
      type: "plugin",
      url: Option.some("repo://882519870"),
      downloadUrl: Option.none(),
      deployments: Option.some(["d1", "d2"])
    })
    const file = Option.getOrThrow(extension.fileMetadata)
    expect(file.size).toEqual(Option.some(1234))
    expect(Option.map(file.lastModifiedDate, DateTime.formatIso)).toEqual(
      Option.some("2026-01-02T03:04:05.678Z")
    )
    expect(Option.map(file.url, Redacted.value)).toEqual(Option.some(extensionBody.file_metadata.url))
  })

  it("keeps the verification link out of what is printed", () => {
    expect(JSON.stringify(Either.getOrThrow(decode(extensionBody)))).not.toContain("store.example")
  })

  it("decodes null and absent alike, the required url included", () => {
    const nulls = {
      ...required,
      url: null,
      description: null,
      download_url: null,
      deployments: null,
      file_metadata: null
    }
    expect(decode(nulls)).toEqual(decode(required))
    expect(Either.isRight(decode(required))).toBe(true)
    const emptyFile = decode({ ...required, file_metadata: {} })
    expect(
      decode({ ...required, file_metadata: { size: null, url: null, last_modified_date: null } })
    ).toEqual(emptyFile)
  })

  it("ignores fields it does not know", () => {
    expect(decode({ ...required, colour: "blue", file_metadata: { sha256: "…" } })).toEqual(
      decode({ ...required, file_metadata: {} })
    )
  })

  it.each([
    ["negative size", { file_metadata: { size: -1 } }],
    ["fractional size", { file_metadata: { size: 1.5 } }],
    ["size beyond what a number holds", { file_metadata: { size: 2 ** 53 } }],
    ["size as text", { file_metadata: { size: "12" } }],
    ["date that is none", { file_metadata: { last_modified_date: "yesterday" } }],
    ["date with month 13", { file_metadata: { last_modified_date: "2026-13-01T00:00:00Z" } }],
    ["number for a date", { file_metadata: { last_modified_date: "1" } }],
    ["unknown type", { extension_type: "theme" }],
    ["id that is a path", { id: "../1" }],
    ["missing name", { name: undefined }],
    ["deployments that are no list", { deployments: "d1" }]
  ])("refuses a %s", (_, wrong) => {
    expect(Either.isLeft(decode({ ...required, ...wrong }))).toBe(true)
  })

  it.each([
    ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"],
    ["2026-01-02T03:04:05.123456789Z", "2026-01-02T03:04:05.123Z"],
    ["2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05.000Z"],
    ["2026-01-02T03:04:05.5", "2026-01-02T03:04:05.500Z"]
  ])("reads the time %s as UTC", (text, iso) => {
    const headers = Schema.decodeSync(ResourceHeaders)({ "x-cloud-resource-created": text })
    expect(Option.map(headers.created, DateTime.formatIso)).toEqual(Option.some(iso))
  })

  it.prop("survives encoding and decoding", [Extension], ([extension]) => {
    const encoded = Schema.encodeSync(Extension)(extension)
    return (
      JSON.stringify(encoded) ===
      JSON.stringify(Schema.encodeSync(Extension)(Schema.decodeSync(Extension)(encoded)))
    )
  })
})

describe("ResourceHeaders", () => {
  it("are strings and times", () => {
    const headers = Schema.decodeSync(ResourceHeaders)(resourceHeaders)
    expect(headers.version).toEqual(Option.some("17"))
    expect(Option.map(headers.lastModified, DateTime.formatIso)).toEqual(
      Option.some("2026-01-02T03:04:05.678Z")
    )
  })

  it("may all be missing", () => {
    expect(Schema.decodeSync(ResourceHeaders)({})).toEqual({
      version: Option.none(),
      created: Option.none(),
      lastModified: Option.none()
    })
  })

  it.prop("survive encoding and decoding", [ResourceHeaders], ([headers]) => {
    const encoded = Schema.encodeSync(ResourceHeaders)(headers)
    return (
      JSON.stringify(encoded) ===
      JSON.stringify(Schema.encodeSync(ResourceHeaders)(Schema.decodeSync(ResourceHeaders)(encoded)))
    )
  })
})

describe("ApiErrorBody", () => {
  it("takes fields that are null, absent or there", () => {
    const error = { code: "c", message: "m" }
    const decoded = Schema.decodeUnknownSync(ApiErrorBody)({
      errors: [error, { ...error, fields: null }, { ...error, fields: ["body.name"] }]
    })
    expect(decoded.errors.map(({ fields }) => fields)).toEqual([
      Option.none(),
      Option.none(),
      Option.some(["body.name"])
    ])
  })
})

describe("CreateExtensionRequest", () => {
  const encode = Schema.encodeEither(CreateExtensionRequest)
  const bundle = { name: "dict_en-1.0", version: "8.*", type: "bundle" } as const
  const plugin = { name: "acme", version: "8.17.0", type: "plugin" } as const

  it("goes out under the names of the API, without what was left out", () => {
    expect(encode({ ...plugin, downloadUrl: "https://example.com/a.zip" })).toEqual(
      Either.right({
        name: "acme",
        version: "8.17.0",
        extension_type: "plugin",
        download_url: "https://example.com/a.zip"
      })
    )
  })

  it.each(["8.17.0", "9.0.0-beta1", "8.*", "8.17.*", "*"])(
    "takes %s as the version of a bundle",
    (version) => {
      expect(Either.isRight(encode({ ...bundle, version }))).toBe(true)
    }
  )

  it.each(["8.17.0", "9.0.0-rc1"])("takes %s as the version of a plugin", (version) => {
    expect(Either.isRight(encode({ ...plugin, version }))).toBe(true)
  })

  it.each(["8.*", "*", "8.17.*", "8.17", "8", "", "latest", "8.17.0 "])(
    "refuses %j as the version of a plugin",
    (version) => {
      expect(String(encode({ ...plugin, version }))).toContain(
        "A plugin fits exactly one Elasticsearch version"
      )
    }
  )

  it.each(["8", "8.17", "", "latest", "**", "*.1"])("refuses %j as the version of a bundle", (version) => {
    expect(String(encode({ ...bundle, version }))).toContain('a pattern such as \\"8.*\\" or \\"*\\"')
  })

  it.each(["", "a b", "ä", "a/b", "a\n"])("refuses the name %j", (name) => {
    expect(String(encode({ ...bundle, name }))).toContain("ASCII letters, digits")
  })

  it.each(["ftp://example.com/a.zip", "/a.zip", "example.com/a.zip"])(
    "refuses the download URL %s",
    (downloadUrl) => {
      expect(String(encode({ ...bundle, downloadUrl }))).toContain("http or https address")
    }
  )
})

describe("updateRequest", () => {
  const current = Schema.decodeUnknownSync(Extension)({
    ...extensionBody,
    download_url: "https://example.com/old.zip"
  })

  it("sends again what an update demands, and no download URL unless it changes", () => {
    expect(updateRequest(current, { description: "new" })).toEqual({
      name: "analysis-acme",
      version: "8.17.0",
      type: "plugin",
      description: "new"
    })
    expect(updateRequest(current, { downloadUrl: "https://example.com/new.zip" })).toMatchObject({
      description: "An analyser",
      downloadUrl: "https://example.com/new.zip"
    })
  })

  it("is held to the same rules as a creation", () => {
    const request = updateRequest(current, { version: "8.*" })
    expect(String(Schema.encodeEither(UpdateExtensionRequest)(request))).toContain(
      "exactly one Elasticsearch version"
    )
  })
})

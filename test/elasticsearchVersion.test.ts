import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Schema } from "effect"
import * as Archive from "../src/archive/Archive.ts"
import * as ArchiveInspection from "../src/archive/ArchiveInspection.ts"
import { CreateExtensionRequest } from "../src/cloud/Extension.ts"
import { isFullVersion } from "../src/elasticsearchVersion.ts"
import { classic, descriptor, jar, zip } from "./support/archive/zip.ts"

const full = ["8.17.0", "0.0.0", "9.0.0-beta1", "9.1.0-rc2", "8.18.0-SNAPSHOT", "9.0.0-alpha1-SNAPSHOT"]
const others = ["8.17", "8.17.0-foo", "8.17.0.1", "v8.17.0", "8.17.0 ", "08.17.0", "8.*", "8.17.0-beta"]

describe("a full version of Elasticsearch", () => {
  it.each(full)("is %j", (version) => expect(isFullVersion(version)).toBe(true))
  it.each(others)("is not %j", (version) => expect(isFullVersion(version)).toBe(false))

  it.effect.each([...full, ...others])("is the same to an archive and to the API: %j", (version) =>
    Effect.gen(function* () {
      const request = { name: "acme", version, type: "plugin" } as const
      const isTakenByApi = Either.isRight(Schema.encodeEither(CreateExtensionRequest)(request))
      const bytes = zip([classic(descriptor({ "elasticsearch.version": version })), jar])
      const { errors } = yield* ArchiveInspection.inspect(Archive.bytes({ name: "acme.zip", bytes }))
      expect(errors.length === 0).toBe(isTakenByApi)
      expect(isTakenByApi).toBe(isFullVersion(version))
    })
  )
})

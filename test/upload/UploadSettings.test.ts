import { describe, expect, it } from "@effect/vitest"
import { Config, ConfigProvider, Duration, Effect } from "effect"
import * as Variable from "../../src/transfer/Variable.ts"
import * as UploadSettings from "../../src/upload/UploadSettings.ts"

const from = (variables: Record<string, string>) =>
  UploadSettings.config.pipe(
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))
  )

const defaults = {
  contentType: "raw",
  verification: "hash",
  resumable: "auto",
  interopVersion: 9,
  onConflict: "fail",
  directUploadLimitBytes: 200_000_000,
  staging: "auto",
  keepStaged: false,
  allow: [],
  protectInUse: false
}

const millis = ({ reconcileWindow, ...settings }: UploadSettings.UploadOptions) => ({
  ...settings,
  reconcileWindow: Duration.toMillis(reconcileWindow)
})

describe("UploadSettings", () => {
  it.effect("has defaults where nothing is provided", () =>
    Effect.gen(function* () {
      expect(millis(yield* UploadSettings.UploadSettings)).toEqual({ ...defaults, reconcileWindow: 10_000 })
    })
  )

  it.effect("layer changes what it names and no more", () =>
    Effect.gen(function* () {
      expect(millis(yield* UploadSettings.UploadSettings)).toEqual({
        ...defaults,
        onConflict: "overwrite",
        reconcileWindow: 2000
      })
    }).pipe(Effect.provide(UploadSettings.layer({ onConflict: "overwrite", reconcileWindow: "2 seconds" })))
  )

  it.effect("config has the same defaults", () =>
    Effect.gen(function* () {
      expect(millis(yield* from({}))).toEqual({ ...defaults, reconcileWindow: 10_000 })
    })
  )

  it.effect("config reads every variable", () =>
    Effect.gen(function* () {
      const settings = yield* from({
        EC_UPLOAD_CONTENT_TYPE: "multipart",
        EC_UPLOAD_VERIFICATION: "size",
        EC_UPLOAD_RESUMABLE: "required",
        EC_UPLOAD_INTEROP_VERSION: "6",
        EC_UPLOAD_ON_CONFLICT: "overwrite",
        EC_UPLOAD_RECONCILE_WINDOW: "1 minute",
        EC_UPLOAD_DIRECT_LIMIT: "1000",
        EC_UPLOAD_STAGING: "always",
        EC_UPLOAD_KEEP_STAGED: "yes",
        EC_UPLOAD_ALLOW: "unsafe-path, symbolic-link,",
        EC_UPLOAD_PROTECT_IN_USE: "true"
      })
      expect(millis(settings)).toEqual({
        contentType: "multipart",
        verification: "size",
        resumable: "required",
        interopVersion: 6,
        onConflict: "overwrite",
        reconcileWindow: 60_000,
        directUploadLimitBytes: 1000,
        staging: "always",
        keepStaged: true,
        allow: ["unsafe-path", "symbolic-link"],
        protectInUse: true
      })
    })
  )

  it.effect.each([
    ["EC_UPLOAD_CONTENT_TYPE", "zip"],
    ["EC_UPLOAD_VERIFICATION", "none"],
    ["EC_UPLOAD_RESUMABLE", "yes"],
    ["EC_UPLOAD_INTEROP_VERSION", "11"],
    ["EC_UPLOAD_ON_CONFLICT", "ask"],
    ["EC_UPLOAD_RECONCILE_WINDOW", "soon"],
    ["EC_UPLOAD_DIRECT_LIMIT", "0"],
    ["EC_UPLOAD_DIRECT_LIMIT", "many"],
    ["EC_UPLOAD_ALLOW", "everything"],
    ["EC_UPLOAD_ALLOW", "unsafe-path;symbolic-link"],
    ["EC_UPLOAD_PROTECT_IN_USE", "sometimes"]
  ] as const)("config refuses %s=%s, by name", ([name, value]) =>
    Effect.gen(function* () {
      expect(String(yield* Effect.flip(from({ [name]: value })))).toContain(name)
    })
  )

  it.effect("config takes an empty variable for an unset one", () =>
    Effect.gen(function* () {
      const names = yield* Variable.namesIn(UploadSettings.config)
      expect(names).toContain("EC_UPLOAD_ALLOW")
      const empty = yield* from(Object.fromEntries(names.map((name) => [name, ""])))
      expect(millis(empty)).toEqual({ ...defaults, reconcileWindow: 10_000 })
    })
  )

  it.effect("config takes durations and sizes as people write them", () =>
    Effect.gen(function* () {
      const settings = yield* from({ EC_UPLOAD_RECONCILE_WINDOW: "5m", EC_UPLOAD_DIRECT_LIMIT: "5 MiB" })
      expect(millis(settings)).toMatchObject({ reconcileWindow: 300_000, directUploadLimitBytes: 5_242_880 })
      expect(millis(yield* from({ EC_UPLOAD_RECONCILE_WINDOW: "0s" }))).toMatchObject({ reconcileWindow: 0 })
    })
  )

  it.effect("config names the problems that can be allowed", () =>
    Effect.gen(function* () {
      const error = String(yield* Effect.flip(from({ EC_UPLOAD_ALLOW: "unsafe-path,unsafe_path" })))
      expect(error).toContain("there is no unsafe_path, only ambiguous-name, ")
      expect(error).toContain(", version-not-exact")
      expect(yield* from({ EC_UPLOAD_ALLOW: "" })).toMatchObject({ allow: [] })
    })
  )

  it.effect("config is a plain Config, to be combined with others", () =>
    Effect.gen(function* () {
      const both = Config.all([UploadSettings.config, Config.string("OTHER")])
      const [settings, other] = yield* both.pipe(
        Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["OTHER", "x"]])))
      )
      expect([settings.contentType, other]).toEqual(["raw", "x"])
    })
  )
})

/**
 * How uploads are made, where a call does not say otherwise.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { directUploadLimitBytes } from "../archive/ArchiveInspection.ts"
import { ProblemCode } from "../archive/ArchiveProblem.ts"
import { type InteropVersion, interopVersions } from "../transfer/ResumableUpload.ts"
import * as Variable from "../transfer/Variable.ts"

/**
 * Everything that can be chosen about an upload.
 *
 * @since 0.1.0
 * @category models
 */
export interface UploadOptions {
  /** `raw` sends `application/zip`, `multipart` a form with the field `file`. Default `raw`. */
  readonly contentType: "raw" | "multipart"
  /**
   * The strongest proof to seek: `hash` fetches and hashes what the server holds where it gives a link, `size` reads its
   * size back, `response` takes the answer's word. Default `hash`.
   */
  readonly verification: "hash" | "size" | "response"
  /** `auto` resumes where the server can, `never` sends ordinary requests, `required` fails where it cannot. */
  readonly resumable: "auto" | "never" | "required"
  /** Interop version of the resumable-upload draft to speak. Default 9, which is draft -12. */
  readonly interopVersion: InteropVersion
  /** What to do when someone else wrote to the extension meanwhile. Default `fail`. */
  readonly onConflict: "fail" | "overwrite"
  /** How long to watch the server after an answer was lost, before its silence counts as "not applied". Default 10 s. */
  readonly reconcileWindow: Duration.DurationInput
  /**
   * Archives larger than this many bytes are not for direct uploads: they go another way where there is one, and bring a
   * warning where there is none. Default 200 MB, the documented limit.
   */
  readonly directUploadLimitBytes: number
  /**
   * Whether an archive goes by way of the object store in the context, where the service fetches it: `auto` where it is
   * over `directUploadLimitBytes` and there is a store, `always` at any size, `never`. For `ArchiveDelivery` and
   * `ExtensionPublish`; `ExtensionUpload` always uploads to the service itself. Default `auto`.
   */
  readonly staging: "auto" | "always" | "never"
  /** Whether a staged archive stays in the store after it was proved to have arrived. Default `false`. */
  readonly keepStaged: boolean
  /** Errors of an archive's content that do not stop its upload. Default none. */
  readonly allow: ReadonlyArray<ProblemCode>
  /** Whether to refuse an upload to an extension that deployments use, rather than to warn. Default `false`. */
  readonly protectInUse: boolean
}

/**
 * Options of one call. Those that are not given, or `undefined`, are those in force.
 *
 * @since 0.1.0
 * @category models
 */
export type UploadOverrides = { readonly [K in keyof UploadOptions]?: UploadOptions[K] | undefined }

const defaults: UploadOptions = {
  contentType: "raw",
  verification: "hash",
  resumable: "auto",
  interopVersion: 9,
  onConflict: "fail",
  reconcileWindow: Duration.seconds(10),
  directUploadLimitBytes: directUploadLimitBytes,
  staging: "auto",
  keepStaged: false,
  allow: [],
  protectInUse: false
}

/**
 * The settings in force: a reference with defaults, so nothing has to be provided.
 *
 * @since 0.1.0
 * @category references
 */
export class UploadSettings extends Context.Reference<UploadSettings>()(
  "effect-elastic-extensions/upload/UploadSettings",
  { defaultValue: () => defaults }
) {}

/**
 * The defaults, but for what is given.
 *
 * @example
 * ```ts
 * import { Archive, ExtensionUpload, UploadSettings } from "effect-elastic-extensions"
 * import { Effect } from "effect"
 *
 * // Around a whole program; an option of one upload goes before them.
 * const program = ExtensionUpload.upload({
 *   extensionId: "882519870",
 *   archive: Archive.file("dist/analysis-acme-2.1.0.zip"),
 *   onConflict: "overwrite"
 * }).pipe(Effect.provide(UploadSettings.layer({ protectInUse: true, verification: "size" })))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Partial<UploadOptions>): Layer.Layer<UploadSettings> =>
  Layer.succeed(UploadSettings, { ...defaults, ...options })

/**
 * Runs an effect with these options over those in force.
 *
 * @since 0.1.0
 * @category combinators
 */
export const override =
  (options: UploadOverrides) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(UploadSettings, (settings) =>
      Effect.provideService(self, UploadSettings, { ...settings, ...given(options) })
    )

const given = (options: UploadOverrides): Partial<UploadOptions> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))

const isProblemCode = Schema.is(ProblemCode)

/** Names of problems, separated by commas. */
const parseAllowed = (text: string): Either.Either<ReadonlyArray<ProblemCode>, string> => {
  const names = text.split(",").flatMap((name) => name.trim() || [])
  const unknown = names.filter((name) => !isProblemCode(name))
  return unknown.length === 0
    ? Either.right(names.filter(isProblemCode))
    : Either.left(`there is no ${unknown.join(", ")}, only ${ProblemCode.literals.join(", ")}`)
}

/**
 * `EC_UPLOAD_ALLOW`: the problems of an archive that do not stop it. None unless given.
 *
 * @since 0.1.0
 * @category config
 */
export const allow: Config.Config<ReadonlyArray<ProblemCode>> = Variable.parsed(
  "EC_UPLOAD_ALLOW",
  parseAllowed
).pipe(
  Config.withDefault(defaults.allow),
  Config.withDescription("Archive problems to tolerate: comma-separated codes.")
)

/**
 * `EC_UPLOAD_CONTENT_TYPE`, `EC_UPLOAD_VERIFICATION`, `EC_UPLOAD_RESUMABLE`, `EC_UPLOAD_INTEROP_VERSION`,
 * `EC_UPLOAD_ON_CONFLICT`, `EC_UPLOAD_RECONCILE_WINDOW`, `EC_UPLOAD_DIRECT_LIMIT`, `EC_UPLOAD_STAGING`,
 * `EC_UPLOAD_KEEP_STAGED`, `EC_UPLOAD_ALLOW`, `EC_UPLOAD_PROTECT_IN_USE`.
 *
 * @since 0.1.0
 * @category config
 */
export const config: Config.Config<UploadOptions> = Config.all({
  contentType: Variable.oneOf("EC_UPLOAD_CONTENT_TYPE", "raw", "multipart").pipe(
    Config.withDefault(defaults.contentType),
    Config.withDescription(
      'How the archive is framed: "raw" (application/zip) or "multipart" (field "file").'
    )
  ),
  verification: Variable.oneOf("EC_UPLOAD_VERIFICATION", "hash", "size", "response").pipe(
    Config.withDefault(defaults.verification),
    Config.withDescription('The strongest proof to seek after an upload: "hash", "size" or "response".')
  ),
  resumable: Variable.oneOf("EC_UPLOAD_RESUMABLE", "auto", "never", "required").pipe(
    Config.withDefault(defaults.resumable),
    Config.withDescription('Whether to use resumable uploads: "auto", "never" or "required".')
  ),
  interopVersion: Variable.oneOf("EC_UPLOAD_INTEROP_VERSION", ...interopVersions).pipe(
    Config.withDefault(defaults.interopVersion),
    Config.withDescription("Interop version of the resumable-upload draft to speak: 10, 9, 8, 7 or 6.")
  ),
  onConflict: Variable.oneOf("EC_UPLOAD_ON_CONFLICT", "fail", "overwrite").pipe(
    Config.withDefault(defaults.onConflict),
    Config.withDescription(
      'What to do when someone else wrote to the extension meanwhile: "fail" or "overwrite".'
    )
  ),
  reconcileWindow: Variable.duration("EC_UPLOAD_RECONCILE_WINDOW", {
    example: "10s",
    min: 0,
    max: "1 day"
  }).pipe(
    Config.withDefault(Duration.decode(defaults.reconcileWindow)),
    Config.withDescription("How long the server is watched after a lost answer before sending again.")
  ),
  directUploadLimitBytes: Variable.bytes("EC_UPLOAD_DIRECT_LIMIT", { example: "200MB" }).pipe(
    Config.withDefault(defaults.directUploadLimitBytes),
    Config.withDescription(
      "Archives larger than this are staged where there is a store, and bring a warning where there is none, such as 200MB."
    )
  ),
  staging: Variable.oneOf("EC_UPLOAD_STAGING", "auto", "always", "never").pipe(
    Config.withDefault(defaults.staging),
    Config.withDescription(
      'Whether archives go by way of the object store: "auto" (over the direct limit), "always" or "never".'
    )
  ),
  keepStaged: Variable.boolean("EC_UPLOAD_KEEP_STAGED").pipe(
    Config.withDefault(defaults.keepStaged),
    Config.withDescription("Whether a staged archive stays in the store after it has arrived.")
  ),
  allow,
  protectInUse: Variable.boolean("EC_UPLOAD_PROTECT_IN_USE").pipe(
    Config.withDefault(defaults.protectInUse),
    Config.withDescription("Whether to refuse an upload to an extension that deployments use.")
  )
})

/**
 * The settings that `config` describes.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: Layer.Layer<UploadSettings, ConfigError.ConfigError> = Layer.effect(
  UploadSettings,
  config
)

/**
 * The object store of AWS S3, and of everything that speaks its protocol: MinIO, Cloudflare R2, Ceph, and Google Cloud Storage
 * with HMAC keys.
 *
 * Requests go through the `HttpClient` in the context, so its limits, proxy, certificates and bandwidth apply. They are signed
 * with Signature Version 4, and the SHA-256 of each part is signed with them: the store refuses other bytes.
 *
 * The client of `UploadHttpClient.layer` sends a part as it is read. Of others it is not known whether they send a stream under
 * its length, so they are given each part in one piece, which is in memory as long as it is sent.
 *
 * Uses CreateMultipartUpload, UploadPart, ListParts, ListMultipartUploads, CompleteMultipartUpload, AbortMultipartUpload,
 * GetObject and DeleteObject of the S3 API (2006-03-01).
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Variable from "../transfer/Variable.ts"
import { checked, parseLocation } from "./internal/s3ObjectStore/settings.ts"
import * as Store from "./internal/s3ObjectStore/store.ts"
import { ObjectStore, type ObjectStoreService } from "./ObjectStore.ts"
import { InvalidStoreConfig, type StoreCredentialsUnavailable } from "./StagingError.ts"

/**
 * What requests are signed with.
 *
 * @since 0.1.0
 * @category models
 */
export interface Credentials {
  readonly accessKeyId: string | Redacted.Redacted<string>
  readonly secretAccessKey: string | Redacted.Redacted<string>
  /** Only temporary credentials have one. */
  readonly sessionToken?: string | Redacted.Redacted<string> | undefined
  /** When temporary credentials expire, where that is known: links do not outlive it. */
  readonly expires?: DateTime.Utc | undefined
}

/**
 * Where the store is, and how it is opened.
 *
 * @since 0.1.0
 * @category models
 */
export interface S3Options {
  /** Such as `s3://bucket/prefix`; the prefix can be left out. */
  readonly location: string
  /**
   * Or an effect that gives them, such as a request to a vault. It runs when they are first needed, a minute before they
   * expire, and once more when the store says that they have; an upload under way goes on with the new ones.
   */
  readonly credentials: Credentials | Effect.Effect<Credentials, StoreCredentialsUnavailable>
  /** Needed for AWS. Default with an endpoint of its own: `us-east-1`, which such stores take for any; R2 takes `auto` too. */
  readonly region?: string | undefined
  /** The address of a store other than AWS, such as `https://minio.example:9000`. */
  readonly endpoint?: string | URL | undefined
  /**
   * Whether the bucket is in the path instead of the host name. Default: with an endpoint, and for a bucket with a dot in its
   * name.
   */
  readonly pathStyle?: boolean | undefined
  /** Lets archives travel unencrypted to another machine. Default `false`; loopback needs no permission. */
  readonly allowInsecureHttp?: boolean | undefined
}

/**
 * The store over the `HttpClient` in the context. Nothing is asked of it yet.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: S3Options
): Effect.Effect<ObjectStoreService, InvalidStoreConfig, HttpClient.HttpClient> =>
  Effect.flatMap(
    Effect.mapError(
      Effect.suspend(() => checked(options)),
      (refusal) => new InvalidStoreConfig(refusal)
    ),
    Store.make
  )

/**
 * The store that the options describe.
 *
 * @example
 * ```ts
 * import { S3ObjectStore } from "effect-elastic-extensions"
 * import { Redacted } from "effect"
 *
 * const Store = (accessKeyId: string, secretAccessKey: Redacted.Redacted<string>) =>
 *   S3ObjectStore.layer({
 *     location: "s3://builds/elastic",
 *     endpoint: "https://minio.example:9000",
 *     credentials: { accessKeyId, secretAccessKey }
 *   })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: S3Options
): Layer.Layer<ObjectStore, InvalidStoreConfig, HttpClient.HttpClient> =>
  Layer.effect(ObjectStore, make(options))

/**
 * Where archives are staged: `EC_UPLOAD_STAGE`, such as `s3://bucket/prefix`. With `Config.option` it tells whether staging is
 * set up at all.
 *
 * @since 0.1.0
 * @category config
 */
export const location: Config.Config<string> = Variable.parsed("EC_UPLOAD_STAGE", (text) =>
  Either.map(parseLocation(text), () => text)
).pipe(Config.withDescription("Where archives are staged, such as s3://bucket/prefix (EC_UPLOAD_STAGE)."))

const fixed = Config.all({
  accessKeyId: Variable.secret("AWS_ACCESS_KEY_ID").pipe(
    Config.withDescription(
      "Access key of the object store (AWS_ACCESS_KEY_ID). Of a profile: aws configure export-credentials."
    )
  ),
  secretAccessKey: Variable.secret("AWS_SECRET_ACCESS_KEY").pipe(
    Config.withDescription("Secret key of the object store (AWS_SECRET_ACCESS_KEY).")
  ),
  sessionToken: Config.option(Variable.secret("AWS_SESSION_TOKEN")).pipe(
    Config.withDescription("Session token of temporary credentials (AWS_SESSION_TOKEN).")
  ),
  expires: Config.option(
    Variable.parsed("AWS_CREDENTIAL_EXPIRATION", (text) =>
      Either.fromOption(DateTime.make(text), () => "it has to be a date such as 2026-11-26T17:00:00Z")
    )
  ).pipe(Config.withDescription("When temporary credentials expire (AWS_CREDENTIAL_EXPIRATION)."))
}).pipe(
  Config.map(
    ({ accessKeyId, expires, secretAccessKey, sessionToken }): Credentials => ({
      accessKeyId,
      secretAccessKey,
      sessionToken: Option.getOrUndefined(sessionToken),
      expires: Option.getOrUndefined(expires)
    })
  )
)

/** A variable, and the one that stands in for it. */
const either = (name: string, otherwise: string, description: string) =>
  Config.all([Config.option(Variable.text(name)), Config.option(Variable.text(otherwise))]).pipe(
    Config.map(([first, second]) => Option.getOrUndefined(Option.orElse(first, () => second))),
    Config.withDescription(`${description} (${name}, else ${otherwise}).`)
  )

/**
 * The same settings from `EC_UPLOAD_STAGE`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`,
 * `AWS_CREDENTIAL_EXPIRATION`, `AWS_REGION` or `AWS_DEFAULT_REGION`, `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`,
 * `EC_UPLOAD_STAGE_PATH_STYLE` and `EC_ALLOW_INSECURE_HTTP`.
 *
 * @since 0.1.0
 * @category config
 */
export const config: Config.Config<S3Options> = Config.all({
  location,
  credentials: fixed,
  region: either("AWS_REGION", "AWS_DEFAULT_REGION", "Region of the bucket"),
  endpoint: either(
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "Address of an object store other than that of AWS"
  ),
  pathStyle: Config.option(Variable.boolean("EC_UPLOAD_STAGE_PATH_STYLE")).pipe(
    Config.map(Option.getOrUndefined),
    Config.withDescription(
      "Whether the bucket is in the path instead of the host name (EC_UPLOAD_STAGE_PATH_STYLE). Default: with an address of its own."
    )
  ),
  allowInsecureHttp: Variable.boolean("EC_ALLOW_INSECURE_HTTP").pipe(Config.withDefault(false))
})

const variables = {
  location: "EC_UPLOAD_STAGE",
  endpoint: "AWS_ENDPOINT_URL_S3",
  region: "AWS_REGION",
  credentials: "AWS_ACCESS_KEY_ID"
}

const settings = Config.mapOrFail(config, (options) =>
  Either.mapLeft(checked(options), ({ problem, setting }) =>
    ConfigError.InvalidData([variables[setting]], problem)
  )
)

/**
 * The store that `config` describes.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: Layer.Layer<ObjectStore, ConfigError.ConfigError, HttpClient.HttpClient> =
  Layer.effect(ObjectStore, Effect.flatMap(settings, Store.make))

/**
 * The object store of AWS S3, and of everything that speaks its protocol: MinIO, Cloudflare R2, Ceph, and Google Cloud Storage
 * with HMAC keys.
 *
 * Requests go through the `HttpClient` in the context, so its limits, proxy, certificates and bandwidth apply. They are signed
 * with Signature Version 4, and the SHA-256 of each part is signed with them: the store refuses other bytes.
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
import * as Redacted from "effect/Redacted"
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
  /** `s3://bucket/prefix`, or `s3://bucket`. */
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

/** PLACEHOLDER */

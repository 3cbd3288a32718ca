/** The settings of a store, checked: where each object is, and what opens it. */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Credentials, S3Options } from "../../S3ObjectStore.ts"
import type { InvalidStoreConfig } from "../../StagingError.ts"
import type { KeySource, Keys } from "./keyring.ts"

/** Where the bucket is. */
export interface Settings {
  readonly bucket: string
  /** Empty, or it ends with a slash. */
  readonly prefix: string
  readonly region: string
  /** Scheme, host and port. */
  readonly origin: string
  /** What comes before the key in a path; it ends with a slash. */
  readonly path: string
  readonly keys: KeySource
}

/** A setting that cannot be used, and why. The value is not repeated: it may hold a secret. */
export type Refusal = Pick<InvalidStoreConfig, "setting" | "problem">

export const checked = (options: S3Options): Either.Either<Settings, Refusal> =>
  Either.gen(function* () {
    const { bucket, prefix } = yield* Either.mapLeft(parseLocation(options.location), refuse("location"))
    const region = yield* Either.mapLeft(parseRegion(options), refuse("region"))
    const endpoint = yield* Either.mapLeft(parseEndpoint(options, region), refuse("endpoint"))
    const keys = yield* Either.mapLeft(keySource(options.credentials), refuse("credentials"))
    const inPath = options.pathStyle ?? (options.endpoint !== undefined || !isHostName(bucket))
    const path = endpoint.pathname.replace(/\/*$/, "/")
    return inPath
      ? { bucket, prefix, region, keys, origin: endpoint.origin, path: `${path}${bucket}/` }
      : { bucket, prefix, region, keys, origin: `${endpoint.protocol}//${bucket}.${endpoint.host}`, path }
  })

const refuse =
  (setting: Refusal["setting"]) =>
  (problem: string): Refusal => ({ setting, problem })

/** A name with a dot does not fit the certificate for one label. */
const isHostName = (bucket: string): boolean => /^[a-z0-9-]+$/.test(bucket)

export const parseLocation = (
  text: string
): Either.Either<{ readonly bucket: string; readonly prefix: string }, string> => {
  const [, bucket = "", rest = ""] =
    /^s3:\/\/([A-Za-z0-9][A-Za-z0-9._-]{1,62})(\/.*)?$/su.exec(text.trim()) ?? []
  if (bucket === "") return Either.left("it has to look like s3://bucket/prefix.")
  const prefix = rest.replace(/^\/+|\/+$/g, "")
  if (prefix === "") return Either.right({ bucket, prefix })
  if (prefix.split("/").some((step) => /^\.{0,2}$/.test(step))) {
    return Either.left("its prefix has an empty step, or one of dots.")
  }
  if (/[\p{Cc}\p{Cs}\ufffe\uffff]/u.test(prefix))
    return Either.left("its prefix has a character that no list can hold.")
  // A key has at most 1024 bytes: 65 for the digest, and room for the longest name of a file.
  return Buffer.byteLength(prefix) > 512
    ? Either.left("its prefix is longer than 512 bytes.")
    : Either.right({ bucket, prefix: `${prefix}/` })
}

const parseRegion = ({ endpoint, region }: S3Options): Either.Either<string, string> => {
  const text = region?.trim() ?? ""
  if (text === "") {
    return endpoint === undefined
      ? Either.left("it is missing. Set it to the bucket's region, such as eu-central-1.")
      : Either.right("us-east-1")
  }
  return /^[A-Za-z0-9-]{1,64}$/.test(text)
    ? Either.right(text)
    : Either.left("it has to look like eu-central-1.")
}

const endpointProblems: ReadonlyArray<readonly [fits: (url: URL) => boolean, problem: string]> = [
  [({ protocol }) => !/^https?:$/.test(protocol), "it is not an https address."],
  [
    ({ password, username }) => username !== "" || password !== "",
    "it contains a user name or password. Credentials have settings of their own."
  ],
  [({ href }) => /[?#]/.test(href), "it has a query or a fragment. Give scheme and host only."]
]

const parseEndpoint = (options: S3Options, region: string): Either.Either<URL, string> => {
  const text = String(options.endpoint ?? amazon(region)).trim()
  if (!URL.canParse(text))
    return Either.left("it is not an address. It should look like https://minio.example.")
  const url = new URL(text)
  const problem = Arr.findFirst(endpointProblems, ([fits]) => fits(url))
  if (Option.isSome(problem)) return Either.left(problem.value[1])
  if (url.protocol === "http:" && options.allowInsecureHttp !== true && !isLoopback(url)) {
    return Either.left(
      "plain http would send the archive unencrypted. Use https, or allow it (EC_ALLOW_INSECURE_HTTP=true)."
    )
  }
  return Either.right(url)
}

const amazon = (region: string): string =>
  `https://s3.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`

const isLoopback = ({ hostname }: URL): boolean =>
  /^(localhost|.+\.localhost|\[::1\]|127(\.\d{1,3}){3})$/.test(hostname)

const keySource = (credentials: S3Options["credentials"]): Either.Either<KeySource, string> =>
  Effect.isEffect(credentials)
    ? Either.right({ _tag: "Renewable", get: Effect.map(credentials, toKeys) })
    : Either.map(checkKeys(toKeys(credentials)), (keys) => ({ _tag: "Fixed", keys }))

const redacted = (text: string | Redacted.Redacted<string>): Redacted.Redacted<string> =>
  Redacted.isRedacted(text) ? text : Redacted.make(text)

const toKeys = (credentials: Credentials): Keys => ({
  accessKeyId: redacted(credentials.accessKeyId),
  secretAccessKey: redacted(credentials.secretAccessKey),
  sessionToken: Option.filter(
    Option.map(Option.fromNullable(credentials.sessionToken), redacted),
    (token) => Redacted.value(token) !== ""
  ),
  expires: Option.fromNullable(credentials.expires)
})

const isUsable = (text: Redacted.Redacted<string>): boolean => /^[\x21-\x7e]+$/.test(Redacted.value(text))

const checkKeys = (keys: Keys): Either.Either<Keys, string> => {
  if (!isUsable(keys.accessKeyId))
    return Either.left("the access key is empty, or has a space or a line break.")
  if (!isUsable(keys.secretAccessKey))
    return Either.left("the secret key is empty, or has a space or a line break.")
  return Option.exists(keys.sessionToken, (token) => !isUsable(token))
    ? Either.left("the session token has a space or a line break.")
    : Either.right(keys)
}

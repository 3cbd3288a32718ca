/**
 * What can go wrong between this machine and an object store, each with what to do about it. What goes wrong on the way is a
 * `TransferError`, what goes wrong with the archive an `ArchiveError`.
 *
 * No error holds a key, a signature or a link. What a store wrote is kept short, without either.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { formatDuration } from "../transfer/Quantity.ts"
import { TransferError } from "../transfer/TransferError.ts"

/**
 * What was asked of the store.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Operation = Schema.Literal(
  "unfinished",
  "parts",
  "create",
  "putPart",
  "complete",
  "abort",
  "head",
  "remove",
  "link"
)

/**
 * What was asked of the store.
 *
 * @since 0.1.0
 * @category models
 */
export type Operation = typeof Operation.Type

const callFields = {
  operation: Operation,
  /** Where the store keeps archives, such as `s3://bucket/prefix`. */
  store: Schema.String
}

const answerFields = {
  ...callFields,
  status: Schema.Number,
  /** The store's own name for the failure, such as `AccessDenied`; absent where the answer has none. */
  code: Schema.optionalWith(Schema.String, { exact: true }),
  /** The store's own words, at most a few hundred characters; empty where it has none. */
  detail: Schema.String,
  /** What the store's support can find the request by. */
  requestId: Schema.optionalWith(Schema.String, { exact: true })
}

type Call = Schema.Struct.Type<typeof callFields>
type Answer = Schema.Struct.Type<typeof answerFields>

const attempts: Record<Operation, string> = {
  unfinished: "Listing unfinished uploads in",
  parts: "Listing the parts of an upload in",
  create: "Beginning an upload to",
  putPart: "Sending a part to",
  complete: "Putting the parts together in",
  abort: "Giving up an upload in",
  head: "Looking for the archive in",
  remove: "Removing the archive from",
  link: "Making a link to the archive in"
}

const attempt = ({ operation, store }: Call): string => `${attempts[operation]} ${store}`

/** Quoted as JSON: what a store wrote must not move the reader's cursor. */
const said = ({ code, detail, status }: Answer): string => {
  const words = detail === "" ? "" : `: ${JSON.stringify(detail)}`
  return `(status ${status}${code === undefined ? "" : `, ${code}`}${words})`
}

const failed = (answer: Answer & { readonly remedy: string }, what: string): string =>
  `${attempt(answer)} failed: ${what} ${said(answer)}. ${answer.remedy}`

/**
 * There is no such bucket at this store.
 *
 * @since 0.1.0
 * @category errors
 */
export class BucketNotFound extends Schema.TaggedError<BucketNotFound>(
  "effect-elastic-extensions/staging/BucketNotFound"
)("BucketNotFound", {
  ...answerFields,
  bucket: Schema.String,
  /** Scheme, host and port of the store. */
  origin: Schema.String
}) {
  readonly isRetryable = false
  readonly remedy = "Create the bucket, or correct its name and the store's address."

  override get message(): string {
    return failed(this, `there is no bucket ${JSON.stringify(this.bucket)} at ${this.origin}`)
  }
}

/**
 * The credentials are good, and do not allow this.
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreAccessDenied extends Schema.TaggedError<StoreAccessDenied>(
  "effect-elastic-extensions/staging/StoreAccessDenied"
)("StoreAccessDenied", {
  ...answerFields,
  /** What has to be allowed, in the store's own words, such as `s3:PutObject`. */
  permission: Schema.String
}) {
  readonly isRetryable = false

  /** The next step. */
  get remedy(): string {
    return `Allow ${this.permission} for these credentials, on this prefix of the bucket.`
  }

  override get message(): string {
    return failed(this, "it is not allowed")
  }
}

const refusals = {
  UnknownKey: "the store does not know the access key",
  WrongSecret: "the signature does not fit, so the secret key is probably another one's",
  InvalidToken: "the session token is not valid"
}

/**
 * The store does not accept the credentials.
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreCredentialsRefused extends Schema.TaggedError<StoreCredentialsRefused>(
  "effect-elastic-extensions/staging/StoreCredentialsRefused"
)("StoreCredentialsRefused", {
  ...answerFields,
  reason: Schema.Literal("UnknownKey", "WrongSecret", "InvalidToken")
}) {
  readonly isRetryable = false

  /** The next step. */
  get remedy(): string {
    return this.reason === "InvalidToken"
      ? "Check AWS_SESSION_TOKEN: it belongs to one access key, and is empty for a permanent one."
      : "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that they are for this store."
  }

  override get message(): string {
    return failed(this, refusals[this.reason])
  }
}

/**
 * The credentials were temporary, and their time is over.
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreCredentialsExpired extends Schema.TaggedError<StoreCredentialsExpired>(
  "effect-elastic-extensions/staging/StoreCredentialsExpired"
)("StoreCredentialsExpired", {
  ...callFields,
  /** Whether they come from an effect: then it was asked for new ones, and these had expired as well. */
  isRenewable: Schema.Boolean
}) {
  readonly isRetryable = false

  /** The next step. */
  get remedy(): string {
    return this.isRenewable
      ? "Check what gives out the credentials, and this machine's clock. What was sent stays for the next run."
      : "Get new credentials and run it again: what was sent stays, and is not sent twice."
  }

  override get message(): string {
    const what = this.isRenewable
      ? "even the renewed credentials have expired"
      : "the credentials have expired"
    return `${attempt(this)} failed: ${what}. ${this.remedy}`
  }
}

/**
 * There are no credentials: what gives them out has failed.
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreCredentialsUnavailable extends Schema.TaggedError<StoreCredentialsUnavailable>(
  "effect-elastic-extensions/staging/StoreCredentialsUnavailable"
)("StoreCredentialsUnavailable", {
  /** What has failed, without secrets. */
  detail: Schema.String,
  /** Whether it may pass. */
  isRetryable: Schema.Boolean
}) {
  readonly remedy = "Check what gives out the credentials of the object store."

  override get message(): string {
    return `There are no credentials for the object store: ${this.detail.replace(/\.$/, "")}. ${this.remedy}`
  }
}

/**
 * This machine's clock and the store's differ by more than a signature may (15 minutes with S3).
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreClockSkewed extends Schema.TaggedError<StoreClockSkewed>(
  "effect-elastic-extensions/staging/StoreClockSkewed"
)("StoreClockSkewed", {
  ...answerFields,
  /** How far this machine's clock is ahead of the store's, in milliseconds; negative where it is behind. */
  aheadMillis: Schema.optionalWith(Schema.Number, { exact: true })
}) {
  readonly isRetryable = false
  readonly remedy = "Set this machine's clock."

  override get message(): string {
    const { aheadMillis } = this
    const side = aheadMillis !== undefined && aheadMillis < 0 ? "behind" : "ahead of"
    const what =
      aheadMillis === undefined
        ? "differs from the store's"
        : `is ${formatDuration(Math.abs(aheadMillis))} ${side} the store's`
    return failed(this, `this machine's clock ${what}`)
  }
}

/**
 * The bucket is in another region than the one that was asked.
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreRegionMismatch extends Schema.TaggedError<StoreRegionMismatch>(
  "effect-elastic-extensions/staging/StoreRegionMismatch"
)("StoreRegionMismatch", {
  ...answerFields,
  bucket: Schema.String,
  /** The region that was asked. */
  configured: Schema.String,
  /** The bucket's region, where the store tells it. */
  region: Schema.optionalWith(Schema.String, { exact: true })
}) {
  readonly isRetryable = false

  /** The next step. */
  get remedy(): string {
    return this.region === undefined
      ? "Set AWS_REGION to the bucket's region."
      : `Set AWS_REGION=${this.region}, and leave AWS_ENDPOINT_URL_S3 out or let it name that region.`
  }

  override get message(): string {
    const where = this.region === undefined ? "in another region" : `in ${JSON.stringify(this.region)}`
    return failed(this, `the bucket ${JSON.stringify(this.bucket)} is ${where}, not in ${this.configured}`)
  }
}

const partProblems = {
  WrongBytes: "the bytes that arrived are not those that were sent",
  TooSmall: "it is smaller than the store takes",
  TooLarge: "it is larger than the store takes"
}

/**
 * The store did not take a part.
 *
 * @since 0.1.0
 * @category errors
 */
export class StorePartRefused extends Schema.TaggedError<StorePartRefused>(
  "effect-elastic-extensions/staging/StorePartRefused"
)("StorePartRefused", {
  ...answerFields,
  /** 1 for the first; absent where the store does not say which one. */
  partNumber: Schema.optionalWith(Schema.Number, { exact: true }),
  reason: Schema.Literal("WrongBytes", "TooSmall", "TooLarge")
}) {
  /** What a faulty line did to bytes, it may not do again. */
  get isRetryable(): boolean {
    return this.reason === "WrongBytes"
  }

  /** The next step. */
  get remedy(): string {
    return this.reason === "WrongBytes"
      ? "If it happens again, look for a proxy that changes what passes, or faulty memory."
      : "Set a part size that the store takes: S3 takes 5 MiB to 5 GiB."
  }

  override get message(): string {
    const part = this.partNumber === undefined ? "a part" : `part ${this.partNumber}`
    return failed(this, `${part} was refused, because ${partProblems[this.reason]}`)
  }
}

/**
 * The store no longer has the unfinished upload, or parts of it: somebody else finished it or gave it up, or a lifecycle rule
 * did. Staging looks what became of it and goes on; the error comes out only where that happens again and again.
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreUploadLost extends Schema.TaggedError<StoreUploadLost>(
  "effect-elastic-extensions/staging/StoreUploadLost"
)("StoreUploadLost", { ...answerFields, reason: Schema.Literal("Upload", "Parts") }) {
  readonly isRetryable = false
  readonly remedy = "Look for a job or a lifecycle rule that removes unfinished uploads, then run it again."

  override get message(): string {
    return failed(
      this,
      this.reason === "Upload" ? "the unfinished upload is gone" : "parts that had arrived are gone"
    )
  }
}

/**
 * The store cannot do this now: an outage, or too many requests. It was tried again before you see this.
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>(
  "effect-elastic-extensions/staging/StoreUnavailable"
)("StoreUnavailable", {
  ...answerFields,
  /** The store's `Retry-After`, in milliseconds from the moment the answer was read. */
  retryAfterMillis: Schema.optionalWith(Schema.Number, { exact: true })
}) {
  readonly isRetryable = true
  readonly remedy = "Run it again later: what was sent stays, and is not sent twice."

  override get message(): string {
    return failed(this, "the store is not available, or busy")
  }
}

/**
 * The store refuses the request, for a reason that has no error of its own here.
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreRefused extends Schema.TaggedError<StoreRefused>(
  "effect-elastic-extensions/staging/StoreRefused"
)("StoreRefused", answerFields) {
  readonly isRetryable = false
  readonly remedy = "Look the code up in the store's documentation; check bucket, prefix and address."

  override get message(): string {
    return failed(this, "the store refused it")
  }
}

const strangeAnswers = {
  Html: "the answer is a web page",
  NotXml: "the answer is not XML",
  WrongShape: "the answer lacks what it should have",
  TooLarge: "the answer is far larger than it should be",
  TooSlow: "the answer does not come to its end",
  Redirect: "the answer is a redirect, and uploads do not follow redirects"
}

/**
 * What answered does not speak the protocol of the store.
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreAnswerInvalid extends Schema.TaggedError<StoreAnswerInvalid>(
  "effect-elastic-extensions/staging/StoreAnswerInvalid"
)("StoreAnswerInvalid", {
  ...answerFields,
  reason: Schema.Literal("Html", "NotXml", "WrongShape", "TooLarge", "TooSlow", "Redirect"),
  /** Scheme, host and port that were asked. */
  origin: Schema.String
}) {
  readonly isRetryable = false

  /** The next step. */
  get remedy(): string {
    return `Check that ${this.origin} is the store's address, and that no proxy answers in its place.`
  }

  override get message(): string {
    return failed(this, strangeAnswers[this.reason])
  }
}

/**
 * The store says that it has the archive, and what it has is of another size.
 *
 * @since 0.1.0
 * @category errors
 */
export class StagedArchiveDiffers extends Schema.TaggedError<StagedArchiveDiffers>(
  "effect-elastic-extensions/staging/StagedArchiveDiffers"
)("StagedArchiveDiffers", {
  /** Such as `s3://bucket/prefix/<sha256>/<name>`. */
  location: Schema.String,
  /** In bytes. */
  expected: Schema.Number,
  /** In bytes; absent where there is nothing. */
  actual: Schema.optionalWith(Schema.Number, { exact: true })
}) {
  readonly isRetryable = false
  readonly remedy = "Do not use it. Look for a job that writes or removes there, then run it again."

  override get message(): string {
    const found = this.actual === undefined ? "holds nothing" : `holds ${this.actual} bytes`
    return `The store took the archive, and ${JSON.stringify(this.location)} ${found}, not ${this.expected}. ${this.remedy}`
  }
}

/**
 * A link would not live long enough, because it dies with the temporary credentials that sign it. None was made.
 *
 * @since 0.1.0
 * @category errors
 */
export class LinkTooShort extends Schema.TaggedError<LinkTooShort>(
  "effect-elastic-extensions/staging/LinkTooShort"
)("LinkTooShort", {
  ...callFields,
  /** What is left of the credentials, in milliseconds. */
  leftMillis: Schema.Number,
  /** What the link has to live at least, in milliseconds. */
  neededMillis: Schema.Number
}) {
  readonly isRetryable = false
  readonly remedy = "Get credentials that last longer and run it again: what was staged stays."

  override get message(): string {
    const left = this.leftMillis <= 0 ? "have expired" : `expire in ${formatDuration(this.leftMillis)}`
    return `${attempt(this)} failed: the link has to work for ${formatDuration(this.neededMillis)}, and the credentials ${left}. ${this.remedy}`
  }
}

/**
 * A setting given in code that cannot be used. Its value stays out of the message.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidStoreConfig extends Schema.TaggedError<InvalidStoreConfig>(
  "effect-elastic-extensions/staging/InvalidStoreConfig"
)("InvalidStoreConfig", {
  setting: Schema.Literal("location", "endpoint", "region", "credentials"),
  problem: Schema.String
}) {
  readonly isRetryable = false
  readonly remedy = "Correct this setting."

  override get message(): string {
    return `The object store's setting "${this.setting}" cannot be used: ${this.problem} ${this.remedy}`
  }
}

/**
 * What an object store can answer, or what keeps it from being asked, as one schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StoreError = Schema.Union(
  BucketNotFound,
  StoreAccessDenied,
  StoreCredentialsRefused,
  StoreCredentialsExpired,
  StoreCredentialsUnavailable,
  StoreClockSkewed,
  StoreRegionMismatch,
  StorePartRefused,
  StoreUploadLost,
  StoreUnavailable,
  StoreRefused,
  StoreAnswerInvalid,
  StagedArchiveDiffers,
  LinkTooShort
)

/**
 * What an object store can answer, or what keeps it from being asked.
 *
 * @since 0.1.0
 * @category errors
 */
export type StoreError = typeof StoreError.Type

/**
 * Everything that staging can fail with, but for the archive itself, as one schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StagingError = Schema.Union(StoreError, TransferError)

/**
 * Everything that staging can fail with, but for the archive itself.
 *
 * @since 0.1.0
 * @category errors
 */
export type StagingError = typeof StagingError.Type

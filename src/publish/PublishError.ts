/**
 * What publishing can fail with, besides everything an upload can.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { ExtensionType } from "../cloud/Extension.ts"
import { ExtensionId } from "../cloud/ExtensionId.ts"
import { StoreError } from "../staging/StagingError.ts"
import { UploadError } from "../upload/UploadError.ts"

const quoted = (ids: ReadonlyArray<string>): string => ids.map((id) => JSON.stringify(id)).join(", ")

/**
 * Several extensions have this name and type, so the name does not tell which one is meant. Nothing of them was changed.
 *
 * @since 0.1.0
 * @category errors
 */
export class AmbiguousExtension extends Schema.TaggedError<AmbiguousExtension>(
  "effect-elastic-extensions/publish/AmbiguousExtension"
)("AmbiguousExtension", {
  name: Schema.String,
  type: ExtensionType,
  /** All of them, at least two. */
  ids: Schema.Array(ExtensionId),
  /** Those among them that have no file: most likely left behind. */
  emptyIds: Schema.Array(ExtensionId)
}) {
  readonly isRetryable = false

  get remedy(): string {
    return "Upload to one of them by its id, or delete the others and publish again."
  }

  override get message(): string {
    const empty = this.emptyIds.length === 0 ? "" : ` Without a file: ${quoted(this.emptyIds)}.`
    return `There are ${this.ids.length} ${this.type}s called ${JSON.stringify(this.name)}: ${quoted(this.ids)}.${empty} ${this.remedy}`
  }
}

/**
 * The extension could not be created, and another one of the same name but the other type is probably why.
 *
 * @since 0.1.0
 * @category errors
 */
export class NameTaken extends Schema.TaggedError<NameTaken>("effect-elastic-extensions/publish/NameTaken")(
  "NameTaken",
  {
    name: Schema.String,
    type: ExtensionType,
    /** The extension that has the name, which is of the other type. */
    takenBy: ExtensionId,
    /** `_tag` and message of the refusal. */
    refusal: Schema.String
  }
) {
  readonly isRetryable = false

  get remedy(): string {
    return `Publish it as a ${this.otherType} if that is the one you mean, or use another name.`
  }

  override get message(): string {
    return `No ${this.type} called ${JSON.stringify(this.name)} could be created (${this.refusal}). A ${this.otherType} of that name exists (${JSON.stringify(this.takenBy)}). ${this.remedy}`
  }

  private get otherType(): ExtensionType {
    return this.type === "plugin" ? "bundle" : "plugin"
  }
}

const ifOnlyHere =
  "If the service can reach it and this machine cannot, skip this check: --skip-preflight, or preflight: false in code."

const urlRemedies = {
  Redirects: "Give the address that it leads to, or have the server send the file itself.",
  Refused: `Check that the credentials in the URL are complete and have not expired. ${ifOnlyHere}`,
  NotFound: "Check the path of the URL, and that the file is there.",
  Unavailable: "Try again later.",
  HtmlPage: "Give the address of the file itself: a page about it, or a login, is no archive.",
  NotAZip: "Put the ZIP archive behind the URL, as it is.",
  WrongLength: "Put the same archive behind the URL.",
  Unreachable: `Check the URL. ${ifOnlyHere}`
} as const

/**
 * The download URL was looked at as the service would, and the service could not use it. The service was not told of it.
 *
 * `Redirects`: it leads elsewhere, and the service follows no redirects. `Refused`, `NotFound`, `Unavailable`: the server
 * said so. `HtmlPage`, `NotAZip`, `WrongLength`: it serves something else than the archive. `Unreachable`: from this
 * machine, at least.
 *
 * The URL may carry a signature, so only its origin is named.
 *
 * @since 0.1.0
 * @category errors
 */
export class DownloadUrlUnusable extends Schema.TaggedError<DownloadUrlUnusable>(
  "effect-elastic-extensions/publish/DownloadUrlUnusable"
)("DownloadUrlUnusable", {
  /** Scheme, host and port of the download URL. */
  origin: Schema.String,
  reason: Schema.Literal(
    "Redirects",
    "Refused",
    "NotFound",
    "Unavailable",
    "HtmlPage",
    "NotAZip",
    "WrongLength",
    "Unreachable"
  ),
  /** What was seen, such as a status or a size. */
  detail: Schema.String,
  isRetryable: Schema.Boolean
}) {
  get remedy(): string {
    return urlRemedies[this.reason]
  }

  /** What is the matter, as a clause. */
  get what(): string {
    switch (this.reason) {
      case "Redirects":
        return `the URL redirects (${this.detail}), and the service follows no redirects`
      case "Refused":
        return `access is refused (${this.detail})`
      case "NotFound":
        return `there is nothing behind it (${this.detail})`
      case "Unavailable":
        return `its server does not answer as it should (${this.detail})`
      case "Unreachable":
        return `it cannot be reached from here (${this.detail.replace(/\.+$/, "")})`
      default:
        return this.detail
    }
  }

  override get message(): string {
    return `The service could not fetch the archive from the download URL at ${this.origin}, because ${this.what}. ${this.remedy}`
  }
}

const downloadRemedies = {
  NotFetched:
    "Make the URL reachable from the internet, by GET and by HEAD and without redirects; then publish again.",
  TimedOut:
    "Check that the download URL can be reached from the internet, needs no credentials but those in the URL itself, does not redirect, and serves the ZIP; then publish again: that looks first whether the archive has arrived.",
  Different: "Put the same archive behind the download URL, then publish again."
} as const

/**
 * The service was told to fetch the archive from its download URL, and the extension does not hold it: `NotFetched` when
 * the service said so, `TimedOut` when nothing new has appeared in time, `Different` when what has appeared is not the
 * local archive.
 *
 * The URL may carry a signature, so only its origin is named.
 *
 * @since 0.1.0
 * @category errors
 */
export class DownloadFailed extends Schema.TaggedError<DownloadFailed>(
  "effect-elastic-extensions/publish/DownloadFailed"
)("DownloadFailed", {
  extensionId: ExtensionId,
  /** Scheme, host and port of the download URL. */
  origin: Schema.String,
  reason: Schema.Literal("NotFetched", "TimedOut", "Different"),
  /** How long the service was watched, in milliseconds. */
  waitedMillis: Schema.NonNegativeInt,
  /** How the stored archive differs from the local one, or what is known of why it was not fetched. */
  detail: Schema.optionalWith(Schema.String, { exact: true })
}) {
  /** Not retried automatically: the cause will not clear within seconds. */
  readonly isRetryable = false

  get remedy(): string {
    return downloadRemedies[this.reason]
  }

  override get message(): string {
    const extension = JSON.stringify(this.extensionId)
    const detail = this.detail === undefined ? "" : `: ${this.detail}`
    const what = {
      NotFetched: `The service could not fetch the archive of extension ${extension} from ${this.origin}${detail}.`,
      TimedOut: `Extension ${extension} has no new archive from ${this.origin} after ${Duration.format(this.waitedMillis)}.`,
      Different: `What the service fetched from ${this.origin} into extension ${extension} is not the local archive${detail}.`
    }
    return `${what[this.reason]} ${this.remedy}`
  }
}

/**
 * The archive is to go by way of an object store, or an earlier run has left something of it there, and that store is not
 * configured.
 *
 * @since 0.1.0
 * @category errors
 */
export class StagingNotConfigured extends Schema.TaggedError<StagingNotConfigured>(
  "effect-elastic-extensions/publish/StagingNotConfigured"
)("StagingNotConfigured", {
  /** The store that is meant, such as `s3://bucket/prefix`, where that is known. */
  location: Schema.optionalWith(Schema.String, { exact: true })
}) {
  readonly isRetryable = false

  get remedy(): string {
    return `Set EC_UPLOAD_STAGE=${this.location ?? "s3://bucket/prefix"} and the credentials of the store, or provide an ObjectStore in code.`
  }

  override get message(): string {
    return this.location === undefined
      ? `The archive is to be staged, and no object store is configured. ${this.remedy}`
      : `The unfinished upload is staged in ${this.location}, which is not the object store that is configured. ${this.remedy}`
  }
}

/**
 * All errors of bringing an archive to an extension, whichever way it goes, as one schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const DeliveryError = Schema.Union(
  UploadError,
  StoreError,
  StagingNotConfigured,
  DownloadUrlUnusable,
  DownloadFailed
)

/**
 * Everything that bringing an archive to an extension can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type DeliveryError = typeof DeliveryError.Type

/**
 * All errors of a publishing, as one schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const PublishError = Schema.Union(DeliveryError, AmbiguousExtension, NameTaken)

/**
 * Everything a publishing can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type PublishError = typeof PublishError.Type

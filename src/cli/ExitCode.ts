/**
 * What the command line's exit code says.
 *
 * @since 0.1.0
 */
import type { Failure } from "./Failure.ts"

/**
 * The exit codes by name, and what each means.
 *
 * @since 0.1.0
 * @category constants
 */
export const exitCodes = {
  /** Done. */
  done: 0,
  /** It failed; the message says what to do. */
  failed: 1,
  /** An upload stopped half-way: the command that is printed resumes it. */
  resumable: 2,
  /** The key was refused, or lacks the right. */
  notAllowed: 3,
  /** There is no such extension. */
  notFound: 4,
  /** The archive is missing, unreadable or invalid, or the service refused it. */
  archiveRefused: 5,
  /** Someone else is uploading, or uploaded in the meantime. */
  conflict: 6,
  /** It may have taken effect. The same command asks before it does anything. */
  outcomeUnknown: 7,
  /** The command line or the configuration cannot be used. */
  usage: 64,
  /** It is done, but its output could not be written. The number is that of `EX_IOERR` in `sysexits.h`. */
  outputLost: 74,
  /** A signal came before anything was sent. */
  interrupted: 130
} as const

/**
 * The name of an exit code.
 *
 * @since 0.1.0
 * @category models
 */
export type ExitCodeName = keyof typeof exitCodes

/**
 * Every error's exit code, by tag.
 *
 * @since 0.1.0
 * @category constants
 */
export const byTag: Readonly<Record<Failure["_tag"], ExitCodeName>> = {
  ArchiveChanged: "archiveRefused",
  ArchiveTooLarge: "archiveRefused",
  ArchiveUnreadable: "archiveRefused",
  DownloadUrlUnusable: "archiveRefused",
  InvalidArchive: "archiveRefused",
  PayloadTooLarge: "archiveRefused",
  RequestExecutionFailed: "archiveRefused",
  UploadLimitExceeded: "archiveRefused",

  AccessTokenRefused: "notAllowed",
  AuthenticationFailed: "notAllowed",
  ElevatedPermissionsRequired: "notAllowed",
  Forbidden: "notAllowed",
  LinkTooShort: "notAllowed",
  NoUserId: "notAllowed",
  StoreAccessDenied: "notAllowed",
  StoreCredentialsExpired: "notAllowed",
  StoreCredentialsRefused: "notAllowed",
  Unauthorised: "notAllowed",

  ExtensionNotFound: "notFound",
  NameNotFound: "notFound",
  NoPendingUpload: "notFound",
  UnknownExecution: "notFound",

  AddressInUse: "conflict",
  AmbiguousExtension: "conflict",
  AmbiguousName: "conflict",
  AmbiguousRelease: "conflict",
  Conflict: "conflict",
  DeletionRefused: "conflict",
  EngineLocked: "conflict",
  ExtensionInUse: "conflict",
  ExtensionProtected: "conflict",
  IdAlreadyExists: "conflict",
  JournalLocked: "conflict",
  NameTaken: "conflict",
  NothingToDecide: "conflict",
  ReleaseUnfinished: "conflict",
  UploadConflict: "conflict",
  VersionConflict: "conflict",

  OutcomeUnknown: "outcomeUnknown",

  AccessTokenRequired: "usage",
  BucketNotFound: "usage",
  EngineMismatch: "usage",
  InvalidConfiguration: "usage",
  InvalidExtensionId: "usage",
  InvalidPayload: "usage",
  InvalidProxy: "usage",
  InvalidRequest: "usage",
  PackageMissing: "usage",
  PermissionMissing: "usage",
  StagingNotConfigured: "usage",
  StoreRegionMismatch: "usage",
  UsageError: "usage",

  Interrupted: "interrupted",
  UploadPaused: "resumable",
  OutputUnwritable: "outputLost",

  BodyLengthMismatch: "failed",
  ConnectTimeout: "failed",
  ConnectionFailed: "failed",
  DeadlineExceeded: "failed",
  Defect: "failed",
  DownloadFailed: "failed",
  EngineUnavailable: "failed",
  InvalidResponse: "failed",
  JournalCorrupt: "failed",
  JournalUnavailable: "failed",
  ListenFailed: "failed",
  RateLimited: "failed",
  RedirectRefused: "failed",
  RequestTimeout: "failed",
  ResumptionUnsupported: "failed",
  RunnerUnreachable: "failed",
  ServiceUnavailable: "failed",
  StagedArchiveDiffers: "failed",
  StoreAnswerInvalid: "failed",
  StoreClockSkewed: "failed",
  StoreCredentialsUnavailable: "failed",
  StorePartRefused: "failed",
  StoreRefused: "failed",
  StoreUnavailable: "failed",
  StoreUploadLost: "failed",
  UnexpectedResponse: "failed",
  UploadProtocolViolation: "failed",
  UploadResourceBusy: "failed",
  UploadResourceLost: "failed",
  UploadStalled: "failed",
  VerificationFailed: "failed",
  VerificationLinkRefused: "failed"
}

/** How releases end that no command could: somebody decided so, or another release was there. */
const outcomes: Readonly<Record<string, ExitCodeName>> = {
  ReleaseBlocked: "conflict",
  ReleaseCancelled: "conflict",
  ReleaseRejected: "conflict",
  ReleaseSuperseded: "conflict",
  ...byTag
}

/**
 * The exit code of a release that ended with an error of this tag.
 *
 * @since 0.1.0
 * @category getters
 */
export const ofTag = (tag: string): ExitCodeName => outcomes[tag] ?? "failed"

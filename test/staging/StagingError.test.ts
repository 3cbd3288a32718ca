import { describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Errors from "../../src/staging/StagingError.ts"

const answer = {
  operation: "putPart",
  store: "s3://builds/elastic",
  status: 403,
  code: "AccessDenied",
  detail: 'no\n"way"',
  requestId: "REQ1"
} as const

const call = { operation: "link", store: "s3://builds/elastic" } as const

type Sample = readonly [error: Errors.StoreError | Errors.InvalidStoreConfig, says: string]

const samples = (): ReadonlyArray<Sample> => [
  [
    new Errors.BucketNotFound({ ...answer, bucket: "builds", origin: "https://s3.example" }),
    'there is no bucket "builds" at https://s3.example'
  ],
  [
    new Errors.StoreAccessDenied({ ...answer, permission: "s3:PutObject" }),
    'Sending a part to s3://builds/elastic failed: it is not allowed (status 403, AccessDenied: "no\\n\\"way\\""). Allow s3:PutObject'
  ],
  [new Errors.StoreCredentialsRefused({ ...answer, reason: "UnknownKey" }), "AWS_ACCESS_KEY_ID"],
  [new Errors.StoreCredentialsRefused({ ...answer, reason: "WrongSecret" }), "the signature does not fit"],
  [new Errors.StoreCredentialsRefused({ ...answer, reason: "InvalidToken" }), "AWS_SESSION_TOKEN"],
  [
    new Errors.StoreCredentialsExpired({ ...call, isRenewable: false }),
    "Get new credentials and run it again"
  ],
  [
    new Errors.StoreCredentialsExpired({ ...call, isRenewable: true }),
    "even the renewed credentials have expired"
  ],
  [new Errors.StoreCredentialsUnavailable({ detail: "sealed.", isRetryable: true }), "store: sealed. Check"],
  [new Errors.StoreClockSkewed({ ...answer, aheadMillis: 3_600_000 }), "is 1 hour ahead of the store's"],
  [new Errors.StoreClockSkewed({ ...answer, aheadMillis: -3_600_000 }), "is 1 hour behind the store's"],
  [new Errors.StoreClockSkewed(answer), "this machine's clock differs from the store's"],
  [
    new Errors.StoreRegionMismatch({
      ...answer,
      bucket: "builds",
      configured: "us-east-1",
      region: "eu-1"
    }),
    'is in "eu-1", not in us-east-1'
  ],
  [
    new Errors.StoreRegionMismatch({ ...answer, bucket: "builds", configured: "us-east-1" }),
    "Set AWS_REGION to the bucket's region."
  ],
  [
    new Errors.StorePartRefused({ ...answer, partNumber: 3, reason: "WrongBytes" }),
    'part 3 was refused, because the bytes that arrived are not those that were sent (status 403, AccessDenied: "no\\n\\"way\\""). If it happens again, look for a proxy'
  ],
  [
    new Errors.StorePartRefused({ ...answer, reason: "TooSmall" }),
    'a part was refused, because it is smaller than the store takes (status 403, AccessDenied: "no\\n\\"way\\""). Set a part size'
  ],
  [new Errors.StorePartRefused({ ...answer, reason: "TooLarge" }), "larger than the store takes"],
  [new Errors.StoreUploadLost({ ...answer, reason: "Upload" }), "the unfinished upload is gone"],
  [new Errors.StoreUploadLost({ ...answer, reason: "Parts" }), "parts that had arrived are gone"],
  [new Errors.StoreUnavailable({ ...answer, retryAfterMillis: 5 }), "not available, or busy"],
  [new Errors.StoreRefused(answer), "the store refused it"],
  [
    new Errors.StoreAnswerInvalid({
      operation: "create",
      store: "s3://builds",
      status: 200,
      detail: "",
      reason: "Html",
      origin: "https://s3.example"
    }),
    "Beginning an upload to s3://builds failed: the answer is a web page (status 200). Check that https://s3.example"
  ],
  [
    new Errors.StagedArchiveDiffers({ location: "s3://builds/a", expected: 5 }),
    '"s3://builds/a" holds nothing, not 5'
  ],
  [new Errors.StagedArchiveDiffers({ location: "s3://b/a", expected: 5, actual: 4 }), "holds 4 bytes, not 5"],
  [
    new Errors.LinkTooShort({ ...call, leftMillis: 60_000, neededMillis: 600_000 }),
    "the link has to work for 10 minutes, and the credentials expire in 1 minute."
  ],
  [
    new Errors.LinkTooShort({ ...call, leftMillis: -1, neededMillis: 600_000 }),
    "the credentials have expired"
  ],
  [
    new Errors.InvalidStoreConfig({ setting: "region", problem: "it is missing." }),
    '"region" cannot be used: it is'
  ]
]

const encode = Schema.encodeSync(Errors.StagingError)
const decode = Schema.decodeUnknownSync(Errors.StagingError)

/** What may pass by itself: the rest is for somebody to put right. */
const retryable = ["StoreCredentialsUnavailable", "StoreUnavailable"]

describe("an error", () => {
  it("says what happened, on one line, and then what to do", () => {
    for (const [error, says] of samples()) {
      expect(error.message).toContain(says)
      expect(error.message.endsWith(` ${error.remedy}`)).toBe(true)
      expect(error.remedy).toMatch(/^[A-Z]/)
      expect(error.message).not.toContain("\n")
    }
  })

  it("says whether the same may succeed later", () => {
    for (const [error] of samples()) {
      const mayPass =
        error._tag === "StorePartRefused" ? error.reason === "WrongBytes" : retryable.includes(error._tag)
      expect([error.message, error.isRetryable]).toEqual([error.message, mayPass])
    }
  })

  it("can be written down", () => {
    for (const [error] of samples()) {
      if (error._tag === "InvalidStoreConfig") continue
      const text = JSON.stringify(encode(error))
      expect(decode(JSON.parse(text)).message).toBe(error.message)
    }
  })
})

describe("StoreError", () => {
  it("has a sample of every member here", () => {
    const tags = new Set(samples().map(([{ _tag }]) => _tag))
    for (const { _tag } of Errors.StoreError.members) expect(tags).toContain(_tag)
  })
})

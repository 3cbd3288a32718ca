/**
 * The examples that S3's documentation works out:
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */
import { describe, expect, it } from "@effect/vitest"
import { Option, Redacted } from "effect"
import { sha256, signHeaders, signQuery } from "../../../../src/staging/internal/s3ObjectStore/signature.ts"

const signing = {
  keys: {
    accessKeyId: Redacted.make("AKIAIOSFODNN7EXAMPLE"),
    secretAccessKey: Redacted.make("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    sessionToken: Option.none<Redacted.Redacted>()
  },
  region: "us-east-1",
  millis: Date.UTC(2013, 4, 24)
}
const host = "examplebucket.s3.amazonaws.com"
const object = { method: "GET", host, path: "/test.txt", query: [] } as const

describe("a signature in the headers", () => {
  it.each([
    {
      what: "GetObject",
      request: object,
      headers: { range: "bytes=0-9" },
      body: "",
      signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    },
    {
      what: "PutObject",
      request: { ...object, method: "PUT", path: "/test%24file.text" },
      headers: { date: "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY" },
      body: "Welcome to Amazon S3.",
      signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    },
    {
      what: "GetBucketLifecycle",
      request: { ...object, path: "/", query: [["lifecycle", ""]] as const },
      headers: {},
      body: "",
      signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    },
    {
      what: "ListObjects, whatever the order of its query",
      request: { ...object, path: "/", query: [["prefix", "J"] as const, ["max-keys", "2"] as const] },
      headers: {},
      body: "",
      signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    }
  ])("is that of the example of $what", ({ body, headers, request, signature }) => {
    const { authorization, ...sent } = signHeaders(request, headers, sha256(body), signing)
    const names = ["host", ...Object.keys(sent)].sort().join(";")
    expect(authorization).toBe(
      `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=${names}, Signature=${signature}`
    )
    expect(sent).toEqual({
      ...headers,
      "x-amz-date": "20130524T000000Z",
      "x-amz-content-sha256": sha256(body)
    })
  })

  it("covers a session's token", () => {
    const sessionToken = Option.some(Redacted.make("token"))
    const keys = { ...signing.keys, sessionToken }
    const sent = signHeaders(object, {}, sha256(""), { ...signing, keys })
    expect(sent).toMatchObject({ "x-amz-security-token": "token" })
    expect(sent["authorization"]).toContain(
      "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"
    )
  })
})

describe("a signature in the query", () => {
  it("is that of the example of a presigned address", () => {
    expect(new URLSearchParams(signQuery(object, 86_400, signing).map(([...pair]) => pair)).toString()).toBe(
      "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
  })
})

import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { describe, expect, it } from "@effect/vitest"
import * as TransferError from "../../src/transfer/TransferError.ts"

const url = "https://api.example/deployments/extensions/1?signature=s3cret"
const request = HttpClientRequest.put(url, { body: HttpBody.uint8Array(new Uint8Array(12)) })
const where = {
  method: "PUT",
  origin: "https://api.example",
  phase: "sending",
  bytesSent: 3,
  bytesTotal: 12
} as const

const requestError = (reason: "Transport" | "Encode" | "InvalidUrl", cause?: unknown) =>
  new HttpClientError.RequestError({ request, reason, cause })
const systemError = (code: string) =>
  new TypeError(`fetch failed for ${url}`, { cause: Object.assign(new Error(url), { code }) })

describe("TransferError", () => {
  it("says where, and names no path or query", () => {
    const reset = new TransferError.ConnectionFailed({
      ...where,
      code: "ECONNRESET",
      detail: "read ECONNRESET"
    })
    expect(reset.message).toBe(
      "The connection to https://api.example failed while sending, at byte 3 of 12: read ECONNRESET. If it happens again, check the network."
    )
    const { bytesTotal: _, ...chunked } = where
    expect(new TransferError.UploadStalled({ ...chunked, limitMillis: 5 }).message).toBe(
      "No data to or from https://api.example for 5 ms while sending, at byte 3. Check the network. If the line is that slow, raise the stall timeout."
    )
  })

  it("knows what waiting heals", () => {
    const failed = (phase: TransferError.Phase, code: string) =>
      new TransferError.ConnectionFailed({ ...where, phase, code, detail: code }).isRetryable
    expect(failed("sending", "ECONNRESET")).toBe(true)
    expect(failed("securing", "ECONNRESET")).toBe(true)
    expect(failed("securing", "DEPTH_ZERO_SELF_SIGNED_CERT")).toBe(false)
    expect(failed("connecting", "NotCapable")).toBe(false)
  })
})

describe("fromHttpClientError", () => {
  it("finds our own error", () => {
    const own = new TransferError.DeadlineExceeded({ ...where, limitMillis: 5 })
    expect(TransferError.fromHttpClientError(requestError("Transport", own))).toBe(own)
    const response = HttpClientResponse.fromWeb(request, new Response("x"))
    const read = new HttpClientError.ResponseError({ request, response, reason: "Decode", cause: own })
    expect(TransferError.fromHttpClientError(read)).toBe(own)
  })

  for (const [code, phase] of [
    ["ENOTFOUND", "resolving"],
    ["ECONNREFUSED", "connecting"],
    ["CERT_HAS_EXPIRED", "securing"],
    ["ECONNRESET", "sending"]
  ] as const) {
    it(`takes the phase of another client's ${code} from its code alone`, () => {
      const error = TransferError.fromHttpClientError(requestError("Transport", systemError(code)))
      expect(error).toMatchObject({ _tag: "ConnectionFailed", code, phase, origin: "https://api.example" })
      expect(JSON.stringify(error) + error.message).not.toMatch(/s3cret|extensions/)
    })
  }

  it("does not look for a code without end", () => {
    const caused = (depth: number): object =>
      depth === 0 ? { code: "ECONNREFUSED" } : new Error("wrapped", { cause: caused(depth - 1) })
    const codeAt = (depth: number) =>
      TransferError.fromHttpClientError(requestError("Transport", caused(depth))).phase
    expect([codeAt(5), codeAt(6)]).toEqual(["connecting", "sending"])
    const circle = new Error("caused by itself")
    circle.cause = circle
    expect(TransferError.fromHttpClientError(requestError("Transport", circle)).phase).toBe("sending")
  })

  it("says what it can of everything else", () => {
    const response = HttpClientResponse.fromWeb(request, new Response("x", { status: 502 }))
    const responseError = (reason: "StatusCode" | "Decode" | "EmptyBody") =>
      new HttpClientError.ResponseError({ request, response, reason })
    const details = [
      requestError("Transport"),
      requestError("Encode"),
      requestError("InvalidUrl"),
      responseError("StatusCode"),
      responseError("Decode"),
      responseError("EmptyBody")
    ].map((error) => TransferError.fromHttpClientError(error))
    expect(details.map(({ phase }) => phase)).toEqual([
      "sending",
      "sending",
      "sending",
      "receiving",
      "receiving",
      "receiving"
    ])
    expect(new Set(details.map(({ message }) => message)).size).toBe(6)
    expect(details[3]?.message).toContain("502")
    const relative = HttpClientRequest.get("/only/a/path")
    expect(
      TransferError.fromHttpClientError(
        new HttpClientError.RequestError({ request: relative, reason: "InvalidUrl" })
      ).message
    ).not.toContain("/only")
  })
})

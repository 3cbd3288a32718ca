import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck, Option } from "effect"
import { boundaryOf, type MultipartEvent, makeParser } from "../../../src/testing/internal/multipart.ts"
import { multipart } from "../../support/testing/server.ts"

const BOUNDARY = "xyz"

interface Parsed {
  readonly parts: ReadonlyArray<{ name: string | undefined; filename: string | undefined; content: string }>
  readonly malformed: string | undefined
  readonly isClosed: boolean
}

const parse = (chunks: ReadonlyArray<Buffer>): Parsed => {
  const parser = makeParser(BOUNDARY)
  const events: ReadonlyArray<MultipartEvent> = chunks.flatMap((chunk) => [...parser.push(chunk)])
  const parts: Array<{ name: string | undefined; filename: string | undefined; content: string }> = []
  let malformed: string | undefined
  for (const event of events) {
    if (event._tag === "PartBegan") parts.push({ name: event.name, filename: event.filename, content: "" })
    const last = parts.at(-1)
    if (event._tag === "PartBytes" && last !== undefined)
      last.content += Buffer.from(event.bytes).toString("latin1")
    if (event._tag === "Malformed") malformed = event.detail
  }
  return { parts, malformed, isClosed: parser.isClosed() }
}

const splitAt = (body: Buffer, at: number) => [body.subarray(0, at), body.subarray(at)]

/** Looks like delimiters in every way but one. */
const NASTY = "a\r\n--xy\r\n--xz--\r\n\r\n--\r\r\n-\r\n--xy"

describe("makeParser", () => {
  it("finds the same part wherever the body is split in two", () => {
    const body = multipart(BOUNDARY, Buffer.from(NASTY))
    for (let at = 0; at <= body.length; at += 1) {
      expect(parse(splitAt(body, at))).toStrictEqual({
        parts: [{ name: "file", filename: "b.zip", content: NASTY }],
        malformed: undefined,
        isClosed: true
      })
    }
  })

  it("finds the same part byte by byte, and an empty one", () => {
    for (const content of [NASTY, ""]) {
      const body = multipart(BOUNDARY, Buffer.from(content))
      expect(parse(Array.from(body, (byte) => Buffer.from([byte]))).parts).toStrictEqual([
        { name: "file", filename: "b.zip", content }
      ])
    }
  })

  it.prop(
    "returns any content unchanged, however it is cut",
    [FastCheck.uint8Array({ maxLength: 300 }), FastCheck.array(FastCheck.nat(400), { maxLength: 8 })],
    ([content, cuts]) => {
      const body = multipart(BOUNDARY, Buffer.from(content))
      const edges = [0, ...[...cuts].sort((left, right) => left - right), body.length]
      const chunks = edges.slice(1).map((end, index) => body.subarray(edges[index], end))
      expect(parse(chunks).parts[0]?.content).toBe(Buffer.from(content).toString("latin1"))
    }
  )

  it("ignores a preamble and an epilogue, and keeps several parts apart", () => {
    const first = multipart(BOUNDARY, Buffer.from("1"), { field: "note", filename: "n" })
    const body = Buffer.concat([
      Buffer.from("preamble\r\n"),
      first.subarray(0, first.length - 4),
      Buffer.from("\r\n"),
      multipart(BOUNDARY, Buffer.from("2")).subarray(`--${BOUNDARY}\r\n`.length),
      Buffer.from("epilogue")
    ])
    const { isClosed, parts } = parse([body])
    expect(parts.map(({ content, name }) => [name, content])).toStrictEqual([
      ["note", "1"],
      ["file", "2"]
    ])
    expect(isClosed).toBe(true)
  })

  it.effect.each<readonly [string, string, string]>([
    ["text after a delimiter", `--${BOUNDARY}nonsense\r\n\r\n`, "a delimiter is not followed by a line end"],
    ["a part without disposition", `--${BOUNDARY}\r\nA: b\r\n\r\nx`, "a part has no form-data disposition"],
    ["a part without head", `--${BOUNDARY}\r\n\r\nx`, "a part has no form-data disposition"],
    ["an endless head", `--${BOUNDARY}\r\nA: ${"b".repeat(20_000)}`, "a part's head is too long"]
  ])("refuses %s", ([, body, detail]) =>
    Effect.sync(() => {
      expect(parse([Buffer.from(body)]).malformed).toBe(detail)
    })
  )

  it("is not closed by a body that is cut anywhere before its last delimiter", () => {
    const body = multipart(BOUNDARY, Buffer.from("content"))
    for (let length = 0; length < body.length - 2; length += 1) {
      expect(parse([body.subarray(0, length)]).isClosed).toBe(false)
    }
  })
})

describe("boundaryOf", () => {
  it.effect.each<readonly [string, string | undefined]>([
    ["multipart/form-data; boundary=abc", "abc"],
    ['Multipart/Form-Data; charset=utf-8; Boundary="a b"', "a b"],
    ["multipart/form-data", undefined],
    ["multipart/mixed; boundary=abc", undefined],
    ["application/zip", undefined]
  ])("of %s is %s", ([contentType, boundary]) =>
    Effect.sync(() => {
      expect(Option.getOrUndefined(boundaryOf(contentType))).toBe(boundary)
    })
  )
})

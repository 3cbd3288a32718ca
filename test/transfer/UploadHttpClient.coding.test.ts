import * as Zlib from "node:zlib"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpIncomingMessage from "@effect/platform/HttpIncomingMessage"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import { fromHttpClientError } from "../../src/transfer/TransferError.ts"
import * as UploadHttpClient from "../../src/transfer/UploadHttpClient.ts"
import { eventually, type Script, serve } from "../support/transfer/wire.ts"

const client = Effect.provide(UploadHttpClient.layer({ stallTimeout: "10 seconds" }))
const json = JSON.stringify({ name: "analysis-acme", padding: "x".repeat(100_000) })

/** Answers with bytes in a content coding, in pieces. */
const coded = (coding: string, bytes: Uint8Array, options: { readonly cut?: boolean } = {}): Script => ({
  onHead: ({ socket }) => {
    const length = options.cut === true ? bytes.byteLength + 10 : bytes.byteLength
    const fields = [`content-encoding: ${coding}`, `content-length: ${length}`, "connection: close"]
    socket.write(`HTTP/1.1 200 OK\r\n${fields.join("\r\n")}\r\n\r\n`)
    socket.write(bytes.subarray(0, 50))
    setTimeout(() => {
      socket.write(bytes.subarray(50))
      if (options.cut === true) socket.end()
    }, 20)
  }
})

describe("content codings", () => {
  it.scopedLive("are not asked for", () =>
    Effect.gen(function* () {
      const server = yield* serve({ onHead: ({ answer }) => answer(200, "plain") })
      expect(yield* Effect.flatMap(HttpClient.get(server.url), (response) => response.text)).toBe("plain")
      const own = HttpClientRequest.setHeader(HttpClientRequest.get(server.url), "accept-encoding", "br")
      yield* HttpClient.execute(own)
      expect(server.connections.map((one) => one.header("accept-encoding"))).toEqual(["identity", "br"])
    }).pipe(client)
  )

  const codings: ReadonlyArray<readonly [coding: string, encode: (text: string) => Uint8Array]> = [
    ["gzip", (text) => Zlib.gzipSync(text)],
    ["x-gzip", (text) => Zlib.gzipSync(text)],
    ["GZIP", (text) => Zlib.gzipSync(text)],
    ["deflate", (text) => Zlib.deflateSync(text)],
    ["br", (text) => Zlib.brotliCompressSync(text)],
    ["identity", (text) => Buffer.from(text)]
  ]
  it.scopedLive.each(codings)("are decoded when they come all the same: %s", ([coding, encode]) =>
    Effect.gen(function* () {
      const server = yield* serve(coded(coding, encode(json)))
      const response = yield* HttpClient.get(server.url)
      expect(yield* response.json).toEqual(JSON.parse(json))
      yield* eventually(() => server.connections[0]?.closed === true)
    }).pipe(client)
  )

  it.scopedLive("that are broken, or cut short, are errors of reading", () =>
    Effect.gen(function* () {
      const bytes = Zlib.gzipSync(json)
      const damaged = Buffer.concat([bytes.subarray(0, 60), Buffer.alloc(bytes.byteLength - 60, 7)])
      for (const script of [coded("gzip", damaged), coded("gzip", bytes, { cut: true })]) {
        const server = yield* serve(script)
        const error = yield* HttpClient.get(server.url).pipe(
          Effect.flatMap((response) => response.text),
          Effect.flip,
          Effect.map(fromHttpClientError)
        )
        expect(error).toMatchObject({ _tag: "ConnectionFailed", phase: "receiving" })
        yield* eventually(() => server.connections[0]?.closed === true)
      }
    }).pipe(client)
  )

  it.scopedLive("of a small answer that unfolds into a huge one are read no further than asked for", () =>
    Effect.gen(function* () {
      const bomb = Zlib.gzipSync(Buffer.alloc(256 * 1024 * 1024))
      const server = yield* serve(coded("gzip", bomb))
      const before = process.memoryUsage().arrayBuffers
      const response = yield* HttpClient.get(server.url)
      const first = yield* Stream.runHead(response.stream)
      expect(Option.getOrThrow(first).byteLength).toBeLessThan(1024 * 1024)
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024)
      const limited = yield* HttpClient.get(server.url).pipe(
        Effect.flatMap((response) => response.arrayBuffer),
        HttpIncomingMessage.withMaxBodySize(Option.some(1024 * 1024)),
        Effect.flip
      )
      expect(limited.message).toContain("larger than allowed")
      yield* eventually(() => server.connections.every((one) => one.closed))
    }).pipe(client)
  )
})

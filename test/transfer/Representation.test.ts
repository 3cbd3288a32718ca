import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Random from "effect/Random"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import * as Representation from "../../src/transfer/Representation.ts"
import { collect, ofBytes, pattern } from "../support/transfer/bytes.ts"

const boundary = "extension-0123456789abcdef"
const wrap = (file: Representation.Representation, filename = "analysis-acme.zip") =>
  Representation.multipart({ boundary, field: "file", filename, file })

/** What a server's own parser makes of the bytes. */
const parse = (representation: Representation.Representation) =>
  Effect.gen(function* () {
    const body = yield* collect(representation.read(0))
    const response = new Response(body, { headers: { "content-type": representation.contentType } })
    const parts = [...(yield* Effect.promise(() => response.formData()))]
    const [name, value] = parts[0] ?? ["", ""]
    if (parts.length !== 1 || typeof value === "string") throw new Error("expected exactly one file")
    return { name, file: value, bytes: new Uint8Array(yield* Effect.promise(() => value.arrayBuffer())) }
  })

describe("multipart", () => {
  it.effect.each([0, 1, 1000, 100_000])("wraps a file of %i bytes as a real parser reads it", (size) =>
    Effect.gen(function* () {
      const { name, file, bytes } = yield* parse(
        wrap(ofBytes(pattern(size), 777, "application/java-archive"))
      )
      expect([name, file.name, file.type]).toEqual(["file", "analysis-acme.zip", "application/java-archive"])
      expect(Buffer.compare(bytes, pattern(size))).toBe(0)
    })
  )

  it.effect("keeps content that looks like framing", () =>
    Effect.gen(function* () {
      const content = new TextEncoder().encode(`\r\n--${boundary.slice(0, -1)}\r\n--extension\r\n\r\n--\r\n`)
      const { bytes } = yield* parse(wrap(ofBytes(content)))
      expect(bytes).toEqual(content)
    })
  )

  it.effect.each([
    "plain.zip",
    "with spaces; and=signs, and commas.zip",
    'with "quotes".zip',
    "with\r\nline ends.zip",
    "extensión-日本語-🐙.zip",
    "percent%20already.zip",
    "back\\slash.zip",
    ""
  ])("passes the filename %j through", (filename) =>
    Effect.gen(function* () {
      const { name, file } = yield* parse(wrap(ofBytes(pattern(10)), filename))
      expect([name, file.name]).toEqual(["file", filename])
    })
  )

  it.effect("lets no filename add a header or a part", () =>
    Effect.gen(function* () {
      const filename = `a"\r\nX-Injected: yes\r\n\r\n--${boundary}--`
      const whole = new TextDecoder().decode(yield* collect(wrap(ofBytes(pattern(0)), filename).read(0)))
      expect(whole.split("\r\n").filter((line) => line !== "")).toEqual([
        `--${boundary}`,
        `Content-Disposition: form-data; name="file"; filename="a%22%0D%0AX-Injected: yes%0D%0A%0D%0A--${boundary}--"`,
        "Content-Type: application/zip",
        `--${boundary}--`
      ])
    })
  )

  const shape = {
    size: FastCheck.integer({ min: 0, max: 400 }),
    chunkSize: FastCheck.integer({ min: 1, max: 120 }),
    filename: FastCheck.string({ maxLength: 20, unit: "grapheme" })
  }

  it.effect.prop("has exactly the announced size", shape, ({ size, chunkSize, filename }) =>
    Effect.gen(function* () {
      const form = wrap(ofBytes(pattern(size), chunkSize), filename)
      expect(yield* collect(form.read(0))).toHaveLength(form.size)
    })
  )

  it.effect.prop(
    "reads from any offset what the whole has there",
    { ...shape, at: FastCheck.double({ min: 0, max: 1, noNaN: true }) },
    ({ size, chunkSize, filename, at }) =>
      Effect.gen(function* () {
        const form = wrap(ofBytes(pattern(size), chunkSize), filename)
        const offset = Math.round(at * form.size)
        const whole = yield* collect(form.read(0))
        expect(yield* collect(form.read(offset))).toEqual(whole.subarray(offset))
      })
  )

  it.effect("reads from every single offset of one form, and nothing past its end", () =>
    Effect.gen(function* () {
      const form = wrap(ofBytes(pattern(64), 10))
      const whole = yield* collect(form.read(0))
      for (let offset = 0; offset <= form.size + 2; offset++) {
        expect(yield* collect(form.read(offset))).toEqual(whole.subarray(offset))
      }
    })
  )

  it.effect("does not open the file for the tail alone", () =>
    Effect.gen(function* () {
      const opened = yield* Ref.make(0)
      const file = ofBytes(pattern(50))
      const form = wrap({
        ...file,
        read: (offset) =>
          Stream.unwrap(
            Effect.as(
              Ref.update(opened, (n) => n + 1),
              file.read(offset)
            )
          )
      })
      yield* collect(form.read(form.size - 3))
      expect(yield* Ref.get(opened)).toBe(0)
      yield* collect(form.read(0))
      expect(yield* Ref.get(opened)).toBe(1)
    })
  )

  it.effect("fails as its file fails", () =>
    Effect.gen(function* () {
      const form = Representation.multipart({
        boundary,
        field: "file",
        filename: "a.zip",
        file: { contentType: "application/zip", size: 9, read: () => Stream.fail("unreadable") }
      })
      expect(yield* Effect.flip(collect(form.read(0)))).toBe("unreadable")
    })
  )
})

describe("randomBoundary", () => {
  it.effect.prop(
    "is made of characters that need no quotes, and short enough",
    { seed: FastCheck.string() },
    ({ seed }) =>
      Effect.gen(function* () {
        const made = yield* Effect.withRandom(Representation.randomBoundary, Random.make(seed))
        expect(made).toMatch(/^[A-Za-z0-9'+_.-]{1,70}$/)
        expect(made).toMatch(/^extension-[0-9a-f]{32}$/)
      })
  )

  it.effect("is another each time", () =>
    Effect.gen(function* () {
      const many = yield* Effect.replicateEffect(Representation.randomBoundary, 200)
      expect(new Set(many).size).toBe(200)
    })
  )
})

describe("slice", () => {
  it.effect.prop(
    "is exactly the part asked for, however the source is chunked",
    {
      size: FastCheck.integer({ min: 0, max: 300 }),
      chunkSize: FastCheck.integer({ min: 1, max: 100 }),
      from: FastCheck.double({ min: 0, max: 1, noNaN: true }),
      length: FastCheck.integer({ min: 0, max: 320 })
    },
    ({ size, chunkSize, from, length }) =>
      Effect.gen(function* () {
        const content = pattern(size)
        const offset = Math.round(from * size)
        const part = yield* collect(Representation.slice(ofBytes(content, chunkSize), offset, length))
        expect(part).toEqual(content.subarray(offset, offset + length))
      })
  )

  it.effect("can be run again", () =>
    Effect.gen(function* () {
      const part = Representation.slice(ofBytes(pattern(100), 7), 10, 33)
      expect(yield* collect(part)).toEqual(yield* collect(part))
    })
  )

  it.effect("pulls no chunk beyond its end", () =>
    Effect.gen(function* () {
      const pulled = yield* Ref.make(0)
      const source = ofBytes(pattern(1000), 10)
      const counting = {
        ...source,
        read: (offset: number) => Stream.tap(source.read(offset), () => Ref.update(pulled, (n) => n + 1))
      }
      yield* collect(Representation.slice(counting, 100, 20))
      expect(yield* Ref.get(pulled)).toBe(2)
    })
  )
})

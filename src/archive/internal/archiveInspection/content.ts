/**
 * The content of a ZIP, checked while its bytes go by: every entry is unpacked and compared with its CRC-32 and its sizes, in
 * the order and by the rules of `ZipInputStream`. Memory is constant, and a bomb is given up when it shows.
 */
import { Buffer } from "node:buffer"
import { setImmediate } from "node:timers"
import * as zlib from "node:zlib"
import * as Effect from "effect/Effect"
import { crc32 } from "./crc32.ts"
import { bomb, isBomb } from "./entries.ts"
import { Pace } from "./pace.ts"
import { type Finding, quoted } from "./problems.ts"
import {
  dataDescriptorFlag,
  dataDescriptorSignature,
  deflated,
  encryptedFlag,
  fingerprint,
  hashOf,
  type LocalHeader,
  localHeaderBytes,
  localHeaderIn,
  localSignature,
  readUInt64,
  shownName,
  stored,
  sumOf,
  withZip64,
  zipInputStream
} from "./zip.ts"

/** What was read. */
export interface Content {
  /** Entries, each as it really is. */
  readonly count: number
  readonly sum: number
  /** Whether the walk came to a regular end, so that these say something about the whole. */
  readonly isWhole: boolean
  readonly findings: ReadonlyArray<Finding>
}

/** Mutable: make one per reading, inside an Effect, and close it. */
export interface EntryCheck {
  /** Takes the next chunk, which may be overwritten afterwards. */
  readonly accept: (chunk: Uint8Array) => Effect.Effect<void>
  /** Whether nothing that may follow is of interest. */
  readonly isOver: () => boolean
  readonly finish: Effect.Effect<Content>
}

/** As much as is unpacked at once, without an engine that waits for more. */
const atOnce = 64 * 1024

const maxFindings = 100

interface Open {
  readonly offset: number
  readonly name: Buffer
  readonly nameHash: number
  readonly header: LocalHeader
  readonly hasDescriptor: boolean
  crc: number
  unpacked: number
  /** Bytes that went by, */
  packed: number
  /** and those of them that the compressed data really has. */
  inflated: number
  hasEnded: boolean
  /** Why its content counts for nothing from here on. */
  damage: string | undefined
}

export const makeEntryCheck = Effect.acquireRelease(
  Effect.sync(() => new Walk()),
  (walk) => Effect.sync(() => walk.close())
).pipe(
  Effect.map(
    (walk): EntryCheck => ({
      accept: (chunk) => walk.accept(chunk),
      isOver: () => walk.isOver,
      finish: Effect.sync(() => walk.finish())
    })
  )
)

type Step = "header" | "data" | "descriptor" | "end"

class Walk {
  private step: Step = "header"
  /** How much of the archive was taken in. */
  private position = 0
  /** The beginning of a header or descriptor that goes on in the next chunk. */
  private rest: Buffer = Buffer.alloc(0)
  private open: Open | undefined
  private engine: Engine | undefined
  private count = 0
  private sum = 0
  private isWhole = true
  private readonly findings: Array<Finding> = []
  private readonly pace = new Pace()

  accept(chunk: Uint8Array): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      let at = 0
      while (at < bytes.length) {
        if (this.pace.isOver) yield* this.pace.rest
        if (this.step === "end") {
          at = bytes.length
        } else if (this.step === "data") {
          const taken = this.takeAtOnce(bytes.subarray(at))
          at += taken ?? (yield* this.takeData(bytes.subarray(at)))
        } else {
          at += this.takeFixed(bytes.subarray(at))
        }
      }
    })
  }

  get isOver(): boolean {
    return this.step === "end"
  }

  finish(): Content {
    const { count, findings, open, sum } = this
    if (open !== undefined) this.damaged(open, "it is cut off")
    return { count, sum, isWhole: this.isWhole && open === undefined, findings }
  }

  close(): void {
    this.engine?.close()
    this.engine = undefined
  }

  /** Headers and descriptors: gathered until they are whole. */
  private takeFixed(bytes: Buffer): number {
    const isSplit = this.rest.length > 0
    const seen = isSplit ? Buffer.concat([this.rest, bytes.subarray(0, headerAtMost)]) : bytes
    const taken = this.step === "header" ? this.takeHeader(seen) : this.takeDescriptor(seen)
    if (taken === undefined) {
      const added = isSplit ? Math.min(bytes.length, headerAtMost) : bytes.length
      this.rest = Buffer.from(seen)
      return added
    }
    this.position += taken
    const used = taken - this.rest.length
    // A descriptor may turn out to be shorter than what was gathered to tell its form.
    this.rest = used < 0 ? this.rest.subarray(taken) : Buffer.alloc(0)
    return Math.max(0, used)
  }

  /** `undefined` while more is needed. */
  private takeHeader(bytes: Buffer): number | undefined {
    if (bytes.length < 4) return undefined
    if (bytes.readUInt32LE(0) !== localSignature) {
      this.step = "end"
      return 0
    }
    if (bytes.length < localHeaderBytes) return undefined
    const fixed = localHeaderIn(bytes)
    if (fixed === undefined) return 0
    const length = localHeaderBytes + fixed.nameLength + fixed.extraLength
    if (bytes.length < length) return undefined
    const name = Buffer.from(bytes.subarray(localHeaderBytes, localHeaderBytes + fixed.nameLength))
    const header = withZip64(fixed, bytes.subarray(localHeaderBytes + fixed.nameLength, length))
    this.begin({
      offset: this.position,
      name,
      nameHash: hashOf(name, 0, name.length),
      header,
      hasDescriptor: (header.flags & dataDescriptorFlag) !== 0,
      crc: 0,
      unpacked: 0,
      packed: 0,
      inflated: 0,
      hasEnded: false,
      damage: undefined
    })
    return length
  }

  private begin(open: Open): void {
    const { flags, method } = open.header
    const isReadable = (flags & encryptedFlag) === 0 && (method === stored || method === deflated)
    this.open = open
    this.step = "data"
    // Such entries are problems of their own; what can be skipped is.
    if (!isReadable) open.damage = ""
    if (open.hasDescriptor && (!isReadable || method === stored)) {
      this.lose()
      return
    }
    if (!open.hasDescriptor && isBomb(open.header.compressedSize, open.header.uncompressedSize)) {
      this.report(
        open,
        "bomb-like",
        `unpacks like a bomb: ${open.header.compressedSize} bytes to ${open.header.uncompressedSize}`
      )
      open.damage = ""
    }
    if (!open.hasDescriptor && open.header.compressedSize === 0) this.endData()
  }

  /** The walk cannot go on: where the next entry begins is not known. */
  private lose(): void {
    this.isWhole = false
    this.open = undefined
    this.step = "end"
  }

  /** A small entry that lies in this chunk whole, or whose end shows: the bytes taken. */
  private takeAtOnce(bytes: Buffer): number | undefined {
    const { open } = this
    if (open === undefined || this.engine !== undefined || open.packed > 0) return undefined
    const { compressedSize, method, uncompressedSize } = open.header
    if (open.damage !== undefined || method !== deflated) return undefined
    const isKnown = !open.hasDescriptor
    if (
      isKnown &&
      (compressedSize > bytes.length || compressedSize > atOnce || uncompressedSize > 16 * atOnce)
    ) {
      return undefined
    }
    const packed = bytes.subarray(0, isKnown ? compressedSize : atOnce)
    const unpacked = inflateAtOnce(packed, isKnown ? uncompressedSize : 16 * atOnce)
    if (unpacked === undefined) return undefined
    open.packed = unpacked.packedBytes
    open.inflated = unpacked.packedBytes
    open.unpacked = unpacked.bytes.length
    open.crc = crc32(unpacked.bytes)
    this.position += isKnown ? compressedSize : open.packed
    this.endData()
    return isKnown ? compressedSize : unpacked.packedBytes
  }

  private takeData(bytes: Buffer): Effect.Effect<number> {
    return Effect.suspend(() => {
      const { open } = this
      if (open === undefined) return Effect.succeed(bytes.length)
      const { compressedSize, method } = open.header
      const left = open.hasDescriptor ? bytes.length : compressedSize - open.packed
      const part = bytes.subarray(0, Math.min(bytes.length, left))
      if (open.damage !== undefined || open.hasEnded || method === stored) {
        if (open.damage === undefined && !open.hasEnded) {
          open.crc = crc32(part, open.crc)
          open.unpacked += part.length
          open.inflated += part.length
        }
        return Effect.succeed(this.took(open, part.length))
      }
      return this.inflate(open, part)
    })
  }

  /** Counts packed bytes, and ends the entry whose length is known when it is reached. */
  private took(open: Open, length: number): number {
    open.packed += length
    this.position += length
    if (!open.hasDescriptor && open.packed === open.header.compressedSize) this.endData()
    return length
  }

  private inflate(open: Open, part: Buffer): Effect.Effect<number> {
    return Effect.gen(this, function* () {
      this.engine ??= new Engine((unpacked) => {
        open.crc = crc32(unpacked, open.crc)
        open.unpacked += unpacked.length
        return this.isTooMuch(open)
      })
      const { engine } = this
      const isLast = !open.hasDescriptor && open.packed + part.length === open.header.compressedSize
      const state = yield* engine.feed(part, isLast)
      if (state._tag === "Failed") {
        this.damaged(open, state.why)
        this.close()
        if (open.hasDescriptor) {
          this.lose()
          return part.length
        }
        return this.took(open, part.length)
      }
      if (state._tag === "More") {
        open.inflated += part.length
        return this.took(open, part.length)
      }
      this.close()
      open.inflated += state.taken
      open.hasEnded = true
      if (!open.hasDescriptor) return this.took(open, part.length)
      open.packed += state.taken
      this.position += state.taken
      this.endData()
      return state.taken
    })
  }

  /** Why unpacking is to be given up: more comes out than was said, or than anything honest holds. */
  private isTooMuch(open: Open): string | undefined {
    if (!open.hasDescriptor) {
      return open.unpacked > open.header.uncompressedSize
        ? `it unpacks to more than its ${open.header.uncompressedSize} bytes`
        : undefined
    }
    const packed = open.packed + atOnce
    if (open.unpacked <= bomb.entryBytes || !isBomb(packed, open.unpacked)) return undefined
    this.report(open, "bomb-like", `unpacks like a bomb: ${packed} bytes to more than ${open.unpacked}`)
    open.damage = ""
    return ""
  }

  private endData(): void {
    const { open } = this
    if (open === undefined) return
    if (open.hasDescriptor) {
      this.step = "descriptor"
      return
    }
    const { compressedSize, crc, uncompressedSize } = open.header
    this.compare(open, crc, compressedSize, uncompressedSize)
  }

  /** In its short form, as Java reads it after entries below 4 GB, or in its long one. */
  private takeDescriptor(bytes: Buffer): number | undefined {
    const { open } = this
    if (open === undefined) return 0
    if (bytes.length < 24) return undefined
    const start = bytes.readUInt32LE(0) === dataDescriptorSignature ? 4 : 0
    const isLong =
      open.packed > 0xffffffff ||
      open.unpacked > 0xffffffff ||
      // Some tools write the long form after small entries, too.
      (bytes.readUInt32LE(start + 8) === 0 && bytes.readUInt16LE(start + 12) !== headerMark)
    const [packed, unpacked] = isLong
      ? [readUInt64(bytes, start + 4), readUInt64(bytes, start + 12)]
      : [bytes.readUInt32LE(start + 4), bytes.readUInt32LE(start + 8)]
    this.compare(open, bytes.readUInt32LE(start), packed, unpacked)
    return start + (isLong ? 20 : 12)
  }

  private compare(open: Open, crc: number, packed: number, unpacked: number): void {
    if (open.damage === undefined) {
      if (open.unpacked !== unpacked) {
        this.damaged(open, `it unpacks to ${open.unpacked} bytes instead of ${unpacked}`)
      } else if (open.inflated !== packed) {
        this.damaged(open, `its compressed data has ${open.inflated} bytes instead of ${packed}`)
      } else if (open.crc !== crc) {
        this.damaged(open, "its bytes do not match its checksum")
      }
    }
    this.count += 1
    this.sum = sumOf(this.sum, fingerprint(open.nameHash, open.offset, crc, packed, unpacked))
    this.open = undefined
    this.step = "header"
  }

  private damaged(open: Open, why: string): void {
    if (open.damage !== undefined) return
    open.damage = why
    this.report(open, "damaged-entry", `is damaged: ${why}`)
  }

  private report(open: Open, code: "damaged-entry" | "bomb-like", why: string): void {
    if (this.findings.length >= maxFindings) return
    const name = shownName(open.name)
    this.findings.push({
      code,
      severity: "error",
      message: `The entry ${quoted(name)} ${why}.`,
      remedy:
        code === "bomb-like"
          ? "Leave out what is only filling."
          : "Build the archive again, or copy it again from where it is whole.",
      entry: name,
      offset: open.offset,
      source: zipInputStream
    })
  }
}

/** "PK", with which every header begins. */
const headerMark = 0x4b50

/** The largest header: its fixed part, a name and extra fields of 64 KiB each. */
const headerAtMost = localHeaderBytes + 2 * 0xffff

/** What `info: true` adds to the answer, which the types leave out. */
interface Inflated {
  readonly buffer: Buffer
  readonly engine: { readonly bytesWritten: number }
}

const isInflated = (answer: unknown): answer is Inflated =>
  typeof answer === "object" && answer !== null && "buffer" in answer && "engine" in answer

/** `undefined` where the data is damaged, goes on, or unpacks to more than `limit`: an engine of its own says which. */
const inflateAtOnce = (
  packed: Buffer,
  limit: number
): { readonly bytes: Buffer; readonly packedBytes: number } | undefined => {
  try {
    const options = { info: true, maxOutputLength: Math.max(1, limit), chunkSize: chunkFor(limit) }
    const answer: unknown = zlib.inflateRawSync(packed, options)
    return isInflated(answer) ? { bytes: answer.buffer, packedBytes: answer.engine.bytesWritten } : undefined
  } catch {
    return undefined
  }
}

const chunkFor = (limit: number): number => Math.min(16 * 1024, Math.max(64, limit + 1))

type Fed =
  | { readonly _tag: "More" }
  /** The compressed data has ended after so many bytes of the part. */
  | { readonly _tag: "Ended"; readonly taken: number }
  | { readonly _tag: "Failed"; readonly why: string }

/** One entry's inflation, part by part. */
class Engine {
  private readonly zlib = zlib.createInflateRaw({ chunkSize: 256 * 1024 })
  private hasEnded = false
  private failure: string | undefined
  private wake: () => void = () => undefined

  constructor(onBytes: (bytes: Buffer) => string | undefined) {
    this.zlib.on("data", (bytes: Buffer) => {
      if (this.failure === undefined) this.failure = onBytes(bytes)
      if (this.failure !== undefined) {
        this.zlib.destroy()
        this.wake()
      }
    })
    this.zlib.on("end", () => {
      this.hasEnded = true
      this.wake()
    })
    this.zlib.on("error", (error: NodeJS.ErrnoException) => {
      this.failure ??= error.code === "Z_BUF_ERROR" ? "its compressed data is cut off" : error.message
      this.wake()
    })
  }

  feed(part: Buffer, isLast: boolean): Effect.Effect<Fed> {
    return Effect.async((resume) => {
      const before = this.zlib.bytesWritten
      let isWritten = false
      const look = () => {
        if (this.failure !== undefined) return resume(Effect.succeed({ _tag: "Failed", why: this.failure }))
        const taken = this.zlib.bytesWritten - before
        if (this.hasEnded) return resume(Effect.succeed({ _tag: "Ended", taken }))
        if (isWritten && !isLast && taken === part.length) resume(Effect.succeed({ _tag: "More" }))
      }
      this.wake = look
      const written = () => {
        isWritten = true
        // Whether the data ended with the part shows only after the events that are under way.
        setImmediate(look)
      }
      if (isLast) this.zlib.end(part, written)
      else this.zlib.write(part, written)
      return Effect.sync(() => this.close())
    })
  }

  close(): void {
    this.wake = () => undefined
    this.zlib.destroy()
  }
}

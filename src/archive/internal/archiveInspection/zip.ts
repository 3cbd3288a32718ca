/**
 * The two accounts that a ZIP gives of its entries: its central directory, which most tools read, and the local headers
 * from byte 0 on, which `java.util.zip.ZipInputStream` and so Elasticsearch's plugin installer read.
 *
 * Nothing is believed: each field is checked before it is followed, and every walk ends.
 */
import { Buffer } from "node:buffer"
import { createHash, randomInt } from "node:crypto"
import * as zlib from "node:zlib"
import * as Effect from "effect/Effect"
import type { ArchiveError } from "../../ArchiveError.ts"
import { crc32 } from "./crc32.ts"
import { Pace } from "./pace.ts"
import { plural } from "./problems.ts"
import { type Reader, ZipError } from "./reader.ts"

/** Whose reading counts for a plugin. */
export const zipInputStream = "java.util.zip.ZipInputStream"

const signature = { local: 0x04034b50, central: 0x02014b50, end: 0x06054b50, zip64End: 0x06064b50 } as const
const zip64Locator = 0x07064b50
export const dataDescriptorSignature = 0x08074b50
export const localSignature = signature.local
export const localHeaderBytes = 30
const centralHeaderBytes = 46
const endBytes = 22

export const stored = 0
export const deflated = 8

/** Bits of the general purpose flag. */
export const encryptedFlag = 1
export const dataDescriptorFlag = 8

/** An entry as the central directory tells of it. */
export interface ZipEntry {
  readonly name: string
  /** Java takes every name for UTF-8, whatever the flag says. */
  readonly isUtf8: boolean
  /** The name that the Unicode Path extra field gives instead, which some tools prefer. */
  readonly unicodeName: string | undefined
  readonly flags: number
  readonly method: number
  readonly crc: number
  readonly compressedSize: number
  readonly uncompressedSize: number
  /** Where its local header lies, in bytes from the start of the archive. */
  readonly offset: number
  /** Unix file type and permissions; 0 where the ZIP was made by something else. */
  readonly mode: number
}

/** Where the central directory lies, in bytes from the start of the archive. */
export interface Directory {
  readonly start: number
  readonly end: number
  readonly count: number
  /** What to add to the offsets it gives: the length of what was put before the ZIP without telling the ZIP. */
  readonly shift: number
  /** Bytes after the end of the ZIP; negative where its comment is cut off. */
  readonly trailing: number
}

type Read<A> = Effect.Effect<A, ZipError | ArchiveError>

/** How far from the end the directory's own end is looked for: its comment can be 64 KiB, and some tools pad. */
const searchBytes = 128 * 1024

/** Finds the central directory; `undefined` where nothing like its end is there. */
export const findDirectory = Effect.fnUntraced(function* (
  reader: Reader<never>
): Effect.fn.Return<Directory | undefined, ZipError | ArchiveError> {
  const length = Math.min(reader.size, searchBytes)
  const from = reader.size - length
  const tail = yield* reader.pin(from, length)
  const end = chooseEnd(tail, from)
  if (end === undefined) return undefined
  if (end.disk !== 0 && end.disk !== 0xffff) {
    return yield* new ZipError({ detail: "it is one disk of a multi-disk archive", offset: end.at })
  }
  const trailing = reader.size - end.at - endBytes - end.commentLength
  const isZip64 = end.count === 0xffff || end.size === 0xffffffff || end.offset === 0xffffffff
  const locator = isZip64 && end.at >= 20 ? Buffer.from(yield* reader.read(end.at - 20, 20)) : undefined
  return locator?.readUInt32LE(0) === zip64Locator
    ? yield* zip64Directory(reader, end.at, readUInt64(locator, 8), trailing)
    : yield* placed(reader, end.at, end, trailing)
})

interface End {
  readonly at: number
  readonly disk: number
  readonly count: number
  readonly size: number
  readonly offset: number
  readonly commentLength: number
}

/** The last end that fits its directory and its comment, or the one that fits best: a comment may hold a signature. */
const chooseEnd = (tail: Buffer, from: number): End | undefined => {
  let best: { readonly end: End; readonly fit: number } | undefined
  for (let at = tail.length; at >= 0; ) {
    at = at === 0 ? -1 : tail.lastIndexOf("PK\x05\x06", at - 1, "latin1")
    if (at < 0) break
    if (at + endBytes > tail.length) continue
    const end = endIn(tail, at, from)
    const fit = fitOf(end, from + tail.length)
    if (fit === 3) return end
    if (best === undefined || fit > best.fit) best = { end, fit }
  }
  return best?.end
}

const endIn = (tail: Buffer, at: number, from: number): End => ({
  at: from + at,
  disk: tail.readUInt16LE(at + 4),
  count: tail.readUInt16LE(at + 10),
  size: tail.readUInt32LE(at + 12),
  offset: tail.readUInt32LE(at + 16),
  commentLength: tail.readUInt16LE(at + 20)
})

const fitOf = (end: End, size: number): number => {
  const isZip64 = end.count === 0xffff || end.size === 0xffffffff || end.offset === 0xffffffff
  const adjoins = isZip64 || end.offset + end.size === end.at
  const fits = end.at + endBytes + end.commentLength
  return (adjoins ? 2 : 0) + (fits === size ? 1 : 0) - (fits > size ? 1 : 0)
}

const zip64Directory = Effect.fnUntraced(function* (
  reader: Reader<never>,
  endAt: number,
  claimedAt: number,
  trailing: number
): Effect.fn.Return<Directory, ZipError | ArchiveError> {
  // Where something was put before the ZIP, the record lies right before its locator all the same.
  const adjoining = endAt - 20 - zip64EndBytes
  for (const at of claimedAt === adjoining ? [claimedAt] : [claimedAt, adjoining]) {
    if (!(at >= 0 && at <= adjoining)) continue
    const record = Buffer.from(yield* reader.read(at, zip64EndBytes))
    if (record.readUInt32LE(0) !== signature.zip64End) continue
    const claimed = {
      count: readUInt64(record, 32),
      size: readUInt64(record, 40),
      offset: readUInt64(record, 48)
    }
    const directory = yield* placed(reader, at, claimed, trailing)
    if (at === claimedAt || directory.shift === at - claimedAt) return directory
  }
  const where = claimedAt <= adjoining ? `at byte ${claimedAt}` : "where it says, beyond its end"
  return yield* new ZipError({ detail: `there is no zip64 end record ${where}`, offset: endAt })
})

const zip64EndBytes = 56

/** The directory at its offset or, where something was put before the ZIP, as far before its end as it is long. */
const placed = Effect.fnUntraced(function* (
  reader: Reader<never>,
  end: number,
  { count, offset, size }: { readonly count: number; readonly offset: number; readonly size: number },
  trailing: number
): Effect.fn.Return<Directory, ZipError | ArchiveError> {
  if (count === 0 && size === 0) return { start: end, end, count, shift: 0, trailing }
  const fits = offset + size <= end
  if (fits && (yield* hasSignature(reader, offset, signature.central, end))) {
    return { start: offset, end: offset + size, count, shift: 0, trailing }
  }
  const start = end - size
  const shift = start - offset
  if (!(yield* hasSignature(reader, start, signature.central, end))) {
    const detail = fits
      ? `there is no signature of a directory at byte ${offset}`
      : `its directory is said to lie at byte ${offset} with ${size} bytes, beyond its end at byte ${end}`
    return yield* new ZipError({ detail, offset: end })
  }
  const first = (yield* reader.read(start, centralHeaderBytes)).readUInt32LE(42)
  const isShifted =
    shift > 0 &&
    (first === 0xffffffff || (yield* hasSignature(reader, first + shift, signature.local, start)))
  if (isShifted) return { start, end, count, shift, trailing }
  const missing = shift < 0 ? `: ${plural(-shift, "byte is", "bytes are")} missing before it` : ""
  const detail = `its directory is said to lie at byte ${offset}, but lies at byte ${start}${missing}`
  return yield* new ZipError({ detail, offset: start })
})

const hasSignature = (
  reader: Reader<never>,
  position: number,
  wanted: number,
  end: number
): Effect.Effect<boolean, ZipError | ArchiveError> =>
  position >= 0 && position + localHeaderBytes <= end
    ? Effect.map(reader.read(position, 4), (bytes) => bytes.readUInt32LE(0) === wanted)
    : Effect.succeed(false)

/**
 * Reads the directory entry after entry, at most `limit` of them, and tells whether that was all.
 *
 * The directory itself is what counts: the number in its end has 16 bits and is told modulo 65,536 by old tools.
 */
export const readDirectory = Effect.fnUntraced(function* (
  reader: Reader<never>,
  directory: Directory,
  limit: number,
  onEntry: (entry: ZipEntry) => void,
  table: EntryTable
): Effect.fn.Return<boolean, ZipError | ArchiveError> {
  const pace = new Pace()
  let position = directory.start
  let count = 0
  while (position + centralHeaderBytes <= directory.end) {
    if (pace.isOver) yield* pace.rest
    let at = reader.find(position, centralHeaderBytes)
    if (at < 0) {
      yield* reader.read(position, centralHeaderBytes)
      continue
    }
    if (reader.bytes.readUInt32LE(at) !== signature.central) break
    if (count === limit) return false
    const length = lengthOf(reader.bytes, at)
    if (position + length > directory.end) {
      const detail = `entry ${count + 1} of its directory, at byte ${position}, is cut off`
      return yield* new ZipError({ detail, offset: position })
    }
    at = reader.find(position, length)
    if (at < 0) {
      yield* reader.read(position, length)
      continue
    }
    const entry = entryIn(reader.bytes, at, directory.shift, table)
    if (typeof entry === "string") {
      const detail = `${entry}, in entry ${count + 1} of its directory`
      return yield* new ZipError({ detail, offset: position })
    }
    onEntry(entry)
    count += 1
    position += length
  }
  if (count !== directory.count && count % 0x10000 !== directory.count) {
    const detail = `it lists ${plural(count, "entry", "entries")} but claims ${directory.count}`
    return yield* new ZipError({ detail, offset: position })
  }
  return true
})

const lengthOf = (bytes: Buffer, at: number): number =>
  centralHeaderBytes + bytes.readUInt16LE(at + 28) + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32)

const unix = 3
const macOs = 19

const entryIn = (bytes: Buffer, at: number, shift: number, table: EntryTable): ZipEntry | string => {
  const nameStart = at + centralHeaderBytes
  const nameEnd = nameStart + bytes.readUInt16LE(at + 28)
  const extraEnd = nameEnd + bytes.readUInt16LE(at + 30)
  let compressedSize = bytes.readUInt32LE(at + 20)
  let uncompressedSize = bytes.readUInt32LE(at + 24)
  let offset = bytes.readUInt32LE(at + 42)
  let unicodeName: string | undefined
  if (extraEnd > nameEnd) {
    const fields = extraFields(bytes.subarray(nameEnd, extraEnd))
    if (fields === undefined) return "an extra field is longer than its place"
    const isZip64 = compressedSize === 0xffffffff || uncompressedSize === 0xffffffff || offset === 0xffffffff
    const zip64 = isZip64 ? fields.find(({ id }) => id === 1)?.data : undefined
    if (zip64 !== undefined) {
      let read = 0
      const next = (value: number) => {
        if (value !== 0xffffffff) return value
        read += 8
        return read <= zip64.length ? readUInt64(zip64, read - 8) : Number.NaN
      }
      uncompressedSize = next(uncompressedSize)
      compressedSize = next(compressedSize)
      offset = next(offset)
    } else if (isZip64) return "its zip64 sizes are missing"
    unicodeName = unicodePath(
      fields.find(({ id }) => id === 0x7075)?.data,
      bytes.subarray(nameStart, nameEnd)
    )
  }
  if (!(Number.isSafeInteger(compressedSize + uncompressedSize) && Number.isSafeInteger(offset))) {
    return "a zip64 size or offset is missing or too large"
  }
  const method = bytes.readUInt16LE(at + 10)
  const crc = bytes.readUInt32LE(at + 16)
  const host = bytes[at + 5]
  const name = decodeName(bytes, nameStart, nameEnd)
  const nameHash = hashOf(bytes, nameStart, nameEnd)
  table.add(offset + shift, compressedSize, uncompressedSize, crc, method, nameEnd - nameStart, nameHash)
  return {
    name: name ?? bytes.toString("latin1", nameStart, nameEnd),
    isUtf8: name !== undefined,
    unicodeName,
    flags: bytes.readUInt16LE(at + 8),
    method,
    crc,
    compressedSize,
    uncompressedSize,
    offset: offset + shift,
    mode: host === unix || host === macOs ? bytes.readUInt16LE(at + 40) : 0
  }
}

interface ExtraField {
  readonly id: number
  readonly data: Buffer
}

/** The extra fields, or `undefined` when one is longer than its place. Fewer than four bytes at the end are padding. */
export const extraFields = (extra: Buffer): ReadonlyArray<ExtraField> | undefined => {
  const fields: Array<ExtraField> = []
  let at = 0
  while (at + 4 <= extra.length) {
    const end = at + 4 + extra.readUInt16LE(at + 2)
    if (end > extra.length) return undefined
    fields.push({ id: extra.readUInt16LE(at), data: extra.subarray(at + 4, end) })
    at = end
  }
  return fields
}

/** The name in a Unicode Path extra field, where it belongs to this name and is another one. */
const unicodePath = (data: Buffer | undefined, name: Buffer): string | undefined => {
  if (data === undefined || data.length < 5 || data[0] !== 1 || data.readUInt32LE(1) !== crc32(name))
    return undefined
  return data.subarray(5).equals(name) ? undefined : shownName(data.subarray(5))
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** As Java decodes it, or `undefined` where that is no UTF-8. */
const decodeName = (bytes: Buffer, start: number, end: number): string | undefined => {
  let seen = 0
  for (let at = start; at < end; at++) seen |= bytes[at] ?? 0
  if (seen < 0x80) return bytes.toString("latin1", start, end)
  try {
    return utf8.decode(bytes.subarray(start, end))
  } catch {
    return undefined
  }
}

/** A name to show: what is no UTF-8 is shown byte by byte. */
export const shownName = (bytes: Buffer): string =>
  decodeName(bytes, 0, bytes.length) ?? bytes.toString("latin1")

export const readUInt64 = (bytes: Buffer, at: number): number => {
  const value = bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x1_0000_0000
  return Number.isSafeInteger(value) ? value : Number.NaN
}

// Two hashes of 32 bits each under seeds of this process: nobody can make names that collide.
const [seedOne, seedTwo] = [randomInt(0x7fffffff), randomInt(0x7fffffff)]

/** A stretch of bytes as a number of 52 bits. */
export const hashOf = (bytes: Buffer, start: number, end: number): number => {
  let one = seedOne
  let two = seedTwo
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0
    one = Math.imul(one ^ byte, 0x01000193) + (one >>> 15)
    two = Math.imul(two + byte, 0x85ebca6b) ^ (two >>> 13)
  }
  return (one >>> 0) + (two >>> 12) * 0x1_0000_0000
}

/** What two accounts of an entry are compared by, as one number. */
export const fingerprint = (
  nameHash: number,
  offset: number,
  crc: number,
  compressedSize: number,
  uncompressedSize: number
): number => {
  let hash = mixed(seedOne, nameHash)
  hash = mixed(hash, offset)
  hash = mixed(hash, crc)
  hash = mixed(hash, compressedSize)
  return (mixed(hash, uncompressedSize) >>> 0) + (mixed(seedTwo, hash) >>> 12) * 0x1_0000_0000
}

const mixed = (hash: number, value: number): number => {
  const low = Math.imul(hash ^ (value >>> 0), 0x85ebca6b)
  const high = Math.imul((low ^ (low >>> 13)) + Math.floor(value / 0x1_0000_0000), 0xc2b2ae35)
  return high ^ (high >>> 16)
}

/** The sum of fingerprints, in whatever order they come. */
export const sumOf = (sum: number, one: number): number => (sum + one) % 0x10_0000_0000_0000

const firstCapacity = 1024

/** What the walk along the local headers compares with, in 40 bytes an entry. Mutable: make one per run. */
export class EntryTable {
  count = 0
  /** Over all entries, as the directory tells of them. */
  sum = 0
  offsets = new Float64Array(firstCapacity)
  compressedSizes = new Float64Array(firstCapacity)
  uncompressedSizes = new Float64Array(firstCapacity)
  nameHashes = new Float64Array(firstCapacity)
  crcs = new Uint32Array(firstCapacity)
  /** The method and the name's length, 16 bits each. */
  private details = new Uint32Array(firstCapacity)

  add(
    offset: number,
    compressedSize: number,
    uncompressedSize: number,
    crc: number,
    method: number,
    nameLength: number,
    nameHash: number
  ): void {
    if (this.count === this.offsets.length) this.grow()
    const at = this.count
    this.offsets[at] = offset
    this.compressedSizes[at] = compressedSize
    this.uncompressedSizes[at] = uncompressedSize
    this.nameHashes[at] = nameHash
    this.crcs[at] = crc
    this.details[at] = (method << 16) | nameLength
    this.count += 1
    this.sum = sumOf(this.sum, fingerprint(nameHash, offset, crc, compressedSize, uncompressedSize))
  }

  at(index: number) {
    const details = this.details[index] ?? 0
    return {
      offset: this.offsets[index] ?? 0,
      compressedSize: this.compressedSizes[index] ?? 0,
      uncompressedSize: this.uncompressedSizes[index] ?? 0,
      crc: this.crcs[index] ?? 0,
      method: details >>> 16,
      nameLength: details & 0xffff,
      nameHash: this.nameHashes[index] ?? 0
    }
  }

  /** The entries' indices in the order in which they lie in the archive. */
  inOrder(): Uint32Array {
    const indices = Uint32Array.from({ length: this.count }, (_, index) => index)
    const isSorted = indices.every(
      (index) => index === 0 || (this.offsets[index - 1] ?? 0) <= (this.offsets[index] ?? 0)
    )
    if (isSorted) return indices
    // A comparing function takes ten times as long; one number per entry sorts by itself.
    const keys = Float64Array.from(indices, (index) => (this.offsets[index] ?? 0) * this.count + index)
    const largest = keys.reduce((max, key) => Math.max(max, key), 0)
    if (!Number.isSafeInteger(largest)) {
      return indices.sort((one, other) => (this.offsets[one] ?? 0) - (this.offsets[other] ?? 0))
    }
    return Uint32Array.from(keys.sort(), (key) => key % this.count)
  }

  private grow(): void {
    const larger = <A extends Float64Array | Uint32Array>(old: A, made: A): A => {
      made.set(old)
      return made
    }
    const length = this.offsets.length * 2
    this.offsets = larger(this.offsets, new Float64Array(length))
    this.compressedSizes = larger(this.compressedSizes, new Float64Array(length))
    this.uncompressedSizes = larger(this.uncompressedSizes, new Float64Array(length))
    this.nameHashes = larger(this.nameHashes, new Float64Array(length))
    this.crcs = larger(this.crcs, new Uint32Array(length))
    this.details = larger(this.details, new Uint32Array(length))
  }
}

/** A local header, with the sizes of its zip64 field where it has one. */
export interface LocalHeader {
  readonly flags: number
  readonly method: number
  readonly crc: number
  readonly compressedSize: number
  readonly uncompressedSize: number
  readonly nameLength: number
  readonly extraLength: number
}

/** Reads the fixed part of a local header; `undefined` where there is none. */
export const localHeaderIn = (bytes: Buffer, at = 0): LocalHeader | undefined =>
  bytes.readUInt32LE(at) !== signature.local
    ? undefined
    : {
        flags: bytes.readUInt16LE(at + 6),
        method: bytes.readUInt16LE(at + 8),
        crc: bytes.readUInt32LE(at + 14),
        compressedSize: bytes.readUInt32LE(at + 18),
        uncompressedSize: bytes.readUInt32LE(at + 22),
        nameLength: bytes.readUInt16LE(at + 26),
        extraLength: bytes.readUInt16LE(at + 28)
      }

/** The sizes of a local header as `ZipEntry.setExtra0` reads them: its zip64 field counts where it holds both. */
export const withZip64 = (header: LocalHeader, extra: Buffer): LocalHeader => {
  if (header.compressedSize !== 0xffffffff && header.uncompressedSize !== 0xffffffff) return header
  const zip64 = extraFields(extra)?.find(({ id }) => id === 1)?.data
  return zip64 === undefined || zip64.length < 16
    ? header
    : { ...header, uncompressedSize: readUInt64(zip64, 0), compressedSize: readUInt64(zip64, 8) }
}

/** The content of a small entry, checked against its CRC-32; never more than `maxBytes`. */
export const readContent = Effect.fnUntraced(function* (
  reader: Reader<never>,
  entry: ZipEntry,
  maxBytes: number
): Effect.fn.Return<Buffer, ZipError | ArchiveError> {
  if ((entry.flags & encryptedFlag) !== 0) return yield* new ZipError({ detail: "it is encrypted" })
  if (entry.compressedSize > maxBytes || entry.uncompressedSize > maxBytes) {
    return yield* new ZipError({ detail: `it is larger than ${maxBytes} bytes` })
  }
  const header = localHeaderIn(yield* reader.read(entry.offset, localHeaderBytes))
  if (header === undefined) {
    return yield* new ZipError({ detail: `it has no local header at byte ${entry.offset}` })
  }
  const start = entry.offset + localHeaderBytes + header.nameLength + header.extraLength
  const packed = yield* reader.read(start, entry.compressedSize)
  const bytes = yield* unpack(packed, entry.method, entry.uncompressedSize)
  if (bytes.length !== entry.uncompressedSize || crc32(bytes) !== entry.crc) {
    return yield* new ZipError({ detail: "its bytes do not match its checksum" })
  }
  return bytes
})

const unpack = (packed: Buffer, method: number, size: number): Read<Buffer> => {
  if (method === stored) return Effect.succeed(Buffer.from(packed))
  if (method !== deflated) return new ZipError({ detail: `it is packed by method ${method}` })
  return Effect.async((resume) =>
    zlib.inflateRaw(packed, { maxOutputLength: Math.max(1, size) }, (error, bytes) => {
      if (error === null) return resume(Effect.succeed(bytes))
      const isLonger = "code" in error && error.code === "ERR_BUFFER_TOO_LARGE"
      const detail = isLonger
        ? `it unpacks to more than its ${size} bytes`
        : `it does not unpack (${error.message})`
      resume(new ZipError({ detail }))
    })
  )
}

/** A name as a key in memory: names can be 64 KiB each, and a set of hashes stays small however many there are. */
export const keyOf = (name: string): string =>
  name.length <= 128 ? name : `\0${createHash("sha256").update(name).digest("base64").slice(0, 22)}`

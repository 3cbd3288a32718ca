/** Makes ZIP archives byte by byte, so that every field of them can be wrong. */
import { crc32, deflateRawSync } from "node:zlib"

export interface EntrySpec {
  readonly name: string
  readonly data?: Uint8Array | string
  /** 0 stored, 8 deflated (the default); anything else is only claimed. */
  readonly method?: number
  readonly flags?: number
  readonly mode?: number
  /** What the directory claims, where it differs from what is so. */
  readonly compressedSize?: number
  readonly uncompressedSize?: number
  readonly crc?: number
  readonly offset?: number
  readonly localName?: string | Uint8Array
  readonly extra?: Uint8Array
  /** The name as bytes, where it is not to be written in UTF-8. */
  readonly rawName?: Uint8Array
  /** The bytes as they are packed, where they are not to be made from `data`. */
  readonly packed?: Uint8Array
  /** Writes the sizes behind the data, as a tool does that cannot seek, in one of the four forms. */
  readonly sizesBehind?: "signed" | "plain" | "signed-zip64" | "plain-zip64"
  /** What the local header claims, where it differs from what the directory claims. */
  readonly local?: Partial<Record<"crc" | "compressedSize" | "uncompressedSize" | "flags" | "method", number>>
  readonly localExtra?: Uint8Array
  /** Has a local header, but is not listed in the directory. */
  readonly isHidden?: boolean
  /** Bytes before the local header that belong to nothing. */
  readonly before?: Uint8Array
  /** The system that the entry was made on; 3 is Unix. */
  readonly madeBy?: number
}

export interface EndSpec {
  readonly count?: number
  readonly directoryOffset?: number
  readonly disk?: number
  readonly comment?: string
  readonly commentLength?: number
  readonly prefix?: Uint8Array
  readonly zip64?: boolean
  readonly zip64Offset?: number
  /** Bytes between the last entry and the directory, and after the end of it all. */
  readonly between?: Uint8Array
  readonly trailing?: Uint8Array
}

export const zip = (entries: ReadonlyArray<EntrySpec>, end: EndSpec = {}): Uint8Array => {
  const parts: Array<Uint8Array> = end.prefix === undefined ? [] : [end.prefix]
  const length = () => parts.reduce((sum, part) => sum + part.length, 0)
  const directory = entries.flatMap((entry) => {
    if (entry.before !== undefined) parts.push(entry.before)
    const offset = length()
    const packed = pack(entry)
    parts.push(localHeader(entry, packed), packed.bytes, sizesBehind(entry, packed))
    return entry.isHidden === true ? [] : [directoryHeader(entry, packed, entry.offset ?? offset)]
  })
  if (end.between !== undefined) parts.push(end.between)
  const directoryOffset = length()
  parts.push(...directory)
  const directorySize = length() - directoryOffset
  const offset = end.directoryOffset ?? directoryOffset
  const count = end.count ?? directory.length
  if (end.zip64 === true) parts.push(zip64End(count, directorySize, offset, end.zip64Offset ?? length()))
  parts.push(endRecord(end, count, directorySize, offset), end.trailing ?? new Uint8Array(0))
  return new Uint8Array(Buffer.concat(parts))
}

interface Packed {
  readonly bytes: Uint8Array
  readonly size: number
  readonly crc: number
}

const utf8 = 0x800
const sizesBehindFlag = 8

const pack = ({ data = "", method = 8, packed }: EntrySpec): Packed => {
  const bytes = Buffer.from(data)
  return {
    bytes: packed ?? (method === 8 ? deflateRawSync(bytes) : bytes),
    size: bytes.length,
    crc: crc32(bytes)
  }
}

type Fields = Required<NonNullable<EntrySpec["local"]>>

const fieldsOf = (entry: EntrySpec, packed: Packed): Fields => ({
  flags:
    (entry.rawName === undefined ? utf8 : 0) |
    (entry.flags ?? 0) |
    (entry.sizesBehind === undefined ? 0 : sizesBehindFlag),
  method: entry.method ?? 8,
  crc: entry.crc ?? packed.crc,
  compressedSize: entry.compressedSize ?? packed.bytes.length,
  uncompressedSize: entry.uncompressedSize ?? packed.size
})

const common = ({ compressedSize, crc, flags, method, uncompressedSize }: Fields) =>
  [
    [2, 20],
    [2, flags],
    [2, method],
    [4, 0],
    [4, crc],
    [4, compressedSize],
    [4, uncompressedSize]
  ] as const

const localHeader = (entry: EntrySpec, packed: Packed): Uint8Array => {
  const name = Buffer.from(entry.localName ?? entry.rawName ?? entry.name)
  const extra = entry.localExtra ?? new Uint8Array(0)
  const unknown = entry.sizesBehind === undefined ? {} : { crc: 0, compressedSize: 0, uncompressedSize: 0 }
  const header = { ...fieldsOf(entry, packed), ...unknown, ...entry.local }
  return Buffer.concat([
    fields([4, 0x04034b50], ...common(header), [2, name.length], [2, extra.length]),
    name,
    extra
  ])
}

const sizesBehind = (entry: EntrySpec, packed: Packed): Uint8Array => {
  const form = entry.sizesBehind
  if (form === undefined) return new Uint8Array(0)
  const { compressedSize, crc, uncompressedSize } = fieldsOf(entry, packed)
  const bytes = form.endsWith("zip64") ? 8 : 4
  return fields(
    ...(form.startsWith("signed") ? [[4, 0x08074b50] as const] : []),
    [4, crc],
    [bytes, compressedSize],
    [bytes, uncompressedSize]
  )
}

const directoryHeader = (entry: EntrySpec, packed: Packed, offset: number): Uint8Array => {
  const name = Buffer.from(entry.rawName ?? entry.name)
  const extra = entry.extra ?? new Uint8Array(0)
  return Buffer.concat([
    fields(
      [4, 0x02014b50],
      [2, ((entry.madeBy ?? 3) << 8) | 20],
      ...common(fieldsOf(entry, packed)),
      [2, name.length],
      [2, extra.length],
      [2, 0],
      [2, 0],
      [2, 0],
      [4, (entry.mode ?? 0o100644) * 0x10000],
      [4, offset]
    ),
    name,
    extra
  ])
}

const zip64End = (count: number, size: number, offset: number, at: number): Uint8Array =>
  fields(
    [4, 0x06064b50],
    [8, 44],
    [2, 45],
    [2, 45],
    [4, 0],
    [4, 0],
    [8, count],
    [8, count],
    [8, size],
    [8, offset],
    [4, 0x07064b50],
    [4, 0],
    [8, at],
    [4, 1]
  )

const endRecord = (end: EndSpec, count: number, size: number, offset: number): Uint8Array => {
  const comment = Buffer.from(end.comment ?? "")
  const short = end.zip64 === true ? [0xffff, 0xffffffff] : [count, offset]
  const [shortCount = 0, shortOffset = 0] = short
  return Buffer.concat([
    fields(
      [4, 0x06054b50],
      [2, end.disk ?? 0],
      [2, 0],
      [2, shortCount],
      [2, shortCount],
      [4, size],
      [4, shortOffset],
      [2, end.commentLength ?? comment.length]
    ),
    comment
  ])
}

const fields = (...values: ReadonlyArray<readonly [bytes: number, value: number]>): Buffer => {
  const buffer = Buffer.alloc(values.reduce((sum, [bytes]) => sum + bytes, 0))
  let at = 0
  for (const [bytes, value] of values) {
    if (bytes === 1) buffer.writeUInt8(value, at)
    else if (bytes === 2) buffer.writeUInt16LE(value, at)
    else if (bytes === 4) buffer.writeUInt32LE(value, at)
    else buffer.writeBigUInt64LE(BigInt(value), at)
    at += bytes
  }
  return buffer
}

export const descriptor = (overrides: Record<string, string | undefined> = {}): string =>
  Object.entries({
    name: "analysis-acme",
    description: "Analysis for Acme",
    version: "2.1.0",
    "java.version": "17",
    "elasticsearch.version": "8.17.0",
    classname: "com.acme.Plugin",
    ...overrides
  })
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${value}`)
    .join("\n")

export const classic = (text = descriptor()): EntrySpec => ({
  name: "plugin-descriptor.properties",
  data: text
})
export const stable = (text = descriptor({ classname: undefined })): EntrySpec => ({
  name: "stable-plugin-descriptor.properties",
  data: text
})
export const jar: EntrySpec = { name: "acme.jar", data: "not really a jar" }
export const dictionary: EntrySpec = { name: "dictionaries/en.dic", data: "1\nhello\n" }

/** A ZIP of any length: its beginning, its end, and zeros between the two that nobody has to hold. */
export const spread = (entries: ReadonlyArray<EntrySpec>, size: number) => {
  const near = Buffer.from(zip(entries, { zip64: true }))
  const endLength = 56 + 20 + 22
  const directorySize = Number(near.readBigUInt64LE(near.length - endLength + 40))
  const headLength = near.length - endLength - directorySize
  const directoryOffset = size - endLength - directorySize
  const far = zip(entries, { zip64: true, directoryOffset, zip64Offset: directoryOffset + directorySize })
  const [head, tail] = [far.subarray(0, headLength), far.subarray(headLength)]

  return (position: number): Uint8Array => {
    if (position < headLength) return head.subarray(position)
    const gap = directoryOffset - position
    return gap > 0 ? new Uint8Array(Math.min(65_536, gap)) : tail.subarray(-gap)
  }
}

/** An extra field: its id, its length, its data. */
export const extraField = (id: number, data: Uint8Array): Uint8Array =>
  Buffer.concat([fields([2, id], [2, data.length]), data])

/** A Unicode Path extra field for an entry of this name. */
export const unicodePath = (name: string, other: string): Uint8Array =>
  extraField(0x7075, Buffer.concat([fields([1, 1], [4, crc32(Buffer.from(name))]), Buffer.from(other)]))

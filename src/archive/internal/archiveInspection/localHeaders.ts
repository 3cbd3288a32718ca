/**
 * The entries as `ZipInputStream` meets them: from byte 0, header after header, until something else follows. Whatever the
 * directory tells otherwise is a problem, because Elasticsearch's installer never looks at the directory.
 *
 * The content is not unpacked here: where an entry ends is taken from the directory and proved by what follows it.
 */
import * as Effect from "effect/Effect"
import type { ArchiveError } from "../../ArchiveError.ts"
import { Pace } from "./pace.ts"
import { unsafeIn } from "./paths.ts"
import { type Problems, plural, quoted } from "./problems.ts"
import type { Reader, ZipError } from "./reader.ts"
import {
  type Directory,
  dataDescriptorFlag,
  dataDescriptorSignature,
  type EntryTable,
  encryptedFlag,
  hashOf,
  type LocalHeader,
  localHeaderBytes,
  localHeaderIn,
  readUInt64,
  shownName,
  stored,
  withZip64,
  zipInputStream
} from "./zip.ts"

type Expected = ReturnType<EntryTable["at"]>

export const checkLocalHeaders = Effect.fnUntraced(function* (
  reader: Reader<never>,
  directory: Directory,
  table: EntryTable,
  problems: Problems
): Effect.fn.Return<boolean, ZipError | ArchiveError> {
  const pace = new Pace()
  let cursor = 0
  let isSound = true
  const order = table.inOrder()
  for (let at = 0; at < order.length; at++) {
    if (pace.isOver) yield* pace.rest
    const expected = table.at(order[at] ?? 0)
    const { compressedSize, nameLength, offset } = expected
    const headerLength = localHeaderBytes + nameLength
    if (offset + headerLength + compressedSize > directory.start) {
      if (!problems.has("entry-out-of-bounds")) problems.add(overlapsDirectory(offset))
      return false
    }
    if (offset < cursor) {
      problems.add({
        code: "overlapping-entries",
        severity: "error",
        message: `The entry at byte ${offset} begins before the one before it has ended.`,
        remedy: packAgain,
        offset,
        source: zipInputStream
      })
      return false
    }
    if (offset > cursor) {
      yield* explainGap(reader, cursor, offset, order.length - at, problems)
      return false
    }
    if (reader.find(offset, headerLength) < 0) yield* reader.read(offset, headerLength)
    const found = reader.find(offset, headerLength)
    const header = localHeaderIn(reader.bytes, found)
    if (header === undefined) {
      problems.add({
        code: "header-mismatch",
        severity: "error",
        message: `The directory lists an entry at byte ${offset}, but no entry begins there.`,
        remedy: packAgain,
        offset,
        source: zipInputStream
      })
      return false
    }
    const nameStart = found + localHeaderBytes
    const nameEnd = nameStart + nameLength
    if (header.nameLength !== nameLength || hashOf(reader.bytes, nameStart, nameEnd) !== expected.nameHash) {
      yield* otherName(reader, expected, header, problems)
      return false
    }
    const dataStart = offset + headerLength + header.extraLength
    cursor = dataStart + compressedSize
    if ((header.flags & dataDescriptorFlag) !== 0) {
      const isStored = header.method === stored
      if (isStored) problems.add(storedDescriptor(yield* nameOf(reader, expected), offset))
      if (reader.find(cursor, descriptorAtMost) < 0) {
        yield* reader.read(cursor, Math.min(descriptorAtMost, reader.size - cursor))
      }
      const form = descriptorForm(reader, cursor, expected)
      const isWrong = form === undefined || (form.isZip64 && compressedSize <= 0xffffffff)
      if (isWrong && !isStored) {
        problems.add(badDescriptor(yield* nameOf(reader, expected), offset, form !== undefined))
      }
      if (form === undefined) return false
      cursor += form.bytes
    } else {
      const sizes = needsZip64(header)
        ? withZip64(header, yield* reader.read(offset + headerLength, header.extraLength))
        : header
      if (
        sizes.crc !== expected.crc ||
        sizes.compressedSize !== compressedSize ||
        sizes.uncompressedSize !== expected.uncompressedSize
      ) {
        problems.add(mismatch(offset, yield* nameOf(reader, expected), "its checksum or its size"))
        isSound = false
      }
    }
    if ((header.flags & encryptedFlag) !== 0 && !problems.has("encrypted-entry")) {
      problems.add(encrypted(yield* nameOf(reader, expected), offset))
      isSound = false
    }
    if (header.method !== expected.method) {
      problems.add(mismatch(offset, yield* nameOf(reader, expected), "how it is packed"))
      isSound = false
    }
  }
  if (cursor > directory.start) {
    problems.add(overlapsDirectory(cursor))
    return false
  }
  const isWhole = cursor === directory.start || (yield* explainEnd(reader, cursor, directory.start, problems))
  return isSound && isWhole
})

const packAgain = "Pack the ZIP again, with another tool."

const needsZip64 = ({ compressedSize, extraLength, uncompressedSize }: LocalHeader): boolean =>
  extraLength > 0 && (compressedSize === 0xffffffff || uncompressedSize === 0xffffffff)

const overlapsDirectory = (offset: number) =>
  ({
    code: "overlapping-entries",
    severity: "error",
    message: `The entry at byte ${offset} reaches into the ZIP's directory.`,
    remedy: packAgain,
    offset
  }) as const

const mismatch = (offset: number, name: string, what: string) =>
  ({
    code: "header-mismatch",
    severity: "error",
    message: `The ZIP's directory and the header of ${quoted(name)} itself disagree about ${what}. Elasticsearch believes the header.`,
    remedy: packAgain,
    entry: name,
    offset,
    source: zipInputStream
  }) as const

const otherName = Effect.fnUntraced(function* (
  reader: Reader<never>,
  { offset }: Expected,
  { nameLength }: LocalHeader,
  problems: Problems
): Effect.fn.Return<void, ZipError | ArchiveError> {
  const name = shownName(yield* reader.read(offset + localHeaderBytes, nameLength))
  const unsafe = unsafeIn(name)
  const which = `The entry at byte ${offset} is called ${quoted(name)} in its own header, which Elasticsearch reads, and otherwise in the ZIP's directory`
  problems.add({
    code: unsafe?.code ?? "header-mismatch",
    severity: "error",
    message: unsafe === undefined ? `${which}.` : `${which}: it ${unsafe.why}.`,
    remedy: packAgain,
    entry: name,
    offset,
    source: zipInputStream
  })
})

const encrypted = (name: string, offset: number) =>
  ({
    code: "encrypted-entry",
    severity: "error",
    message: `The entry ${quoted(name)} is encrypted, by what its own header says.`,
    remedy: "Pack it without a password.",
    entry: name,
    offset,
    source: zipInputStream
  }) as const

const storedDescriptor = (name: string, offset: number) =>
  ({
    code: "stored-data-descriptor",
    severity: "java",
    message: `The entry ${quoted(name)} is stored uncompressed with its size behind it, which Java refuses ("only DEFLATED entries can have EXT descriptor").`,
    remedy:
      "The tool wrote the ZIP as a stream: let it compress every entry, or write to a file instead of a pipe.",
    entry: name,
    offset,
    source: zipInputStream
  }) as const

const badDescriptor = (name: string, offset: number, isZip64: boolean) =>
  ({
    code: "invalid-data-descriptor",
    severity: "java",
    message: isZip64
      ? `The sizes behind the entry ${quoted(name)} have 64 bits although it is small, which Java before 22 refuses.`
      : `The sizes behind the entry ${quoted(name)} are not those of the ZIP's directory.`,
    remedy: isZip64 ? "Let the tool write zip64 only where an entry needs it." : packAgain,
    entry: name,
    offset,
    source: zipInputStream
  }) as const

const descriptorAtMost = 24

interface Form {
  readonly bytes: number
  readonly isZip64: boolean
}

const forms = {
  signed: { bytes: 16, isZip64: false },
  signedZip64: { bytes: 24, isZip64: true },
  plain: { bytes: 12, isZip64: false },
  plainZip64: { bytes: 20, isZip64: true }
} as const

/** Which of its four forms the data descriptor at `position` has; `undefined` where none fits the entry. */
const descriptorForm = (
  reader: Reader<never>,
  position: number,
  { compressedSize, crc, uncompressedSize }: Expected
): Form | undefined => {
  const at = reader.find(position, Math.min(descriptorAtMost, reader.size - position))
  const { bytes } = reader
  const fits = (start: number, isZip64: boolean) =>
    start + (isZip64 ? 20 : 12) <= bytes.length &&
    bytes.readUInt32LE(start) === crc &&
    (isZip64
      ? readUInt64(bytes, start + 4) === compressedSize && readUInt64(bytes, start + 12) === uncompressedSize
      : bytes.readUInt32LE(start + 4) === compressedSize &&
        bytes.readUInt32LE(start + 8) === uncompressedSize)
  const isSigned = at + 4 <= bytes.length && bytes.readUInt32LE(at) === dataDescriptorSignature
  if (isSigned && fits(at + 4, false)) return forms.signed
  if (isSigned && fits(at + 4, true)) return forms.signedZip64
  if (fits(at, false)) return forms.plain
  return fits(at, true) ? forms.plainZip64 : undefined
}

const nameOf = (
  reader: Reader<never>,
  { nameLength, offset }: Expected
): Effect.Effect<string, ZipError | ArchiveError> =>
  Effect.map(reader.read(offset + localHeaderBytes, nameLength), shownName)

/** Something lies where an entry should begin: another entry, or what ends Java's reading. */
const explainGap = Effect.fnUntraced(function* (
  reader: Reader<never>,
  cursor: number,
  offset: number,
  left: number,
  problems: Problems
): Effect.fn.Return<void, ZipError | ArchiveError> {
  if (yield* reportHidden(reader, cursor, problems)) return
  if (cursor === 0) {
    problems.add({
      code: "bytes-before-zip",
      severity: "error",
      message: `The file begins with ${plural(offset, "byte that belongs", "bytes that belong")} to no entry: Elasticsearch finds nothing in it.`,
      remedy: "Take away what was put before the ZIP.",
      offset: 0,
      source: zipInputStream
    })
  } else {
    problems.add({
      code: "unreachable-entry",
      severity: "error",
      message: `Elasticsearch stops reading at byte ${cursor}, where no entry begins, and does not see ${left === 1 ? "the last entry" : `the last ${left} entries`}.`,
      remedy: packAgain,
      offset: cursor,
      source: zipInputStream
    })
  }
})

/** Something lies between the last entry and the directory. Whether nobody reads it. */
const explainEnd = Effect.fnUntraced(function* (
  reader: Reader<never>,
  cursor: number,
  end: number,
  problems: Problems
): Effect.fn.Return<boolean, ZipError | ArchiveError> {
  if (yield* reportHidden(reader, cursor, problems)) return false
  problems.add({
    code: "bytes-between-entries",
    severity: "warning",
    message: `Between the last entry and the ZIP's directory ${plural(end - cursor, "byte belongs", "bytes belong")} to neither.`,
    remedy: "Nothing reads them.",
    offset: cursor
  })
  return true
})

const reportHidden = Effect.fnUntraced(function* (
  reader: Reader<never>,
  cursor: number,
  problems: Problems
): Effect.fn.Return<boolean, ZipError | ArchiveError> {
  if (cursor + localHeaderBytes > reader.size) return false
  const header = localHeaderIn(yield* reader.read(cursor, localHeaderBytes))
  if (header === undefined) return false
  const length = Math.min(header.nameLength, reader.size - cursor - localHeaderBytes)
  const name = shownName(yield* reader.read(cursor + localHeaderBytes, length))
  const unsafe = unsafeIn(name)
  const which = `The entry ${quoted(name)} at byte ${cursor} is not listed in the ZIP's directory`
  problems.add({
    code: unsafe?.code ?? "hidden-entry",
    severity: "error",
    message:
      unsafe === undefined
        ? `${which}. Elasticsearch unpacks it all the same; other tools do not see it.`
        : `${which}, and it ${unsafe.why}. Elasticsearch reads it all the same.`,
    remedy: packAgain,
    entry: name,
    offset: cursor,
    source: zipInputStream
  })
  return true
})

/**
 * The rules an archive's entries have to keep, checked one entry after the other.
 *
 * @internal
 */
import { createHash } from "node:crypto"
import type { ArchiveStat } from "../Archive.ts"
import { type Problems, quoted } from "./problems.ts"
import type { ZipEntry } from "./zipDirectory.ts"

/** What is known about the whole after its last entry. */
export interface EntryTotals {
  readonly count: number
  readonly files: number
  readonly compressedBytes: number
  readonly uncompressedBytes: number
  /** Where the first entry's local header lies; the directory may list entries in another order. */
  readonly firstOffset: number
  readonly jars: number
  readonly firstSource: string | undefined
  /** Folders at the root, as many as a reader can take in. */
  readonly topFolders: ReadonlySet<string>
}

export class EntryRules {
  private readonly stat: ArchiveStat
  private readonly problems: Problems
  private readonly names = new Set<string>()
  private readonly topFolders = new Set<string>()
  private count = 0
  private files = 0
  private compressedBytes = 0
  private uncompressedBytes = 0
  private firstOffset = Number.POSITIVE_INFINITY
  private jars = 0
  private firstSource: string | undefined

  constructor(stat: ArchiveStat, problems: Problems) {
    this.stat = stat
    this.problems = problems
  }

  add(entry: ZipEntry): void {
    this.count += 1
    this.compressedBytes += entry.compressedSize
    this.uncompressedBytes += entry.uncompressedSize
    this.firstOffset = Math.min(this.firstOffset, entry.offset)
    this.classify(entry)
    this.checkName(entry)
    this.checkKind(entry)
    this.checkSizes(entry)
  }

  get totals(): EntryTotals {
    const { compressedBytes, count, files, firstOffset, firstSource, jars, topFolders, uncompressedBytes } =
      this
    return { compressedBytes, count, files, firstOffset, firstSource, jars, topFolders, uncompressedBytes }
  }

  /** What only shows in the sum. */
  finish(): void {
    if (this.files === 0) this.problems.error("no-entries", "The ZIP holds no files.")
    if (this.compressedBytes > this.stat.size) {
      const sum = `${this.compressedBytes} bytes in a ZIP of ${this.stat.size}`
      this.problems.error("overlapping-entries", `The entries overlap: together they claim ${sum}.`)
    }
    if (this.uncompressedBytes > bomb.totalBytes && this.uncompressedBytes > bomb.ratio * this.stat.size) {
      const detail = `${this.stat.size} bytes unpack to ${this.uncompressedBytes}`
      this.problems.error("bomb-like", `The whole ZIP unpacks like a bomb: ${detail}.`)
    }
  }

  private classify({ name }: ZipEntry): void {
    if (!name.endsWith("/")) this.files += 1
    if (name.endsWith(".jar")) this.jars += 1
    if (name.endsWith(".java")) this.firstSource ??= name
    const slash = name.indexOf("/")
    if (slash > 0 && this.topFolders.size < 100) this.topFolders.add(name.slice(0, slash))
  }

  private checkName({ name }: ZipEntry): void {
    const why = unsafe(name)
    if (why !== undefined) this.problems.error("unsafe-path", `The entry ${quoted(name)} ${why}.`, name)
    const key = fingerprint(name)
    if (this.names.has(key)) {
      const message = `The entry ${quoted(name)} is there more than once: which one is meant is anybody's guess.`
      this.problems.error("duplicate-entry", message, name)
    }
    this.names.add(key)
  }

  private checkKind({ compressionMethod, encrypted, mode, name }: ZipEntry): void {
    if (encrypted) {
      this.problems.error(
        "encrypted-entry",
        `The entry ${quoted(name)} is encrypted. Pack it without a password.`,
        name
      )
    }
    if (compressionMethod !== 0 && compressionMethod !== 8) {
      const message = `The entry ${quoted(name)} is packed by method ${compressionMethod}; Java reads only stored (0) and deflated (8).`
      this.problems.error("unsupported-compression", message, name)
    }
    const type = mode & fileType.mask
    if (type === fileType.symbolicLink) {
      this.problems.error(
        "symbolic-link",
        `The entry ${quoted(name)} is a symbolic link. Pack the file it points to.`,
        name
      )
    } else if (type !== 0 && type !== fileType.regular && type !== fileType.directory) {
      this.problems.error("special-file", `The entry ${quoted(name)} is neither a file nor a folder.`, name)
    }
  }

  private checkSizes({
    compressedSize,
    compressionMethod,
    encrypted,
    name,
    offset,
    uncompressedSize
  }: ZipEntry): void {
    if (!(offset + localHeaderBytes + compressedSize <= this.stat.size)) {
      const message = `The entry ${quoted(name)} lies beyond the end of the ZIP, which is damaged or was cut.`
      this.problems.error("entry-out-of-bounds", message, name)
    }
    if (compressionMethod === 0 && !encrypted && compressedSize !== uncompressedSize) {
      const message = `The entry ${quoted(name)} is stored in ${compressedSize} bytes but said to be ${uncompressedSize}.`
      this.problems.error("size-mismatch", message, name)
    }
    if (uncompressedSize > bomb.entryBytes && uncompressedSize > bomb.ratio * compressedSize) {
      const message = `The entry ${quoted(name)} unpacks like a bomb: ${compressedSize} bytes to ${uncompressedSize}.`
      this.problems.error("bomb-like", message, name)
    }
  }
}

const localHeaderBytes = 30

const fileType = { mask: 0o170000, regular: 0o100000, directory: 0o040000, symbolicLink: 0o120000 } as const

/** Text packs 3 to 20 times, a dictionary up to 100; deflate itself ends near 1030. */
const bomb = { ratio: 200, entryBytes: 16 * 1024 * 1024, totalBytes: 256 * 1024 * 1024 } as const

const unsafe = (name: string): string | undefined => {
  if (name === "") return "has no name"
  if (name.includes("\0")) return "has a NUL in its name"
  if (name.includes("\\")) return "has a backslash in its name: pack it with forward slashes"
  if (name.startsWith("/") || /^[a-zA-Z]:/.test(name)) return "has an absolute path"
  const parts = name.replace(/\/$/, "").split("/")
  if (parts.includes("..")) return 'leaves its folder by ".."'
  if (parts.includes("") || parts.includes(".")) return "has an empty step in its path"
  return undefined
}

/** Names can be 64 KiB each; a set of hashes stays small however many there are. */
const fingerprint = (name: string): string => createHash("sha256").update(name).digest("base64").slice(0, 16)

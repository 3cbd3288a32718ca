/** The rules that every entry has to keep, and what the entries tell together, collected one entry after the other. */
import { resolve, unsafeIn } from "./paths.ts"
import { type Problems, quoted } from "./problems.ts"
import { deflated, encryptedFlag, keyOf, stored, type ZipEntry, zipInputStream } from "./zip.ts"

/** What is known about the whole after its last entry. Paths are those that unpacking leads to. */
export class Contents {
  count = 0
  files = 0
  compressedBytes = 0
  uncompressedBytes = 0
  /** Where the first entry's local header lies; the directory may list entries in another order. */
  firstOffset = Number.POSITIVE_INFINITY
  /** Folders at the root, as many as a reader can take in. */
  readonly topFolders = new Set<string>()
  readonly rootFiles: Array<string> = []
  readonly rootJars: Array<string> = []
  readonly spiJars: Array<string> = []
  jarElsewhere: string | undefined
  firstSource: string | undefined
  firstBuildFile: string | undefined
  firstClass: string | undefined
  firstArchive: string | undefined
  hasManifest = false
  readonly geoipFiles: Array<string> = []
  /** The descriptors at the root, each as Elasticsearch finds it: of several, the one that lies last. */
  readonly descriptors = new Map<string, ZipEntry>()
  nestedDescriptor: ZipEntry | undefined
  folderInConfig: string | undefined
  elasticsearchFolder: string | undefined
  resourceFork: string | undefined
}

const classicDescriptor = "plugin-descriptor.properties"
const stableDescriptor = "stable-plugin-descriptor.properties"
export const descriptorNames = { classic: classicDescriptor, stable: stableDescriptor } as const

const keptNames = 1000

export class EntryRules {
  readonly contents = new Contents()
  private readonly problems: Problems
  private readonly archiveBytes: number
  private readonly entriesEnd: number
  private readonly paths = new Paths()

  /** `entriesEnd` is where the directory begins. */
  constructor(archiveBytes: number, entriesEnd: number, problems: Problems) {
    this.archiveBytes = archiveBytes
    this.entriesEnd = entriesEnd
    this.problems = problems
  }

  add(entry: ZipEntry): void {
    const { contents } = this
    contents.count += 1
    contents.compressedBytes += entry.compressedSize
    contents.uncompressedBytes += entry.uncompressedSize
    contents.firstOffset = Math.min(contents.firstOffset, entry.offset)
    this.checkKind(entry)
    this.checkSizes(entry)
    const path = this.checkName(entry)
    if (path !== undefined) this.place(path, entry)
  }

  /** What only shows in the sum. */
  finish(): void {
    const { compressedBytes, files, uncompressedBytes } = this.contents
    if (files === 0) {
      this.problems.add({
        code: "no-entries",
        severity: "error",
        message: "The ZIP holds no files.",
        remedy: "Check the step that builds it."
      })
    }
    if (compressedBytes > this.archiveBytes && !this.problems.has("overlapping-entries")) {
      this.problems.add({
        code: "overlapping-entries",
        severity: "error",
        message: `The entries overlap: together they claim ${compressedBytes} bytes in a ZIP of ${this.archiveBytes}.`,
        remedy: packAgain
      })
    }
    const isBomb = uncompressedBytes > bomb.totalBytes && uncompressedBytes > bomb.ratio * this.archiveBytes
    if (isBomb && !this.problems.has("bomb-like")) {
      this.problems.add({
        code: "bomb-like",
        severity: "error",
        message: `The whole ZIP unpacks like a bomb: ${this.archiveBytes} bytes unpack to ${uncompressedBytes}.`,
        remedy: "Leave out what is only filling."
      })
    }
  }

  private checkKind({ flags, method, mode, name, offset }: ZipEntry): void {
    const add = (finding: Pick<Parameters<Problems["add"]>[0], "code" | "message" | "remedy" | "source">) =>
      this.problems.add({ ...finding, severity: "error", entry: name, offset })
    if ((flags & encryptedFlag) !== 0) {
      add({
        code: "encrypted-entry",
        message: `The entry ${quoted(name)} is encrypted.`,
        remedy: "Pack it without a password.",
        source: zipInputStream
      })
    }
    if (method !== stored && method !== deflated) {
      add({
        code: "unsupported-compression",
        message: `The entry ${quoted(name)} is packed by method ${method}; Java reads only stored (0) and deflated (8).`,
        remedy: 'Let the tool use "deflate".',
        source: zipInputStream
      })
    }
    const type = mode & fileType.mask
    if (type === fileType.symbolicLink) {
      add({
        code: "symbolic-link",
        message: `The entry ${quoted(name)} is a symbolic link.`,
        remedy: "Pack the file that it points to."
      })
    } else if (fileType.special.has(type)) {
      add({
        code: "special-file",
        message: `The entry ${quoted(name)} is neither a file nor a folder.`,
        remedy: "Leave it out."
      })
    }
  }

  private checkSizes({ compressedSize, flags, method, name, offset, uncompressedSize }: ZipEntry): void {
    if (!(offset >= 0 && offset + localHeaderBytes + compressedSize <= this.entriesEnd)) {
      this.problems.add({
        code: "entry-out-of-bounds",
        severity: "error",
        message: `The entry ${quoted(name)} lies beyond the end of the ZIP, which is damaged or was cut.`,
        remedy: "Build it again, or copy it again.",
        entry: name
      })
    }
    if (method === stored && (flags & encryptedFlag) === 0 && compressedSize !== uncompressedSize) {
      this.problems.add({
        code: "size-mismatch",
        severity: "error",
        message: `The entry ${quoted(name)} is stored in ${compressedSize} bytes but said to be ${uncompressedSize}.`,
        remedy: packAgain,
        entry: name,
        offset
      })
    }
    if (isBomb(compressedSize, uncompressedSize)) {
      this.problems.add({
        code: "bomb-like",
        severity: "error",
        message: `The entry ${quoted(name)} unpacks like a bomb: ${compressedSize} bytes to ${uncompressedSize}.`,
        remedy: "Leave out what is only filling.",
        entry: name,
        offset
      })
    }
  }

  /** The path that unpacking the entry leads to, or `undefined` where it may not be unpacked. */
  private checkName({ isUtf8, name, offset, unicodeName }: ZipEntry): string | undefined {
    if (!isUtf8) {
      this.problems.add({
        code: "name-not-utf8",
        severity: "java",
        message: `The name ${quoted(name)} is not in UTF-8, which is how Java reads every name.`,
        remedy: "Let the tool write names in UTF-8, or use ASCII in names.",
        entry: name,
        offset,
        source: zipInputStream
      })
    }
    const other = unicodeName
    if (other !== undefined) {
      this.problems.add({
        code: "ambiguous-name",
        severity: "warning",
        message: `The entry ${quoted(name)} has a second name, ${quoted(other)}, which some tools use and Java does not.`,
        remedy: "Use one name, in UTF-8.",
        entry: name,
        offset
      })
    }
    const found = resolve(name)
    const why = unsafeIn(name) ?? (other === undefined ? undefined : unsafeIn(other))
    if (why !== undefined) {
      this.problems.add({
        code: why.code,
        severity: "error",
        message: `The entry ${quoted(name)} ${why.why}.`,
        remedy: why.remedy,
        entry: name,
        offset,
        source: "InstallPluginAction.unzip"
      })
    }
    return found._tag === "Path" ? found.path : undefined
  }

  private place(path: string, entry: ZipEntry): void {
    const { contents } = this
    const isFolder = entry.name.endsWith("/")
    const { name } = entry
    const conflict = this.paths.add(path, isFolder)
    if (conflict === "duplicate" && !isFolder) {
      this.problems.add({
        code: "duplicate-entry",
        severity: "warning",
        message: `The entry ${quoted(name)} occurs more than once: Elasticsearch uses the last copy.`,
        remedy: "Pack it once.",
        entry: name,
        offset: entry.offset,
        source: "InstallPluginAction.unzip"
      })
    } else if (conflict === "file-and-folder") {
      this.problems.add({
        code: "path-conflict",
        severity: "error",
        message: `The entry ${quoted(name)} is a file in one place of the ZIP and a folder in another.`,
        remedy: "Give one of them another name.",
        entry: name,
        offset: entry.offset,
        source: "InstallPluginAction.unzip"
      })
    }
    if (name.startsWith("elasticsearch/")) contents.elasticsearchFolder ??= name
    this.collect(path, isFolder, entry)
  }

  private collect(path: string, isFolder: boolean, entry: ZipEntry): void {
    const { contents } = this
    if (!isFolder) contents.files += 1
    const slash = path.indexOf("/")
    const top = slash < 0 ? (isFolder ? path : "") : path.slice(0, slash)
    if (top !== "" && contents.topFolders.size < keptNames) contents.topFolders.add(top)
    // A folder is made for what lies in it, not for its own entry.
    if ((top === "config" || top === "bin") && slash > 0 && path.includes("/", slash + 1)) {
      contents.folderInConfig ??= path
    }
    if (slash < 0 && path.endsWith(".jar")) {
      if (path.startsWith("._")) contents.resourceFork ??= path
      else if (contents.rootJars.length < keptNames) contents.rootJars.push(path)
    }
    if (isFolder) return
    if (slash < 0 && contents.rootFiles.length < keptNames) contents.rootFiles.push(path)
    const dot = path.lastIndexOf(".")
    const kind = dot < 0 ? undefined : kinds.get(path.slice(dot + 1))
    if (kind !== undefined) this.collectFile(path, kind, top, entry)
  }

  private collectFile(path: string, kind: FileKind, top: string, entry: ZipEntry): void {
    const { contents } = this
    const base = path.slice(path.lastIndexOf("/") + 1)
    const isInTop = path.length === top.length + 1 + base.length
    switch (kind) {
      case "jar":
        if (top === "spi" && isInTop) {
          if (contents.spiJars.length < keptNames) contents.spiJars.push(base)
        } else if (top !== "") contents.jarElsewhere ??= path
        return
      case "source":
        contents.firstSource ??= path
        return
      case "class":
        contents.firstClass ??= path
        return
      case "zip":
        contents.firstArchive ??= path
        return
      case "geoip":
        if (top === "ingest-geoip" && contents.geoipFiles.length < keptNames) contents.geoipFiles.push(base)
        return
      case "properties":
        if (base === classicDescriptor || base === stableDescriptor) this.collectDescriptor(path, base, entry)
        return
      case "manifest":
        if (path === "META-INF/MANIFEST.MF") contents.hasManifest = true
        return
      case "build":
        if (buildFiles.has(base)) contents.firstBuildFile ??= path
    }
  }

  private collectDescriptor(path: string, base: string, entry: ZipEntry): void {
    const { descriptors } = this.contents
    if (path !== base) this.contents.nestedDescriptor ??= entry
    else if (entry.offset >= (descriptors.get(base)?.offset ?? 0)) descriptors.set(base, entry)
  }
}

const packAgain = "Pack the ZIP again, with another tool."

type FileKind = "jar" | "source" | "class" | "zip" | "geoip" | "properties" | "manifest" | "build"

/** What is of interest, by what follows the last dot of its name. */
const kinds: ReadonlyMap<string, FileKind> = new Map([
  ["jar", "jar"],
  ["java", "source"],
  ["kt", "source"],
  ["scala", "source"],
  ["class", "class"],
  ["zip", "zip"],
  ["mmdb", "geoip"],
  ["properties", "properties"],
  ["MF", "manifest"],
  ["xml", "build"],
  ["gradle", "build"],
  ["kts", "build"],
  ["sbt", "build"]
])

const buildFiles = new Set(["pom.xml", "build.gradle", "build.gradle.kts", "settings.gradle", "build.sbt"])

const localHeaderBytes = 30

const fileType = {
  mask: 0o170000,
  symbolicLink: 0o120000,
  // Pipes, devices and sockets. What else tools write there has no meaning, such as the 0xffff of plexus-archiver.
  special: new Set([0o010000, 0o020000, 0o060000, 0o140000])
} as const

/** Text packs 3 to 20 times, a dictionary up to 100; deflate itself ends near 1030. */
export const bomb = { ratio: 200, entryBytes: 16 * 1024 * 1024, totalBytes: 256 * 1024 * 1024 } as const

export const isBomb = (compressedBytes: number, uncompressedBytes: number): boolean =>
  uncompressedBytes > bomb.entryBytes && uncompressedBytes > bomb.ratio * compressedBytes

const isFile = 1
const isFolderEntry = 2
const holdsEntries = 4

/** The paths met so far, to find what is there twice. Bounded: beyond that many, no further ones are remembered. */
class Paths {
  private readonly kinds = new Map<string, number>()
  private lastParent = ""

  add(path: string, isFolder: boolean): "file-and-folder" | "duplicate" | undefined {
    if (path === "") return undefined
    const key = keyOf(path)
    const known = this.kinds.get(key) ?? 0
    const isNew = isFolder ? isFolderEntry : isFile
    if (this.kinds.size < rememberedPaths || known !== 0) this.kinds.set(key, known | isNew)
    const isConflict = isFolder ? (known & isFile) !== 0 : (known & (isFolderEntry | holdsEntries)) !== 0
    if (this.parentIsFile(path) || isConflict) return "file-and-folder"
    return (known & isNew) !== 0 ? "duplicate" : undefined
  }

  /** Marks the folders a path lies in; those above a folder that is marked already are marked, too. */
  private parentIsFile(path: string): boolean {
    let end = path.lastIndexOf("/")
    if (end < 0) return false
    const parent = path.slice(0, end)
    if (parent === this.lastParent) return false
    this.lastParent = parent
    let found = false
    while (end > 0 && this.kinds.size < rememberedPaths) {
      const key = keyOf(path.slice(0, end))
      const known = this.kinds.get(key) ?? 0
      if ((known & isFile) !== 0) found = true
      if ((known & holdsEntries) !== 0) break
      this.kinds.set(key, known | holdsEntries)
      end = path.lastIndexOf("/", end - 1)
    }
    return found
  }
}

const rememberedPaths = 250_000

/** Packages of npm, each as its own documentation uses it. */
import { createWriteStream } from "node:fs"
import { readdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { pipeline } from "node:stream/promises"
import * as zipJs from "@zip.js/zip.js"
import AdmZip from "adm-zip"
import { ZipArchive } from "archiver"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as fflate from "fflate"
import JSZip from "jszip"
import * as yazl from "yazl"
import { type Writer, WriterFailed } from "./writer.ts"

interface Use {
  readonly how: string
  readonly instead?: string
  readonly write: (folder: string, file: string) => Promise<void>
}

const npm =
  (tool: string) =>
  ({ how, instead, write }: Use): Writer => ({
    tool,
    how,
    command: Option.none(),
    instead: Option.fromNullable(instead),
    write: (folder, file) =>
      Effect.tryPromise({
        try: () => write(folder, file),
        catch: (cause) => new WriterFailed({ how: `${tool}, ${how}`, cause })
      })
  })

/** The files in a folder, by their paths below it with forward slashes. */
const filesIn = async (folder: string): Promise<ReadonlyArray<string>> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()
}

const contentsOf = async (folder: string): Promise<Record<string, Uint8Array>> => {
  const names = await filesIn(folder)
  return Object.fromEntries(
    await Promise.all(
      names.map(async (name) => [name, new Uint8Array(await readFile(join(folder, name)))] as const)
    )
  )
}

const withYazl = (options: Partial<yazl.FileOptions>) => async (folder: string, file: string) => {
  const zip = new yazl.ZipFile()
  for (const name of await filesIn(folder)) zip.addFile(join(folder, name), name, options)
  zip.end()
  await pipeline(zip.outputStream, createWriteStream(file))
}

const yazlUses: ReadonlyArray<Use> = [
  { how: "`addFile(path, name)`", write: withYazl({}) },
  {
    how: "`addFile(path, name, { compress: false })`",
    write: withYazl({ compress: false }),
    instead: "leave out `compress: false`, or use `addBuffer`"
  },
  {
    how: "`addBuffer(bytes, name, { compress: false })`",
    write: async (folder, file) => {
      const zip = new yazl.ZipFile()
      for (const [name, bytes] of Object.entries(await contentsOf(folder))) {
        zip.addBuffer(Buffer.from(bytes), name, { compress: false })
      }
      zip.end()
      await pipeline(zip.outputStream, createWriteStream(file))
    }
  }
]

const withArchiver =
  (options: { readonly store?: boolean; readonly zlib?: { readonly level: number } }) =>
  async (folder: string, file: string) => {
    const archive = new ZipArchive(options)
    archive.directory(folder, false)
    await Promise.all([pipeline(archive, createWriteStream(file)), archive.finalize()])
  }

const archiverUses: ReadonlyArray<Use> = [
  { how: "`directory(folder, false)`", write: withArchiver({}) },
  { how: "`zlib: { level: 9 }`", write: withArchiver({ zlib: { level: 9 } }) },
  { how: "`store: true`", write: withArchiver({ store: true }), instead: "leave out `store: true`" }
]

const withJszip =
  (options: JSZip.JSZipGeneratorOptions<"nodebuffer">) => async (folder: string, file: string) => {
    const zip = new JSZip()
    for (const [name, bytes] of Object.entries(await contentsOf(folder))) zip.file(name, bytes)
    await pipeline(zip.generateNodeStream(options), createWriteStream(file))
  }

const jszipUses: ReadonlyArray<Use> = [
  { how: "`generateNodeStream()`", write: withJszip({}) },
  { how: '`compression: "DEFLATE"`', write: withJszip({ compression: "DEFLATE" }) },
  {
    how: "`streamFiles: true`",
    write: withJszip({ streamFiles: true }),
    instead: "leave out `streamFiles`"
  },
  {
    how: '`streamFiles: true, compression: "DEFLATE"`',
    write: withJszip({ streamFiles: true, compression: "DEFLATE" }),
    instead: "leave out `streamFiles`"
  }
]

const withZipJs = (options: zipJs.ZipWriterConstructorOptions) => async (folder: string, file: string) => {
  const writer = new zipJs.ZipWriter(new zipJs.Uint8ArrayWriter(), { useWebWorkers: false, ...options })
  for (const [name, bytes] of Object.entries(await contentsOf(folder))) {
    await writer.add(name, new zipJs.Uint8ArrayReader(bytes))
  }
  await writeFile(file, await writer.close())
}

const zipJsUses: ReadonlyArray<Use> = [
  { how: "`new ZipWriter(writer)`", write: withZipJs({}) },
  { how: "`level: 9`", write: withZipJs({ level: 9 }) },
  {
    how: "`level: 0`",
    write: withZipJs({ level: 0 }),
    instead: "leave out `level: 0`, or add `dataDescriptor: false`"
  },
  { how: "`level: 0, dataDescriptor: false`", write: withZipJs({ level: 0, dataDescriptor: false }) },
  {
    how: "`zip64: true`",
    write: withZipJs({ zip64: true }),
    instead: "leave out `zip64`: large files get it anyway"
  },
  {
    how: '`password: "secret"`',
    write: withZipJs({ password: "secret" }),
    instead: "pack without a password"
  }
]

const fflateSync = (options: fflate.ZipOptions) => async (folder: string, file: string) =>
  writeFile(file, fflate.zipSync(await contentsOf(folder), options))

const fflateStream =
  (entry: (name: string) => fflate.ZipDeflate | fflate.ZipPassThrough) =>
  async (folder: string, file: string) => {
    const chunks: Array<Uint8Array> = []
    const zip = new fflate.Zip((error, chunk) => {
      if (error !== null) throw error
      chunks.push(chunk)
    })
    for (const [name, bytes] of Object.entries(await contentsOf(folder))) {
      const packed = entry(name)
      zip.add(packed)
      packed.push(bytes, true)
    }
    zip.end()
    await writeFile(file, Buffer.concat(chunks))
  }

const fflateUses: ReadonlyArray<Use> = [
  { how: "`zipSync(files)`", write: fflateSync({}) },
  { how: "`zipSync(files, { level: 0 })`", write: fflateSync({ level: 0 }) },
  { how: "`Zip` with `ZipDeflate`", write: fflateStream((name) => new fflate.ZipDeflate(name)) },
  {
    how: "`Zip` with `ZipPassThrough`",
    write: fflateStream((name) => new fflate.ZipPassThrough(name)),
    instead: "use `ZipDeflate`, or `zipSync`"
  }
]

const admZipUses: ReadonlyArray<Use> = [
  {
    how: "`addLocalFolder(folder)`",
    write: async (folder, file) => {
      const zip = new AdmZip()
      zip.addLocalFolder(folder)
      await zip.writeZipPromise(file)
    }
  },
  {
    how: "`addFile(name, bytes)`",
    write: async (folder, file) => {
      const zip = new AdmZip()
      for (const [name, bytes] of Object.entries(await contentsOf(folder)))
        zip.addFile(name, Buffer.from(bytes))
      await writeFile(file, zip.toBuffer())
    }
  }
]

export const packages: ReadonlyArray<Writer> = [
  ...archiverUses.map(npm("archiver")),
  ...yazlUses.map(npm("yazl")),
  ...jszipUses.map(npm("jszip")),
  ...zipJsUses.map(npm("@zip.js/zip.js")),
  ...fflateUses.map(npm("fflate")),
  ...admZipUses.map(npm("adm-zip"))
]

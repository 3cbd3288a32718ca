/** What a file is that is no ZIP, by its first bytes. */
import { Buffer } from "node:buffer"

export interface FileKind {
  readonly what: string
  readonly remedy: string
}

const zipOnly = "Pack it as a ZIP: Elastic Cloud takes nothing else."
const downloadAgain = "Open the address in a browser, or check its credentials; then download it again."

interface Known extends FileKind {
  /** The beginning in Latin-1, white space and a byte order mark before text taken away. */
  readonly is: (start: string, bytes: Buffer) => boolean
}

const begins =
  (...marks: ReadonlyArray<string>) =>
  (_: string, bytes: Buffer): boolean =>
    marks.some((mark) => bytes.subarray(0, mark.length).equals(Buffer.from(mark, "latin1")))

const known: ReadonlyArray<Known> = [
  {
    is: (text) => /^version https:\/\/git-lfs\.github\.com\//.test(text),
    what: "a Git LFS pointer: the archive itself is not in the working copy",
    remedy: "Run git lfs pull, and build or upload again."
  },
  {
    is: (text) => /<Error>|<Code>(?:AccessDenied|NoSuchKey|ExpiredToken)/.test(text) && /^</.test(text),
    what: "the XML answer of an object store (S3 or the like) that refused the download",
    remedy: "Check the address, its signature and whether it has expired; then download it again."
  },
  {
    is: (text) => /^<(?:!doctype html|html|head|body|!--)/i.test(text),
    what: "an HTML page, such as a login or an error page saved instead of the archive",
    remedy: downloadAgain
  },
  { is: (text) => /^<(?:\?xml|[a-z])/i.test(text), what: "an XML document", remedy: downloadAgain },
  {
    is: (text) => /^--[^\r\n]{1,200}\r?\n(?:[^\r\n]+\r?\n)*?content-disposition:/i.test(text),
    what: "the body of a multipart form, saved with its headers",
    remedy: "Save the file inside the form alone, for instance with curl --data-binary instead of -F."
  },
  {
    is: (text) => /^HTTP\/\d/.test(text),
    what: "an HTTP answer, saved with its headers",
    remedy: "Download it again without them (curl without -i)."
  },
  {
    is: (text) => /^(?:data:[^,]{0,100};base64,)?UEsDB[A-Za-z0-9+/=\r\n]+/.test(text),
    what: "a ZIP in base64",
    remedy: "Decode it: base64 -d."
  },
  {
    is: (text) => /^[[{]\s*(?:["{[\]}]|\d)/.test(text),
    what: "a JSON document, such as an error of the server that it was downloaded from",
    remedy: downloadAgain
  },
  { is: begins("\x1f\x8b"), what: "gzip data, probably a .tar.gz", remedy: zipOnly },
  { is: begins("BZh"), what: "bzip2 data, probably a .tar.bz2", remedy: zipOnly },
  { is: begins("\xfd7zXZ\x00"), what: "xz data, probably a .tar.xz", remedy: zipOnly },
  { is: begins("\x28\xb5\x2f\xfd"), what: "Zstandard data, probably a .tar.zst", remedy: zipOnly },
  { is: begins("Rar!\x1a\x07"), what: "a RAR archive", remedy: zipOnly },
  { is: begins("7z\xbc\xaf\x27\x1c"), what: "a 7-Zip archive", remedy: "Pack it with 7z a -tzip." },
  {
    is: (_, bytes) => bytes.subarray(257, 262).equals(Buffer.from("ustar")),
    what: "a tar archive",
    remedy: zipOnly
  },
  {
    is: begins("\xca\xfe\xba\xbe"),
    what: "a Java class file",
    remedy: "Build the plugin, and upload the ZIP that the build makes."
  },
  { is: begins("%PDF-"), what: "a PDF document", remedy: "Check the path." },
  { is: begins("MZ", "\x7fELF", "#!"), what: "a program", remedy: "Check the path." },
  {
    is: (_, bytes) => bytes.every((byte) => byte === 0),
    what: "nothing but zeros, probably a download or a copy that was cut off",
    remedy: "Download or copy it again."
  },
  {
    is: (text) => /^(?:name|description|version|classname)\s*[=:]/m.test(text.slice(0, 1000)),
    what: "a text file like a plugin's descriptor",
    remedy: "Upload the ZIP that the build makes."
  },
  {
    is: (_, bytes) => bytes.every((byte) => byte >= 0x20 || byte === 9 || byte === 10 || byte === 13),
    what: "a text file",
    remedy: "Check the path."
  }
]

/** Looked at in order, so what is more special comes first. */
export const fileKind = (start: Uint8Array): FileKind | undefined => {
  const bytes = Buffer.from(start.buffer, start.byteOffset, Math.min(start.length, 4096))
  const text = bytes.toString("latin1").replace(/^(?:\u00ef\u00bb\u00bf)?\s*/, "")
  return known.find(({ is }) => is(text, bytes))
}

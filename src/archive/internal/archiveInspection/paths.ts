/** Where unpacking a name leads, as `InstallPluginAction.unzip` finds it on Linux. */
import { Buffer } from "node:buffer"

/** A name that may not be unpacked. */
export interface Unsafe {
  readonly _tag: "Unsafe"
  readonly code: "unsafe-path" | "name-too-long"
  /** Goes after the name: "has an absolute path". */
  readonly why: string
  readonly remedy: string
}

/** The path below the folder it is unpacked to; empty for that folder itself. */
export type Resolved = { readonly _tag: "Path"; readonly path: string } | Unsafe

const unsafe = (why: string, remedy: string): Unsafe => ({ _tag: "Unsafe", code: "unsafe-path", why, remedy })

/** Most names are already the path that they lead to. */
const odd = /[\\\0]|^[a-zA-Z]:[/]|(?:^|\/)\.{0,2}(?:\/|$)/

export const resolve = (name: string): Resolved => {
  const trimmed = name.endsWith("/") ? name.slice(0, -1) : name
  if (name.length <= 85 && !odd.test(trimmed)) return { _tag: "Path", path: trimmed }
  if (name === "") return unsafe("has no name", "Pack it again, or leave it out.")
  if (name.includes("\0")) return unsafe("has a NUL in its name", "Rename it.")
  if (name.includes("\\")) {
    return unsafe(
      "has a backslash in its name, as old versions of .NET and of PowerShell's Compress-Archive write them",
      "Pack it with forward slashes: by tar -a -cf, 7-Zip, or PowerShell 7."
    )
  }
  if (name.startsWith("/") || /^[a-zA-Z]:\//.test(name)) {
    return unsafe("has an absolute path", "Pack it with a path relative to the root of the ZIP.")
  }
  const parts = name.split("/").filter((part) => part !== "" && part !== ".")
  if (parts.includes("..")) {
    return unsafe('leaves its folder by ".."', "Pack it with a path relative to the root of the ZIP.")
  }
  if (!name.endsWith("/") && (parts.length === 0 || name.endsWith("/."))) {
    return unsafe("is a file with the name of a folder", "Leave it out.")
  }
  if (parts.some((part) => part.length > 85 && Buffer.byteLength(part) > 255)) {
    return {
      _tag: "Unsafe",
      code: "name-too-long",
      why: "has a name over 255 bytes, which Linux cannot store",
      remedy: "Shorten it."
    }
  }
  if (name.length > 1300 && Buffer.byteLength(name) > 3900) {
    return {
      _tag: "Unsafe",
      code: "name-too-long",
      why: "has a path over 3,900 bytes, which Linux cannot store below Elasticsearch's own folder",
      remedy: "Shorten it."
    }
  }
  return { _tag: "Path", path: parts.join("/") }
}

export const unsafeIn = (name: string): Unsafe | undefined => {
  const resolved = resolve(name)
  return resolved._tag === "Unsafe" ? resolved : undefined
}

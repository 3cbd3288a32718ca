import * as Option from "effect/Option"

/** A part's name and what else its head says. */
interface PartHead {
  readonly name: string | undefined
  readonly filename: string | undefined
  readonly contentType: string | undefined
}

/** What a piece of a multipart body amounts to. */
export type MultipartEvent =
  | ({ readonly _tag: "PartBegan" } & PartHead)
  | { readonly _tag: "PartBytes"; readonly bytes: Uint8Array }
  | { readonly _tag: "PartEnded" }
  | { readonly _tag: "Malformed"; readonly detail: string }

export interface MultipartParser {
  /** What `chunk` adds, in order. Bytes are views of `chunk` wherever they can be. */
  readonly push: (chunk: Uint8Array) => ReadonlyArray<MultipartEvent>
  /** Whether the closing delimiter was seen. */
  readonly isClosed: () => boolean
}

const MAX_HEAD_BYTES = 16 * 1024
const CRLF = "\r\n"

/** The boundary a `Content-Type` names, or none when it is not `multipart/form-data` with one. */
export const boundaryOf = (contentType: string): Option.Option<string> => {
  if (!/^multipart\/form-data\s*;/i.test(contentType)) return Option.none()
  const match = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType)
  return Option.fromNullable(match?.[1] ?? match?.[2])
}

const parameter = (header: string, name: string): string | undefined => {
  const match = new RegExp(`;\\s*${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s;]+))`, "i").exec(header)
  return match?.[1]?.replace(/\\(.)/g, "$1") ?? match?.[2]
}

const parseHead = (text: string): PartHead | undefined => {
  const headers = new Map(
    text.split(CRLF).map((line) => {
      const colon = line.indexOf(":")
      return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()] as const
    })
  )
  const disposition = headers.get("content-disposition")
  if (disposition === undefined || !/^form-data\s*;/i.test(disposition)) return undefined
  return {
    name: parameter(disposition, "name"),
    filename: parameter(disposition, "filename"),
    contentType: headers.get("content-type")
  }
}

type State = "preamble" | "delimiter" | "head" | "body" | "epilogue" | "malformed"

/**
 * A strict reader of `multipart/form-data` (RFC 2046 and 7578) that holds back no more than a delimiter or a part's
 * head, wherever the chunks happen to be split.
 */
export const makeParser = (boundary: string): MultipartParser => {
  const delimiter = Buffer.from(`${CRLF}--${boundary}`)
  let state: State = "preamble"
  /** Not yet decided bytes. A delimiter at the very start of the body has no line end before it: it is lent one. */
  let pending: Buffer = Buffer.from(CRLF)

  const malformed = (detail: string): MultipartEvent => {
    state = "malformed"
    return { _tag: "Malformed", detail }
  }

  /** Everything before the next delimiter, or before what could become one. */
  const upToDelimiter = (): { readonly bytes: Buffer; readonly found: boolean } => {
    const at = pending.indexOf(delimiter)
    const end = at >= 0 ? at : Math.max(0, pending.length - delimiter.length + 1)
    const bytes = pending.subarray(0, end)
    pending = pending.subarray(at >= 0 ? at + delimiter.length : end)
    return { bytes, found: at >= 0 }
  }

  /** One step; none when more bytes are needed first. */
  const step = (): Option.Option<ReadonlyArray<MultipartEvent>> => {
    switch (state) {
      case "preamble": {
        if (!upToDelimiter().found) return Option.none()
        state = "delimiter"
        return Option.some([])
      }
      case "delimiter": {
        if (pending.length < 2) return Option.none()
        const next = pending.toString("latin1", 0, 2)
        if (next !== "--" && next !== CRLF)
          return Option.some([malformed("a delimiter is not followed by a line end")])
        state = next === "--" ? "epilogue" : "head"
        return Option.some([])
      }
      case "head": {
        const end = pending.indexOf(`${CRLF}${CRLF}`)
        if (end < 0)
          return pending.length > MAX_HEAD_BYTES
            ? Option.some([malformed("a part's head is too long")])
            : Option.none()
        const head = parseHead(pending.toString("utf8", CRLF.length, end))
        if (head === undefined) return Option.some([malformed("a part has no form-data disposition")])
        pending = pending.subarray(end + 2 * CRLF.length)
        state = "body"
        return Option.some([{ _tag: "PartBegan", ...head }])
      }
      case "body": {
        const { bytes, found } = upToDelimiter()
        if (bytes.length === 0 && !found) return Option.none()
        if (found) state = "delimiter"
        const data: ReadonlyArray<MultipartEvent> = bytes.length === 0 ? [] : [{ _tag: "PartBytes", bytes }]
        return Option.some(found ? [...data, { _tag: "PartEnded" }] : data)
      }
      case "epilogue":
      case "malformed": {
        pending = Buffer.alloc(0)
        return Option.none()
      }
    }
  }

  return {
    push: (chunk) => {
      pending =
        pending.length === 0
          ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
          : Buffer.concat([pending, chunk])
      const events: Array<MultipartEvent> = []
      for (let next = step(); Option.isSome(next); next = step()) events.push(...next.value)
      return events
    },
    isClosed: () => state === "epilogue"
  }
}

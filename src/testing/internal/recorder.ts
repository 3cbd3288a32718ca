import * as Crypto from "node:crypto"
import type * as Http from "node:http"
import type * as Net from "node:net"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import type { ContentFile, RecordedRequest } from "../RecordedRequest.ts"

/** What one request becomes in the record, while it is still being handled. */
export interface Entry {
  readonly received: (bytes: Uint8Array) => void
  readonly bodyBytes: () => number
  /** The whole body has arrived, as its framing counts. */
  readonly isComplete: () => boolean
  readonly ended: () => void
  readonly found: (file: ContentFile) => void
  readonly answered: (status: number) => void
  readonly snapshot: () => RecordedRequest
}

/** Every request since the start, or since the record was cleared. */
export class Recorder extends Context.Tag("effect-elastic-extensions/testing/Recorder")<
  Recorder,
  {
    readonly arrived: (request: Http.IncomingMessage) => Entry
    readonly requests: () => ReadonlyArray<RecordedRequest>
    readonly clear: () => void
  }
>() {}

export const layer: Layer.Layer<Recorder> = Layer.sync(Recorder, () => {
  const connections = new WeakMap<Net.Socket, { readonly id: number; requests: number }>()
  let connectionCount = 0
  let entries: Array<Entry> = []
  const connectionOf = (socket: Net.Socket) => {
    const known = connections.get(socket)
    if (known !== undefined) return known
    connectionCount += 1
    const connection = { id: connectionCount, requests: 0 }
    connections.set(socket, connection)
    return connection
  }
  return {
    arrived: (request) => {
      const connection = connectionOf(request.socket)
      connection.requests += 1
      const entry = makeEntry(request, connection.id, connection.requests)
      entries.push(entry)
      return entry
    },
    requests: () => entries.map((entry) => entry.snapshot()),
    clear: () => {
      entries = []
    }
  }
})

/** Keeps the scheme, which is no secret, and drops the key. */
const mask = (authorization: string): string => {
  const [scheme, key] = authorization.split(" ", 2)
  return key === undefined ? "****" : `${scheme} ****`
}

const isAuthorization = (name: string | undefined): boolean => name?.toLowerCase() === "authorization"

const maskedHeaders = (headers: Http.IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => {
      if (value === undefined) return []
      const text = typeof value === "string" ? value : value.join(", ")
      return [[name, isAuthorization(name) ? mask(text) : text]]
    })
  )

const maskedRawHeaders = (raw: ReadonlyArray<string>): ReadonlyArray<string> =>
  raw.map((text, index) => (index % 2 === 1 && isAuthorization(raw[index - 1]) ? mask(text) : text))

/** Whether the head announces a body at all. */
const announcesBody = (request: Http.IncomingMessage): boolean =>
  request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"] ?? 0) > 0

const makeEntry = (request: Http.IncomingMessage, connection: number, requestOnConnection: number): Entry => {
  const hash = Crypto.createHash("sha256")
  const head = {
    method: request.method ?? "",
    path: request.url ?? "",
    headers: maskedHeaders(request.headers),
    rawHeaders: maskedRawHeaders(request.rawHeaders),
    connection,
    requestOnConnection
  }
  let bodyBytes = 0
  const declared = request.headers["content-length"]
  let ended = !announcesBody(request)
  let contentFile: ContentFile | undefined
  let status: number | undefined
  const isComplete = () => ended || (declared !== undefined && bodyBytes === Number(declared))
  return {
    received: (bytes) => {
      bodyBytes += bytes.length
      hash.update(bytes)
    },
    bodyBytes: () => bodyBytes,
    isComplete,
    ended: () => {
      ended = true
    },
    found: (file) => {
      contentFile = file
    },
    answered: (code) => {
      status = code
    },
    snapshot: () => ({
      ...head,
      bodyBytes,
      bodySha256: hash.copy().digest("hex"),
      complete: isComplete(),
      contentFile,
      status
    })
  }
}

/** A real HTTP server that holds one archive and serves ranges of it, as well or as badly as it is told. */
import * as NodeHttp from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"

export interface Held {
  readonly bytes: Uint8Array
  readonly etag?: string | undefined
  readonly modified?: Date | undefined
}

export interface Received {
  readonly method: string
  readonly url: string
  readonly headers: NodeHttp.IncomingHttpHeaders
}

export interface How {
  readonly status?: number
  /** `undefined` takes a header out. */
  readonly headers?: Readonly<Record<string, string | undefined>>
  /** Body bytes after which the connection is destroyed. */
  readonly cutAfter?: number
  /** Body bytes after which nothing follows. */
  readonly stallAfter?: number
  /** Body bytes after which the answer ends as if it were whole; sent without a Content-Length. */
  readonly endAfter?: number
  /** The body, where it is not the range that was asked for. */
  readonly body?: Uint8Array
  /** In writes of this many bytes. */
  readonly pieceBytes?: number
  readonly ignoreRange?: boolean
  readonly ignoreConditions?: boolean
}

export type Script = (
  serve: (how?: How) => void,
  request: Received,
  response: NodeHttp.ServerResponse
) => void

export const rangeServer = (held: Held, script: Script = (serve) => serve()) =>
  Effect.gen(function* () {
    const state = { held, requests: [] as Array<Received>, sent: 0, open: 0 }
    const server = NodeHttp.createServer((incoming, response) => {
      const { headers, method = "", url = "" } = incoming
      const request = { method, url, headers }
      state.requests.push(request)
      const serve = (how: How = {}) => {
        const answer = answerTo(state.held, request, how)
        response.writeHead(answer.status, answer.headers)
        void write(response, method === "HEAD" ? new Uint8Array(0) : answer.body, how, (bytes) => {
          state.sent += bytes
        })
      }
      script(serve, request, response)
    })
    server.on("connection", (socket) => {
      state.open += 1
      socket.on("close", () => {
        state.open -= 1
      })
    })
    yield* Effect.acquireRelease(
      Effect.async<void>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.void))
      }),
      () =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return {
      state,
      origin,
      url: `${origin}/builds/acme.zip`,
      /** The Range headers of all GET requests. */
      ranges: () =>
        state.requests.filter(({ method }) => method === "GET").map(({ headers }) => headers.range)
    }
  })

interface Answer {
  readonly status: number
  readonly headers: NodeHttp.OutgoingHttpHeaders
  readonly body: Uint8Array
}

const answerTo = (held: Held, request: Received, how: How): Answer => {
  const { bytes, etag, modified } = held
  const known = {
    ...(etag === undefined ? {} : { etag }),
    ...(modified === undefined ? {} : { "last-modified": modified.toUTCString() })
  }
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? []
  const condition = request.headers["if-match"]
  if (how.ignoreConditions !== true && condition !== undefined && condition !== etag) {
    return { status: 412, headers: {}, body: new Uint8Array(0) }
  }
  const [start, end] = [Number(first ?? 0), Math.min(Number(last ?? bytes.length - 1) + 1, bytes.length)]
  const partial = first !== undefined && how.ignoreRange !== true
  if (partial && start >= bytes.length) {
    return { status: 416, headers: { "content-range": `bytes */${bytes.length}` }, body: new Uint8Array(0) }
  }
  const body = how.body ?? (partial ? bytes.subarray(start, end) : bytes)
  const length = how.endAfter === undefined ? { "content-length": String(body.length) } : {}
  const range = partial ? { "content-range": `bytes ${start}-${end - 1}/${bytes.length}` } : {}
  const headers = { ...known, ...length, ...range, ...how.headers }
  return {
    status: how.status ?? (partial ? 206 : 200),
    headers: Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)),
    body
  }
}

/** Writes no faster than it is read, and counts what the connection took. */
const write = async (
  response: NodeHttp.ServerResponse,
  body: Uint8Array,
  { cutAfter, endAfter, pieceBytes = 65_536, stallAfter }: How,
  onWritten: (bytes: number) => void
): Promise<void> => {
  const end = Math.min(
    body.length,
    cutAfter ?? body.length,
    stallAfter ?? body.length,
    endAfter ?? body.length
  )
  for (let at = 0; at < end && !response.destroyed; at += pieceBytes) {
    const piece = body.subarray(at, Math.min(end, at + pieceBytes))
    await new Promise<void>((resolve) => {
      response.once("close", resolve)
      response.write(piece, () => {
        response.off("close", resolve)
        resolve()
      })
    })
    onWritten(piece.length)
  }
  if (cutAfter !== undefined && end === cutAfter) response.destroy()
  else if (stallAfter === undefined) response.end()
  else response.flushHeaders()
}

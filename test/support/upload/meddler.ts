/** A proxy of the kind that stands before servers: it knows nothing of 104, and does what a test says besides. */
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"

export interface Meddling {
  /** Answers in the server's stead, with this status and these fields, and passes nothing on. */
  readonly refuse?: (
    request: Http.IncomingMessage,
    count: number
  ) => { readonly status: number; readonly headers?: Http.OutgoingHttpHeaders } | undefined
  /** Changes the head of the server's answer. */
  readonly answer?: (request: Http.IncomingMessage, headers: Http.IncomingHttpHeaders) => void
  /** Breaks the line after so many bytes of this request's content, once. */
  readonly cutAfter?: { readonly method: string; readonly bytes: number }
}

export interface Meddler {
  readonly url: string
  /** What arrived here, passed on or not: `PATCH 1000`, with the announced length of the content. */
  readonly requests: ReadonlyArray<string>
}

/** Stands before `upstream` until the scope closes. */
export const meddler = (upstream: string, meddling: Meddling) =>
  Effect.gen(function* () {
    const requests: Array<string> = []
    let cuts = meddling.cutAfter === undefined ? 0 : 1

    const pass = (incoming: Http.IncomingMessage, outgoing: Http.ServerResponse) => {
      const { cutAfter } = meddling
      const cutsThis = cutAfter !== undefined && cuts > 0 && incoming.method === cutAfter.method
      if (cutsThis) cuts -= 1
      const { host: _, expect: __, ...headers } = incoming.headers
      const onward = Http.request(`${upstream}${incoming.url}`, {
        method: incoming.method ?? "",
        headers,
        agent: false
      })
      onward.on("response", (answer) => {
        meddling.answer?.(incoming, answer.headers)
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      })
      onward.on("error", () => outgoing.destroy())
      incoming.on("error", () => onward.destroy())
      let passed = 0
      incoming.on("data", (chunk: Buffer) => {
        const left = cutsThis ? Math.max(0, cutAfter.bytes - passed) : chunk.length
        passed += chunk.length
        if (left > 0) onward.write(chunk.subarray(0, left))
        // The server gets what was passed on before its connection ends.
        if (cutsThis && passed >= cutAfter.bytes) {
          incoming.pause()
          setTimeout(() => {
            onward.destroy()
            incoming.socket.resetAndDestroy()
          }, 100)
        }
      })
      incoming.on("end", () => onward.end())
    }

    const onRequest = (incoming: Http.IncomingMessage, outgoing: Http.ServerResponse) => {
      const { method = "", headers } = incoming
      requests.push(
        method === "PUT" || method === "PATCH" ? `${method} ${headers["content-length"]}` : method
      )
      const count = requests.filter((line) => line.startsWith(method)).length
      const refusal = meddling.refuse?.(incoming, count)
      if (refusal === undefined) return pass(incoming, outgoing)
      incoming.resume().on("end", () => outgoing.writeHead(refusal.status, refusal.headers).end("no"))
    }

    const server = Http.createServer(onRequest)
    server.on("checkContinue", (incoming, outgoing) => {
      outgoing.writeContinue()
      onRequest(incoming, outgoing)
    })
    server.on("clientError", (_, socket) => socket.destroy())
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
    const meddler: Meddler = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
    return meddler
  })

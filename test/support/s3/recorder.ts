/** A proxy in front of an object store that passes everything on as it is, and keeps what reached the store. */
import * as Http from "node:http"
import type * as Net from "node:net"
import { Effect, type Scope } from "effect"

/** What a request is for, by its method and query. */
export type Kind = "create" | "part" | "parts" | "complete" | "other"

/** One request, as far as it got. */
export interface Passed {
  readonly kind: Kind
  readonly method: string
  /** As it was asked for, with the query. */
  readonly target: string
  readonly uploadId: string | undefined
  /** 1 for the first. */
  readonly part: number | undefined
  /** Body bytes that reached the proxy. */
  received: number
  /** Of the store's answer, which the client may not have lived to see. */
  status: number | undefined
}

/** What happens at the proxy, as it happens. */
export type Moment =
  | { readonly _tag: "Arrived"; readonly request: Passed }
  | { readonly _tag: "Received"; readonly request: Passed; readonly bytes: number }
  /** The store has answered, and the client does not know it yet. */
  | { readonly _tag: "Answered"; readonly request: Passed }

export interface Recorder {
  readonly endpoint: string
  /** All requests so far in order of arrival. */
  readonly requests: ReadonlyArray<Passed>
  /** From now on told of every moment, in place of who was told before. */
  readonly watch: (onMoment: (moment: Moment) => void) => Effect.Effect<void>
  /** Ends every client's connection at once: what has not come yet is lost. */
  readonly cut: () => void
  /** Waits until no client is connected and the store has answered what reached it whole. */
  readonly settled: Effect.Effect<void>
}

const kindOf = (method: string, query: URLSearchParams): Kind => {
  if (method === "POST" && query.has("uploads")) return "create"
  if (method === "PUT" && query.has("partNumber")) return "part"
  if (method === "GET" && query.has("uploadId")) return "parts"
  if (method === "POST" && query.has("uploadId")) return "complete"
  return "other"
}

const passedOf = ({ method = "GET", url = "/" }: Http.IncomingMessage): Passed => {
  const query = new URL(url, "http://store").searchParams
  const part = query.get("partNumber")
  return {
    kind: kindOf(method, query),
    method,
    target: url,
    uploadId: query.get("uploadId") ?? undefined,
    part: part === null ? undefined : Number(part),
    received: 0,
    status: undefined
  }
}

export const recorder = (target: string): Effect.Effect<Recorder, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<Recorder & { readonly close: Effect.Effect<void> }>((resume) => {
      const { hostname, port } = new URL(target)
      const requests: Array<Passed> = []
      const sockets = new Set<Net.Socket>()
      const agent = new Http.Agent({ keepAlive: true })
      let onMoment: (moment: Moment) => void = () => {}
      let unanswered = 0
      let waiting: ReadonlyArray<() => void> = []
      const look = () => {
        if (sockets.size > 0 || unanswered > 0) return
        for (const wake of waiting) wake()
        waiting = []
      }

      const pass = (incoming: Http.IncomingMessage, outgoing: Http.ServerResponse) => {
        const request = passedOf(incoming)
        requests.push(request)
        unanswered += 1
        const { method, rawHeaders: headers, url: path } = incoming
        // The signature covers the host that the client has asked, so it is passed on like everything else.
        const onward = Http.request({ agent, hostname, port, method, path, headers })
        onward.on("response", (answer) => {
          request.status = answer.statusCode
          onMoment({ _tag: "Answered", request })
          outgoing.writeHead(answer.statusCode ?? 0, answer.rawHeaders)
          answer.pipe(outgoing)
          // The client may be gone, and the store shall not wait for it.
          outgoing.on("close", () => answer.resume())
        })
        onward.on("error", () => outgoing.destroy())
        onward.on("close", () => {
          unanswered -= 1
          look()
        })
        onward.on("continue", () => outgoing.writeContinue())
        onward.flushHeaders()
        incoming.on("data", (chunk: Buffer) => {
          request.received += chunk.length
          onMoment({ _tag: "Received", request, bytes: chunk.length })
        })
        incoming.on("close", () => {
          if (!incoming.complete) onward.destroy()
        })
        incoming.on("error", () => onward.destroy())
        incoming.pipe(onward)
        onMoment({ _tag: "Arrived", request })
      }

      const server = Http.createServer(pass)
      server.on("checkContinue", pass)
      server.on("connection", (socket) => {
        sockets.add(socket)
        socket.on("close", () => {
          sockets.delete(socket)
          look()
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(
          Effect.succeed({
            endpoint: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`,
            requests,
            watch: (listener) =>
              Effect.sync(() => {
                onMoment = listener
              }),
            cut: () => {
              for (const socket of sockets) socket.destroy()
            },
            settled: Effect.async<void>((done) => {
              waiting = [...waiting, () => done(Effect.void)]
              look()
            }),
            close: Effect.async<void>((done) => {
              agent.destroy()
              server.close(() => done(Effect.void))
              server.closeAllConnections()
            })
          })
        )
      })
    }),
    ({ close }) => close
  )

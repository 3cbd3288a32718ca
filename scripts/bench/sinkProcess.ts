/**
 * A server that discards what it receives and answers like the extensions API, so that whole uploads of the library
 * succeed. Plain `node:http`, the same for every contender.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { endWithParent, epochMillis, say } from "./message.ts"

const versions = new Map<string, number>()
let connectedAt: number | null = null

const answer = (id: string, response: ServerResponse): void => {
  const now = new Date().toISOString()
  const headers = {
    "content-type": "application/json",
    "x-cloud-resource-version": String(versions.get(id) ?? 0),
    "x-cloud-resource-created": now,
    "x-cloud-resource-last-modified": now
  }
  const extension = { id, name: "benchmark", url: `repo://${id}`, version: "*", extension_type: "bundle" }
  response.writeHead(200, headers).end(JSON.stringify(extension))
}

const takeUpload = (id: string, request: IncomingMessage, response: ServerResponse): void => {
  const length = request.headers["content-length"]
  let received = 0
  let firstByteAt: number | null = null
  const report = (): void => {
    say({
      _tag: "Received",
      announced: length === undefined ? null : Number(length),
      received,
      connectedAt,
      firstByteAt
    })
    connectedAt = null
  }
  request.on("data", (chunk: Buffer) => {
    firstByteAt ??= epochMillis()
    received += chunk.length
  })
  request.on("end", () => {
    versions.set(id, (versions.get(id) ?? 0) + 1)
    report()
    answer(id, response)
  })
  request.on("close", () => {
    if (!request.complete) report()
  })
}

const server = createServer((request, response) => {
  const id = request.url?.split("?")[0]?.split("/").at(-1) ?? ""
  return request.method === "PUT" ? takeUpload(id, request, response) : answer(id, response)
})

server.on("connection", () => {
  connectedAt ??= epochMillis()
})
server.listen({ host: "127.0.0.1", port: 0, backlog: 1024 }, () => {
  const { port } = server.address() as AddressInfo
  say({ _tag: "Listening", url: `http://127.0.0.1:${port}` })
})
endWithParent()

/**
 * A server that discards what it receives and answers like the extensions API, so that whole uploads of the library
 * succeed. It runs on Deno, which reads a mebibyte at a time: a server that reads less is what is measured then, and hides
 * the differences between clients. With `--key` and `--cert`, two files, it speaks TLS; with `--holding`, each extension says
 * that it holds an archive of so many bytes.
 */
import { readFileSync } from "node:fs"
import process from "node:process"
import { parseArgs } from "node:util"
import { endWithParent, epochMillis, say } from "./message.ts"

interface Connection {
  readonly read: (buffer: Uint8Array) => Promise<number | null>
  readonly write: (bytes: Uint8Array) => Promise<number>
  readonly close: () => void
}

interface Listener extends AsyncIterable<Connection> {
  readonly addr: { readonly port: number }
}

/** What this program uses of its runtime. */
declare const Deno: {
  readonly listen: (options: { readonly hostname: string; readonly port: number }) => Listener
  readonly listenTls: (options: {
    readonly hostname: string
    readonly port: number
    readonly key: string
    readonly cert: string
  }) => Listener
}

const { cert, holding, key } = parseArgs({
  args: process.argv.slice(2),
  options: { key: { type: "string" }, cert: { type: "string" }, holding: { type: "string" } }
}).values

const mebibyte = 1024 * 1024
const versions = new Map<string, number>()
let connectedAt: number | null = null
let connections = 0

const answer = (id: string): string => {
  const now = new Date().toISOString()
  const body = JSON.stringify({
    id,
    name: "benchmark",
    url: `repo://${id}`,
    version: "*",
    extension_type: "bundle",
    ...(holding === undefined ? {} : { file_metadata: { size: Number(holding), last_modified_date: now } })
  })
  return [
    "HTTP/1.1 200 OK",
    "content-type: application/json",
    `content-length: ${body.length}`,
    `x-cloud-resource-version: ${versions.get(id) ?? 0}`,
    `x-cloud-resource-created: ${now}`,
    `x-cloud-resource-last-modified: ${now}`,
    "",
    body
  ].join("\r\n")
}

/** Reads one connection from request to request. */
class Reader {
  readonly #connection: Connection
  readonly #buffer = new Uint8Array(mebibyte)
  #pending = new Uint8Array(0)

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** The next bytes, as many as there are; none at the end. They are good until the next call. */
  async next(): Promise<Uint8Array> {
    const pending = this.#pending
    if (pending.length > 0) {
      this.#pending = new Uint8Array(0)
      return pending
    }
    const count = await this.#connection.read(this.#buffer)
    return this.#buffer.subarray(0, count ?? 0)
  }

  putBack(bytes: Uint8Array): void {
    this.#pending = bytes.slice()
  }

  /** Everything up to an end mark, and that too. */
  async until(mark: string): Promise<string | undefined> {
    let text = ""
    for (;;) {
      const bytes = await this.next()
      if (bytes.length === 0) return undefined
      const before = text.length
      text += Buffer.from(bytes).toString("latin1")
      const end = text.indexOf(mark)
      if (end === -1) continue
      this.putBack(bytes.subarray(end + mark.length - before))
      return text.slice(0, end + mark.length)
    }
  }

  /** Discards so many bytes; returns how many there were. */
  async discard(length: number, arrived: () => void): Promise<number> {
    let received = 0
    while (received < length) {
      const bytes = await this.next()
      if (bytes.length === 0) return received
      arrived()
      const taken = Math.min(bytes.length, length - received)
      received += taken
      if (taken < bytes.length) this.putBack(bytes.subarray(taken))
    }
    return received
  }

  async discardChunks(arrived: () => void): Promise<number> {
    let received = 0
    for (;;) {
      const line = await this.until("\r\n")
      const length = Number.parseInt(line ?? "", 16)
      if (Number.isNaN(length)) return received
      received += await this.discard(length, arrived)
      await this.until("\r\n")
      if (length === 0) return received
    }
  }
}

const field = (head: string, name: string): string | undefined =>
  new RegExp(`^${name}: *(.*)$`, "im").exec(head)?.[1]

const write = async (connection: Connection, text: string): Promise<void> => {
  await connection.write(Buffer.from(text))
}

const takeUpload = async (reader: Reader, id: string, head: string): Promise<boolean> => {
  const length = field(head, "content-length")
  let firstByteAt: number | null = null
  const arrived = () => {
    firstByteAt ??= epochMillis()
  }
  const received = await (length === undefined
    ? reader.discardChunks(arrived)
    : reader.discard(Number(length), arrived))
  versions.set(id, (versions.get(id) ?? 0) + 1)
  const announced = length === undefined ? null : Number(length)
  say({ _tag: "Received", announced, received, connectedAt, firstByteAt, connections })
  connectedAt = null
  connections = 0
  return announced === null || announced === received
}

const serve = async (connection: Connection): Promise<void> => {
  const reader = new Reader(connection)
  for (;;) {
    const head = await reader.until("\r\n\r\n")
    if (head === undefined) return
    const [method = "", target = ""] = head.split(" ")
    const id = target.split("?")[0]?.split("/").at(-1) ?? ""
    if (field(head, "expect") !== undefined) await write(connection, "HTTP/1.1 100 Continue\r\n\r\n")
    if (method === "PUT" && !(await takeUpload(reader, id, head))) return
    await write(connection, answer(id))
    if (field(head, "connection")?.toLowerCase() === "close") return
  }
}

const place = { hostname: "127.0.0.1", port: 0 }
const listener =
  key === undefined || cert === undefined
    ? Deno.listen(place)
    : Deno.listenTls({ ...place, key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") })
const scheme = key === undefined ? "http" : "https"
say({ _tag: "Listening", url: `${scheme}://127.0.0.1:${listener.addr.port}` })
endWithParent()
for await (const connection of listener) {
  connectedAt ??= epochMillis()
  connections += 1
  // A client that breaks off is not the server's failure.
  serve(connection)
    .catch(() => {})
    .finally(() => connection.close())
}

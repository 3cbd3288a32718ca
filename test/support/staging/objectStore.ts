/**
 * A small, strict object store for tests, written from the S3 API's description (2006-03-01) and from what MinIO and Ceph do
 * otherwise. It checks signatures, payload hashes and part sizes, and fails on demand.
 */
import { createHash } from "node:crypto"
import * as Http from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { Effect, type Scope } from "effect"
import { check, type KnownKey, type Refusal, splitTarget } from "./signature.ts"

/** The operations of the API, by its own names. */
export type Action =
  | "ListMultipartUploads"
  | "CreateMultipartUpload"
  | "UploadPart"
  | "ListParts"
  | "CompleteMultipartUpload"
  | "AbortMultipartUpload"
  | "GetObject"
  | "DeleteObject"
  | "Unknown"

const permissions: Record<Action, string> = {
  ListMultipartUploads: "s3:ListBucketMultipartUploads",
  CreateMultipartUpload: "s3:PutObject",
  UploadPart: "s3:PutObject",
  ListParts: "s3:ListMultipartUploadParts",
  CompleteMultipartUpload: "s3:PutObject",
  AbortMultipartUpload: "s3:AbortMultipartUpload",
  GetObject: "s3:GetObject",
  DeleteObject: "s3:DeleteObject",
  Unknown: "s3:Unknown"
}

/** What the store received, and answered. */
export interface Received {
  readonly action: Action
  readonly method: string
  /** As it came: the path and query of the request line. */
  readonly target: string
  readonly headers: Http.IncomingHttpHeaders
  readonly bucket: string
  /** Decoded. */
  readonly key: string
  /** Of an `UploadPart`. */
  readonly part?: number
  /** Bytes of the body that arrived. */
  bodyBytes: number
  /** Zero where the connection was cut instead. */
  status: number
  code?: string
}

/** What happens to one request instead of, or beside, what should. */
export type Fault =
  /** Closes the connection when so many bytes of the body have arrived. */
  | { readonly _tag: "Cut"; readonly afterBytes: number }
  /** Reads no more than about so many bytes of the body, and waits until the client is gone. */
  | { readonly _tag: "Hold"; readonly afterBytes: number }
  /** Does what was asked, and closes the connection instead of answering. */
  | { readonly _tag: "LoseAnswer" }
  /** Answers with an error, and does nothing. */
  | {
      readonly _tag: "Fail"
      readonly status: number
      readonly code: string
      readonly headers?: Record<string, string>
    }
  /** Answers with this body, and does nothing. */
  | { readonly _tag: "Answer"; readonly status: number; readonly contentType: string; readonly body: string }
  /** Does what was asked and answers with this body. */
  | { readonly _tag: "GarbleAnswer"; readonly body: string }
  /** Does what was asked, and answers with spaces until the client has enough. */
  | { readonly _tag: "Drip" }
  /** Changes a byte of the body, as a faulty line does. */
  | { readonly _tag: "Corrupt" }
  /** Runs before the request is looked at, and lets it pass when it is done. */
  | { readonly _tag: "Run"; readonly effect: () => void | Promise<void> }

interface Planned {
  readonly action: Action
  readonly part?: number | undefined
  readonly fault: Fault
  times: number
}

interface Part {
  readonly bytes: Buffer
  readonly etag: string
}

interface Upload {
  readonly id: string
  readonly key: string
  readonly initiated: Date
  readonly contentType: string
  readonly parts: Map<number, Part>
}

interface StoredObject {
  readonly bytes: Buffer
  readonly contentType: string
  readonly etag: string
}

export interface Settings {
  readonly bucket: string
  readonly region: string
  readonly keys: ReadonlyArray<KnownKey>
  /** Smallest size of a part that is not the last. */
  readonly minPartBytes: number
  /** Entries of a list's page at most. */
  readonly maxPage: number
  /** MinIO lists the uploads of a key, and of nothing but a key. */
  readonly exactKeysOnly: boolean
  /** Whether entity tags are MD5s; they are not where a key of a customer's encrypts. */
  readonly md5Etags: boolean
  /** What a store in another region answers: an error that names the region, or a redirect. */
  readonly wrongRegion: "error" | "redirect"
  /** Added to this machine's clock. */
  readonly clockOffsetMillis: number
  /** Whether a key that is not there is told as "not allowed", as S3 does to those who may not list. */
  readonly hidesAbsence: boolean
}

export const rootKey: KnownKey = {
  accessKeyId: "AKIDLOCALTESTSTORE01",
  secret: "local/secret+key=for~tests/0123456789abcd"
}

const defaults: Settings = {
  bucket: "builds",
  region: "eu-test-1",
  keys: [rootKey],
  minPartBytes: 64 * 1024,
  maxPage: 1000,
  exactKeysOnly: false,
  md5Etags: true,
  wrongRegion: "error",
  clockOffsetMillis: 0,
  hidesAbsence: false
}

/** An answer that is an error: thrown from wherever it is found out. */
class Failure {
  readonly refusal: Refusal
  constructor(status: number, code: string, message: string = code, extra?: Refusal["extra"]) {
    this.refusal = { status, code, message, ...(extra === undefined ? {} : { extra }) }
  }
}

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)

const unescaped = (text: string): string =>
  text.replace(/&(quot|amp|lt|gt|#(\d+));/g, (_, name: string, digits: string) =>
    digits === undefined
      ? ({ quot: '"', amp: "&", lt: "<", gt: ">" }[name] ?? "")
      : String.fromCharCode(Number(digits))
  )

const element = (name: string, content: string): string => `<${name}>${content}</${name}>`
const leaf = (name: string, text: string | number | boolean): string => element(name, escaped(String(text)))
const document = (name: string, ...content: ReadonlyArray<string>): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<${name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content.join("")}</${name}>`

const md5 = (bytes: Buffer): string => createHash("md5").update(bytes).digest("hex")

export class ObjectStoreServer {
  readonly settings: Settings
  /** In the order in which they came. */
  readonly received: Array<Received> = []
  readonly objects = new Map<string, StoredObject>()
  readonly uploads = new Map<string, Upload>()
  private readonly plans: Array<Planned> = []
  private readonly sockets = new Set<Socket>()
  private readonly server: Http.Server
  private count = 0

  constructor(settings: Partial<Settings>) {
    this.settings = { ...defaults, ...settings }
    const answer = (request: Http.IncomingMessage, response: Http.ServerResponse) => {
      void this.handle(request, response)
    }
    this.server = Http.createServer(answer)
    // A store looks at who asks before it asks for the body.
    this.server.on("checkContinue", answer)
    this.server.on("connection", (socket) => {
      this.sockets.add(socket)
      socket.once("close", () => this.sockets.delete(socket))
    })
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve))
  }

  close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    return new Promise((resolve) => this.server.close(() => resolve()))
  }

  /** The next requests of this kind meet this fault. */
  plan(
    action: Action,
    fault: Fault,
    options: { readonly part?: number; readonly times?: number } = {}
  ): void {
    this.plans.push({ action, fault, part: options.part, times: options.times ?? 1 })
  }

  /** What was received of one kind. */
  of(action: Action): ReadonlyArray<Received> {
    return this.received.filter((request) => request.action === action)
  }

  /** Numbers of the parts that were taken, in the order in which they came. */
  get takenParts(): ReadonlyArray<number> {
    return this.of("UploadPart").flatMap(({ part, status }) =>
      status === 200 && part !== undefined ? [part] : []
    )
  }

  /** Bytes of parts that arrived, those of failed requests included. */
  get partBytes(): number {
    return this.of("UploadPart").reduce((sum, { bodyBytes }) => sum + bodyBytes, 0)
  }

  begin(key: string, contentType = "application/zip"): Upload {
    this.count += 1
    // Identifiers are opaque, and some stores make them of characters that have to be escaped.
    const upload: Upload = {
      id: `up+load/${this.count}=~&${this.count}`,
      key,
      initiated: new Date(this.now),
      contentType,
      parts: new Map()
    }
    this.uploads.set(upload.id, upload)
    return upload
  }

  put(upload: Upload, number: number, bytes: Buffer): Part {
    const etag = this.settings.md5Etags ? md5(bytes) : md5(Buffer.concat([bytes, Buffer.from("kms")]))
    const part = { bytes, etag }
    upload.parts.set(number, part)
    return part
  }

  private get now(): number {
    return Date.now() + this.settings.clockOffsetMillis
  }

  private faultFor(action: Action, part: number | undefined): Fault | undefined {
    const planned = this.plans.find(
      (plan) => plan.action === action && plan.times > 0 && (plan.part === undefined || plan.part === part)
    )
    if (planned === undefined) return undefined
    planned.times -= 1
    return planned.fault
  }

  private async handle(request: Http.IncomingMessage, response: Http.ServerResponse): Promise<void> {
    const { path, query } = splitTarget(request.url ?? "/")
    const [, bucket = "", key = ""] = /^\/([^/]*)\/?(.*)$/s.exec(path) ?? []
    const asked = new Map(query)
    const action = actionOf(request.method ?? "", key, asked)
    const part = asked.has("partNumber") ? Number(asked.get("partNumber")) : undefined
    const received: Received = {
      action,
      method: request.method ?? "",
      target: request.url ?? "",
      headers: request.headers,
      bucket,
      key,
      ...(part === undefined ? {} : { part }),
      bodyBytes: 0,
      status: 0
    }
    this.received.push(received)
    const fault = this.faultFor(action, part)
    if (fault?._tag === "Run") await fault.effect()

    const answer = (status: number, body: string | Buffer, headers: Record<string, string> = {}) => {
      received.status = status
      response.writeHead(status, { "x-amz-request-id": `REQ${this.received.length}`, ...headers })
      response.end(request.method === "HEAD" ? undefined : body)
    }
    const fail = ({ code, extra = {}, message, status }: Refusal, headers: Record<string, string> = {}) => {
      received.code = code
      const more = Object.entries(extra).map(([name, text]) => leaf(name, text))
      answer(
        status,
        `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${leaf("Code", code)}${leaf("Message", message)}${more.join("")}</Error>`,
        { "content-type": "application/xml", connection: "close", ...headers }
      )
    }

    try {
      const isLink = this.authorise(request, action, key, bucket)
      if (fault?._tag === "Fail") throw new Failure(fault.status, fault.code)
      if (fault?._tag === "Answer") {
        answer(fault.status, fault.body, { "content-type": fault.contentType, connection: "close" })
        return
      }
      if (request.headers.expect !== undefined) response.writeContinue()
      const body = await readBody(request, received, fault)
      if (body === undefined) return
      if (!isLink) checkPayload(request, fault?._tag === "Corrupt" ? corrupted(body) : body)
      const done = this.perform(action, key, asked, request.headers, body)
      if (fault?._tag === "LoseAnswer") {
        request.socket.destroy()
        return
      }
      if (fault?._tag === "Drip") {
        received.status = 200
        response.writeHead(200, { "content-type": "application/xml" })
        const drip = setInterval(() => response.write(" "), 10)
        response.once("close", () => clearInterval(drip))
        return
      }
      if (fault?._tag === "GarbleAnswer") answer(200, fault.body, { "content-type": "application/xml" })
      else answer(done.status, done.body ?? "", done.headers)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      const headers: Record<string, string> = fault?._tag === "Fail" ? { ...fault.headers } : {}
      if (error.refusal.status === 301) headers["x-amz-bucket-region"] = this.settings.region
      fail(error.refusal, headers)
    }
  }

  /** Whether it came by a link. */
  private authorise(request: Http.IncomingMessage, action: Action, key: string, bucket: string): boolean {
    const { hidesAbsence, keys, region, wrongRegion } = this.settings
    const checked = check(request, { keys, region, now: this.now })
    if (checked._tag === "Refused") {
      const { code, extra, message, status } = checked.refusal
      if (code === "AuthorizationHeaderMalformed" && wrongRegion === "redirect") {
        throw new Failure(
          301,
          "PermanentRedirect",
          "The bucket must be addressed using the specified endpoint.",
          {
            Bucket: bucket
          }
        )
      }
      throw new Failure(status, code, message, extra)
    }
    const permission = permissions[action]
    if (checked.key.denied?.has(permission)) {
      throw new Failure(
        403,
        "AccessDenied",
        action === "UploadPart"
          ? `User: arn:aws:iam::1:user/ci is not authorized to perform: ${permission} on resource`
          : "Access Denied"
      )
    }
    if (bucket !== this.settings.bucket)
      throw new Failure(404, "NoSuchBucket", "The specified bucket does not exist")
    if (hidesAbsence && action === "GetObject" && !this.objects.has(key)) {
      throw new Failure(403, "AccessDenied", "Access Denied")
    }
    return checked.isLink
  }

  private perform(
    action: Action,
    key: string,
    asked: ReadonlyMap<string, string>,
    headers: Http.IncomingHttpHeaders,
    body: Buffer
  ): { readonly status: number; readonly body?: string | Buffer; readonly headers?: Record<string, string> } {
    const xml = { "content-type": "application/xml" }
    const uploadOf = (): Upload => {
      const upload = this.uploads.get(asked.get("uploadId") ?? "")
      if (upload === undefined || upload.key !== key) {
        throw new Failure(404, "NoSuchUpload", "The specified multipart upload does not exist.")
      }
      return upload
    }
    switch (action) {
      case "CreateMultipartUpload": {
        const { id } = this.begin(key, headers["content-type"])
        return {
          status: 200,
          headers: xml,
          body: document(
            "InitiateMultipartUploadResult",
            leaf("Bucket", this.settings.bucket),
            leaf("Key", key),
            leaf("UploadId", id)
          )
        }
      }
      case "UploadPart": {
        const number = Number(asked.get("partNumber"))
        if (!(number >= 1 && number <= 10_000)) throw new Failure(400, "InvalidArgument")
        const { etag } = this.put(uploadOf(), number, body)
        return { status: 200, headers: { etag: `"${etag}"` } }
      }
      case "ListParts": {
        const upload = uploadOf()
        const after = Number(asked.get("part-number-marker") ?? "0")
        const limit = Math.min(Number(asked.get("max-parts") ?? "1000"), this.settings.maxPage)
        const numbers = [...upload.parts.keys()].filter((number) => number > after).sort((a, b) => a - b)
        const page = numbers.slice(0, limit)
        return {
          status: 200,
          headers: xml,
          body: document(
            "ListPartsResult",
            leaf("Key", key),
            leaf("UploadId", upload.id),
            leaf("IsTruncated", numbers.length > limit),
            leaf("NextPartNumberMarker", page.at(-1) ?? 0),
            ...page.map((number) => {
              const part = upload.parts.get(number)
              return element(
                "Part",
                leaf("PartNumber", number) +
                  leaf("ETag", `"${part?.etag}"`) +
                  leaf("Size", part?.bytes.length ?? 0)
              )
            })
          )
        }
      }
      case "ListMultipartUploads": {
        const prefix = asked.get("prefix") ?? ""
        const isWanted = (upload: Upload) =>
          this.settings.exactKeysOnly ? upload.key === prefix : upload.key.startsWith(prefix)
        const sorted = [...this.uploads.values()]
          .filter(isWanted)
          .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.id < b.id ? -1 : 1))
        const [keyMarker, idMarker] = [asked.get("key-marker"), asked.get("upload-id-marker") ?? ""]
        const rest =
          keyMarker === undefined
            ? sorted
            : sorted.filter(
                (upload) => upload.key > keyMarker || (upload.key === keyMarker && upload.id > idMarker)
              )
        const limit = Math.min(Number(asked.get("max-uploads") ?? "1000"), this.settings.maxPage)
        const page = rest.slice(0, limit)
        return {
          status: 200,
          headers: xml,
          body: document(
            "ListMultipartUploadsResult",
            leaf("Bucket", this.settings.bucket),
            leaf("IsTruncated", rest.length > limit),
            leaf("NextKeyMarker", page.at(-1)?.key ?? ""),
            leaf("NextUploadIdMarker", page.at(-1)?.id ?? ""),
            ...page.map((upload) =>
              element(
                "Upload",
                leaf("Key", upload.key) +
                  leaf("UploadId", upload.id) +
                  leaf("Initiated", upload.initiated.toISOString())
              )
            )
          )
        }
      }
      case "CompleteMultipartUpload": {
        const upload = uploadOf()
        this.objects.set(key, this.putTogether(upload, body.toString("utf8")))
        this.uploads.delete(upload.id)
        const etag = this.objects.get(key)?.etag ?? ""
        return {
          status: 200,
          headers: xml,
          body: document("CompleteMultipartUploadResult", leaf("Key", key), leaf("ETag", `"${etag}"`))
        }
      }
      case "AbortMultipartUpload":
        this.uploads.delete(uploadOf().id)
        return { status: 204 }
      case "DeleteObject":
        this.objects.delete(key)
        return { status: 204 }
      case "GetObject": {
        const object = this.objects.get(key)
        if (object === undefined) throw new Failure(404, "NoSuchKey", "The specified key does not exist.")
        const { bytes, contentType, etag } = object
        const shared = { "content-type": contentType, etag: `"${etag}"`, "accept-ranges": "bytes" }
        const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "") ?? []
        if (from === undefined) {
          return { status: 200, body: bytes, headers: { ...shared, "content-length": String(bytes.length) } }
        }
        const first = Number(from)
        if (first >= bytes.length) throw new Failure(416, "InvalidRange")
        const last = to === "" || to === undefined ? bytes.length - 1 : Math.min(Number(to), bytes.length - 1)
        return {
          status: 206,
          body: bytes.subarray(first, last + 1),
          headers: { ...shared, "content-range": `bytes ${first}-${last}/${bytes.length}` }
        }
      }
      case "Unknown":
        throw new Failure(405, "MethodNotAllowed")
    }
  }

  private putTogether(upload: Upload, xml: string): StoredObject {
    const listed = [
      ...xml.matchAll(/<Part><PartNumber>(\d+)<\/PartNumber><ETag>([^<]*)<\/ETag><\/Part>/g)
    ].map(([, number, etag = ""]) => ({ number: Number(number), etag: unescaped(etag).replaceAll('"', "") }))
    if (!xml.startsWith("<CompleteMultipartUpload") || listed.length === 0)
      throw new Failure(400, "MalformedXML")
    const parts = listed.map(({ etag, number }, index) => {
      if (index > 0 && number <= (listed[index - 1]?.number ?? 0)) throw new Failure(400, "InvalidPartOrder")
      const part = upload.parts.get(number)
      if (part === undefined || part.etag !== etag) {
        throw new Failure(400, "InvalidPart", "One or more of the specified parts could not be found.")
      }
      if (index < listed.length - 1 && part.bytes.length < this.settings.minPartBytes) {
        throw new Failure(
          400,
          "EntityTooSmall",
          "Your proposed upload is smaller than the minimum allowed size"
        )
      }
      return part
    })
    const etag = `${md5(Buffer.concat(parts.map((part) => Buffer.from(part.etag, "hex"))))}-${parts.length}`
    return { bytes: Buffer.concat(parts.map(({ bytes }) => bytes)), contentType: upload.contentType, etag }
  }
}

const actionOf = (method: string, key: string, asked: ReadonlyMap<string, string>): Action => {
  const hasUploads = asked.has("uploads")
  const hasId = asked.has("uploadId")
  if (key === "") return method === "GET" && hasUploads ? "ListMultipartUploads" : "Unknown"
  switch (method) {
    case "POST":
      return hasUploads ? "CreateMultipartUpload" : hasId ? "CompleteMultipartUpload" : "Unknown"
    case "PUT":
      return hasId && asked.has("partNumber") ? "UploadPart" : "Unknown"
    case "GET":
    case "HEAD":
      return hasId ? "ListParts" : "GetObject"
    case "DELETE":
      return hasId ? "AbortMultipartUpload" : "DeleteObject"
    default:
      return "Unknown"
  }
}

/** The body, or nothing where the connection was lost on the way. */
const readBody = (
  request: Http.IncomingMessage,
  received: Received,
  fault: Fault | undefined
): Promise<Buffer | undefined> =>
  new Promise((resolve) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => {
      received.bodyBytes += chunk.length
      chunks.push(chunk)
      if (fault?._tag === "Cut" && received.bodyBytes >= fault.afterBytes) request.socket.destroy()
      if (fault?._tag === "Hold" && received.bodyBytes >= fault.afterBytes) request.pause()
    })
    request.on("end", () => {
      const isCut = fault?._tag === "Cut"
      if (isCut) request.socket.destroy()
      resolve(isCut ? undefined : Buffer.concat(chunks))
    })
    request.on("error", () => resolve(undefined))
    request.on("close", () => resolve(undefined))
  })

const corrupted = (body: Buffer): Buffer => {
  const copy = Buffer.from(body)
  copy[0] = (copy[0] ?? 0) ^ 1
  return copy
}

const checkPayload = (request: Http.IncomingMessage, body: Buffer): void => {
  const { headers, method } = request
  if ((method === "PUT" || method === "POST") && headers["content-length"] === undefined) {
    throw new Failure(411, "MissingContentLength")
  }
  const claimed = String(headers["x-amz-content-sha256"] ?? "")
  if (!/^[0-9a-f]{64}$/.test(claimed)) throw new Failure(400, "InvalidRequest", "The payload is not signed")
  if (createHash("sha256").update(body).digest("hex") !== claimed) {
    throw new Failure(
      400,
      "XAmzContentSHA256Mismatch",
      "The provided 'x-amz-content-sha256' header does not match"
    )
  }
}

/** A store that listens on loopback, until the scope ends. */
export const objectStore = (
  settings: Partial<Settings> = {}
): Effect.Effect<ObjectStoreServer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const server = new ObjectStoreServer(settings)
      await server.listen()
      return server
    }),
    (server) => Effect.promise(() => server.close())
  )

/** Plain HTTP for the tests of the stand-in: nothing of the client under `src/` takes part. */
import * as Crypto from "node:crypto"
import * as Http from "node:http"
import * as Net from "node:net"
import { finished } from "node:stream/promises"
import { Data, Effect } from "effect"
import * as Yazl from "yazl"
import * as LocalElasticCloud from "../../../src/testing/LocalElasticCloud.ts"

export const KEY = "local-key"
export const EXTENSIONS = "/api/v1/deployments/extensions"
export const pathOf = (id: string) => `${EXTENSIONS}/${id}`

export const withCloud = (options?: LocalElasticCloud.LocalElasticCloudOptions) =>
  Effect.provide(LocalElasticCloud.layer(options))

export const sha256 = (bytes: Uint8Array): string => Crypto.createHash("sha256").update(bytes).digest("hex")

export const zip = (
  files: Readonly<Record<string, string | Buffer>>,
  { zip64 = false, ...options }: Parameters<Yazl.ZipFile["addBuffer"]>[2] & { readonly zip64?: boolean } = {}
) =>
  Effect.suspend(() => {
    const archive = new Yazl.ZipFile()
    for (const [name, content] of Object.entries(files))
      archive.addBuffer(Buffer.from(content), name, options)
    archive.end({ forceZip64Format: zip64, comment: "" })
    return Effect.promise(async () => {
      const chunks: Array<Buffer> = []
      archive.outputStream.on("data", (chunk: Buffer) => chunks.push(chunk))
      await finished(archive.outputStream)
      return Buffer.concat(chunks)
    })
  })

/** A ZIP of about `bytes` bytes that does not compress. */
export const bigZip = (bytes: number) =>
  zip({ "dictionaries/big.dic": Crypto.randomBytes(bytes) }, { compress: false })

export const multipart = (
  boundary: string,
  file: Buffer,
  { field = "file", filename = "b.zip", contentType = "application/zip" } = {}
): Buffer =>
  Buffer.concat([
    Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="${field}"; filename="${filename}"\r\n` +
        `Content-Type: ${contentType}\r\n\r\n`
    ),
    file,
    Buffer.from(`\r\n--${boundary}--\r\n`)
  ])

export class RequestFailed extends Data.TaggedError("RequestFailed")<{
  readonly code: string | undefined
  readonly received: string
}> {}

export interface Answer {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  readonly text: string
  readonly json: () => unknown
  readonly interim: ReadonlyArray<number>
  /** The same with their fields. */
  readonly information: ReadonlyArray<Http.InformationEvent>
}

export interface Ask {
  readonly method?: string | undefined
  readonly path: string
  readonly key?: string | undefined
  readonly headers?: Http.OutgoingHttpHeaders | undefined
  readonly body?: Uint8Array | string | undefined
  /** Sends `Expect: 100-continue` and the body only after `100`. */
  readonly expect?: boolean | undefined
  readonly agent?: Http.Agent | undefined
  /** Without it, the framing is chunked. */
  readonly length?: "exact" | "chunked" | undefined
}

const headersOf = ({
  body,
  expect,
  headers,
  key = KEY,
  length = "exact"
}: Ask): Http.OutgoingHttpHeaders => ({
  ...(key === "" ? {} : { authorization: `ApiKey ${key}` }),
  ...(body === undefined
    ? {}
    : length === "chunked"
      ? { "transfer-encoding": "chunked" }
      : { "content-length": Buffer.byteLength(body) }),
  ...(expect === true ? { expect: "100-continue" } : {}),
  ...headers
})

/** One request over a connection of its own (unless an agent is given). */
export const ask = (
  options: Ask
): Effect.Effect<Answer, RequestFailed, LocalElasticCloud.LocalElasticCloud> =>
  Effect.flatMap(LocalElasticCloud.LocalElasticCloud, (cloud) => askAt(cloud.url, options))

export const askAt = (url: string, options: Ask): Effect.Effect<Answer, RequestFailed> =>
  Effect.async((resume) => {
    const information: Array<Http.InformationEvent> = []
    let received = ""
    const fail = (cause: NodeJS.ErrnoException) =>
      resume(Effect.fail(new RequestFailed({ code: cause.code, received })))
    const { hostname, port } = new URL(url)
    const request = Http.request({
      hostname,
      port,
      method: options.method ?? "GET",
      path: options.path,
      headers: headersOf(options),
      agent: options.agent ?? new Http.Agent({ keepAlive: false })
    })
    request.on("information", (event) => information.push(event))
    request.on("continue", () => request.end(options.body))
    request.on("error", fail)
    request.on("response", (response) => {
      response.setEncoding("utf8")
      response.on("data", (text: string) => {
        received += text
      })
      response.on("error", fail)
      response.on("end", () => {
        resume(
          Effect.succeed({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: received,
            json: (): unknown => JSON.parse(received),
            interim: information.map(({ statusCode }) => statusCode),
            information
          })
        )
      })
    })
    if (options.expect !== true) request.end(options.body)
    return Effect.sync(() => {
      request.destroy()
    })
  })

/** An upload of a raw body. */
export const put = (id: string, body: Uint8Array | string, options: Partial<Ask> = {}) =>
  ask({
    method: "PUT",
    path: pathOf(id),
    body,
    ...options,
    headers: { "content-type": "application/zip", ...options.headers }
  })

export const putMultipart = (id: string, body: Uint8Array, boundary: string, options: Partial<Ask> = {}) =>
  put(id, body, {
    ...options,
    headers: { "content-type": `multipart/form-data; boundary=${boundary}`, ...options.headers }
  })

export const post = (path: string, body: unknown, options: Partial<Ask> = {}) =>
  ask({
    method: "POST",
    path,
    body: JSON.stringify(body),
    ...options,
    headers: { "content-type": "application/json", ...options.headers }
  })

/** The codes of an error reply; fails the test when body and header disagree. */
export const codes = (answer: Answer): ReadonlyArray<string> => {
  const body = answer.json() as { readonly errors: ReadonlyArray<{ readonly code: string }> }
  const inBody = body.errors.map(({ code }) => code)
  if (answer.headers["x-cloud-error-codes"] !== [...new Set(inBody)].join(","))
    throw new Error("header and body disagree")
  return inBody
}

export interface RawConnection {
  readonly write: (bytes: Uint8Array | string) => Effect.Effect<void>
  /** Sends a FIN. */
  readonly end: Effect.Effect<void>
  readonly destroy: Effect.Effect<void>
  /** Everything the server sent so far, as soon as it looks like this. */
  readonly received: (pattern: RegExp) => Effect.Effect<string>
  /** Everything the server sent until it ended or dropped the connection. */
  readonly untilClosed: Effect.Effect<string>
}

/** A bare TCP connection, for what no HTTP client would send. */
export const rawConnection = Effect.gen(function* () {
  const cloud = yield* LocalElasticCloud.LocalElasticCloud
  const { hostname, port } = new URL(cloud.url)
  const socket = yield* Effect.acquireRelease(
    Effect.async<Net.Socket>((resume) => {
      const connecting = Net.connect({ host: hostname, port: Number(port), allowHalfOpen: true }, () =>
        resume(Effect.succeed(connecting))
      )
    }),
    (connected) => Effect.sync(() => connected.destroy())
  )
  let received = ""
  const closed = new Promise<string>((resolve) => {
    socket.on("data", (bytes) => {
      received += bytes.toString("latin1")
    })
    socket.on("end", () => resolve(received))
    socket.on("close", () => resolve(received))
    socket.on("error", () => undefined)
  })
  const connection: RawConnection = {
    write: (bytes) => Effect.async((resume) => void socket.write(bytes, () => resume(Effect.void))),
    end: Effect.sync(() => void socket.end()),
    destroy: Effect.sync(() => void socket.destroy()),
    received: (pattern) =>
      Effect.sync(() => received).pipe(
        Effect.delay("5 millis"),
        Effect.repeat({ until: (text) => text.search(pattern) >= 0 })
      ),
    untilClosed: Effect.promise(() => closed)
  }
  return connection
})

export const rawPutHead = (id: string, headers: Readonly<Record<string, string | number>>): string =>
  [
    `PUT ${pathOf(id)} HTTP/1.1`,
    "Host: localhost",
    `Authorization: ApiKey ${KEY}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    "",
    ""
  ].join("\r\n")

export const seedBundle = Effect.flatMap(LocalElasticCloud.LocalElasticCloud, (cloud) =>
  cloud.seed({ name: "dictionary", extension_type: "bundle", version: "*" })
)

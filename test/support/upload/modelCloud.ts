/**
 * A service of a few lines whose every move can be chosen: it may apply an upload, lose it, answer wrongly, or apply it
 * later. It stands where the transport stands, so everything above is the real client.
 */
import { createHash } from "node:crypto"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { Effect, Fiber, Layer, Option, Redacted, Stream, TestClock } from "effect"
import type * as Archive from "../../../src/archive/Archive.ts"
import * as ElasticCloudConfig from "../../../src/cloud/ElasticCloudConfig.ts"
import * as ExtensionsClient from "../../../src/cloud/ExtensionsClient.ts"

export const extensionId = "882519870"

const origin = "https://api.elastic-cloud.test"
const files = "https://files.elastic-cloud.test/archive.zip"

/** What the service does about a PUT. */
export type Put =
  /** Takes and stores it, and says so. */
  | "applied"
  /** Takes and stores it, and the answer is lost. */
  | "answer lost"
  /** The line breaks in the middle of the body. */
  | "cut"
  /** Takes it whole, stores nothing, and the line breaks. */
  | "dropped"
  /** Takes it whole, stores nothing, and says 503. */
  | "unavailable"
  /** Takes it whole, stores nothing, and says 200. */
  | "hollow 200"
  /** Says 200 before the body. */
  | "early 200"
  /** Takes it whole and says 504; stores it before the second question after that. */
  | "applied later"
  /** Stores other bytes than it was sent, and says 200. */
  | "corrupted"

/** What a service that resumes does about an append. */
export type Append =
  /** Takes it; once complete, stores the archive and answers for it. */
  | "taken"
  /** The same, and the answer is lost. */
  | "answer lost"
  /** The same, and the answer does not say whether the upload is complete. */
  | "taken, not said"
  /** Takes the first half, and the line breaks. */
  | "cut"
  /** Says 200 and takes nothing. */
  | "hollow 200"
  /** Says 503 and takes nothing. */
  | "unavailable"
  /** Takes it and says 504; stores it before the second question after that. */
  | "applied later"
  /** Somebody else holds it. */
  | "locked"
  /** It is gone, with all that it had. */
  | "forgotten"
  /** A proxy that knows no PATCH. */
  | "no PATCH"
  /** A proxy that refuses. */
  | "refused"

/** What it does about a question for the offset. */
export type Ask = "told" | "unavailable" | "forgotten" | "senseless"

/** What the service tells of what it holds. */
export interface Tells {
  readonly version: boolean
  readonly size: boolean
  readonly link: boolean
}

export const tellsAll: Tells = { version: true, size: true, link: true }

export interface ModelCloudOptions {
  readonly tells?: Tells
  /** Chosen anew for every PUT. */
  readonly onPut: Effect.Effect<Put>
  /** Runs after a PUT was taken, before it is answered. */
  readonly onAnswer?: Effect.Effect<void>
  /** Runs before a question about the extension is answered. */
  readonly onGet?: Effect.Effect<void>
  /** Chosen anew for every append and every question for the offset. Without it, the service cannot resume. */
  readonly resumes?: {
    readonly onAppend: Effect.Effect<Append>
    readonly onAsk: Effect.Effect<Ask>
  }
  /** `Retry-After` of its 503, in seconds. */
  readonly retryAfter?: number
  /** What it holds at the beginning. */
  readonly holds?: Uint8Array | undefined
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

export const modelCloud = (options: ModelCloudOptions) => {
  const tells = options.tells ?? tellsAll
  let version = 1
  let content: Uint8Array | undefined = options.holds
  let writer: "nobody" | "us" | "them" = "nobody"
  /** Uploads that were taken and are yet to be stored, with the questions to come before that. */
  let pending: ReadonlyArray<{ readonly bytes: Uint8Array; readonly questions: number }> = []
  const uploads: Array<{ path: string; bytes: Uint8Array; state: "open" | "complete" | "forgotten" }> = []
  const requests: Array<string> = []

  const store = (bytes: Uint8Array, by: typeof writer) => {
    content = bytes
    writer = by
    version += 1
  }

  const extension = () => ({
    id: extensionId,
    name: "words",
    version: "*",
    extension_type: "bundle",
    url: `repo://${extensionId}`,
    ...(content === undefined
      ? {}
      : {
          file_metadata: {
            ...(tells.size ? { size: content.length } : {}),
            ...(tells.link ? { url: files } : {})
          }
        })
  })

  const answer = (request: HttpClientRequest.HttpClientRequest, status: number, body: string | Uint8Array) =>
    HttpClientResponse.fromWeb(
      request,
      new Response(typeof body === "string" ? body : Buffer.from(body), {
        status,
        headers: {
          ...(tells.version ? { "x-cloud-resource-version": String(version) } : {}),
          ...(status === 503 && options.retryAfter !== undefined
            ? { "retry-after": String(options.retryAfter) }
            : {})
        }
      })
    )
  const told = (request: HttpClientRequest.HttpClientRequest) =>
    answer(request, 200, JSON.stringify(extension()))

  const lineBroken = (request: HttpClientRequest.HttpClientRequest) =>
    Effect.fail(new HttpClientError.RequestError({ request, reason: "Transport" }))

  const bodyOf = ({ body }: HttpClientRequest.HttpClientRequest, most = Number.POSITIVE_INFINITY) => {
    if (body._tag !== "Stream") return Effect.succeed(new Uint8Array(0))
    return body.stream.pipe(
      Stream.runFoldWhile(
        { bytes: new Uint8Array(0) },
        ({ bytes }) => bytes.length < most,
        ({ bytes }, chunk) => ({ bytes: new Uint8Array([...bytes, ...chunk]) })
      ),
      Effect.map(({ bytes }) => bytes),
      Effect.orDie
    )
  }

  const put = (request: HttpClientRequest.HttpClientRequest) =>
    Effect.gen(function* () {
      requests.push("PUT …")
      const move = yield* options.onPut
      requests[requests.length - 1] = `PUT ${move}`
      if (move === "early 200") return told(request)
      if (move === "cut") {
        yield* bodyOf(request, 1)
        return yield* lineBroken(request)
      }
      const bytes = yield* bodyOf(request)
      switch (move) {
        case "applied":
          store(bytes, "us")
          yield* options.onAnswer ?? Effect.void
          return told(request)
        case "answer lost":
          store(bytes, "us")
          return yield* lineBroken(request)
        case "dropped":
          return yield* lineBroken(request)
        case "unavailable":
          return answer(request, 503, "")
        case "hollow 200":
          return told(request)
        case "applied later":
          pending = [...pending, { bytes, questions: 1 }]
          return answer(request, 504, "")
        case "corrupted":
          store(
            bytes.map((byte) => byte ^ 1),
            "us"
          )
          return told(request)
      }
    })

  const get = (request: HttpClientRequest.HttpClientRequest) =>
    Effect.gen(function* () {
      yield* options.onGet ?? Effect.void
      requests.push(`GET ${version} ${writer}`)
      for (const { bytes } of pending.filter(({ questions }) => questions === 0)) store(bytes, "us")
      pending = pending
        .filter(({ questions }) => questions > 0)
        .map(({ bytes, questions }) => ({ bytes, questions: questions - 1 }))
      return told(request)
    })

  const sayOfUpload = (
    request: HttpClientRequest.HttpClientRequest,
    status: number,
    isComplete: boolean | undefined,
    offset: number
  ) => {
    const said = new Headers({ "upload-offset": String(offset) })
    if (isComplete !== undefined) said.set("upload-complete", isComplete ? "?1" : "?0")
    if (status === 201) said.set("location", `${origin}/uploads/${uploads.length}`)
    if (tells.version) said.set("x-cloud-resource-version", String(version))
    const body = isComplete === false || status === 204 ? null : JSON.stringify(extension())
    return HttpClientResponse.fromWeb(request, new Response(body, { status, headers: said }))
  }

  const uploadOf = ({ url }: HttpClientRequest.HttpClientRequest) =>
    uploads.find(({ path, state }) => url === `${origin}${path}` && state !== "forgotten")

  const create = (request: HttpClientRequest.HttpClientRequest) => {
    requests.push("CREATE")
    uploads.push({ path: `/uploads/${uploads.length + 1}`, bytes: new Uint8Array(0), state: "open" })
    return sayOfUpload(request, 201, false, 0)
  }

  const append = (request: HttpClientRequest.HttpClientRequest, onAppend: Effect.Effect<Append>) =>
    Effect.gen(function* () {
      requests.push("PATCH …")
      const move = yield* onAppend
      requests[requests.length - 1] = `PATCH ${move}`
      const upload = uploadOf(request)
      if (upload === undefined) return answer(request, 404, "")
      switch (move) {
        case "unavailable":
          return answer(request, 503, "")
        case "locked":
          return answer(request, 423, "")
        case "no PATCH":
          return answer(request, 405, "")
        case "refused":
          return answer(request, 400, "")
        case "forgotten":
          upload.state = "forgotten"
          return answer(request, 404, "")
        case "hollow 200":
          yield* bodyOf(request)
          return told(request)
      }
      // The final answer is given again.
      if (upload.state === "complete") return sayOfUpload(request, 200, true, upload.bytes.length)
      if (Number(request.headers["upload-offset"]) !== upload.bytes.length) {
        return sayOfUpload(request, 409, false, upload.bytes.length)
      }
      const bytes = yield* bodyOf(request, move === "cut" ? 1 : undefined)
      upload.bytes = new Uint8Array([...upload.bytes, ...bytes])
      if (move === "cut") return yield* lineBroken(request)
      if (request.headers["upload-complete"] !== "?1") {
        return sayOfUpload(request, 204, false, upload.bytes.length)
      }
      upload.state = "complete"
      if (move === "applied later") {
        pending = [...pending, { bytes: upload.bytes, questions: 1 }]
        return answer(request, 504, "")
      }
      store(upload.bytes, "us")
      yield* options.onAnswer ?? Effect.void
      if (move === "answer lost") return yield* lineBroken(request)
      return sayOfUpload(request, 200, move === "taken" ? true : undefined, upload.bytes.length)
    })

  const ask = (request: HttpClientRequest.HttpClientRequest, onAsk: Effect.Effect<Ask>) =>
    Effect.map(onAsk, (move) => {
      requests.push(`HEAD ${move}`)
      const upload = uploadOf(request)
      if (move === "unavailable") return answer(request, 503, "")
      if (move === "senseless") return told(request)
      if (upload === undefined) return answer(request, 404, "")
      if (move === "forgotten") {
        upload.state = "forgotten"
        return answer(request, 404, "")
      }
      return sayOfUpload(request, 204, upload.state === "complete", upload.bytes.length)
    })

  const resumable = (
    request: HttpClientRequest.HttpClientRequest,
    { onAppend, onAsk }: NonNullable<ModelCloudOptions["resumes"]>
  ) => {
    switch (request.method) {
      case "OPTIONS":
        return Effect.succeed(
          HttpClientResponse.fromWeb(
            request,
            new Response(null, { status: 204, headers: { "upload-limit": "min-size=0" } })
          )
        )
      case "PATCH":
        return append(request, onAppend)
      case "HEAD":
        return ask(request, onAsk)
      case "DELETE":
        return Effect.sync(() => {
          const upload = uploadOf(request)
          requests.push(`DELETE ${upload?.state ?? "nothing"} ${writer}`)
          if (upload !== undefined) upload.state = "forgotten"
          return answer(request, 404, "")
        })
      default:
        return Effect.sync(() => create(request))
    }
  }

  const client = HttpClient.make((request) => {
    if (request.url.startsWith(files)) {
      return Effect.sync(() => {
        requests.push("LINK")
        return answer(request, 200, Buffer.from(content ?? new Uint8Array(0)))
      })
    }
    const creates = request.method !== "PUT" || request.headers["upload-complete"] === "?0"
    if (options.resumes !== undefined && creates && request.method !== "GET") {
      return resumable(request, options.resumes)
    }
    switch (request.method) {
      case "GET":
        return get(request)
      case "PUT":
        return put(request)
      default:
        // Nothing of resumable uploads is known here.
        return Effect.succeed(answer(request, 405, ""))
    }
  })

  return {
    requests,
    /** Somebody else replaces the archive. */
    writtenByOthers: (bytes: Uint8Array) => store(bytes, "them"),
    holds: () => ({ sha256: content === undefined ? undefined : sha256(content), writer, version }),
    layer: ExtensionsClient.layer.pipe(
      Layer.provide(Layer.succeed(HttpClient.HttpClient, client)),
      Layer.provide(
        Layer.orDie(ElasticCloudConfig.layer({ endpoint: origin, apiKey: Redacted.make("local-key") }))
      )
    )
  }
}

/** In two pieces, so that a body can break off between them. */
export const inPieces = (archive: Archive.Archive): Archive.Archive => ({
  ...archive,
  read: (options) =>
    Stream.flatMap(archive.read(options), (bytes) =>
      Stream.make(bytes.subarray(0, bytes.length / 2), bytes.subarray(bytes.length / 2))
    )
})

/** Runs with time passing as fast as it is waited for. */
export const withoutWaiting = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(self)
    yield* Effect.yieldNow().pipe(
      Effect.zipRight(TestClock.adjust("500 millis")),
      Effect.repeat({ until: () => Effect.map(Fiber.poll(fiber), Option.isSome) })
    )
    return yield* Fiber.join(fiber)
  })

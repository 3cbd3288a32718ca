/** A plain client of resumable uploads, over `node:http` and bare sockets: it knows no more than the draft. */
import { Effect, Option } from "effect"
import { LocalElasticCloud, type LocalElasticCloudOptions } from "../../../src/testing/LocalElasticCloud.ts"
import type { ResumableOptions } from "../../../src/testing/ResumableUploads.ts"
import { type Answer, type Ask, ask, pathOf, rawConnection, rawPutHead, withCloud } from "./server.ts"

export const withResumable = (
  resumable: ResumableOptions = {},
  options: Omit<LocalElasticCloudOptions, "resumable"> = {}
) => withCloud({ ...options, resumable })

interface CreateOptions extends Partial<Ask> {
  readonly complete?: boolean
  /** Value of `Upload-Length`; none when left out. */
  readonly uploadLength?: number
  /** Value of `Upload-Draft-Interop-Version`; none when undefined is given. */
  readonly version?: number | undefined
}

const interop = (version: number | undefined) =>
  version === undefined ? {} : { "upload-draft-interop-version": version }

export const create = (id: string, body: Uint8Array | string, options: CreateOptions = {}) => {
  const { complete = true, headers, uploadLength, ...rest } = options
  return ask({
    method: "PUT",
    path: pathOf(id),
    body,
    ...rest,
    headers: {
      "content-type": "application/zip",
      "upload-complete": complete ? "?1" : "?0",
      ...(uploadLength === undefined ? {} : { "upload-length": uploadLength }),
      ...interop("version" in options ? options.version : 8),
      ...headers
    }
  })
}

/** The path of a new upload that holds `body`, by a creation that does not complete it. */
export const begin = (id: string, body: Uint8Array | string = "", options: CreateOptions = {}) =>
  Effect.map(create(id, body, { complete: false, ...options }), locationOf)

export const locationOf = ({ headers }: Pick<Answer, "headers">): string => {
  if (headers.location === undefined) throw new Error("no Location")
  return headers.location
}

export const retrieve = (path: string, options: Partial<Ask> = {}) =>
  ask({
    method: "HEAD",
    path,
    ...options,
    headers: { "upload-draft-interop-version": 8, ...options.headers }
  })

export const offsetOf = (path: string) =>
  Effect.map(retrieve(path), ({ headers }) => Number(headers["upload-offset"]))

interface AppendOptions extends Partial<Ask> {
  readonly complete?: boolean
  readonly uploadLength?: number
}

export const append = (
  path: string,
  offset: number,
  body: Uint8Array | string,
  { complete = true, headers, uploadLength, ...options }: AppendOptions = {}
) =>
  ask({
    method: "PATCH",
    path,
    body,
    ...options,
    headers: {
      "content-type": "application/partial-upload",
      "upload-draft-interop-version": 8,
      "upload-offset": offset,
      "upload-complete": complete ? "?1" : "?0",
      ...(uploadLength === undefined ? {} : { "upload-length": uploadLength }),
      ...headers
    }
  })

export const cancel = (path: string, options: Partial<Ask> = {}) =>
  ask({ method: "DELETE", path, ...options })

/** A creation over a bare socket, of which only a part is sent; the socket stays open with its scope. */
export const creationUnderWay = (id: string, whole: Uint8Array, sent: number) =>
  Effect.gen(function* () {
    const cloud = yield* LocalElasticCloud
    const connection = yield* rawConnection
    yield* connection.write(
      rawPutHead(id, {
        "Content-Type": "application/zip",
        "Content-Length": whole.length,
        "Upload-Complete": "?1",
        "Upload-Draft-Interop-Version": 8
      })
    )
    const received = yield* connection.received(/Location: \S+\r\n(.+\r\n)*\r\n/)
    const path = /Location: (\S+)/.exec(received)?.[1] ?? ""
    yield* connection.write(whole.subarray(0, sent))
    yield* cloud.uploads.pipe(
      Effect.delay("5 millis"),
      Effect.repeat({
        until: (all) => all.some(({ offset, url }) => url.endsWith(path) && offset === sent)
      })
    )
    return { connection, path }
  })

export const problemOf = (answer: Answer): unknown => {
  if (answer.headers["content-type"] !== "application/problem+json") {
    throw new Error(`not a problem: ${answer.status} ${answer.headers["content-type"]} ${answer.text}`)
  }
  return answer.json()
}

export const stored = (id: string) =>
  Effect.flatMap(LocalElasticCloud, (cloud) => Effect.map(cloud.extension(id), Option.getOrThrow))

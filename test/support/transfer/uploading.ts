/** Runs one attempt of a resumable upload against a scripted server and notes everything both sides saw. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { expect } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Match from "effect/Match"
import * as Redacted from "effect/Redacted"
import * as ResumableUpload from "../../../src/transfer/ResumableUpload.ts"
import type { ResumableUploadError } from "../../../src/transfer/ResumableUploadError.ts"
import type { TransferError } from "../../../src/transfer/TransferError.ts"
import * as UploadHttpClient from "../../../src/transfer/UploadHttpClient.ts"
import { ofBytes } from "./bytes.ts"
import { apiKey, content, spoken, target, uploadPath } from "./draftScript.ts"
import { type Exchange, type ResumableServer, resumableServer } from "./resumableServer.ts"

type SendEvent = ResumableUpload.SendEvent

/** What to do about events, instead of noting them. */
type Handlers = {
  readonly [Tag in SendEvent["_tag"]]?: (
    event: Extract<SendEvent, { readonly _tag: Tag }>
  ) => Effect.Effect<void, string>
}

export type Options = Partial<Omit<ResumableUpload.SendOptions<string>, "observe">> & {
  readonly on?: Handlers
  /** Goes on with the upload at `uploadPath`, of which so much is known. */
  readonly resumes?: Partial<Omit<ResumableUpload.UploadResource, "url">>
  /** Any other transport than this library's own. */
  readonly transport?: Layer.Layer<HttpClient.HttpClient> | undefined
}

export type SendError = TransferError | ResumableUploadError | string

/** What one attempt came to, and what was told on the way. */
export interface Run {
  readonly answer: { readonly status: number; readonly body: string } | undefined
  readonly error: SendError | undefined
  /** The upload resource each time it became known or changed: its address without the origin, or `undefined`. */
  readonly resources: ReadonlyArray<
    (Omit<ResumableUpload.UploadResource, "url"> & { readonly path: string }) | undefined
  >
  readonly parts: ReadonlyArray<number>
  readonly written: ReadonlyArray<number>
  readonly acknowledged: ReadonlyArray<number>
  /** How much was written each time it was told that the upload is about to be completed. */
  readonly completing: ReadonlyArray<number>
  readonly ignored: ReadonlyArray<Omit<Extract<SendEvent, { readonly _tag: "ResourceIgnored" }>, "_tag">>
}

const ownTransport = UploadHttpClient.layer({ proxy: false })

const listening = (origin: string, on: Handlers) => {
  const resources: Array<Run["resources"][number]> = []
  const parts: Array<number> = []
  const written: Array<number> = []
  const acknowledged: Array<number> = []
  const completing: Array<number> = []
  const ignored: Array<Run["ignored"][number]> = []
  const note = <A>(list: Array<A>, item: A) => Effect.sync(() => void list.push(item))
  const heard = { resources, parts, written, acknowledged, completing, ignored }
  const handlers: Required<Handlers> = {
    ResourceKnown: ({ resource: { url, ...rest } }) =>
      note(resources, { ...rest, path: Redacted.value(url).replace(origin, "") }),
    ResourceGone: () => note(resources, undefined),
    ResourceIgnored: ({ origin, reason }) => note(ignored, { origin, reason }),
    PartStarted: ({ offset }) => note(parts, offset),
    BytesWritten: ({ offset }) => note(written, offset),
    BytesAcknowledged: ({ offset }) => note(acknowledged, offset),
    Completing: () => note(completing, written.at(-1) ?? 0),
    ...on
  }
  return { heard, observe: Match.typeTags<SendEvent>()(handlers) }
}

/** Nothing that is said of a failure may contain what gives access to the upload. */
const keepsSecrets = (error: unknown) => {
  const said = [JSON.stringify(error), String(error), Cause.pretty(Cause.fail(error))].join("\n")
  for (const secret of ["/uploads", "s3cr3t", "elsewhere", apiKey, target]) expect(said).not.toContain(secret)
}

const readAnswer = (response: HttpClientResponse.HttpClientResponse) =>
  Effect.map(
    Effect.orElseSucceed(response.text, () => "unreadable"),
    (body) => ({ status: response.status, body })
  )

export const uploadRequest = (origin: string) =>
  HttpClientRequest.put(`${origin}${target}`, { headers: { authorization: apiKey } })

/** One attempt against `origin`. */
export const attempt = (origin: string, options: Options = {}) =>
  Effect.gen(function* () {
    const { on = {}, resumes, transport, ...overrides } = options
    const { heard, observe } = listening(origin, on)
    const result = yield* Effect.gen(function* () {
      const response = yield* ResumableUpload.send<string>({
        client: yield* HttpClient.HttpClient,
        interimResponses: transport === undefined,
        request: uploadRequest(origin),
        representation: ofBytes(content, 100),
        mode: "auto",
        interopVersion: spoken,
        resource:
          resumes === undefined
            ? undefined
            : { url: Redacted.make(`${origin}${uploadPath}`), offset: 0, interopVersion: spoken, ...resumes },
        observe,
        ...overrides
      })
      return yield* readAnswer(response)
    }).pipe(Effect.scoped, Effect.provide(transport ?? ownTransport), Effect.either)
    const error = result._tag === "Left" ? result.left : undefined
    if (error !== undefined) keepsSecrets(error)
    const run: Run = { answer: result._tag === "Right" ? result.right : undefined, error, ...heard }
    return run
  })

/** Whether the server was asked exactly what the script says, with credentials every time. */
export const expectScript = (server: ResumableServer, script: ReadonlyArray<Exchange>) => {
  expect(server.requests.map(({ line }) => line)).toEqual(script.map(({ line }) => line))
  script.forEach(({ headers = {}, line, sends }, index) => {
    const request = server.requests[index]
    const wanted = { authorization: apiKey, ...headers }
    const got = Object.fromEntries(Object.keys(wanted).map((name) => [name, request?.headers[name]]))
    expect({ line, ...got }).toEqual({ line, ...wanted })
    if (sends === undefined) return
    const expected = Buffer.from(content.subarray(...sends))
    expect(Buffer.compare(request?.body() ?? Buffer.of(), expected), `content of ${line} (${index})`).toBe(0)
  })
}

/** The whole of most tests: one attempt, played as written, and not a word to any other origin. */
export const upload = (
  script: ReadonlyArray<Exchange> | ((foreignOrigin: string) => ReadonlyArray<Exchange>),
  options?: Options
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const foreign = yield* resumableServer([])
      const exchanges = typeof script === "function" ? script(foreign.origin) : script
      const server = yield* resumableServer(exchanges)
      const run = yield* attempt(server.origin, options)
      expectScript(server, exchanges)
      expect(foreign.requests).toEqual([])
      return run
    })
  )

/** The same for an upload that is known already. */
export const resume = (
  script: Parameters<typeof upload>[0],
  known: Exclude<Options["resumes"], undefined> = {}
) => upload(script, { resumes: known })

/** Sends half of the content and waits, so that nothing on the wire can be taken for the whole. */
export const stopsHalfway: Options = {
  on: { BytesWritten: ({ offset }) => (offset < content.length / 2 ? Effect.void : Effect.never) }
}

/** What a run is that came to `done`. */
export const doneRun = { answer: { status: 200, body: "done" }, error: undefined }

export const expectForgotten = ({ resources }: Run) => {
  expect(resources.length).toBeGreaterThan(0)
  expect(resources.at(-1)).toBeUndefined()
}

export const expectKept = ({ resources }: Run) => {
  expect(resources.every((resource) => resource !== undefined)).toBe(true)
}

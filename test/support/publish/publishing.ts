/** What tests of publishing need besides `world`: a place to download from, and how to read what came of it. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect, Option } from "effect"
import type { PublishEvent } from "../../../src/publish/PublishEvent.ts"
import { LocalElasticCloud } from "../../../src/testing/LocalElasticCloud.ts"

/**
 * A public place on this machine; each whole answer waits for `ready`. `requests` are the headers of those who want all of it,
 * `looks` of those who want the beginning.
 */
export const archiveHost = (content: Uint8Array, ready: Effect.Effect<void> = Effect.void) =>
  Effect.acquireRelease(
    Effect.async<{
      readonly url: string
      /** The same without the signature. */
      readonly plain: string
      readonly requests: ReadonlyArray<unknown>
      readonly looks: ReadonlyArray<unknown>
      readonly stop: () => void
    }>((resume) => {
      const requests: Array<unknown> = []
      const looks: Array<unknown> = []
      const server = createServer((request, response) => {
        const [, last] = /^bytes=0-(\d+)$/.exec(request.headers.range ?? "") ?? []
        if (last !== undefined) {
          looks.push(request.headers)
          const start = content.subarray(0, Number(last) + 1)
          response.writeHead(206, { "content-range": `bytes 0-${start.length - 1}/${content.length}` })
          response.end(start)
          return
        }
        requests.push(request.headers)
        Effect.runFork(
          Effect.zipRight(
            ready,
            Effect.sync(() => response.end(content))
          )
        )
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        const stop = () => {
          server.close()
          server.closeAllConnections()
        }
        const plain = `http://127.0.0.1:${port}/archive.zip`
        resume(Effect.succeed({ url: `${plain}?signature=hush`, plain, requests, looks, stop }))
      })
    }),
    ({ stop }) => Effect.sync(stop)
  )

/** Every extension on the server, reduced to what publishing decides. */
export const stored = Effect.flatMap(LocalElasticCloud, (cloud) =>
  Effect.map(cloud.extensions, (all) =>
    all.map(({ description, downloadUrl, file, name, type, uploads, version }) => ({
      name,
      type,
      version,
      description,
      downloadUrl,
      sha256: file?.sha256,
      uploads
    }))
  )
)

/** The one extension there has to be. */
export const only = Effect.flatMap(LocalElasticCloud, (cloud) =>
  Effect.flatMap(cloud.extensions, (all) =>
    all.length === 1 && all[0] !== undefined
      ? Effect.succeed(all[0])
      : Effect.dieMessage(`There are ${all.length} extensions, not one`)
  )
)

/** How many requests to create, to update and to upload arrived. */
export const changes = Effect.gen(function* () {
  const cloud = yield* LocalElasticCloud
  yield* cloud.settled
  const sent = (yield* cloud.requests).map(({ method, path }) => ({
    method,
    isCollection: path.endsWith("/extensions")
  }))
  const count = (method: string, isCollection: boolean) =>
    sent.filter((request) => request.method === method && request.isCollection === isCollection).length
  return { creates: count("POST", true), updates: count("POST", false), uploads: count("PUT", false) }
})

/** What requests to update an extension asked for. */
export const isUpdate = /\/extensions\/[^/]+$/
export const isCreate = /\/extensions$/

export const recordPublishing = () => {
  const events: Array<PublishEvent> = []
  const frequent: ReadonlyArray<string> = ["DigestProgress", "BytesWritten", "VerificationProgress"]
  return {
    events,
    steps: () => events.map(({ _tag }) => _tag).filter((tag) => !frequent.includes(tag)),
    find: <Tag extends PublishEvent["_tag"]>(tag: Tag) =>
      Option.fromNullable(
        events.find((event): event is Extract<PublishEvent, { readonly _tag: Tag }> => event._tag === tag)
      ),
    onEvent: (event: PublishEvent) => Effect.sync(() => void events.push(event))
  }
}

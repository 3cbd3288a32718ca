/** A runner in this process that serves its API, and plain requests to it. */
import { type IncomingHttpHeaders, request } from "node:http"
import { HttpServer } from "@effect/platform"
import * as NodeContext from "@effect/platform-node/NodeContext"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import { Effect, Layer, Redacted } from "effect"
import * as RunnerHttp from "../../../src/runner/RunnerHttp.ts"
import * as EngineMemory from "../../../src/workflow/EngineMemory.ts"
import type { WorldOptions } from "../upload/world.ts"
import type { Engine } from "../workflow/engines.ts"
import { place, runner } from "../workflow/releases.ts"

export const token = "a-token-of-the-tests-4711"

const servingOn = <E, R>(
  engine: Layer.Layer<WorkflowEngine, E, R>,
  options: RunnerHttp.RunnerHttpOptions = {},
  world?: WorldOptions
) =>
  Layer.merge(RunnerHttp.layer({ port: 0, api: { token: Redacted.make(token) }, ...options }), runner()).pipe(
    Layer.provideMerge(engine),
    Layer.provideMerge(place(world))
  )

/** Opened by `token` unless told otherwise, on a port of its own. */
export const serving = (options?: RunnerHttp.RunnerHttpOptions, world?: WorldOptions) =>
  servingOn(EngineMemory.layer, options, world)

/** The same, on an engine of its own. */
export const servingFrom = ({ layer }: Engine) =>
  Layer.unwrapScoped(Effect.map(layer, (engine) => servingOn(engine))).pipe(Layer.provide(NodeContext.layer))

export const address = Effect.map(HttpServer.HttpServer, ({ address }) =>
  address._tag === "TcpAddress" ? address : { hostname: "", port: 0 }
)

export const url = Effect.map(address, ({ port }) => `http://127.0.0.1:${port}`)

export interface Call {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Chunks that are written one after the other, each when the one before is gone. */
  readonly body?: Iterable<string | Uint8Array>
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly json: unknown
  /** Bytes of the body that were written before the answer came. */
  readonly sent: number
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A request that may say anything: no browser and no client of ours would send some of them. */
export const call = ({ body = [], headers = {}, method = "GET", path = "/" }: Call) =>
  Effect.flatMap(address, ({ port }) =>
    Effect.async<Answer, Error>((resume) => {
      let sent = 0
      let answered = false
      const outgoing = request(
        { host: "127.0.0.1", port, method, path, headers, agent: false },
        (incoming) => {
          answered = true
          const sentBefore = sent
          let text = ""
          incoming.setEncoding("utf8")
          incoming.on("data", (chunk: string) => {
            text += chunk
          })
          incoming.on("end", () => {
            outgoing.destroy()
            const { statusCode: status = 0 } = incoming
            resume(
              Effect.succeed({
                status,
                headers: incoming.headers,
                text,
                json: parsed(text),
                sent: sentBefore
              })
            )
          })
        }
      )
      outgoing.on("error", (error) => {
        if (!answered) resume(Effect.fail(error))
      })
      const chunks = body[Symbol.iterator]()
      const next = () => {
        const chunk = chunks.next()
        if (answered) return
        if (chunk.done === true) return void outgoing.end()
        outgoing.write(chunk.value, () => {
          sent += chunk.value.length
          next()
        })
      }
      next()
      return Effect.sync(() => outgoing.destroy())
    })
  )

export const bearer = { authorization: `Bearer ${token}` }

/** What a client says that means it. */
export const post = (path: string, body: unknown, headers: Readonly<Record<string, string>> = bearer) =>
  call({
    method: "POST",
    path,
    headers: { ...headers, "content-type": "application/json" },
    body: [JSON.stringify(body)]
  })

export const get = (path: string, headers: Readonly<Record<string, string>> = bearer) =>
  call({ path, headers })

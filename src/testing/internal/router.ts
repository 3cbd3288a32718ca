import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ConnectionGone, Exchange } from "./exchange.ts"
import * as Links from "./links.ts"
import * as Operations from "./operations.ts"
import { type Refusal, type Reply, undocumented } from "./reply.ts"
import * as Creation from "./resumableCreation.ts"
import type { Resumable } from "./resumableSettings.ts"
import * as UploadOperations from "./uploadOperations.ts"

interface Route {
  readonly path: RegExp
  readonly methods: Readonly<Record<string, Operations.Operation>>
}

const extensions: Route = {
  path: /^\/api\/v1\/deployments\/extensions$/,
  methods: { GET: Operations.list, POST: Operations.create }
}

const extension: Route = {
  path: /^\/api\/v1\/deployments\/extensions\/([^/]+)$/,
  methods: {
    GET: Operations.get,
    POST: Operations.update,
    PUT: Operations.upload,
    DELETE: Operations.remove
  }
}

const files: Route = { path: /^\/files\/([^/]+)$/, methods: { GET: Links.download } }

const resumableExtension = (resumable: Resumable): Route => ({
  path: extension.path,
  methods: {
    ...extension.methods,
    PUT: Creation.upload(resumable),
    OPTIONS: Creation.options(resumable)
  }
})

const uploads = (resumable: Resumable): Route => ({
  path: /^\/uploads\/([^/]+)$/,
  methods: {
    HEAD: UploadOperations.retrieve(resumable),
    GET: UploadOperations.retrieve(resumable),
    PATCH: UploadOperations.append(resumable),
    DELETE: UploadOperations.cancel(resumable)
  }
})

/** Paths are matched as sent: nothing is decoded, folded or resolved before. */
const routesOf = ({ resumable }: Operations.Cloud): ReadonlyArray<Route> =>
  resumable === undefined
    ? [extensions, extension, files]
    : [extensions, resumableExtension(resumable), files, uploads(resumable)]

const decodeSegment = (segment: string): Effect.Effect<string, Refusal> =>
  Effect.try({ try: () => decodeURIComponent(segment), catch: () => undocumented.unknownPath })

/**
 * Finds the operation a request asks for and carries it out.
 *
 * @internal
 */
export const route = (
  cloud: Operations.Cloud,
  exchange: Exchange
): Effect.Effect<Reply, Refusal | ConnectionGone, Scope.Scope> =>
  Effect.gen(function* () {
    const found = routesOf(cloud).find(({ path }) => path.test(exchange.path))
    if (found === undefined) return yield* undocumented.unknownPath
    const methods = new Map(Object.entries(found.methods))
    const operation = methods.get(exchange.request.method ?? "")
    if (operation === undefined) return yield* undocumented.wrongMethod([...methods.keys()])
    const id = yield* decodeSegment(found.path.exec(exchange.path)?.[1] ?? "")
    return yield* operation(cloud, exchange, id)
  })

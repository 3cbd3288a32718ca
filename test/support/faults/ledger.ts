/** What a fault may cost: counted from what the stand-in received, the only witness that is not the client. */
import { Effect } from "effect"
import { LocalElasticCloud } from "../../../src/testing/LocalElasticCloud.ts"
import type { RecordedRequest } from "../../../src/testing/RecordedRequest.ts"

const carriesContent = ({ method }: RecordedRequest) => method === "PUT" || method === "PATCH"

export interface Ledger {
  /** Requests with content, in order, as `PUT 100/400`. */
  readonly requests: ReadonlyArray<string>
  /** Body bytes of all of them together. */
  readonly received: number
  /** Body bytes that were received a second time or more. */
  readonly repeated: number
}

const line = ({ bodyBytes, headers, method }: RecordedRequest) =>
  `${method} ${bodyBytes}/${headers["content-length"] ?? "chunked"}`

/** `size` is that of the whole representation. */
export const ledger = (size: number): Effect.Effect<Ledger, never, LocalElasticCloud> =>
  Effect.gen(function* () {
    const cloud = yield* LocalElasticCloud
    yield* cloud.settled
    const requests = (yield* cloud.requests).filter(carriesContent)
    const received = requests.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0)
    return { requests: requests.map(line), received, repeated: Math.max(0, received - size) }
  })

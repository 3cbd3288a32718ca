/** Payloads, as a process is given them. */
import { Effect, Schema } from "effect"
import * as ReleasePayload from "../../../src/workflow/ReleasePayload.ts"

export const encodePayload = Schema.encodeSync(Schema.parseJson(ReleasePayload.ReleasePayload))

export const encodedPayload = (request: ReleasePayload.ReleaseRequest) =>
  Effect.map(ReleasePayload.prepare(request), encodePayload)

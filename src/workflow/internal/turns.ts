/** Whose turn it is: releases for one extension go one after the other, in the order in which they were submitted. */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import type { ReleasePolicy } from "../ReleasePayload.ts"
import type { ReleaseTarget } from "../ReleaseTarget.ts"

/** How a release stands in its lane. */
export type Turn =
  | { readonly _tag: "Begun" }
  /** Of another release, by its execution id. */
  | { readonly _tag: "Behind"; readonly of: string }
  | { readonly _tag: "Superseded"; readonly by: string }

export interface Turns {
  /** Takes a place at the end of the lane, unless the release has one. */
  readonly enter: (lane: string, executionId: string, policy: ReleasePolicy) => Effect.Effect<void>
  /** Begins the turn, if it has come. A release that has no place in this lane takes one. */
  readonly ask: (lane: string, executionId: string, policy: ReleasePolicy) => Effect.Effect<Turn>
  /** Lets go of every lane. */
  readonly leave: (executionId: string) => Effect.Effect<void>
  /** Whose turn it is since this release has left, if nobody has told them. */
  readonly next: (executionId: string) => Effect.Effect<ReadonlyArray<string>>
}

/** Where nobody else writes. */
export const noTurns: Turns = {
  enter: () => Effect.void,
  ask: () => Effect.succeed({ _tag: "Begun" }),
  leave: () => Effect.void,
  next: () => Effect.succeed([])
}

interface Place {
  readonly executionId: string
  state: Turn["_tag"]
  by: string
}

/** In the memory of one process; `onLeft` is told who may be next. */
export const memoryTurns = (onLeft: (executionId: string) => Effect.Effect<void>): Turns => {
  const lanes = new Map<string, Array<Place>>()
  const laneOf = (lane: string) => lanes.get(lane) ?? []
  const enter: Turns["enter"] = (lane, executionId, policy) =>
    Effect.suspend(() => {
      const places = laneOf(lane)
      if (places.some((place) => place.executionId === executionId)) return Effect.void
      const passed = policy === "supersede" ? places.filter(({ state }) => state === "Behind") : []
      for (const place of passed) Object.assign(place, { state: "Superseded", by: executionId })
      lanes.set(lane, [...places, { executionId, state: "Behind", by: "" }])
      return Effect.forEach(passed, (place) => onLeft(place.executionId), { discard: true })
    })
  const begin = (lane: string, executionId: string) =>
    Effect.sync((): Turn => {
      const places = laneOf(lane)
      const own = places.find((place) => place.executionId === executionId)
      if (own === undefined || own.state === "Begun") return { _tag: "Begun" }
      if (own.state === "Superseded") return { _tag: "Superseded", by: own.by }
      const first = places.find(({ state }) => state !== "Superseded")
      if (first !== own) return { _tag: "Behind", of: first?.executionId ?? "" }
      own.state = "Begun"
      return { _tag: "Begun" }
    })
  return {
    enter,
    ask: (lane, executionId, policy) =>
      Effect.zipRight(enter(lane, executionId, policy), begin(lane, executionId)),
    leave: (executionId) =>
      Effect.suspend(() => {
        const next: Array<string> = []
        for (const [lane, places] of lanes) {
          if (!places.some((place) => place.executionId === executionId)) continue
          const left = places.filter((place) => place.executionId !== executionId)
          if (left.length === 0) lanes.delete(lane)
          else lanes.set(lane, left)
          next.push(...left.slice(0, 1).map((place) => place.executionId))
        }
        return Effect.forEach(next, onLeft, { discard: true })
      }),
    next: () => Effect.succeed([])
  }
}

/** An extension by its id, or by name and type: no id looks like a name with its type. */
export const laneOf = (target: ReleaseTarget): string =>
  target._tag === "Id" ? laneOfId(target.id) : hash(["named", target.type, target.name])

export const laneOfId = (extensionId: string): string => hash(["id", extensionId])

const hash = (parts: ReadonlyArray<string>) =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex")

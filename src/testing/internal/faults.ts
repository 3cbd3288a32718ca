/** Which faults are planned, and what they do to the request they strike. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import type { CutKind, Fault, FaultRule, Moment, MomentaryFault } from "../Fault.ts"
import { ConnectionGone, Exchange, gone, hold, interim } from "./exchange.ts"

/** The rules not used up yet, oldest first. */
export class FaultPlan extends Context.Tag("effect-elastic-extensions/testing/FaultPlan")<
  FaultPlan,
  {
    readonly add: (rule: FaultRule) => Effect.Effect<void>
    readonly clear: Effect.Effect<void>
    /** The faults for a request that has just arrived: those of the first rule that matches, which is used up by one. */
    readonly take: (method: string, path: string) => Effect.Effect<ReadonlyArray<Fault>>
  }
>() {}

export const layer: Layer.Layer<FaultPlan> = Layer.effect(
  FaultPlan,
  Effect.map(Ref.make<ReadonlyArray<FaultRule>>([]), (rules) => ({
    add: (rule) => Ref.update(rules, (all) => [...all, rule]),
    clear: Ref.set(rules, []),
    take: (method, path) =>
      Ref.modify(rules, (all) => {
        const rule = all.find((candidate) => matches(candidate, method, path))
        return rule === undefined ? [[], all] : [toFaults(rule.fault), useUp(all, rule)]
      })
  }))
)

/** The fault of this kind that is planned for the request, if there is one. */
export const planned = <Tag extends Fault["_tag"]>(
  tag: Tag
): Effect.Effect<Option.Option<Extract<Fault, { readonly _tag: Tag }>>, never, Exchange> =>
  Effect.map(Exchange, ({ faults }) =>
    Option.fromNullable(
      faults.find((fault): fault is Extract<Fault, { readonly _tag: Tag }> => fault._tag === tag)
    )
  )

/** The faults that strike at a moment, in the order they were planned. */
export const momentary: Effect.Effect<ReadonlyArray<MomentaryFault>, never, Exchange> = Effect.map(
  Exchange,
  ({ faults }) => faults.filter((fault): fault is MomentaryFault => "at" in fault)
)

/** Lets one fault strike. */
export const strike = (fault: MomentaryFault): Effect.Effect<void, ConnectionGone, Exchange> => {
  switch (fault._tag) {
    case "Cut":
      return cutConnection(fault.how)
    case "Hang":
      return hold
    case "Delay":
      return Effect.raceFirst(Effect.sleep(fault.millis), gone)
    case "Run":
      return fault.effect
    case "Interim":
      return interim(fault.responses)
  }
}

/** Lets the faults planned for a moment strike. */
export const reach = (moment: Exclude<Moment, object>): Effect.Effect<void, ConnectionGone, Exchange> =>
  Effect.flatMap(momentary, (faults) =>
    Effect.forEach(
      faults.filter((fault) => fault.at === moment),
      strike,
      { discard: true }
    )
  )

const pathMatches = (pattern: string | RegExp, path: string): boolean =>
  typeof pattern === "string" ? path.includes(pattern) : path.search(pattern) >= 0

const matches = (rule: FaultRule, method: string, path: string): boolean =>
  (rule.method === undefined || rule.method === method) &&
  (rule.path === undefined || pathMatches(rule.path, path))

const useUp = (rules: ReadonlyArray<FaultRule>, used: FaultRule): ReadonlyArray<FaultRule> =>
  rules.flatMap((rule) => {
    if (rule !== used) return [rule]
    const left = (rule.times ?? 1) - 1
    return left > 0 ? [{ ...rule, times: left }] : []
  })

const toFaults = (fault: FaultRule["fault"]): ReadonlyArray<Fault> => ("_tag" in fault ? [fault] : fault)

const cutConnection = (how: CutKind): Effect.Effect<never, ConnectionGone, Exchange> =>
  Effect.flatMap(Exchange, ({ request: { socket } }) => {
    if (how === "end") socket.end()
    else if (how === "reset") socket.resetAndDestroy()
    else socket.destroy()
    return Effect.fail(new ConnectionGone())
  })

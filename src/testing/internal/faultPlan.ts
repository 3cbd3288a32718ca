import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import type { Fault, FaultRule } from "../Fault.ts"

/**
 * The rules not used up yet, oldest first.
 *
 * @internal
 */
export interface FaultPlan {
  readonly add: (rule: FaultRule) => Effect.Effect<void>
  readonly clear: Effect.Effect<void>
  /** The faults for a request that has just arrived: those of the first rule that matches, which is used up by one. */
  readonly take: (method: string, path: string) => Effect.Effect<ReadonlyArray<Fault>>
}

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

/** @internal */
export const make: Effect.Effect<FaultPlan> = Effect.map(Ref.make<ReadonlyArray<FaultRule>>([]), (rules) => ({
  add: (rule) => Ref.update(rules, (all) => [...all, rule]),
  clear: Ref.set(rules, []),
  take: (method, path) =>
    Ref.modify(rules, (all) => {
      const rule = all.find((candidate) => matches(candidate, method, path))
      return rule === undefined ? [[], all] : [toFaults(rule.fault), useUp(all, rule)]
    })
}))

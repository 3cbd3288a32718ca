/** Engines let a failing database surface as a defect, since it is no part of a workflow's own errors. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import { EngineUnavailable } from "../EngineError.ts"

// By its tag: the module it comes from belongs to a package that an engine in memory does without.
const isPersistenceError = Predicate.isTagged("PersistenceError")

/** @internal */
export const isDatabaseFailure = (cause: Cause.Cause<unknown>): boolean =>
  Option.exists(Cause.dieOption(cause), isPersistenceError)

/** @internal */
export const orUnavailable = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E | EngineUnavailable, R> =>
  Effect.catchSomeDefect(self, (defect) =>
    isPersistenceError(defect)
      ? Option.some(Effect.fail(toUnavailable("its database")(defect)))
      : Option.none()
  )

/** @internal */
export const toUnavailable =
  (resource: string) =>
  (error: unknown): EngineUnavailable =>
    new EngineUnavailable({ resource, detail: detailOf(error) })

/** Whatever a layer fails with, as an error that names what it failed on: engines start with defects, too. @internal */
export const unavailable =
  (resource: string) =>
  <A, E, R>(self: Layer.Layer<A, E, R>): Layer.Layer<A, EngineUnavailable, R> =>
    Layer.catchAllCause(self, (cause) => Layer.fail(toUnavailable(resource)(Cause.squash(cause))))

/** What the innermost cause says: those around it repeat it, or quote statements. */
const detailOf = (error: unknown): string => {
  if (Predicate.hasProperty(error, "cause") && Predicate.isRecord(error.cause)) return detailOf(error.cause)
  const said = [textOf(error, "message"), textOf(error, "code")].find((text) => text !== "")
  return said?.replace(/\.$/, "") ?? "it gives no reason"
}

/** An error of several attempts, one for each address of a host, has a code but no message. */
const textOf = (error: unknown, key: "message" | "code"): string =>
  Predicate.hasProperty(error, key) && typeof error[key] === "string" ? error[key] : ""

/** Finding the one extension that a name and type mean, or creating it, never twice. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { Extension } from "../../cloud/Extension.ts"
import type { ExtensionsError } from "../../cloud/ExtensionsError.ts"
import type { TransferError } from "../../transfer/TransferError.ts"
import { persistently } from "../../upload/internal/run.ts"
import { AmbiguousExtension, NameTaken } from "../PublishError.ts"
import { isOutcomeOpen } from "./openEnd.ts"
import { createRequest, type Setup, type Target, type Wanted } from "./setup.ts"

/** The API gives a new extension any id, so asking it again would make another one: every attempt looks first. @internal */
export const findOrCreate = (setup: Setup) =>
  Effect.gen(function* () {
    const { others, own } = yield* look(setup)
    if (Option.isSome(own)) return toTarget(setup, own.value, false)
    return toTarget(setup, yield* create(setup, others), true)
  }).pipe(
    persistently(setup),
    Effect.tap(({ created, extensionId }) =>
      setup.emit({ _tag: created ? "ExtensionCreated" : "ExtensionFound", extensionId })
    )
  )

const toTarget = (setup: Setup, extension: Extension, created: boolean): Target => ({
  ...setup,
  extensionId: extension.id,
  extension,
  created
})

/** The extension of this name and type, and those that only have the name. */
const look = ({ client, wanted: { name, type } }: Setup) =>
  Effect.flatMap(client.list, (extensions) => {
    const namesakes = extensions.filter((extension) => extension.name === name)
    const own = namesakes.filter((extension) => extension.type === type)
    const others = namesakes.filter((extension) => extension.type !== type)
    return own.length > 1
      ? Effect.fail(ambiguous({ name, type }, own))
      : Effect.succeed({ own: Option.fromNullable(own[0]), others })
  })

const ambiguous = (wanted: Pick<AmbiguousExtension, "name" | "type">, own: ReadonlyArray<Extension>) =>
  new AmbiguousExtension({
    ...wanted,
    ids: own.map(({ id }) => id),
    emptyIds: own.filter(({ fileMetadata }) => Option.isNone(fileMetadata)).map(({ id }) => id)
  })

/**
 * Without a download URL, even where there is one: creating then is done in a moment, and an answer that is lost was not
 * lost in the middle of a long download.
 */
const create = (setup: Setup, others: ReadonlyArray<Extension>) =>
  Effect.gen(function* () {
    const created = yield* Effect.either(setup.client.create(createRequest(setup.wanted)))
    if (Either.isLeft(created)) {
      return isOutcomeOpen(created.left)
        ? yield* awaitCreated(setup, created.left)
        : yield* Effect.fail(explain(setup.wanted, others, created.left))
    }
    yield* requireSingle(setup)
    return created.right.extension
  })

/** Two machines may both have looked before either created: better both learn it now than fill two extensions. */
const requireSingle = (setup: Setup) => look(setup).pipe(persistently(setup))

/** After a lost answer the server is watched for a while, before its silence counts as "not created". */
const awaitCreated = (setup: Setup, lost: ExtensionsError | TransferError) =>
  Effect.zipRight(
    setup.emit({ _tag: "ReconciliationStarted", reason: lost._tag, message: lost.message }),
    look(setup).pipe(
      persistently(setup),
      Effect.flatMap(({ own }) => own),
      Effect.retry({ schedule: watching(setup), while: ({ _tag }) => _tag === "NoSuchElementException" }),
      Effect.tap(() => setup.emit({ _tag: "Reconciled", outcome: "Applied" })),
      Effect.catchTag("NoSuchElementException", () =>
        Effect.zipRight(setup.emit({ _tag: "Reconciled", outcome: "NotApplied" }), Effect.fail(lost))
      )
    )
  )

const watching = ({ settings }: Setup) =>
  Schedule.spaced("500 millis").pipe(Schedule.upTo(settings.reconcileWindow))

/** Nothing documents whether names are unique across types, so a refusal is explained by a namesake, not foreseen. */
const explain = (
  { name, type }: Wanted,
  [other]: ReadonlyArray<Extension>,
  error: ExtensionsError | TransferError
) =>
  other !== undefined && refusals.has(error._tag)
    ? new NameTaken({ name, type, takenBy: other.id, refusal: `${error._tag}: ${error.message}` })
    : error

const refusals: ReadonlySet<string> = new Set(["RequestExecutionFailed", "Conflict", "UnexpectedResponse"])

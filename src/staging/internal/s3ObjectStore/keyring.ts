/** The credentials in force, and how they are renewed. */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as SynchronizedRef from "effect/SynchronizedRef"
import type { StoreCredentialsUnavailable } from "../../StagingError.ts"

export interface Keys {
  readonly accessKeyId: Redacted.Redacted<string>
  readonly secretAccessKey: Redacted.Redacted<string>
  readonly sessionToken: Option.Option<Redacted.Redacted<string>>
  readonly expires: Option.Option<DateTime.Utc>
}

/** Where credentials come from. */
export type KeySource =
  | { readonly _tag: "Fixed"; readonly keys: Keys }
  | { readonly _tag: "Renewable"; readonly get: Effect.Effect<Keys, StoreCredentialsUnavailable> }

export interface Keyring {
  readonly isRenewable: boolean
  /** Those in force; new ones where these expire within a minute. */
  readonly current: Effect.Effect<Keys, StoreCredentialsUnavailable>
  /** Others than these, unless there are none. Who asks at the same time gets the same. */
  readonly renewed: (old: Keys) => Effect.Effect<Keys, StoreCredentialsUnavailable>
}

const earlyMillis = 60_000

export const makeKeyring = (source: KeySource): Effect.Effect<Keyring> =>
  source._tag === "Fixed"
    ? Effect.succeed({
        isRenewable: false,
        current: Effect.succeed(source.keys),
        renewed: () => Effect.succeed(source.keys)
      })
    : Effect.map(SynchronizedRef.make(Option.none<Keys>()), (held) => {
        const heldWhere = (isGood: (keys: Keys) => Effect.Effect<boolean>) =>
          SynchronizedRef.modifyEffect(held, (found) =>
            Effect.gen(function* () {
              const isKept = Option.isSome(found) && (yield* isGood(found.value))
              const keys = isKept ? found.value : yield* source.get
              return [keys, Option.some(keys)] as const
            })
          )
        return {
          isRenewable: true,
          current: heldWhere((keys) => Effect.map(leftMillis(keys), (left) => left > earlyMillis)),
          renewed: (old) => heldWhere((keys) => Effect.succeed(keys !== old))
        }
      })

/** How long these are still good for; `Infinity` where that is not known. */
export const leftMillis = ({ expires }: Keys): Effect.Effect<number> =>
  Effect.map(Clock.currentTimeMillis, (now) =>
    Option.match(expires, {
      onNone: () => Number.POSITIVE_INFINITY,
      onSome: (at) => DateTime.toEpochMillis(at) - now
    })
  )

/** Takes the credentials, and what was made with them, out of what a store wrote. */
export const scrubber =
  ({ accessKeyId, secretAccessKey, sessionToken }: Keys) =>
  (text: string): string =>
    [accessKeyId, secretAccessKey, ...Option.toArray(sessionToken)]
      .reduce((scrubbed, secret) => scrubbed.replaceAll(Redacted.value(secret), "<redacted>"), text)
      .replace(/\b[0-9a-f]{64}\b/gi, "<redacted>")
      .replace(/\?[^\s"'<>=?]+=[^\s"'<>]*/g, "?<redacted>")

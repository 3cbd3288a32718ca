import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Exchange } from "./exchange.ts"
import { documented, type Refusal, undocumented } from "./reply.ts"
import type { ExtensionRecord, Store } from "./store.ts"

/**
 * Somebody with a key. Without an owner, the key stands for a session that has no user id.
 *
 * @internal
 */
export interface Account {
  readonly apiKey: string
  readonly owner: string | undefined
}

/** @internal */
export const authenticate = (
  exchange: Exchange,
  accounts: ReadonlyArray<Account>
): Effect.Effect<Account, Refusal> => {
  const key = /^ApiKey (.+)$/i.exec(exchange.request.headers.authorization ?? "")?.[1]
  const account = accounts.find(({ apiKey }) => apiKey === key)
  return account === undefined ? Effect.fail(undocumented.unauthenticated) : Effect.succeed(account)
}

/**
 * The user id, without which nothing can be owned or changed.
 *
 * @internal
 */
export const userId = (account: Account, status: 401 | 404): Effect.Effect<string, Refusal> =>
  account.owner === undefined ? Effect.fail(documented.noUserId(status)) : Effect.succeed(account.owner)

const existing = (store: Store, id: string): Effect.Effect<ExtensionRecord, Refusal> =>
  Effect.flatMap(
    store.find(id),
    Option.match({ onNone: () => Effect.fail(documented.notFound(id)), onSome: Effect.succeed })
  )

/**
 * An extension to look at: another owner's does not exist.
 *
 * @internal
 */
export const visible = (
  store: Store,
  account: Account,
  id: string
): Effect.Effect<ExtensionRecord, Refusal> =>
  Effect.filterOrFail(
    existing(store, id),
    ({ owner }) => owner === account.owner,
    () => documented.notFound(id)
  )

/**
 * An extension to change: another owner's is refused as such.
 *
 * @internal
 */
export const owned = (store: Store, account: Account, id: string): Effect.Effect<ExtensionRecord, Refusal> =>
  Effect.gen(function* () {
    const owner = yield* userId(account, 401)
    const extension = yield* existing(store, id)
    return extension.owner === owner ? extension : yield* documented.unauthorised
  })

import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Exchange } from "./exchange.ts"
import { documented, type Refusal, undocumented } from "./reply.ts"
import { type Account, Settings } from "./settings.ts"
import { type ExtensionRecord, Store } from "./store.ts"

/** Whose key the request carries. */
export const authenticate: Effect.Effect<Account, Refusal, Exchange | Settings> = Effect.gen(function* () {
  const { request } = yield* Exchange
  const { accounts } = yield* Settings
  const key = /^ApiKey (.+)$/i.exec(request.headers.authorization ?? "")?.[1]
  const account = accounts.find(({ apiKey }) => apiKey === key)
  return account ?? (yield* undocumented.unauthenticated)
})

/** The user id, without which nothing can be owned or changed. */
export const userId = (account: Account, status: 401 | 404): Effect.Effect<string, Refusal> =>
  account.owner === undefined ? Effect.fail(documented.noUserId(status)) : Effect.succeed(account.owner)

/** An extension to look at: another owner's does not exist. */
export const visible = Effect.fnUntraced(function* (account: Account, id: string) {
  const extension = yield* existing(id)
  return extension.owner === account.owner ? extension : yield* documented.notFound(id)
})

/** An extension to change: another owner's is refused as such. */
export const owned = Effect.fnUntraced(function* (account: Account, id: string) {
  const owner = yield* userId(account, 401)
  const extension = yield* existing(id)
  return extension.owner === owner ? extension : yield* documented.unauthorised
})

const existing = (id: string): Effect.Effect<ExtensionRecord, Refusal, Store> =>
  Effect.flatMap(Store, (store) => Effect.flatMap(store.find(id), orNotFound(id)))

/** An extension that was deleted meanwhile is not there. */
export const orNotFound =
  (id: string) =>
  (found: Option.Option<ExtensionRecord>): Effect.Effect<ExtensionRecord, Refusal> =>
    Option.match(found, { onNone: () => Effect.fail(documented.notFound(id)), onSome: Effect.succeed })

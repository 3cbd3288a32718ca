import * as Context from "effect/Context"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"

/** Somebody with a key. Without an owner, the key stands for a session that has no user id. */
export interface Account {
  readonly apiKey: string
  readonly owner: string | undefined
}

/** What was chosen when the stand-in was started, defaults filled in. */
export class Settings extends Context.Tag("effect-elastic-extensions/testing/Settings")<
  Settings,
  {
    readonly accounts: ReadonlyArray<Account>
    readonly verificationLinks: boolean
    readonly maxArchiveBytes: number
    /** How long the server of a download URL may be silent, in milliseconds. */
    readonly downloadTimeout: Option.Option<number>
    /** How long the gateway in front of the service waits for a request with a download URL, in milliseconds. */
    readonly downloadPatience: Option.Option<number>
    /** Scheme, host and port, as clients see them. */
    readonly origin: (port: number | undefined) => string
  }
>() {}

/** Where work goes on that no request waits for any more. A restart ends it. */
export class Background extends Context.Tag("effect-elastic-extensions/testing/Background")<
  Background,
  Scope.Scope
>() {}

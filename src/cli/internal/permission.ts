/** What Deno has to allow before something is tried that would end the process, and not fail, without it. */
import * as Effect from "effect/Effect"
import { PermissionMissing } from "../Failure.ts"

/** As much of it as is needed here, and only where the runtime is Deno. */
declare const Deno: {
  readonly permissions: {
    readonly requestSync: (permission: { readonly name: "net"; readonly host: string }) => {
      readonly state: string
    }
  }
}

/** Listening. Deno asks the person who started it, where there is one; other runtimes allow it to everybody. */
export const listening = (host: string, port: number): Effect.Effect<void, PermissionMissing> =>
  Effect.suspend(() => {
    const place = `${host}:${port}`
    const isAllowed =
      !("Deno" in globalThis) ||
      Deno.permissions.requestSync({ name: "net", host: place }).state === "granted"
    return isAllowed
      ? Effect.void
      : new PermissionMissing({
          permission: `--allow-net=${place}`,
          detail: `Requires net access to "${place}", to listen there`
        })
  })

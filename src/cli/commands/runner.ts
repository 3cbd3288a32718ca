/**
 * `runner`: runs releases until it is told to stop.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Command from "../internal/command.ts"
import * as Variables from "../internal/variables.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const runner = Command.define({
  name: "runner",
  summary: "Run releases, until it is told to stop.",
  details: [
    "Releases are submitted, looked at and approved with the releases commands. They outlive this process: whatever it was at goes on in the next one, or in another runner of the same PostgreSQL.",
    "Told to stop (SIGTERM, Ctrl-C), it begins nothing new, lets steps end that are nearly done, hands over the others, and exits with 0 at the latest ten seconds after --drain.",
    "With a file one runner at a time works on this machine. With DATABASE_URL any number on any machines share a PostgreSQL, and nothing else; each needs an --address."
  ],
  examples: [
    ["runner", "With a file in the user's state folder."],
    ["runner --listen 127.0.0.1:8321 --token-file token", "With health, metrics, the API and a page."],
    ["runner --address 10.0.0.5:34431 --namespace production", "With DATABASE_URL, one of several."]
  ],
  takes: {},
  variables: Variables.runner,
  // Loaded here alone: no other command should start more slowly for it.
  run: () =>
    Effect.flatMap(
      Effect.promise(() => import("../internal/releases/running.ts")),
      ({ run }) => run
    )
})

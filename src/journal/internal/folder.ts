import * as Path from "@effect/platform/Path"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

const variable = (name: string) => Config.option(Config.nonEmptyString(name))

const folders = Config.all({
  chosen: variable("EC_UPLOAD_JOURNAL"),
  state: variable("XDG_STATE_HOME"),
  appData: variable("LOCALAPPDATA"),
  home: variable("HOME")
})

const noFolder = ConfigError.MissingData(
  ["EC_UPLOAD_JOURNAL"],
  "No folder for the upload journal: set EC_UPLOAD_JOURNAL to one that outlives this process (or HOME, whose .local/state is the default)"
)

/**
 * The user's state folder rather than the working directory: a journal holds upload URLs and must not end up in a
 * repository or a build, and an upload is resumed from wherever the next command happens to be run.
 */
export const journalFolder: Effect.Effect<string, ConfigError.ConfigError, Path.Path> = Effect.gen(
  function* () {
    const path = yield* Path.Path
    const { chosen, state, appData, home } = yield* folders
    // The XDG specification has relative paths ignored.
    const stateFolder = Option.filter(state, path.isAbsolute).pipe(
      Option.orElse(() => appData),
      Option.orElse(() => Option.map(home, (folder) => path.join(folder, ".local", "state")))
    )
    const fallback = Option.map(stateFolder, (folder) =>
      path.join(folder, "effect-elastic-extensions", "uploads")
    )
    return yield* Option.match(
      Option.orElse(chosen, () => fallback),
      { onNone: () => Effect.fail(noFolder), onSome: Effect.succeed<string> }
    )
  }
)

import * as Schema from "effect/Schema"

/** The run came to no verdict, or to one that is not good enough. */
export class InstallerRunFailed extends Schema.TaggedError<InstallerRunFailed>()("InstallerRunFailed", {
  message: Schema.String
}) {}

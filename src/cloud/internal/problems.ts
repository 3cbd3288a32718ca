/** What a schema refused, in a form that may be shown. */
import * as ParseResult from "effect/ParseResult"
import type { Problem } from "./errorContext.ts"

const maxProblems = 20
const maxMessageLength = 300

const cut = (text: string): string =>
  text.length <= maxMessageLength ? text : `${text.slice(0, maxMessageLength)}…`

export const problemsOf = (
  error: ParseResult.ParseError,
  scrub: (text: string) => string
): ReadonlyArray<typeof Problem.Type> =>
  ParseResult.ArrayFormatter.formatErrorSync(error)
    // "or null" is how absence is allowed, not something a reader could have sent instead.
    .filter(({ message }) => !message.startsWith("Expected null, actual"))
    .slice(0, maxProblems)
    .map(({ path, message }) => ({ path: path.map(String).join("."), message: cut(scrub(message)) }))

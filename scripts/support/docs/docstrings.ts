/** Finds exports without a description, `@since` or `@category`. */

export interface Gap {
  /** Counted from 1. */
  readonly line: number
  /** The export, or `module` for the comment at the module's head. */
  readonly name: string
  readonly missing: ReadonlyArray<"description" | "@since" | "@category">
}

const exported =
  /^export (?:declare |abstract |async )*(?:const|let|class|interface|type|function\*?) (?!\{)(\w+)/gm

/** The comment directly before a place. The first comment of a file belongs to the module. */
const commentBefore = (text: string): string => {
  const end = text.trimEnd()
  const start = end.lastIndexOf("/**")
  return end.endsWith("*/") && start > 0 ? end.slice(start) : ""
}

const describes = (comment: string): boolean => {
  const [description = ""] = comment.replace(/^\/\*\*|\*\/$|^[ \t]*\*/gm, "").split(/(?:^|\s)@/)
  return description.trim() !== ""
}

const missingIn = (comment: string, tags: ReadonlyArray<"@since" | "@category">): Gap["missing"] => [
  ...(describes(comment) ? [] : (["description"] as const)),
  ...tags.filter((tag) => !new RegExp(`\\s${tag} \\S`).test(comment))
]

export const gapsIn = (source: string): ReadonlyArray<Gap> => {
  const head = /^\/\*\*[\s\S]*?\*\//.exec(source)?.[0] ?? ""
  const exports = [...source.matchAll(exported)].flatMap(({ 1: name = "", index }) => {
    const before = source.slice(0, index)
    const comment = commentBefore(before)
    const missing = missingIn(comment, ["@since", "@category"])
    return [{ line: before.split("\n").length, name, missing }]
  })
  return [{ line: 1, name: "module", missing: missingIn(head, ["@since"]) }, ...exports].filter(
    ({ missing }) => missing.length > 0
  )
}

/** The TypeScript that the documentation shows. */

export interface Block {
  /** Line of the opening fence, counted from 1. */
  readonly line: number
  readonly code: string
}

/** Fenced blocks marked `ts`; in source files, the comment's asterisks are taken off first. */
export const blocksIn = (text: string, kind: "markdown" | "source"): ReadonlyArray<Block> => {
  const plain = kind === "source" ? text.replace(/^[ \t]*\* ?/gm, "") : text
  return [...plain.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => ({
    line: plain.slice(0, match.index).split("\n").length,
    code: match[1] ?? ""
  }))
}

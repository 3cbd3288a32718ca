/** Finds links between the pages that lead nowhere. */
import { posix } from "node:path"

export interface BrokenLink {
  /** Counted from 1. */
  readonly line: number
  readonly target: string
}

const withoutCode = (markdown: string): string =>
  markdown.replace(/^```[\s\S]*?^```$/gm, (block) => block.replace(/[^\n]/g, ""))

/** The anchors of a page's headings, as they are when Markdown is rendered. */
export const anchorsIn = (markdown: string): ReadonlySet<string> =>
  new Set(
    [...withoutCode(markdown).matchAll(/^#+ +(.+)$/gm)].map(({ 1: heading = "" }) =>
      heading
        .trim()
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, "")
        .replace(/\s/g, "-")
    )
  )

/**
 * `read` gives the text of a page, "" for another file that exists, and `undefined` for one that does not; paths are
 * relative to the root, with slashes.
 */
export const brokenLinksIn = (
  path: string,
  markdown: string,
  read: (path: string) => string | undefined
): ReadonlyArray<BrokenLink> =>
  withoutCode(markdown)
    .split("\n")
    .flatMap((text, index) =>
      [...text.matchAll(/\]\(([^)\s]+)\)/g)]
        .map(([, target = ""]) => ({ line: index + 1, target }))
        .filter(({ target }) => !/^[a-z]+:/.test(target))
    )
    .filter(({ target }) => {
      const [file = "", anchor] = target.split("#")
      const page = file === "" ? markdown : read(posix.join(posix.dirname(path), file))
      return page === undefined || (anchor !== undefined && !anchorsIn(page).has(anchor))
    })

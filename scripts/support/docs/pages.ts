/** The pages of the repository as pages of a site: other names, and links that lead to the same places from there. */
import { posix } from "node:path"

/** The name of a page on the site, by its path in the repository. `undefined` for what is not a page. */
export const pageOf = (path: string): string | undefined => {
  if (path === "README.md") return "index"
  const [, inDocs, atTop] = /^(?:docs\/([\w-]+)|([A-Z]+))\.md$/.exec(path) ?? []
  return inDocs ?? atTop?.toLowerCase()
}

/** Whether a page's picture or other file comes along, at the same place beside the page. */
const isBeside = (path: string): boolean => /^docs\/.*\.(?:svg|png)$/.test(path)

/**
 * The text of the page at `path`, with its links for the site: between pages, to files that come along, and for everything
 * else to `source`, the address of the repository's files.
 */
export const forSite = (path: string, markdown: string, source: string): string =>
  markdown.replace(/\]\(([^)\s]+)\)/g, (whole, target: string) => {
    if (/^[a-z]+:|^#/.test(target)) return whole
    const [file = "", anchor] = target.split("#")
    const place = posix.join(posix.dirname(path), file)
    const after = anchor === undefined ? "" : `#${anchor}`
    const page = pageOf(place)
    if (page !== undefined) return `](./${page}${after})`
    if (isBeside(place)) return `](./${posix.relative("docs", place)})`
    return `](${source}/${place}${after})`
  })

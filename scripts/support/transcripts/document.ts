/** A document with places for transcripts: `<!-- transcript: name -->` … `<!-- end -->`. */
const place = /(<!-- transcript: ([\w-]+) -->\n)[\s\S]*?(<!-- end -->)/g

/** The names of the places, in order. */
export const placesIn = (document: string): ReadonlyArray<string> =>
  [...document.matchAll(place)].map(([, , name]) => name ?? "")

/** The document with every place filled from `blocks`, in Markdown. A place without a block stays as it is. */
export const fill = (document: string, blocks: ReadonlyMap<string, string>): string =>
  document.replace(place, (whole, begin: string, name: string, end: string) => {
    const block = blocks.get(name)
    return block === undefined ? whole : `${begin}${block.trimEnd()}\n${end}`
  })

/** Places that do not hold what they should. */
export const staleIn = (document: string, blocks: ReadonlyMap<string, string>): ReadonlyArray<string> =>
  placesIn(document).filter((name) => {
    const block = blocks.get(name)
    return (
      block === undefined ||
      !document.includes(`<!-- transcript: ${name} -->\n${block.trimEnd()}\n<!-- end -->`)
    )
  })

/** Places without a scene, and scenes without a place. */
export const unmatched = (document: string, blocks: ReadonlyMap<string, string>): ReadonlyArray<string> => {
  const places = new Set(placesIn(document))
  return [
    ...[...places].filter((name) => !blocks.has(name)),
    ...[...blocks.keys()].filter((name) => !places.has(name))
  ]
}

/** Which places of the source are changed. */
import { createHash } from "node:crypto"
import * as Schema from "effect/Schema"

/** Lines and columns count from 0. */
const Position = Schema.Struct({ line: Schema.Number, column: Schema.Number })

export const Place = Schema.Struct({
  file: Schema.String,
  start: Position,
  end: Position,
  text: Schema.String
})
export type Place = typeof Place.Type
type Range = Omit<Place, "text">

/** One for each mutant: several can be made in the same place. */
export const Places = Schema.parseJson(Schema.Array(Place))

/** A place by what stands there, which stays when lines above it come and go. */
export interface Named extends Place {
  readonly name: string
}

/** Most that are made in one place: a whole function would fill the sample by itself. */
const atMost = 4

const isBefore = (one: Place["start"], other: Place["start"]): boolean =>
  one.line < other.line || (one.line === other.line && one.column <= other.column)

export const isWithin = (inner: Range, outer: Range): boolean =>
  inner.file === outer.file && isBefore(outer.start, inner.start) && isBefore(inner.end, outer.end)

/** As StrykerJS takes it: lines from 1, columns from 0. */
export const rangeOf = ({ end, file, start }: Place): string =>
  `${file}:${start.line + 1}:${start.column}-${end.line + 1}:${end.column}`

/** Each place once. Of several with the same text in a file, the second and later ones have their number in the name. */
const named = (places: ReadonlyArray<Place>): ReadonlyArray<Named> => {
  const seen = new Map<string, number>()
  return [...new Map(places.map((place) => [rangeOf(place), place])).values()]
    .sort((one, other) => (isBefore(one.start, other.start) ? -1 : 1))
    .map((place) => {
      const text = `${place.file}: ${place.text}`
      const nth = (seen.get(text) ?? 0) + 1
      seen.set(text, nth)
      return { ...place, name: nth === 1 ? text : `${text} (${nth})` }
    })
}

/** Places that hold `count` mutants or a few more, in an order that `seed` decides and nothing else. */
export const sample = (places: ReadonlyArray<Place>, count: number, seed: string): ReadonlyArray<Named> => {
  const rank = ({ name }: Named) => createHash("sha256").update(`${seed} ${name}`).digest("hex")
  const ranked = named(places)
    .map((place) => ({ place, rank: rank(place) }))
    .sort((one, other) => (one.rank < other.rank ? -1 : 1))
  const chosen: Array<Named> = []
  let held = 0
  for (const { place } of ranked) {
    if (held >= count) break
    const inside = places.filter((other) => isWithin(other, place)).length
    const isTaken = chosen.some((other) => isWithin(place, other) || isWithin(other, place))
    if (inside > atMost || isTaken) continue
    chosen.push(place)
    held += inside
  }
  return chosen
}

/** Which places of the source are changed. */
import { createHash } from "node:crypto"
import * as Schema from "effect/Schema"

/** Lines and columns count from 0. */
const Position = Schema.Struct({ line: Schema.Number, column: Schema.Number })

const Place = Schema.Struct({ file: Schema.String, start: Position, end: Position })
export type Place = typeof Place.Type

/** One for each mutant: several can be made in the same place. */
export const Places = Schema.parseJson(Schema.Array(Place))

/** Most that are made in one place: a whole function would fill the sample by itself. */
const atMost = 4

const isBefore = (one: Place["start"], other: Place["start"]): boolean =>
  one.line < other.line || (one.line === other.line && one.column <= other.column)

const isWithin = (inner: Place, outer: Place): boolean =>
  inner.file === outer.file && isBefore(outer.start, inner.start) && isBefore(inner.end, outer.end)

/** As StrykerJS takes it: lines from 1, columns from 0. */
export const rangeOf = ({ end, file, start }: Place): string =>
  `${file}:${start.line + 1}:${start.column}-${end.line + 1}:${end.column}`

/** Places that hold `count` mutants or a few more, in an order that `seed` decides and nothing else. */
export const sample = (places: ReadonlyArray<Place>, count: number, seed: string): ReadonlyArray<Place> => {
  const rank = (place: Place) =>
    createHash("sha256")
      .update(`${seed} ${rangeOf(place)}`)
      .digest("hex")
  const known = new Map(places.map((place) => [rank(place), place]))
  const chosen: Array<Place> = []
  let held = 0
  for (const [, place] of [...known].sort(([one], [other]) => (one < other ? -1 : 1))) {
    if (held >= count) break
    const inside = places.filter((other) => isWithin(other, place)).length
    const isTaken = chosen.some((other) => isWithin(place, other) || isWithin(other, place))
    if (inside > atMost || isTaken) continue
    chosen.push(place)
    held += inside
  }
  return chosen
}

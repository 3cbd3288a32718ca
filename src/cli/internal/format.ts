/** Figures as people read them. */

const units: ReadonlyArray<string> = ["B", "kB", "MB", "GB", "TB"]

/** Decimal units, as Elastic's own limits are written. */
export const bytes = (count: number): string => {
  const power = Math.min(units.length - 1, count < 1000 ? 0 : Math.floor(Math.log10(count) / 3))
  return `${power === 0 ? Math.round(count) : (count / 1000 ** power).toFixed(1)} ${units[power]}`
}

/** Both in the unit of the whole, and as wide for every part of it: `0.5 of 3.0 MB`. */
export const portion = (part: number, whole: number): string => {
  const [figure = "", unit = "B"] = bytes(whole).split(" ")
  const scale = 1000 ** units.indexOf(unit)
  const shown = unit === "B" ? String(Math.round(part)) : (part / scale).toFixed(1)
  return `${shown.padStart(figure.length)} of ${figure} ${unit}`
}

/** A span of time that has passed. */
export const duration = (millis: number): string => {
  if (millis < 1000) return `${Math.round(millis)} ms`
  if (millis < 60_000) return `${(millis / 1000).toFixed(1)} s`
  return clock(millis)
}

/** `m:ss`, or `h:mm:ss`. */
export const clock = (millis: number): string => {
  const seconds = Math.max(0, Math.round(millis / 1000))
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor(seconds / 60) % 60
  const two = (n: number) => String(n).padStart(2, "0")
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`
}

/** A word of a shell command, quoted where it needs to be. */
export const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

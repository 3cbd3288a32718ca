/** `Retry-After` (RFC 9110, 10.2.3) in both of its forms. */
import * as Option from "effect/Option"

const seconds = /^\d{1,10}$/
const httpDate =
  /^(?:[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4}|[A-Z][a-z]+day, \d{2}-[A-Z][a-z]{2}-\d{2}) \d{2}:\d{2}:\d{2} GMT$/
const asctime = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/

const dateMillis = (value: string): number => {
  if (httpDate.test(value)) return Date.parse(value)
  return asctime.test(value) ? Date.parse(`${value} GMT`) : Number.NaN
}

/** The wait in milliseconds from `nowMillis`; zero for a date that has passed, nothing for what is neither form. */
export const parseRetryAfter = (value: string, nowMillis: number): Option.Option<number> => {
  const text = value.trim()
  if (seconds.test(text)) return Option.some(Number(text) * 1000)
  const until = dateMillis(text)
  return Number.isNaN(until) ? Option.none() : Option.some(Math.max(0, until - nowMillis))
}

/** Holds what the command line prints against its contract. */
import { Ajv } from "ajv"
import addFormats from "ajv-formats"
import { strictSchema } from "../../../scripts/support/lines.ts"

const ajv = new Ajv({ strict: false })
addFormats.default(ajv)
const isLine = ajv.compile(strictSchema)

type Line = Readonly<Record<string, unknown>>

/** Every line of a text, as the object it has to be. Fails where one is not as the schema says. */
export const linesIn = (text: string): ReadonlyArray<Line> =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => {
      const object: Line = JSON.parse(line)
      if (isLine(object)) return object
      const problems = (isLine.errors ?? []).filter(({ keyword }) => keyword !== "const")
      throw new Error(`${line}\nis no line of the contract: ${JSON.stringify(problems.slice(0, 20))}`)
    })

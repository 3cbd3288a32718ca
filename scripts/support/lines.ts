/** The contract of `--json` as JSON Schema and as a page, made of the schemas that the command line writes with. */
import * as Arr from "effect/Array"
import * as JSONSchema from "effect/JSONSchema"
import * as Schema from "effect/Schema"
import { isUnion } from "effect/SchemaAST"
import { Failure } from "../../src/cli/Failure.ts"
import { Envelope, Event, linesVersion, resultsOf, Told } from "../../src/cli/Line.ts"

/** JSON Schema as far as it is looked into here. */
interface Definition {
  readonly properties?: Readonly<Record<string, object>>
  readonly required?: ReadonlyArray<string>
}

type Definitions = Readonly<Record<string, Definition>>

/** One kind of line. */
interface Kind {
  readonly tag: string
  /** Which write it. */
  readonly commands: ReadonlyArray<string>
  readonly definition: Definition
  /** What it refers to. */
  readonly parts: Definitions
}

const membersOf = (schema: Schema.Schema.Any): ReadonlyArray<Schema.Schema.Any> =>
  isUnion(schema.ast)
    ? schema.ast.types.flatMap((type) => membersOf(Schema.make(type)))
    : [Schema.make(schema.ast)]

const strings = Schema.Struct({ enum: Schema.Tuple(Schema.String) })

/** The schema of an object, with what is on every line; `more` is what else is on lines of its sort. */
const kindOf = (
  schema: Schema.Schema.Any,
  commands: ReadonlyArray<string>,
  more: ReadonlyArray<Schema.Schema.Any>
): Kind => {
  const { $defs = {}, $ref = "", $schema: _, ...inline } = partsOf(schema)
  const { [nameIn($ref)]: own = inline, ...parts } = $defs
  const definitions = [own, ...[Envelope, ...more].map((schema) => partsOf(schema))]
  const properties = Object.assign({}, ...definitions.map(({ properties }) => properties))
  const { enum: tags } = Schema.decodeUnknownSync(strings)(properties["_tag"])
  return {
    tag: tags[0],
    commands,
    parts: Object.assign({}, parts, ...[Envelope, ...more].map((schema) => partsOf(schema).$defs)),
    definition: {
      ...own,
      properties: { _tag: { const: tags[0] }, ...withoutTag(properties) },
      required: [...new Set(["_tag", ...definitions.flatMap(({ required = [] }) => required)])]
    }
  }
}

const withoutTag = ({ _tag, ...others }: Readonly<Record<string, object>>) => others

interface Parts extends Definition {
  readonly $schema?: string
  readonly $ref?: string
  readonly $defs?: Definitions
}

const partsOf = (schema: Schema.Schema.Any): Parts => JSON.parse(JSON.stringify(JSONSchema.make(schema)))

/** `#/$defs/a~1b` refers to the definition `a/b`. */
const nameIn = (reference: string): string =>
  reference.slice("#/$defs/".length).replaceAll("~1", "/").replaceAll("~0", "~")

const sending = ["upload", "publish", "resume"]

const results: ReadonlyArray<Kind> = Object.values(
  Arr.groupBy(
    Object.entries(resultsOf).flatMap(([command, schema]) =>
      membersOf(schema).map((member) => kindOf(member, [command], []))
    ),
    ({ tag }) => tag
  )
).map((same) => ({ ...same[0], commands: same.flatMap(({ commands }) => commands) }))

const events = membersOf(Event)
  .map((schema) => kindOf(schema, sending, []))
  .filter(({ tag }) => tag !== "Completed")

const errors = membersOf(Failure).map((schema) => kindOf(schema, [], [Told]))

export const kinds: ReadonlyArray<Kind> = [...results, ...events, ...errors]

/** Without what forbids further fields: a reader has to expect them. */
const open = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(open)
  if (typeof schema !== "object" || schema === null) return schema
  return Object.fromEntries(
    Object.entries(schema).flatMap(([key, value]) =>
      key === "additionalProperties" && value === false ? [] : [[key, open(value)]]
    )
  )
}

const utc = {
  type: "string",
  format: "date-time",
  description: "a time in UTC, such as 2026-11-24T01:02:03.004Z"
}

const closedSchema = {
  $schema: "http://json-schema.org/draft-07/schema#",
  $id: `urn:effect-elastic-extensions:json-lines:${linesVersion}`,
  title: `One line of --json, version ${linesVersion}`,
  oneOf: kinds.map(({ tag }) => ({ $ref: `#/$defs/${tag}` })),
  $defs: Object.assign(
    {},
    ...kinds.map(({ parts }) => parts),
    { DateTimeUtc: utc },
    ...kinds.map(({ definition, tag }) => ({ [tag]: definition }))
  )
}

/** For readers, who ignore fields that they do not know. */
export const publishedSchema: string = `${JSON.stringify(open(closedSchema), null, 2)}\n`

/** For tests: a field that the schema does not have is an error. */
export const strictSchema: object = closedSchema

const fieldsOf = ({ definition }: Kind, common: ReadonlyArray<string>): string =>
  Object.keys(definition.properties ?? {})
    .filter((name) => !common.includes(name))
    .map((name) => `\`${name}\`${definition.required?.includes(name) ? "" : "?"}`)
    .join(", ")

const toldFields = Object.keys(Told.fields)

/** The tables of the page, by the names of their places. */
export const tables: ReadonlyMap<string, string> = new Map([
  [
    "results",
    [
      "| `_tag` | written by | fields |",
      "| --- | --- | --- |",
      ...results.map(
        (kind) => `| \`${kind.tag}\` | ${kind.commands.join(", ")} | ${fieldsOf(kind, ["_tag", "time"])} |`
      )
    ].join("\n")
  ],
  [
    "events",
    [
      "| `_tag` | fields |",
      "| --- | --- |",
      ...events.map((kind) => `| \`${kind.tag}\` | ${fieldsOf(kind, ["_tag", "time"])} |`)
    ].join("\n")
  ],
  [
    "errors",
    [
      "| `_tag` | fields of its own |",
      "| --- | --- |",
      ...errors.map((kind) => `| \`${kind.tag}\` | ${fieldsOf(kind, ["_tag", "time", ...toldFields])} |`)
    ].join("\n")
  ]
])

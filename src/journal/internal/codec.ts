/** How a record is stored: as JSON that names the version of its schema. */
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type { JournalCorrupt } from "../JournalError.ts"
import { type JournalId, JournalRecord } from "../JournalRecord.ts"

/** Why a stored text is no record. Never quotes the text: it may hold an upload URL. */
export interface Unreadable {
  readonly reason: Exclude<JournalCorrupt["reason"], "SetAside">
  readonly detail: string
}

type Fields = { readonly [name: string]: unknown }

/** In order: the first makes version 2 of version 1, and so on. A new version is one more line at the end. */
const migrations: ReadonlyArray<(record: Fields) => Fields> = [
  (record) => ({ ...record, archive: renamed(record["archive"], "digest", "sha256"), checkpoints: [] }),
  // The SHA-256 of an archive may be missing, which releases before would take for damage.
  (record) => record
]

const currentVersion = migrations.length + 1

const renamed = (value: unknown, from: string, to: string): unknown => {
  if (!Predicate.isReadonlyRecord(value)) return value
  const { [from]: moved, ...rest } = value
  return { ...rest, [to]: moved }
}

const Envelope = Schema.Struct(
  { schemaVersion: Schema.Int.pipe(Schema.positive()) },
  Schema.Record({ key: Schema.String, value: Schema.Unknown })
)

const parse = Schema.decodeUnknown(Schema.parseJson())
const decodeEnvelope = Schema.decodeUnknown(Envelope)
const decodeRecord = Schema.decodeUnknown(JournalRecord, { errors: "all" })
const encodeRecord = Schema.encode(JournalRecord)

const refused = (error: ParseResult.ParseError): Unreadable => {
  const issues = ParseResult.ArrayFormatter.formatErrorSync(error)
  const paths = new Set(issues.map((issue) => issue.path.map(String).join(".") || "the record itself"))
  return { reason: "InvalidRecord", detail: `missing or invalid: ${[...paths].join(", ")}` }
}

const migrated = ({ schemaVersion, ...fields }: typeof Envelope.Type): Effect.Effect<Fields, Unreadable> =>
  schemaVersion > currentVersion
    ? Effect.fail({
        reason: "NewerVersion",
        detail: `written by a newer release, schema version ${schemaVersion} where this one knows ${currentVersion}`
      })
    : Effect.succeed(
        migrations.slice(schemaVersion - 1).reduce<Fields>((record, migrate) => migrate(record), fields)
      )

const belongsTo =
  (id: JournalId) =>
  (record: JournalRecord): Effect.Effect<JournalRecord, Unreadable> =>
    record.id === id
      ? Effect.succeed(record)
      : Effect.fail({ reason: "InvalidRecord", detail: `it is the record of upload ${record.id}` })

export const decode = (id: JournalId, text: string): Effect.Effect<JournalRecord, Unreadable> =>
  parse(text).pipe(
    Effect.mapError((): Unreadable => ({ reason: "InvalidJson", detail: "it is not JSON" })),
    Effect.flatMap((json) => Effect.mapError(decodeEnvelope(json), refused)),
    Effect.flatMap(migrated),
    Effect.flatMap((fields) => Effect.mapError(decodeRecord(fields), refused)),
    Effect.flatMap(belongsTo(id))
  )

/** A record that its own schema refuses is a mistake of the program, not of the journal. */
export const encode = (record: JournalRecord): Effect.Effect<string> =>
  encodeRecord(record).pipe(
    Effect.map((fields) => `${JSON.stringify({ schemaVersion: currentVersion, ...fields }, null, 2)}\n`),
    Effect.orDie
  )

/** How a record is stored: as JSON that names the version of its schema. */
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type { JournalCorrupt } from "../JournalError.ts"
import { type JournalId, JournalRecord, journalId } from "../JournalRecord.ts"

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

/** A record is flat, and has a checkpoint for every few megabytes of an archive. */
const maxDepth = 16
const maxCheckpoints = 100_000

/** Before anything is built of it: who reads a deep value, reads it level by level on the stack. */
const isDeep = (text: string): boolean => {
  let depth = 0
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[{]|[\]}]/gs)) {
    if (token === "[" || token === "{") depth += 1
    else if (token === "]" || token === "}") depth -= 1
    if (depth > maxDepth) return true
  }
  return false
}

const parse = (text: string): Effect.Effect<unknown, Unreadable> =>
  isDeep(text)
    ? Effect.fail({ reason: "InvalidJson", detail: `it is nested more than ${maxDepth} levels deep` })
    : Effect.mapError(
        parseJson(text),
        (): Unreadable => ({ reason: "InvalidJson", detail: "it is not JSON" })
      )

const parseJson = Schema.decodeUnknown(Schema.parseJson())
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

/** The id is made of the extension and the API's address: a record that says another of them is another upload's. */
const belongsTo =
  (id: JournalId) =>
  (record: JournalRecord): Effect.Effect<JournalRecord, Unreadable> => {
    const [other = id] = [record.id, journalId(record)].filter((said) => said !== id)
    return other === id
      ? Effect.succeed(record)
      : Effect.fail({ reason: "InvalidRecord", detail: `it is the record of upload ${other}` })
  }

/** What no run writes: more kept than there is to send, or framing that is none. */
const isConsistent = ({ archive, multipartBoundary, representationSize, upload }: JournalRecord): boolean =>
  (multipartBoundary === undefined
    ? representationSize === archive.size
    : representationSize > archive.size && /^[\w'()+,./:=?-]{1,70}$/.test(multipartBoundary)) &&
  (upload === undefined || upload.offset <= representationSize)

const consistent = (record: JournalRecord): Effect.Effect<JournalRecord, Unreadable> =>
  isConsistent(record)
    ? Effect.succeed(record)
    : Effect.fail({ reason: "InvalidRecord", detail: "its sizes contradict each other" })

/** Every invalid element would be looked at and reported. */
const bounded = (fields: Fields): Effect.Effect<Fields, Unreadable> =>
  Array.isArray(fields["checkpoints"]) && fields["checkpoints"].length > maxCheckpoints
    ? Effect.fail({ reason: "InvalidRecord", detail: "missing or invalid: checkpoints" })
    : Effect.succeed(fields)

export const decode = (id: JournalId, text: string): Effect.Effect<JournalRecord, Unreadable> =>
  parse(text).pipe(
    Effect.flatMap((json) => Effect.mapError(decodeEnvelope(json), refused)),
    Effect.flatMap(migrated),
    Effect.flatMap(bounded),
    Effect.flatMap((fields) => Effect.mapError(decodeRecord(fields), refused)),
    Effect.flatMap(belongsTo(id)),
    Effect.flatMap(consistent)
  )

/** A record that its own schema refuses is a mistake of the program, not of the journal. */
export const encode = (record: JournalRecord): Effect.Effect<string> =>
  encodeRecord(record).pipe(
    Effect.map((fields) => `${JSON.stringify({ schemaVersion: currentVersion, ...fields }, null, 2)}\n`),
    Effect.orDie
  )

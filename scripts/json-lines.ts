/** Writes the schema of `--json` and the tables of its page: `npm run docs:json`. */
import { readFileSync, writeFileSync } from "node:fs"
import { resolve } from "node:path"
import { publishedSchema, tables } from "./support/lines.ts"
import { fill } from "./support/transcripts/document.ts"

const docs = resolve(import.meta.dirname, "../docs")
const page = resolve(docs, "json.md")

writeFileSync(resolve(docs, "json-lines.schema.json"), publishedSchema)
writeFileSync(page, fill(readFileSync(page, "utf8"), tables))

/** The tests that cannot run on some runtime, and why. */
import type { Runtime } from "./columns.ts"

export interface Exclusion {
  readonly on: ReadonlyArray<Runtime>
  readonly file: string
  /** Matches the full names of the tests. */
  readonly tests: RegExp
  /** For the reader of the table. */
  readonly what: string
  readonly why: string
  /** Not run at all, because it would exhaust the machine. The others are run, and have to fail. */
  readonly leftOut?: true
}

const namedHolder = {
  on: ["deno"],
  what: "the host's name in `JournalLocked`",
  why: "reading the name needs a permission on Deno, and the journal does without"
} as const

const undici = {
  on: ["bun"],
  what: "Effect's stock `NodeHttpClient.layerUndici`",
  why: "it sends nothing on Bun, which has its own undici; `UploadHttpClient` and the stock `FetchHttpClient` work"
} as const

const sqlite = {
  on: ["deno"],
  what: "`EngineSqlite`",
  why: "libsql cannot open files on Deno; the engine fails with `EngineUnavailable`"
} as const

const goneHolder = {
  on: ["deno"],
  what: "taking over the lock of a killed process at once",
  why: "looking for a process needs a permission on Deno; there the lock is taken over after 30 seconds without a sign of life"
} as const

export const exclusions: ReadonlyArray<Exclusion> = [
  { ...sqlite, file: "test/workflow/engines.test.ts", tests: /^(on SQLite|a database file) / },
  { ...sqlite, file: "test/cli/outsideText.test.ts", tests: / comes from answers to a runner, / },
  { ...sqlite, file: "test/journal/SqlJournal.test.ts", tests: /^SqlJournal\.layer / },
  { ...sqlite, file: "test/journal/UploadJournal.test.ts", tests: /\.SqlJournal\.layer / },
  { ...sqlite, file: "test/runner/ReleasesApi.test.ts", tests: /^the client on SQLite / },
  { ...sqlite, file: "test/workflow/ExtensionRelease.turns.test.ts", tests: /^(on SQLite|a turn) / },
  { ...sqlite, file: "test/workflow/ReleaseList.test.ts", tests: /^(on SQLite|the tables of the list) / },
  { ...sqlite, file: "test/workflow/admission.test.ts", tests: /^leaves the others in the database, / },
  { ...sqlite, file: "test/workflow/slots.test.ts", tests: /^the slots of all runners / },
  { ...sqlite, file: "test/workflow/versions.test.ts", tests: /^a (database|release) / },
  {
    on: ["deno"],
    file: "test/journal/UploadJournal.file.test.ts",
    tests: / does not believe a (folder|record) that is another user's$/,
    what: "whose the journal's folder and its records are",
    why: "knowing the user needs a permission on Deno; there the rights are looked at, and not the owner"
  },
  {
    ...namedHolder,
    file: "test/journal/UploadJournal.test.ts",
    tests: / has one holder at a time, who is named to the next$/
  },
  {
    ...namedHolder,
    file: "test/cli/commands/doctor.test.ts",
    tests: / holds unfinished uploads, one in use and one that cannot be read$/
  },
  {
    ...undici,
    file: "test/cloud/ExtensionsClient.test.ts",
    tests: /^ExtensionsClient over NodeHttpClient over undici /
  },
  {
    ...undici,
    file: "test/upload/ExtensionUpload.transports.test.ts",
    tests: /^over NodeHttpClient\.layerUndici /
  },
  {
    on: ["bun", "deno"],
    file: "test/transfer/Representation.test.ts",
    tests:
      /^multipart (passes the filename "(with( spaces;| \\"quotes\\"|\\r)|")|wraps a file of \d+ bytes as a real)/,
    what: "reading a multipart body back with `Response.formData`",
    why: "the test reads with the runtime's own parser, which loses some file names or types there; the bytes written are the same"
  },
  {
    ...goneHolder,
    file: "test/journal/UploadJournal.file.test.ts",
    tests: / takes over the lock of a process that (is gone|has ended and that nobody asked about), at once$/
  },
  {
    ...goneHolder,
    file: "test/journal/UploadJournal.process.test.ts",
    tests:
      / (excludes a second process while the first lives, and recovers at once when it was killed|does not wait for a killed process that its parent never asks about)$/
  },
  {
    on: ["bun"],
    file: "test/transfer/UploadHttpClient.test.ts",
    tests: / that nobody can read any more are let go, however large$/,
    what: "counting memory after a collection",
    why: "the test triggers a collection with a flag of V8"
  },
  {
    on: ["deno"],
    file: "test/transfer/ResumableUpload.hostile.test.ts",
    tests: /^endless 104s .* change nothing and pile up nowhere$/,
    what: "counting memory after a collection",
    why: "the test triggers a collection with a flag of V8"
  },
  {
    on: ["bun", "deno"],
    file: "test/archive/Archive.url.redirect.test.ts",
    tests: /^secrets are in no error, even where fetch quotes what it cannot send$/,
    what: "secrets in what `fetch` says of a header it cannot send",
    why: "only Node's `fetch` quotes such a header, so there is nothing to remove"
  },
  {
    on: ["bun"],
    file: "test/transfer/ResumableUpload.hostile.test.ts",
    tests: /^endless 104s (are held back|end with) /,
    what: "a server that floods with 104 responses without end",
    why: "the test's server on Bun writes without backpressure and fills the memory; with a server on Node, the client on Bun holds a flood back",
    leftOut: true
  }
]

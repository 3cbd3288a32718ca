/** The summary of a job: what was done and how that is known, or what went wrong and what to do. */

const units = ["B", "kB", "MB", "GB", "TB"]

const bytes = (count) => {
  const power = count < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3))
  return `${power === 0 ? count : (count / 1000 ** power).toFixed(1)} ${units[power]}`
}

const duration = (millis) => {
  if (millis < 1000) return `${Math.round(millis)} ms`
  if (millis < 60_000) return `${(millis / 1000).toFixed(1)} s`
  return `${Math.floor(millis / 60_000)} min ${Math.round((millis % 60_000) / 1000)} s`
}

/** What others have written, as text in a line of Markdown: no markup, no HTML, no line break, nothing that is not visible. */
const text = (value) =>
  String(value)
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu, " ")
    .replace(/[&<>]/g, (character) => `&#${character.codePointAt(0)};`)
    .replace(/[\\`*_{}[\]()#+!|~@:]/g, (character) => `&#${character.codePointAt(0)};`)

/** The same as code. */
const code = (value) => `<code>${text(value)}</code>`

const table = (rows) => [
  "| | |",
  "| --- | --- |",
  ...rows.map(([name, value]) => `| **${name}** | ${value} |`)
]

const titles = {
  Uploaded: "✅ Uploaded",
  AlreadyCurrent: "✅ Already there: nothing was sent",
  Published: "✅ Published",
  AlreadyPublished: "✅ Already published: nothing was changed"
}

const proofs = {
  hash: "🔒 by hash: the stored archive was fetched and hashed",
  size: "📏 by size: the stored size is that of the archive",
  response: "💬 by response: the service reported success, and nothing more"
}

const sent = ({ attempts, bytesResumed, bytesSent }) =>
  [
    bytes(bytesSent),
    attempts === 1 ? "in one attempt" : `in ${attempts} attempts`,
    ...(bytesResumed === 0 ? [] : [`— ${bytes(bytesResumed)} were there already`])
  ].join(" ")

const receiptRows = (receipt) => {
  const upload = receipt.archive === undefined ? receipt.upload : receipt
  return [
    [
      "Extension",
      [code(receipt.extensionId), ...(receipt.name === undefined ? [] : [text(receipt.name)])].join(" ")
    ],
    ...(receipt.version === undefined ? [] : [["Elasticsearch", code(receipt.version)]]),
    ...(upload === undefined
      ? []
      : [
          ["Archive", `${code(upload.archive.name)}, ${bytes(upload.archive.size)}`],
          ["SHA-256", code(upload.archive.sha256)]
        ]),
    ["Proved", proofs[receipt.proof] ?? text(receipt.proof)],
    ...(upload === undefined || upload.bytesSent === 0 ? [] : [["Sent", sent(upload)]]),
    ["Took", duration(receipt.durationMillis)]
  ]
}

const failure = (end, isResumable) => [
  `### ❌ ${text(end._tag)}`,
  "",
  `> ${text(end.remedy !== undefined && end.message.endsWith(end.remedy) ? end.message.slice(0, -end.remedy.length).trim() : end.message)}`,
  ...(end.remedy === undefined ? [] : ["", `**What to do:** ${text(end.remedy)}`]),
  ...(isResumable
    ? [
        "",
        "**Re-run this job:** it asks the server first, and goes on from there where the server can resume."
      ]
    : [])
]

const happened = (events) =>
  events.flatMap((event) => {
    if (event._tag === "Warning") return [`- ⚠️ ${text(event.message)}`]
    if (event._tag === "RetryScheduled") return [`- 🔁 ${code(event.reason)}: ${text(event.message)}`]
    return []
  })

/** At most so many lines: the summary of a bad night stays readable. */
const most = 20

/** `end` is the last of the events: a receipt or an error. */
export const summaryOf = ({ end, events, isResumable }) => {
  const title = titles[end._tag]
  const lines = happened(events)
  const left = lines.length - most
  return [
    ...(title === undefined ? failure(end, isResumable) : [`### ${title}`, "", ...table(receiptRows(end))]),
    ...(lines.length === 0
      ? []
      : [
          "",
          `<details><summary>On the way</summary>`,
          "",
          ...lines.slice(0, most),
          ...(left > 0 ? [`- … and ${left} more`] : []),
          "",
          "</details>"
        ]),
    ""
  ].join("\n")
}

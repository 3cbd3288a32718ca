/**
 * What the page does: plain JavaScript for a browser, as the types in its comments say. Whatever comes from the API is shown as
 * text, and never as markup.
 */

export const script = String.raw`// @ts-check

/** @typedef {{ tag: string, message: string, remedy: string }} Failure */
/** @typedef {{ verdict: "approved" | "rejected", by: string, note?: string, decidedAtMillis: number }} Decision */
/** @typedef {{ _tag: string, of?: string, step?: string, attempt?: number, atMillis?: number, why?: string }} WaitsFor */
/** @typedef {{ step: string, attempt: number, state: string, runner: string, startedAtMillis: number, endedAtMillis: number | null, failure: Failure | null, facts: Record<string, string | number | boolean> | null }} Step */
/** @typedef {{ _tag: string, id?: string, name?: string, type?: string, version?: string }} Target */
/** @typedef {{ executionId: string, releaseId: string, attempt: number, extension: Target, extensionId: string | null, sha256: string, holdForApproval: boolean, state: string, waitsFor: WaitsFor | null, failure: Failure | null, decision: Decision | null, runner: string | null, submittedAtMillis: number, updatedAtMillis: number }} Release */
/** @typedef {{ proof: string, upload: { archive: { name: string, size: number }, bytesSent: number } } | null} Receipt */
/** @typedef {{ summary: Release, steps: Array<Step>, receipt: Receipt }} Details */
/** @typedef {{ isFirst: boolean, inForce: Decision | null }} Decided */

const api = "/api/v1/releases"
const tokenKey = "releases.token"
const nameKey = "releases.by"
const pollMillis = 2000
const slowPollMillis = 15000
const longestPauseMillis = 30000
const answerMillis = 15000

/** @type {Record<string, string>} */
const stateNames = {
  submitted: "Submitted",
  running: "Running",
  waiting: "Waiting",
  held: "Needs approval",
  done: "Done",
  failed: "Failed",
  rejected: "Rejected",
  cancelled: "Cancelled",
  superseded: "Superseded"
}

/** @type {Record<string, ReadonlyArray<string>>} */
const shownStates = {
  all: [],
  held: ["held"],
  "under-way": ["submitted", "running", "waiting"],
  failed: ["failed"],
  ended: ["done", "rejected", "cancelled", "superseded"]
}

const endedStates = ["done", "failed", "rejected", "cancelled", "superseded"]

/** @type {Record<string, string>} */
const stepNames = {
  inspect: "Inspect the archive",
  digest: "Digest the archive",
  ensure: "Find or create the extension",
  transfer: "Send the archive",
  verify: "Verify what is stored",
  "request-approval": "Ask for approval",
  announce: "Announce the release",
  watch: "Look at it once more"
}

// ---- text and elements

/** Marks that turn the direction of text or cannot be seen, as their codes. @param {unknown} text */
const shown = (text) =>
  String(text).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (mark) =>
    mark === "\n" ? mark : "\\u{" + (mark.codePointAt(0) || 0).toString(16) + "}"
  )

/** @param {string} id @returns {HTMLElement} */
const at = (id) => {
  const found = document.getElementById(id)
  if (found === null) throw new Error("The page has no " + id)
  return found
}

/** @param {string} id @returns {HTMLInputElement} */
const field = (id) => /** @type {HTMLInputElement} */ (at(id))

/** @param {string} id @returns {HTMLButtonElement} */
const button = (id) => /** @type {HTMLButtonElement} */ (at(id))

const dialog = /** @type {HTMLDialogElement} */ (at("dialog"))

/**
 * An element with its content. Text stays text.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} kind
 * @param {{ readonly [attribute: string]: string }} attributes
 * @param {...(Node | string)} content
 * @returns {HTMLElementTagNameMap[K]}
 */
const make = (kind, attributes, ...content) => {
  const element = document.createElement(kind)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...content.map((part) => (typeof part === "string" ? shown(part) : part)))
  return element
}

/** What somebody else has written, kept apart in its direction. @param {unknown} text */
const said = (text) => make("bdi", {}, String(text))

/** @param {HTMLElement} element @param {string} text */
const setText = (element, text) => {
  const safe = shown(text)
  if (element.textContent !== safe) element.textContent = safe
}

/** @param {HTMLElement} element @param {boolean} isShown */
const show = (element, isShown) => {
  element.hidden = !isShown
}

/** @param {string} text @param {number} length */
const short = (text, length) => (text.length > length ? text.slice(0, length) + "…" : text)

/** @param {number} millis */
const span = (millis) => {
  if (millis < 950) return Math.round(millis) + " ms"
  const seconds = millis / 1000
  if (seconds < 59.5) return (seconds < 9.95 ? seconds.toFixed(1) : String(Math.round(seconds))) + " s"
  const minutes = seconds / 60
  if (minutes < 59.5) return Math.round(minutes) + " min"
  const hours = minutes / 60
  return hours < 47.5 ? Math.round(hours) + " h" : Math.round(hours / 24) + " days"
}

/** @param {number} atMillis */
const ago = (atMillis) => {
  const passed = Date.now() - atMillis
  return passed < 10000 ? "just now" : span(passed) + " ago"
}

/** @param {number} atMillis */
const inFuture = (atMillis) => {
  const left = atMillis - Date.now()
  return left <= 0 ? "now" : "in " + span(left)
}

/** @param {number} atMillis */
const exact = (atMillis) => new Date(atMillis).toLocaleString()

/** @param {number} atMillis @param {string} words */
const moment = (atMillis, words) =>
  make("time", { datetime: new Date(atMillis).toISOString(), title: exact(atMillis) }, words)

/** @param {number} count */
const bytes = (count) => {
  const units = ["B", "kB", "MB", "GB", "TB"]
  let size = count
  let unit = 0
  for (; size >= 1000 && unit < units.length - 1; unit++) size /= 1000
  return (unit === 0 ? String(size) : size.toFixed(1)) + " " + units[unit]
}

/** @param {Release} release */
const extensionOf = (release) => {
  const { id, name, type, version } = release.extension
  if (name === undefined) return "extension " + (id || "")
  return [name, type, version === "*" ? "any version" : "Elasticsearch " + version].join(" · ")
}

/** @param {Release} release */
const titleOf = (release) =>
  release.releaseId + (release.attempt > 1 ? " (attempt " + release.attempt + ")" : "")

/** @param {string} step */
const stepName = (step) => stepNames[step] || step

/** @param {WaitsFor} waits */
const waitsText = (waits) => {
  switch (waits._tag) {
    case "Turn":
      return "Waits for its turn behind another release of the same extension."
    case "Approval":
      return "The archive is in place. Nobody is told before somebody approves."
    case "Retry":
      return (
        "“" + stepName(waits.step || "") + "” is tried again " + inFuture(waits.atMillis || 0) +
        ", as attempt " + (waits.attempt || 0) + "."
      )
    case "Runner":
      return "Waits for a runner that can go on with it. " + (waits.why || "")
    case "SecondLook":
      return "Announced. The extension is looked at once more " + inFuture(waits.atMillis || 0) + "."
    default:
      return "Waits."
  }
}

/** @param {Decision} decision */
const verdict = (decision) => (decision.verdict === "approved" ? "Approved" : "Rejected")

/** @param {string} state */
const badge = (state) => make("span", { class: "state " + state }, stateNames[state] || state)

// ---- asking the runner

/** What the runner answered instead of a result. */
class Refusal extends Error {
  /** @param {number} status @param {string} message @param {string} remedy @param {string} tag */
  constructor(status, message, remedy, tag) {
    super(message)
    this.status = status
    this.remedy = remedy
    this.tag = tag
  }
}

/** @param {Refusal | unknown} error @returns {Failure & { status: number }} */
const failureOf = (error) =>
  error instanceof Refusal
    ? { tag: error.tag, message: error.message, remedy: error.remedy, status: error.status }
    : { tag: "Unreachable", message: "The runner cannot be reached.", remedy: "", status: 0 }

/** @param {string} path @param {unknown} [body] @returns {Promise<unknown>} */
const ask = async (path, body) => {
  const token = sessionStorage.getItem(tokenKey)
  /** @type {Record<string, string>} */
  const headers = token === null ? {} : { authorization: "Bearer " + token }
  if (body !== undefined) headers["content-type"] = "application/json"
  const response = await fetch(api + path, {
    method: body === undefined ? "GET" : "POST",
    headers,
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
    referrerPolicy: "no-referrer",
    signal: AbortSignal.timeout(answerMillis),
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  const text = await response.text()
  /** @type {unknown} */
  let answer = null
  try {
    answer = text === "" ? null : JSON.parse(text)
  } catch {
    throw new Refusal(response.status, "The answer is not that of a runner.", "Check what is between this page and it.", "NotJson")
  }
  if (response.ok) return answer
  const { _tag = "Refused", message = "The runner refused this (" + response.status + ").", remedy = "" } =
    /** @type {{ _tag?: string, message?: string, remedy?: string }} */ (answer || {})
  throw new Refusal(response.status, message, remedy, _tag)
}

// ---- what is shown

/** @typedef {{ view: "list", show: string, extension: string } | { view: "one", executionId: string }} Place */

/** @returns {Place} */
const placeOf = () => {
  const [path = "", query = ""] = location.hash.replace(/^#/, "").split("?")
  const one = /^\/releases\/([^/]+)$/.exec(path)
  if (one !== null && one[1] !== undefined) {
    try {
      return { view: "one", executionId: decodeURIComponent(one[1]) }
    } catch {
      // An address that nobody can read leads to the list.
    }
  }
  const parameters = new URLSearchParams(query)
  const wanted = parameters.get("show") || "all"
  return {
    view: "list",
    show: shownStates[wanted] === undefined ? "all" : wanted,
    extension: parameters.get("extension") || ""
  }
}

/** @type {Place} */
let place = placeOf()
let pages = 1
let failures = 0
let lastAnswer = 0
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer
/** Counts what was asked: the answer to an older question is not shown. */
let question = 0
/** What is on the screen, so that it is drawn anew only where it has changed. */
let drawn = ""
/** @type {Map<string, string>} */
const known = new Map()

/** @param {string} text */
const tellChange = (text) => setText(at("changes"), text)

/** @param {Node | string} content @param {boolean} isBad */
const tell = (content, isBad) => {
  const notice = at("notice")
  notice.replaceChildren(typeof content === "string" ? shown(content) : content)
  notice.classList.toggle("bad", isBad)
  show(notice, true)
}

const untell = () => show(at("notice"), false)

/** Messages end with the remedy. @param {Failure} failure */
const whatFailed = ({ message, remedy }) =>
  remedy !== "" && message.endsWith(remedy) ? message.slice(0, -remedy.length).trim() : message

/** @param {Failure} failure @returns {ReadonlyArray<Node>} */
const failureWords = (failure) => [
  said(whatFailed(failure)),
  ...(failure.remedy === "" ? [] : [make("span", { class: "remedy" }, said(failure.remedy))])
]

const freshness = () => {
  if (lastAnswer === 0) return setText(at("freshness"), "")
  const passed = Date.now() - lastAnswer
  setText(at("freshness"), passed < 5000 ? "Up to date" : "As of " + span(passed) + " ago")
}

/** @param {boolean} isOpen @param {string} problem */
const door = (isOpen, problem) => {
  show(at("door"), isOpen)
  show(at("list"), !isOpen && place.view === "list")
  show(at("one"), !isOpen && place.view === "one")
  show(at("forget"), !isOpen && sessionStorage.getItem(tokenKey) !== null)
  setText(at("token-problem"), problem)
  field("token").setAttribute("aria-invalid", String(problem !== ""))
  if (isOpen && document.activeElement === document.body) field("token").focus()
}

// ---- the list

/** @typedef {{ item: HTMLLIElement, link: HTMLAnchorElement, drawn: string }} Row */
/** @type {Map<string, Row>} */
const rows = new Map()

/** @param {Release} release @returns {Row} */
const rowOf = (release) => {
  const link = make("a", { href: "#/releases/" + encodeURIComponent(release.executionId) })
  return { link, item: make("li", {}, link), drawn: "" }
}

/** @param {Row} row @param {Release} release */
const drawRow = (row, release) => {
  const waits = release.waitsFor === null ? "" : waitsText(release.waitsFor)
  const why = release.failure === null ? waits : short(whatFailed(release.failure), 200)
  const when = ago(release.submittedAtMillis)
  const now = JSON.stringify([release, why, when])
  if (row.drawn === now) return
  row.drawn = now
  row.link.replaceChildren(
    make("span", { class: "name" }, said(titleOf(release))),
    make("span", { class: "is" }, badge(release.state)),
    make("span", { class: "quiet what" }, said(extensionOf(release))),
    make("span", { class: "quiet when" }, moment(release.submittedAtMillis, when)),
    ...(why === "" ? [] : [make("span", { class: "waits quiet" }, said(why))])
  )
}

/** Tells those who do not see it what has changed since it was last looked at. @param {ReadonlyArray<Release>} releases */
const tellChanges = (releases) => {
  const changed = releases.filter(({ executionId, state }) => {
    const before = known.get(executionId)
    return before !== undefined && before !== state
  })
  for (const { executionId, state } of releases) known.set(executionId, state)
  if (changed.length > 0) {
    const words = changed.slice(0, 3).map((release) => titleOf(release) + ": " + (stateNames[release.state] || release.state))
    tellChange(words.join(". "))
  }
}

/** @param {ReadonlyArray<Release>} releases @param {boolean} hasMore */
const drawList = (releases, hasMore) => {
  tellChanges(releases)
  const list = at("releases")
  const wanted = new Set(releases.map(({ executionId }) => executionId))
  for (const [executionId, row] of rows) {
    if (wanted.has(executionId)) continue
    row.item.remove()
    rows.delete(executionId)
  }
  // Rows stay where they are: whoever is on one of them stays there too.
  let before = list.firstElementChild
  for (const release of releases) {
    const row = rows.get(release.executionId) || rowOf(release)
    rows.set(release.executionId, row)
    drawRow(row, release)
    if (row.item === before) before = before.nextElementSibling
    else list.insertBefore(row.item, before)
  }
  const isFiltered = place.view === "list" && (place.show !== "all" || place.extension !== "")
  setText(
    at("empty"),
    isFiltered ? "No release fits this." : "No release was submitted yet. Here they will be, newest first."
  )
  show(at("empty"), releases.length === 0)
  show(at("more"), hasMore)
}

/** @param {{ show: string, extension: string }} filter */
const readList = async (filter) => {
  /** @type {Array<Release>} */
  const all = []
  let after = ""
  for (let page = 0; page < pages; page++) {
    const query = new URLSearchParams((shownStates[filter.show] || []).map((state) => ["state", state]))
    if (filter.extension !== "") query.set("extension", filter.extension)
    if (after !== "") query.set("after", after)
    const answer = /** @type {{ releases: Array<Release>, next: string | null }} */ (await ask("?" + query))
    all.push(...answer.releases)
    after = answer.next || ""
    if (after === "") break
  }
  return { releases: all, hasMore: after !== "" }
}

// ---- one release

/** @param {string} term @param {Node | string} value @returns {ReadonlyArray<Node>} */
const fact = (term, value) => [make("dt", {}, term), make("dd", {}, value)]

/** @param {string} text */
const code = (text) => make("span", { class: "code" }, said(text))

/** @param {string} name */
const words = (name) => name.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase()

/** @param {string} name @param {string | number | boolean} value */
const factText = (name, value) => {
  if (typeof value === "number") return /size|bytes/i.test(name) ? bytes(value) : String(value)
  if (typeof value === "boolean") return value ? "yes" : "no"
  return short(value, 80)
}

/** @type {Record<string, string>} */
const stepStates = { running: "under way", done: "done", failed: "failed", interrupted: "cut off, and taken up again elsewhere" }

/** @param {Step} step */
const stepTime = (step) =>
  step.endedAtMillis === null
    ? "for " + span(Math.max(0, Date.now() - step.startedAtMillis))
    : "took " + span(Math.max(0, step.endedAtMillis - step.startedAtMillis))

/** Said elsewhere on the page. */
const untold = ["sha256", "durationMillis"]

/** Neither nothing nor what is said elsewhere. @param {Step} step */
const factsOf = (step) =>
  Object.entries(step.facts || {})
    .filter(([name, value]) => value !== 0 && value !== false && !untold.includes(name))
    .map(([name, value]) => words(name) + ": " + factText(name, value))

/** @param {Array<Step>} attempts @param {Failure | null} end @returns {HTMLLIElement} */
const stepItem = (attempts, end) => {
  const last = attempts[attempts.length - 1]
  if (last === undefined) return make("li", {})
  const tried = last.attempt > 1 ? ", attempt " + last.attempt : ""
  const facts = factsOf(last)
  const isToldAbove = last.failure !== null && end !== null && last.failure.message === end.message
  const earlier = attempts.slice(0, -1)
  return make(
    "li",
    { class: last.state },
    make("strong", {}, stepName(last.step)),
    make(
      "span",
      { class: "quiet" },
      (stepStates[last.state] || last.state) + tried + ", " + stepTime(last) + ", by ",
      said(last.runner)
    ),
    ...(facts.length === 0 ? [] : [make("span", { class: "quiet" }, said(facts.join(" · ")))]),
    ...(last.failure === null || isToldAbove ? [] : [make("span", { class: "problem" }, ...failureWords(last.failure))]),
    ...(earlier.length === 0
      ? []
      : [
          make(
            "details",
            { "data-key": "earlier-" + last.step },
            make("summary", {}, earlier.length === 1 ? "1 earlier attempt" : earlier.length + " earlier attempts"),
            make(
              "ul",
              {},
              ...earlier.map((step) =>
                make(
                  "li",
                  { class: "quiet" },
                  "Attempt " + step.attempt + ", " + exact(step.startedAtMillis) + ": ",
                  ...(step.failure === null ? [stepStates[step.state] || step.state] : failureWords(step.failure))
                )
              )
            )
          )
        ])
  )
}

/** @param {Details} details */
const wayOf = ({ steps, summary }) => {
  const hasEnded = endedStates.includes(summary.state)
  /** @type {Map<string, Array<Step>>} */
  const byStep = new Map()
  for (const step of steps) byStep.set(step.step, [...(byStep.get(step.step) || []), step])
  const usual = Object.keys(stepNames).filter(
    (step) => step !== "watch" && (step !== "request-approval" || summary.holdForApproval)
  )
  const order = [...usual, ...[...byStep.keys()].filter((step) => !usual.includes(step))]
  const way = make("ol", { class: "way" })
  for (const step of order) {
    const attempts = byStep.get(step)
    if (attempts !== undefined) way.append(stepItem(attempts, summary.failure))
    else if (!hasEnded) way.append(make("li", { class: "ahead" }, make("strong", {}, stepName(step))))
    if (step === "request-approval") way.append(...decisionItem(summary, attempts !== undefined, hasEnded))
  }
  return way
}

/** @param {Release} summary @param {boolean} isAsked @param {boolean} hasEnded @returns {ReadonlyArray<Node>} */
const decisionItem = (summary, isAsked, hasEnded) => {
  const { decision } = summary
  if (decision !== null) {
    return [
      make(
        "li",
        { class: decision.verdict === "approved" ? "done" : "failed" },
        make("strong", {}, verdict(decision)),
        make("span", { class: "quiet" }, "by ", said(decision.by), ", ", moment(decision.decidedAtMillis, ago(decision.decidedAtMillis))),
        ...(decision.note === undefined || decision.note === ""
          ? []
          : [make("span", { class: "note" }, said(decision.note))])
      )
    ]
  }
  if (hasEnded) return []
  const isNow = isAsked && summary.state === "held"
  return [make("li", { class: isNow ? "now" : "ahead" }, make("strong", {}, isNow ? "Waits for somebody to approve" : "Wait for approval"))]
}

/** @param {string} label @param {string} key @param {string} kind @param {() => void} action */
const doing = (label, key, kind, action) => {
  const made = make("button", { type: "button", class: kind, "data-key": key }, label)
  made.addEventListener("click", action)
  return made
}

/** @param {Release} summary */
const actionsOf = (summary) => {
  const hasEnded = endedStates.includes(summary.state)
  const isOpen = summary.holdForApproval && summary.decision === null && !hasEnded
  return make(
    "div",
    { class: "actions" },
    ...(isOpen
      ? [
          doing("Approve…", "approve", "strong", () => decideOn(summary, "approve")),
          doing("Reject…", "reject", "", () => decideOn(summary, "reject"))
        ]
      : []),
    ...(hasEnded ? [] : [doing("Cancel…", "cancel", "danger", () => cancelIt(summary))]),
    ...(hasEnded && summary.state !== "done" ? [doing("Try again…", "retry", "", () => retryIt(summary))] : [])
  )
}

/** @param {Details} details */
const drawOne = (details) => {
  tellChanges([details.summary])
  const section = at("one")
  const next = make("div", {}, ...partsOf(details))
  // Drawn anew only if it looks different: whoever marks text, or listens to it, is not disturbed.
  if (drawn === next.innerHTML) return
  const key = document.activeElement instanceof HTMLElement ? document.activeElement.dataset["key"] : undefined
  const open = new Set([...section.querySelectorAll("details[open]")].map((one) => one.getAttribute("data-key")))
  const isNew = drawn === ""
  drawn = next.innerHTML
  section.replaceChildren(...next.childNodes)
  for (const one of section.querySelectorAll("details")) one.open = open.has(one.getAttribute("data-key"))
  if (isNew && !dialog.open) focusHeading(section)
  else if (key !== undefined) {
    const same = section.querySelector("[data-key=" + CSS.escape(key) + "]")
    if (same instanceof HTMLElement) same.focus({ preventScroll: true })
  }
}

/** @param {Details} details @returns {ReadonlyArray<Node>} */
const partsOf = (details) => {
  const { receipt, summary } = details
  const waits = summary.waitsFor === null ? "" : waitsText(summary.waitsFor)
  return [
    make(
      "div",
      { class: "head" },
      make("a", { href: listHash, "data-key": "back" }, "All releases"),
      badge(summary.state),
      make("h1", { tabindex: "-1" }, said(titleOf(summary))),
      make("p", { class: "quiet" }, said(extensionOf(summary))),
      ...(waits === "" ? [] : [make("p", {}, said(waits))])
    ),
    ...(summary.failure === null
      ? []
      : [make("div", { class: "box bad" }, make("strong", {}, said(summary.failure.tag)), ...failureWords(summary.failure))]),
    actionsOf(summary),
    make("div", { class: "card" }, make("h2", {}, "Steps"), wayOf(details)),
    make(
      "div",
      { class: "card" },
      make("h2", {}, "Facts"),
      make(
        "dl",
        {},
        ...fact("submitted", moment(summary.submittedAtMillis, exact(summary.submittedAtMillis))),
        ...fact("last change", moment(summary.updatedAtMillis, ago(summary.updatedAtMillis))),
        ...(summary.extensionId === null ? [] : fact("extension id", code(summary.extensionId))),
        ...(receipt === null
          ? []
          : [
              ...fact("archive", said(receipt.upload.archive.name + ", " + bytes(receipt.upload.archive.size))),
              ...fact("proof", said(receipt.proof))
            ]),
        ...fact("SHA-256", code(summary.sha256)),
        ...(summary.runner === null ? [] : fact("runner", said(summary.runner))),
        ...fact("execution id", code(summary.executionId))
      )
    )
  ]
}

/** @param {HTMLElement} section */
const focusHeading = (section) => {
  const heading = section.querySelector("h1")
  if (heading !== null) heading.focus({ preventScroll: true })
}

// ---- doing something

/** @typedef {{ title: string, text: string, label: string, isDangerous: boolean, asksWho: boolean, act: (who: { by: string, note?: string }) => Promise<void> }} Question */
/** @type {Question | undefined} */
let asked
/** @type {Element | null} */
let cameFrom = null

/** @param {Question} wanted */
const openDialog = (wanted) => {
  asked = wanted
  cameFrom = document.activeElement
  setText(at("dialog-title"), wanted.title)
  setText(at("dialog-text"), wanted.text)
  setText(at("dialog-do"), wanted.label)
  at("dialog-do").classList.toggle("danger", wanted.isDangerous)
  at("dialog-do").classList.toggle("strong", !wanted.isDangerous)
  show(at("dialog-fields"), wanted.asksWho)
  setText(at("dialog-problem"), "")
  setText(at("by-problem"), "")
  field("by").setAttribute("aria-invalid", "false")
  field("by").value = sessionStorage.getItem(nameKey) || ""
  field("note").value = ""
  button("dialog-do").disabled = false
  dialog.showModal()
  if (wanted.asksWho) (field("by").value === "" ? field("by") : field("note")).focus()
  else at("dialog-back").focus()
}

const closeDialog = () => {
  dialog.close()
}

dialog.addEventListener("close", () => {
  asked = undefined
  const key = cameFrom instanceof HTMLElement ? cameFrom.dataset["key"] : undefined
  const same = key === undefined ? null : at("one").querySelector("[data-key=" + CSS.escape(key) + "]")
  if (same instanceof HTMLElement) same.focus()
  else focusHeading(at("one"))
})

at("dialog-back").addEventListener("click", closeDialog)

at("dialog-form").addEventListener("submit", (event) => {
  event.preventDefault()
  void answer()
})

const answer = async () => {
  const wanted = asked
  if (wanted === undefined || button("dialog-do").disabled) return
  const by = field("by").value.trim()
  const note = field("note").value.trim()
  if (wanted.asksWho && by === "") {
    setText(at("by-problem"), "Say who you are: the receipt of the release will.")
    field("by").setAttribute("aria-invalid", "true")
    field("by").focus()
    return
  }
  button("dialog-do").disabled = true
  setText(at("dialog-problem"), "")
  try {
    await wanted.act(note === "" ? { by } : { by, note })
    if (wanted.asksWho) sessionStorage.setItem(nameKey, by)
    closeDialog()
    wake()
  } catch (error) {
    const failure = failureOf(error)
    if (failure.status === 401) {
      closeDialog()
      return lock("This token is not the runner's any more.")
    }
    at("dialog-problem").replaceChildren(...failureWords(failure))
  } finally {
    button("dialog-do").disabled = false
  }
}

/** @param {Release} summary @param {string} action */
const pathOf = (summary, action) => "/" + encodeURIComponent(summary.executionId) + "/" + action

/** @param {Release} summary @param {"approve" | "reject"} action */
const decideOn = (summary, action) => {
  untell()
  const isApproval = action === "approve"
  const text = isApproval
    ? "Its archive is in place. Approved, the release is announced."
    : "Its archive is in place and stays there. Rejected, the release ends, and nobody is told of it."
  openDialog({
    title: (isApproval ? "Approve " : "Reject ") + titleOf(summary) + "?",
    text: summary.state === "held" ? text : "It is not held yet. What you decide now counts once it is.",
    label: isApproval ? "Approve" : "Reject",
    isDangerous: !isApproval,
    asksWho: true,
    act: async (who) => {
      const { inForce, isFirst } = /** @type {Decided} */ (await ask(pathOf(summary, action), who))
      if (isFirst) return tell(isApproval ? "You have approved this release." : "You have rejected this release.", false)
      if (inForce === null) return tell("Somebody else decided a moment before you. Their decision counts, and will show here.", true)
      tell(
        make(
          "span",
          {},
          "Yours does not count: ",
          said(inForce.by),
          " had " + inForce.verdict + " this release before you, " + exact(inForce.decidedAtMillis) + ".",
          ...(inForce.note === undefined ? [] : [make("span", { class: "remedy" }, "“", said(inForce.note), "”")])
        ),
        true
      )
    }
  })
}

/** @param {Release} summary */
const cancelIt = (summary) => {
  untell()
  openDialog({
    title: "Cancel " + titleOf(summary) + "?",
    text: "What was sent of its archive is given up. An archive that is stored already stays.",
    label: "Cancel the release",
    isDangerous: true,
    asksWho: false,
    act: async () => {
      await ask(pathOf(summary, "cancel"), {})
      tell("The release is being cancelled. It ends before its next step at the latest.", false)
    }
  })
}

/** @param {Release} summary */
const retryIt = (summary) => {
  untell()
  openDialog({
    title: "Try " + titleOf(summary) + " again?",
    text: "A new attempt is submitted. What is stored already is found, and not sent again.",
    label: "Try again",
    isDangerous: false,
    asksWho: false,
    act: async () => {
      const { executionId } = /** @type {{ executionId: string }} */ (await ask(pathOf(summary, "retry"), {}))
      location.hash = "#/releases/" + encodeURIComponent(executionId)
    }
  })
}

// ---- staying up to date

/** @param {number} millis */
const again = (millis) => {
  clearTimeout(timer)
  if (!document.hidden) timer = setTimeout(() => void look(), millis)
}

const wake = () => {
  failures = 0
  again(0)
}

/** @param {string} problem */
const lock = (problem) => {
  clearTimeout(timer)
  sessionStorage.removeItem(tokenKey)
  lastAnswer = 0
  freshness()
  show(at("trouble"), false)
  untell()
  door(true, problem)
}

const look = async () => {
  const mine = ++question
  const wanted = place
  try {
    /** @type {() => void} */
    let draw
    let isSlow = false
    if (wanted.view === "list") {
      const { hasMore, releases } = await readList(wanted)
      draw = () => drawList(releases, hasMore)
    } else {
      const details = /** @type {Details} */ (await ask("/" + encodeURIComponent(wanted.executionId)))
      isSlow = endedStates.includes(details.summary.state)
      draw = () => drawOne(details)
    }
    if (mine !== question) return
    failures = 0
    lastAnswer = Date.now()
    show(at("trouble"), false)
    door(false, "")
    draw()
    freshness()
    at("list").removeAttribute("aria-busy")
    again(isSlow ? slowPollMillis : pollMillis)
  } catch (error) {
    if (mine === question) explain(error)
  }
}

/** @param {unknown} error */
const explain = (error) => {
  const failure = failureOf(error)
  if (failure.status === 401) {
    return lock(sessionStorage.getItem(tokenKey) === null ? "" : "This is not the runner's token.")
  }
  failures++
  const pause = Math.min(longestPauseMillis, pollMillis * 2 ** (failures - 1))
  const isLost = failure.status === 0 || failure.status >= 500
  const trouble = at("trouble")
  const now = make("button", { type: "button", "data-key": "now" }, "Try now")
  now.addEventListener("click", wake)
  const hadFocus = document.activeElement instanceof HTMLElement && document.activeElement.dataset["key"] === "now"
  trouble.replaceChildren(
    ...failureWords(failure),
    ...(isLost ? [make("span", { class: "remedy" }, "Trying again in " + span(pause) + ". What is shown may be out of date.")] : []),
    ...(isLost ? [now] : [make("a", { href: listHash, class: "remedy" }, "All releases")])
  )
  show(trouble, true)
  if (!isLost) at("one").replaceChildren()
  if (hadFocus) now.focus()
  freshness()
  again(isLost ? pause : slowPollMillis)
}

// ---- going somewhere

/** Where the list was left. */
let listHash = "#/"

const go = () => {
  const before = place
  place = placeOf()
  const isOther = before.view !== place.view || (place.view === "one" && before.view === "one" && before.executionId !== place.executionId)
  if (isOther) {
    drawn = ""
    at("one").replaceChildren(make("p", { class: "empty" }, "Loading…"))
    if (dialog.open) closeDialog()
    if (place.view === "list" || before.view === "one") untell()
  }
  if (place.view === "list") {
    listHash = location.hash || "#/"
    const { extension, show: wanted } = place
    for (const radio of document.querySelectorAll("input[name=show]")) {
      if (radio instanceof HTMLInputElement) radio.checked = radio.value === wanted
    }
    if (document.activeElement !== field("extension")) field("extension").value = extension
    if (before.view === "one") requestAnimationFrame(() => focusHeading(at("list")))
  }
  if (at("door").hidden) door(false, "")
  show(at("trouble"), false)
  question++
  wake()
}

const filter = () => {
  const chosen = document.querySelector("input[name=show]:checked")
  const query = new URLSearchParams()
  if (chosen instanceof HTMLInputElement && chosen.value !== "all") query.set("show", chosen.value)
  const extension = field("extension").value.trim()
  if (extension !== "") query.set("extension", extension)
  pages = 1
  at("list").setAttribute("aria-busy", "true")
  history.replaceState(null, "", "#/" + (query.size === 0 ? "" : "?" + query))
  go()
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let typing
at("filter").addEventListener("change", filter)
field("extension").addEventListener("input", () => {
  clearTimeout(typing)
  typing = setTimeout(filter, 300)
})
at("filter").addEventListener("submit", (event) => {
  event.preventDefault()
  filter()
})

at("more").addEventListener("click", () => {
  pages++
  wake()
})

at("door").addEventListener("submit", (event) => {
  event.preventDefault()
  const token = field("token").value.trim()
  if (token === "") {
    setText(at("token-problem"), "The token is missing.")
    field("token").focus()
    return
  }
  // A header holds no other characters.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    setText(at("token-problem"), "This is not the runner's token.")
    field("token").focus()
    return
  }
  sessionStorage.setItem(tokenKey, token)
  field("token").value = ""
  wake()
})

at("forget").addEventListener("click", () => {
  lock("")
  at("releases").replaceChildren()
  rows.clear()
  at("one").replaceChildren()
  drawn = ""
  field("token").focus()
})

addEventListener("hashchange", go)
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer)
  else if (at("door").hidden) wake()
})
setInterval(freshness, 1000)

at("list").setAttribute("aria-busy", "true")
setText(at("empty"), "Loading…")
show(at("empty"), true)
go()
`

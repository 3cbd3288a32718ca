/**
 * Makes the pictures of the documentation, in `docs/pictures`: the progress and the receipt of a publishing in a terminal, the
 * summary of a job, and the page of a runner. `npm run docs:pictures`; for all but the first two it needs Chromium (`CHROMIUM`, or the
 * one of the system).
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import * as Command from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Browser } from "playwright-core"
import { LocalElasticCloud } from "../src/index.ts"
import { hasChromium, launchChromium } from "./support/chromium.ts"
import { bundleCommand } from "./support/command.ts"
import { node } from "./support/node.ts"
import { withReleases } from "./support/releases.ts"
import { pictureOf, type Screen, screenAfter } from "./support/terminal.ts"
import { makeArchive, noise } from "./support/transcripts/archives.ts"
import { stable } from "./support/transcripts/stable.ts"

const root = resolve(import.meta.dirname, "..")
const folder = join(root, "docs/pictures")

/** A picture would be empty. */
class NotDrawn extends Schema.TaggedError<NotDrawn>()("NotDrawn", { message: Schema.String }) {}

/** Before anything is drawn: the pictures belong together. */
const requireTools = Effect.suspend(() => {
  if (!existsSync(join(root, "scripts/site/node_modules"))) {
    return new NotDrawn({
      message:
        "The job's summary is drawn with the generator of the site, which is not installed. Run: npm ci --prefix scripts/site"
    })
  }
  return hasChromium
    ? Effect.void
    : new NotDrawn({
        message:
          "The pages are drawn by Chromium, which is not installed. Install it, as scripts/browser/debian.sh does, or let CHROMIUM name it."
      })
})

const line = "elastic-extensions publish dist/words.zip --name words --type bundle --version '8.*'"

/** Everything that the command writes to a terminal of 80 columns, in pieces as they come. */
const session = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const work = yield* fs.makeTempDirectoryScoped({ prefix: "pictures-" })
  const cloud = yield* LocalElasticCloud.make()
  yield* bundleCommand(join(work, "lib/cli.mjs"))
  mkdirSync(join(work, "bin"))
  writeFileSync(
    join(work, "bin/elastic-extensions"),
    `#!/bin/sh\nexec '${node}' '${work}/lib/cli.mjs' "$@"\n`,
    {
      mode: 0o755
    }
  )
  mkdirSync(join(work, "dist"))
  yield* makeArchive(join(work, "dist/words.zip"), { "hunspell/en_US/en_US.dic": noise(5_500_000, 1) })
  const inTerminal = `stty cols 80 rows 30; ${line} --bandwidth 1500000`
  const pieces = yield* Command.make(
    "script",
    "--quiet",
    "--return",
    "--command",
    inTerminal,
    "/dev/null"
  ).pipe(
    Command.workingDirectory(work),
    Command.env({
      PATH: [join(work, "bin"), dirname(node), process.env["PATH"]].join(":"),
      TERM: "xterm-256color",
      EC_API_KEY: "local-key",
      EC_ENDPOINT: cloud.url,
      EC_UPLOAD_JOURNAL: join(work, "journal"),
      CI: undefined,
      NO_COLOR: undefined
    }),
    Command.stream,
    Stream.decodeText(),
    Stream.runCollect
  )
  return [...pieces]
}).pipe(Effect.scoped)

const isAt = (percent: RegExp) => (screen: Screen) =>
  screen.some((cells) => percent.test(cells.map(({ text }) => text).join("")))

/** An example that has something to tell. */
const example = () => {
  const archive = {
    name: "words.zip",
    size: 5_500_194,
    sha256: "9c98b5e43ff87db19dba0e409788c908ebcd126788feb910fded66b1afec3f80"
  }
  const upload = { _tag: "Uploaded", archive, attempts: 2, bytesSent: 5_500_194, bytesResumed: 3_145_728 }
  const end = {
    _tag: "Published",
    extensionId: "4711081547",
    name: "words",
    type: "bundle",
    version: "8.*",
    proof: "hash",
    upload,
    durationMillis: 3400
  }
  const message = "The connection was lost after 3,145,728 bytes."
  return {
    end,
    events: [{ _tag: "RetryScheduled", reason: "ConnectionFailed", message }, end],
    isResumable: false
  }
}

/** Looks like the host of the repository shows it. */
const page = (html: string) => `<!doctype html><meta charset="utf-8"><style>
  body { margin: 0; padding: 20px 28px; font: 16px/1.5 system-ui, "Noto Sans", "DejaVu Sans", sans-serif; color: #1f2328; background: #fff; width: 664px }
  h3 { margin: 0 0 14px; font-size: 20px } .header-anchor { display: none } thead { display: none }
  table { border-collapse: collapse; font-size: 14px } td { border: 1px solid #d1d9e0; padding: 6px 13px }
  code { font: 12.5px "DejaVu Sans Mono", monospace; background: #818b981f; padding: 2px 5px; border-radius: 6px }
  details { margin-top: 14px; font-size: 14px }
</style>${html}`

const photograph = (browser: Browser, html: string, path: string) =>
  Effect.promise(async () => {
    const view = await browser.newPage({ viewport: { width: 720, height: 100 }, deviceScaleFactor: 2 })
    await view.setContent(page(html))
    await view.screenshot({ path, fullPage: true })
  })

/** The page of a runner: its list, one release, the dialog of an approval, and the list on a phone by night. */
const photographReleases = (browser: Browser, address: string) =>
  Effect.promise(async () => {
    const visit = async (width: number, height: number, colorScheme: "light" | "dark") => {
      const viewport = { width, height }
      const options = { viewport, deviceScaleFactor: 2, colorScheme, reducedMotion: "reduce" } as const
      const view = await browser.newPage(options)
      await view.goto(address)
      await view.getByRole("link", { name: "words-1.4.0" }).waitFor()
      return view
    }
    const shoot = (view: Awaited<ReturnType<typeof visit>>, name: string) =>
      view.screenshot({ path: join(folder, name) })
    const desktop = await visit(900, 640, "light")
    await shoot(desktop, "releases.png")
    await desktop.getByRole("link", { name: "words-1.4.0" }).click()
    await desktop.getByText("Waits for somebody to approve").waitFor()
    await desktop.setViewportSize({ width: 720, height: 980 })
    await shoot(desktop, "release.png")
    await desktop.setViewportSize({ width: 720, height: 560 })
    await desktop.getByRole("button", { name: "Approve…" }).click()
    await desktop.getByLabel("Your name").fill("Ada Lovelace")
    await desktop.getByLabel("Note").fill("Tried on staging, looks good")
    await shoot(desktop, "release-approve.png")
    await shoot(await visit(375, 760, "dark"), "release-phone.png")
  })

const make = Effect.gen(function* () {
  yield* requireTools
  mkdirSync(folder, { recursive: true })
  const pieces = yield* session
  const screens = pieces.map((_, i) => screenAfter(pieces.slice(0, i + 1).join("")))
  const known = new Map([[/extension +(\d+)/.exec(pieces.join(""))?.[1] ?? "", "4711081547"]])
  const shown = (screen: Screen): Screen =>
    screen.map((cells) =>
      cells.map(({ codes, text }) => ({
        codes,
        text: stable(text, known).replace(/(took +)420 ms/, "$13.7 s")
      }))
    )
  const halfWay = screens.find(isAt(/ (5\d|6\d) ?%/)) ?? screens[0] ?? []
  const last = screens.at(-1) ?? []
  writeFileSync(
    join(folder, "progress.svg"),
    pictureOf(line, shown(halfWay), "An archive being uploaded, with a progress bar")
  )
  writeFileSync(
    join(folder, "receipt.svg"),
    pictureOf(line, shown(last), "The receipt of a published bundle, proved by hash")
  )
  const html = yield* Command.make(node, join(root, "scripts/site/summary.mjs")).pipe(
    Command.feed(JSON.stringify(example())),
    Command.string,
    Effect.filterOrFail(
      (drawn) => drawn.trim() !== "",
      () =>
        new NotDrawn({
          message: "The job's summary could not be made: scripts/site/summary.mjs wrote nothing."
        })
    )
  )
  const browser = yield* Effect.acquireRelease(Effect.promise(launchChromium), (running) =>
    Effect.promise(() => running.close())
  )
  yield* photograph(browser, html, join(folder, "job-summary.png"))
  yield* withReleases((address) => photographReleases(browser, address))
  yield* Console.log(
    `${folder}: progress.svg, receipt.svg, and pictures of a job's summary and a runner's page`
  )
})

NodeRuntime.runMain(
  make.pipe(
    Effect.catchTag("NotDrawn", ({ message }) =>
      Effect.zipRight(
        Console.error(message),
        Effect.sync(() => {
          process.exitCode = 1
        })
      )
    ),
    Effect.scoped,
    Effect.provide(NodeContext.layer)
  )
)

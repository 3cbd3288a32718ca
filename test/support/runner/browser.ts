/** A browser of its own for each person who looks at the page, and everything that their browser complained about. */
import { Context, Effect, Layer } from "effect"
import type { BrowserContextOptions, Page, Browser as Running } from "playwright-core"
import { launchChromium } from "../../../scripts/support/chromium.ts"
import { token, url } from "./runner.ts"

export const phone: BrowserContextOptions = { viewport: { width: 375, height: 667 }, hasTouch: true }
export const desktop: BrowserContextOptions = { viewport: { width: 1280, height: 800 } }

/** One for all tests of a file. */
export class Browser extends Context.Tag("test/Browser")<Browser, Running>() {
  static readonly layer = Layer.scoped(
    Browser,
    Effect.acquireRelease(
      Effect.promise(() => launchChromium()),
      (running) => Effect.promise(() => running.close())
    )
  )
}

/** Tells of everything that the policy has stopped. */
const listener = `addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
  console.error("violation: " + violatedDirective + " " + blockedURI))`

export interface Person {
  readonly page: Page
  /** Violations of the policy, mistakes of the script, and boxes that opened. */
  readonly complaints: ReadonlyArray<string>
}

/** In a window that shares nothing with others. */
export const person = (options: BrowserContextOptions = desktop) =>
  Effect.gen(function* () {
    const running = yield* Browser
    const complaints: Array<string> = []
    const context = yield* Effect.acquireRelease(
      Effect.promise(() => running.newContext({ reducedMotion: "reduce", ...options })),
      (opened) => Effect.promise(() => opened.close())
    )
    const page = yield* Effect.promise(async () => {
      const opened = await context.newPage()
      await opened.addInitScript({ content: listener })
      opened.on("console", (message) => {
        if (/violation|policy|trusted/i.test(message.text())) complaints.push(message.text())
      })
      opened.on("pageerror", (error) => complaints.push(String(error)))
      opened.on("dialog", (dialog) => {
        complaints.push(`a box: ${dialog.message()}`)
        void dialog.dismiss()
      })
      return opened
    })
    const address = yield* url
    yield* Effect.promise(() => page.goto(address))
    return { page, complaints } satisfies Person
  })

/** Somebody who has given the token, and sees the list. */
export const approver = (options?: BrowserContextOptions) =>
  Effect.tap(person(options), ({ page }) =>
    Effect.promise(async () => {
      await page.getByLabel("Token").fill(token)
      await page.getByRole("button", { name: "Show the releases" }).click()
      await page.locator("#list:not([aria-busy])").waitFor()
    })
  )

/** Of every text that can be seen, the lowest contrast with what is behind it, and whose it is. */
export const faintest = (page: Page): Promise<readonly [number, string]> =>
  page.locator("body").evaluate((body) => {
    const view = body.ownerDocument.defaultView
    const numbers = (color: string) => (color.match(/[\d.]+/g) ?? []).map(Number)
    const light = ([red = 0, green = 0, blue = 0]: ReadonlyArray<number>) => {
      const [r = 0, g = 0, b = 0] = [red, green, blue].map((part) => {
        const share = part / 255
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
      })
      return 0.2126 * r + 0.7152 * g + 0.0722 * b
    }
    let faint: readonly [number, string] = [21, ""]
    for (const element of body.querySelectorAll("*")) {
      const own = [...element.childNodes].some(
        (node) => node.nodeType === 3 && node.textContent.trim() !== ""
      )
      if (!own || !element.checkVisibility() || element.closest(".aside") !== null) continue
      let behind = element
      const backgroundOf = () => numbers(view.getComputedStyle(behind).backgroundColor)
      while (behind.parentElement !== null && backgroundOf()[3] === 0) behind = behind.parentElement
      const [one, other] = [light(numbers(view.getComputedStyle(element).color)), light(backgroundOf())]
      const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
      if (ratio < faint[0]) faint = [ratio, element.textContent]
    }
    return faint
  })

import { describe, expect, layer } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import { hasChromium } from "../../scripts/support/chromium.ts"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"
import { approver, Browser, desktop, faintest, person, phone } from "../support/runner/browser.ts"
import { address, serving, token } from "../support/runner/runner.ts"
import { newRelease, untilStatus } from "../support/workflow/releases.ts"

if (!hasChromium) console.log("No Chromium can be had here, so the tests of the page are left out.")

/** Not `Effect.promise` at each line: what a browser does is told step by step. */
const doing = (steps: () => Promise<void>) => Effect.promise(steps)

const heldRelease = (request: Parameters<typeof newRelease>[0] = {}) =>
  Effect.gen(function* () {
    const release = yield* newRelease({ holdForApproval: true, ...request })
    yield* ExtensionRelease.submit(release.payload)
    yield* untilStatus(release.executionId, "Waiting")
    return release
  })

describe.skipIf(!hasChromium)("in Chromium", () =>
  layer(Browser.layer, { excludeTestServices: true })((it) => {
    describe("somebody with a keyboard alone", () => {
      for (const [name, size] of Object.entries({ phone, desktop })) {
        it.scoped(`approves a release on a ${name}, and it is done`, () =>
          Effect.gen(function* () {
            const { executionId } = yield* heldRelease()
            const { complaints, page } = yield* person(size)
            const seen: Array<string> = []
            /** Presses Tab until what has the focus is called so. Everything on the way can be seen to have it. */
            const tabTo = async (label: string) => {
              for (let presses = 0; presses < 30; presses++) {
                await page.keyboard.press("Tab")
                const focus = await page.locator(":focus").evaluate((element) => {
                  const marked = element.type === "radio" ? element.nextElementSibling : element
                  const { outlineStyle, outlineWidth } =
                    element.ownerDocument.defaultView.getComputedStyle(marked)
                  const label = element.labels?.[0]?.textContent ?? element.textContent
                  return { label: String(label).trim(), outline: `${outlineStyle} ${outlineWidth}` }
                })
                seen.push(focus.outline)
                if (focus.label.startsWith(label)) return
              }
              throw new Error(`Tab does not lead to ${label}`)
            }
            yield* doing(async () => {
              await page.locator("#token:focus").waitFor()
              await page.keyboard.type(token)
              await page.keyboard.press("Enter")
              await page.getByRole("link", { name: "words-1" }).waitFor()
              await tabTo("words-1")
              await page.keyboard.press("Enter")
              await page.getByRole("heading", { level: 1, name: "words-1" }).waitFor()
              await page.getByText("Waits for somebody to approve").waitFor()
              await tabTo("Approve…")
              await page.keyboard.press("Enter")
              await page.getByRole("dialog", { name: "Approve words-1?" }).waitFor()
              await page.keyboard.press("Enter")
              await page.getByText("Say who you are").waitFor()
              await page.keyboard.type("Ada Lovelace")
              await tabTo("Note")
              await page.keyboard.type("Looks good to me")
              await tabTo("Approve")
              await page.keyboard.press("Enter")
              await page.getByRole("status").getByText("You have approved this release.").waitFor()
              await page.locator(".state.done").waitFor()
              await page.getByText("Looks good to me").waitFor()
              await page.locator("#changes", { hasText: "words-1: Done" }).waitFor()
              const { isWider, text } = await page.locator("html").evaluate((html) => ({
                isWider: html.scrollWidth > html.clientWidth,
                text: html.textContent
              }))
              expect(isWider).toBe(false)
              expect(text).toMatch(/Approved\s*by Ada Lovelace/)
            })
            expect(seen.filter((outline) => outline !== "solid 3px")).toEqual([])
            const status = yield* ExtensionRelease.poll(executionId)
            const decision = { verdict: "approved", by: "Ada Lovelace", note: "Looks good to me" }
            expect(status).toMatchObject({ _tag: "Done", exit: Exit.succeed({ decision }) })
            expect(complaints).toEqual([])
          }).pipe(Effect.provide(serving()))
        )
      }

      it.scoped("leaves a dialog with Escape, and is where they were", () =>
        Effect.gen(function* () {
          yield* heldRelease()
          const { complaints, page } = yield* approver()
          yield* doing(async () => {
            await page.getByRole("link", { name: "words-1" }).click()
            await page.getByRole("button", { name: "Reject…" }).focus()
            await page.keyboard.press("Enter")
            await page.getByRole("dialog", { name: "Reject words-1?" }).waitFor()
            await page.keyboard.press("Escape")
            await page.getByRole("dialog").waitFor({ state: "hidden" })
            expect(await page.locator(":focus").textContent()).toBe("Reject…")
          })
          expect(complaints).toEqual([])
        }).pipe(Effect.provide(serving()))
      )
    })

    describe("two people", () => {
      it.scoped("who decide about one release both learn what counts", () =>
        Effect.gen(function* () {
          const { executionId } = yield* heldRelease()
          const people = yield* Effect.all([approver(), approver(phone)])
          const [ada, bob] = people.map(({ page }) => page)
          yield* doing(async () => {
            for (const page of [ada, bob]) await page?.getByRole("link", { name: "words-1" }).click()
            await bob?.getByRole("button", { name: "Reject…" }).click()
            await bob?.getByLabel("Your name").fill("bob")
            await ada?.getByRole("button", { name: "Approve…" }).click()
            await ada?.getByLabel("Your name").fill("ada")
            await ada?.getByLabel("Note").fill("ship it")
            await ada?.getByRole("button", { name: "Approve", exact: true }).click()
            await ada?.getByText("You have approved this release.").waitFor()
            await bob?.getByRole("button", { name: "Reject", exact: true }).click()
            await bob?.getByText("Yours does not count: ada had approved this release before you").waitFor()
            await bob?.getByRole("status").getByText("ship it").waitFor()
            for (const page of [ada, bob]) await page?.locator(".state.done").waitFor()
          })
          const status = yield* ExtensionRelease.poll(executionId)
          expect(status).toMatchObject({ exit: Exit.succeed({ decision: { by: "ada" } }) })
          expect(people.flatMap(({ complaints }) => complaints)).toEqual([])
        }).pipe(Effect.provide(serving()))
      )

      it.scoped("can reject, cancel and try again", () =>
        Effect.gen(function* () {
          const rejected = yield* heldRelease()
          const { complaints, page } = yield* approver()
          yield* doing(async () => {
            await page.getByRole("link", { name: "words-1" }).click()
            await page.getByRole("button", { name: "Reject…" }).click()
            await page.getByLabel("Your name").fill("bob")
            await page.getByLabel("Note").fill("wrong branch")
            await page.getByRole("button", { name: "Reject", exact: true }).click()
            await page.locator(".state.rejected").first().waitFor()
            await page.getByRole("button", { name: "Try again…" }).click()
            await page.getByRole("button", { name: "Try again", exact: true }).click()
            await page.getByRole("heading", { level: 1, name: "words-1 (attempt 2)" }).waitFor()
            await page.getByRole("button", { name: "Cancel…" }).click()
            await page.getByRole("button", { name: "Cancel the release" }).click()
            await page.locator(".state.cancelled").waitFor()
          })
          const status = yield* ExtensionRelease.poll(rejected.executionId)
          expect(status).toMatchObject({ exit: { cause: { error: { _tag: "ReleaseRejected", by: "bob" } } } })
          expect(complaints).toEqual([])
        }).pipe(Effect.provide(serving()))
      )
    })

    describe("text from outside", () => {
      const markup = `<img src=x onerror="alert(1)"></script><script>alert(2)</script>`

      it.scoped("stays text: names, notes, errors, and marks that turn the direction", () =>
        Effect.gen(function* () {
          const releaseId = `${markup}\u202etxt.exe`
          yield* heldRelease({ releaseId })
          const gone = yield* newRelease({
            releaseId: "gone-1",
            archive: { _tag: "Path", path: `/no/${markup}` }
          }).pipe(Effect.either)
          expect(gone).toMatchObject({ _tag: "Left" })
          const missing = yield* newRelease({ releaseId: "missing-1" })
          yield* ExtensionRelease.submit({
            ...missing.payload,
            archive: { _tag: "Path", path: `/no/${markup}` }
          })
          const { complaints, page } = yield* approver()
          yield* doing(async () => {
            const nothingRan = async () =>
              expect(await page.locator("main img, main script, main iframe, dialog img").count()).toBe(0)
            await page.getByRole("link", { name: `${markup}\\u{202e}txt.exe` }).click()
            await page.getByRole("button", { name: "Approve…" }).click()
            await page.getByLabel("Your name").fill(markup)
            await page.getByLabel("Note").fill(markup)
            await nothingRan()
            await page.getByRole("button", { name: "Approve", exact: true }).click()
            await page.locator(".state.done").waitFor()
            await page.locator(".note", { hasText: markup }).waitFor()
            await nothingRan()
            await page.getByRole("link", { name: "All releases" }).click()
            await page.getByRole("link", { name: "missing-1" }).click()
            await page.locator(".box.bad", { hasText: markup }).waitFor()
            await nothingRan()
          })
          expect(complaints).toEqual([])
        }).pipe(Effect.provide(serving()))
      )

      it.scoped("could do nothing even as markup: the policy is in force, and somebody listens", () =>
        Effect.gen(function* () {
          const { complaints, page } = yield* person()
          const refusals = yield* Effect.promise(() =>
            page.locator("body").evaluate(async (body) => {
              const make = (name: string) => body.ownerDocument.createElement(name)
              const attempts = [
                () => {
                  body.innerHTML = "<b>markup</b>"
                },
                () => make("img").setAttribute("onerror", "alert(1)"),
                () => make("script").setAttribute("src", "https://evil.example/")
              ]
              const thrown = attempts.map((attempt) => {
                try {
                  attempt()
                  return "nothing"
                } catch (error) {
                  return String(error).split(":")[0]
                }
              })
              const fetched = await fetch("https://evil.example/").catch(
                (error) => String(error).split(":")[0]
              )
              return [...thrown, fetched]
            })
          )
          expect(refusals).toEqual(["TypeError", "TypeError", "TypeError", "TypeError"])
          const told = () => complaints.join("\n")
          yield* doing(() => expect.poll(told).toContain("violation: connect-src https://evil.example/"))
          expect(told()).toContain("violation: require-trusted-types-for trusted-types-sink")
          expect(complaints.join("\n")).not.toContain("a box")
        }).pipe(Effect.provide(serving()))
      )
    })

    describe("the token", () => {
      it.scoped("is asked for, checked, kept by the tab alone, and forgotten when that is asked for", () =>
        Effect.gen(function* () {
          const { complaints, page } = yield* person()
          yield* doing(async () => {
            await page.getByLabel("Token").fill("a-wrong-token-of-somebody")
            await page.keyboard.press("Enter")
            await page.getByRole("alert").getByText("This is not the runner's token.").waitFor()
            await page.getByLabel("Token").fill(token)
            await page.keyboard.press("Enter")
            await page.getByText("No release was submitted yet.").waitFor()
            await page.reload()
            await page.getByText("No release was submitted yet.").waitFor()
            expect(page.url()).not.toContain(token)
            expect(await page.context().cookies()).toEqual([])
            await page.getByRole("button", { name: "Forget token" }).click()
            await page.getByLabel("Token").waitFor()
            expect(await page.getByLabel("Token").inputValue()).toBe("")
            await page.reload()
            await page.getByLabel("Token").waitFor()
          })
          expect(complaints).toEqual([])
        }).pipe(Effect.provide(serving()))
      )

      it.scoped("is not asked for where there is none", () =>
        Effect.gen(function* () {
          const { page } = yield* person()
          yield* doing(async () => {
            await page.getByText("No release was submitted yet.").waitFor()
            expect(await page.getByRole("button", { name: "Forget token" }).isVisible()).toBe(false)
          })
        }).pipe(Effect.provide(serving({ api: {} })))
      )
    })

    describe("the page", () => {
      it.scoped("filters by state and extension, keeps that in its address, and says when nothing fits", () =>
        Effect.gen(function* () {
          yield* heldRelease()
          const other = yield* newRelease({
            releaseId: "stems-1",
            extension: { _tag: "Named", name: "stems", type: "bundle", version: "8.*" }
          })
          yield* ExtensionRelease.execute(other.payload)
          const { complaints, page } = yield* approver(phone)
          yield* doing(async () => {
            const names = () => page.locator(".releases .name").allInnerTexts()
            await expect.poll(names).toEqual(["stems-1", "words-1"])
            await page.getByRole("radio", { name: "Needs approval" }).check()
            await expect.poll(names).toEqual(["words-1"])
            await page.reload()
            await expect.poll(names).toEqual(["words-1"])
            expect(await page.getByRole("radio", { name: "Needs approval" }).isChecked()).toBe(true)
            await page.getByRole("searchbox", { name: "Extension, by name or id" }).fill("stems")
            await page.getByText("No release fits this.").waitFor()
            await page.getByRole("radio", { name: "All" }).check()
            await expect.poll(names).toEqual(["stems-1"])
          })
          expect(complaints).toEqual([])
        }).pipe(Effect.provide(serving()))
      )

      it.scoped("follows a release while it is looked at, and keeps the focus of whoever looks", () =>
        Effect.gen(function* () {
          const { executionId } = yield* heldRelease()
          const { complaints, page } = yield* approver()
          yield* doing(async () => {
            await page.getByRole("link", { name: "words-1" }).focus()
            await page.locator(".state.held").waitFor()
          })
          yield* ExtensionRelease.approve(executionId, { by: "ada" })
          yield* doing(async () => {
            await page.locator(".state.done").waitFor()
            expect(await page.locator(":focus").textContent()).toContain("words-1")
            await page.locator("#changes", { hasText: "words-1: Done" }).waitFor()
          })
          expect(complaints).toEqual([])
        }).pipe(Effect.provide(serving()))
      )

      it.scoped("says that there is no such release", () =>
        Effect.gen(function* () {
          const { page } = yield* approver()
          yield* doing(async () => {
            await page.goto(`${page.url().split("#")[0]}#/releases/nobody`)
            await page.getByRole("alert").getByText('The engine knows no release "nobody".').waitFor()
            await page.getByRole("alert").getByRole("link", { name: "All releases" }).click()
            await page.getByText("No release was submitted yet.").waitFor()
          })
        }).pipe(Effect.provide(serving()))
      )

      it.scoped("tells when the runner is away, and goes on when it is back", () =>
        Effect.gen(function* () {
          const starting = (port: number) =>
            Effect.gen(function* () {
              const scope = yield* Scope.make()
              const context = yield* Scope.extend(Layer.build(Layer.fresh(serving({ port, api: {} }))), scope)
              return { context, stop: Scope.close(scope, Exit.void) }
            })
          const first = yield* starting(0)
          const { page } = yield* Effect.provide(person(), first.context)
          const { port } = yield* Effect.provide(address, first.context)
          yield* doing(() => page.getByText("No release was submitted yet.").waitFor())
          yield* first.stop
          yield* doing(() => page.getByRole("alert").getByText("The runner cannot be reached.").waitFor())
          const second = yield* starting(port)
          yield* doing(async () => {
            await page.getByRole("button", { name: "Try now" }).click()
            await page.getByRole("alert").waitFor({ state: "hidden" })
          })
          yield* second.stop
        })
      )

      it.scoped("can be read by day and by night, on a phone and a desktop", () =>
        Effect.gen(function* () {
          yield* heldRelease()
          const failing = yield* newRelease({ releaseId: "gone-1", extension: { _tag: "Id", id: "12345" } })
          yield* Effect.either(ExtensionRelease.execute(failing.payload))
          for (const colorScheme of ["light", "dark"] as const) {
            const { page } = yield* approver({ ...phone, colorScheme })
            yield* doing(async () => {
              for (const name of ["words-1", "gone-1"]) {
                await page.getByRole("link", { name }).waitFor()
                const inList = await faintest(page)
                expect(inList[0], `${colorScheme}: ${inList[1]}`).toBeGreaterThanOrEqual(4.5)
                await page.getByRole("link", { name }).click()
                await page.locator(".way").waitFor()
                const inOne = await faintest(page)
                expect(inOne[0], `${colorScheme}: ${inOne[1]}`).toBeGreaterThanOrEqual(4.5)
                await page.getByRole("link", { name: "All releases" }).click()
              }
            })
          }
        }).pipe(Effect.provide(serving()))
      )
    })
  })
)

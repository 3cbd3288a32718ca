/** Debian's Chromium, or the one that `CHROMIUM` names. */
import { existsSync } from "node:fs"
import { type Browser, chromium } from "playwright-core"

const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium"

export const hasChromium = existsSync(executablePath)

/** Without its sandbox, which needs more than a container gives: it is shown nothing but pages of ours. */
export const launchChromium = (): Promise<Browser> =>
  chromium.launch({ executablePath, args: ["--no-sandbox"] })

/** A release of a small repository that has all that the script asks for, in a clone of its own. */
import { execFileSync, spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { node } from "../../scripts/support/node.ts"

const root = resolve(import.meta.dirname, "../..")
const identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]

const files = {
  "package.json": JSON.stringify({
    name: "small",
    version: "1.2.0",
    scripts: {
      "release:files": "mkdir -p build/release && echo the files are made | tee build/release/SHA256SUMS"
    }
  }),
  "index.js": "export {}\n",
  ".gitignore": "build/\n",
  ".ci/run": "echo all is checked\n",
  "CHANGELOG.md":
    "# Changelog\n\n## 1.2.0 (2026-11-26)\n\n- Something new.\n\n## 1.1.0 (2026-10-01)\n\n- Old.\n"
}

type Changes = Readonly<Partial<Record<keyof typeof files, string>>>

const clone = (changes: Changes = {}) =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "release-package-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    )
    for (const [name, text] of Object.entries({ ...files, ...changes })) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text)
    }
    const git = (...args: ReadonlyArray<string>) =>
      execFileSync("git", [...identity, ...args], { cwd: folder, encoding: "utf8" }).trim()
    git("init", "--quiet", "--initial-branch=main")
    git("add", "--all")
    git("commit", "--quiet", "--message", "Begin")
    const release = (...args: ReadonlyArray<string>) =>
      Effect.async<{ readonly code: number | null; readonly said: string }>((resume) => {
        const script = join(root, "scripts/release-package.ts")
        const child = spawn(node, [join(root, "node_modules/tsx/dist/cli.mjs"), script, ...args], {
          cwd: folder,
          env: {
            PATH: process.env["PATH"],
            HOME: process.env["HOME"],
            GIT_COMMITTER_NAME: "Somebody",
            GIT_COMMITTER_EMAIL: "somebody@example.org"
          }
        })
        let said = ""
        const hear = (bytes: Buffer) => {
          said += bytes.toString()
        }
        child.stdout.on("data", hear)
        child.stderr.on("data", hear)
        child.on("close", (code) => resume(Effect.succeed({ code, said })))
        return Effect.sync(() => child.kill("SIGKILL"))
      })
    return { folder, git, release }
  })

const hindrances: ReadonlyArray<readonly [what: string, changes: Changes, said: string]> = [
  [
    "a version whose day has not come",
    { "CHANGELOG.md": "# Changelog\n\n## 1.2.0 (unreleased)\n\n- New.\n" },
    'CHANGELOG.md has no heading "## 1.2.0 (year-month-day)"\n'
  ],
  [
    "a version of which nothing is said",
    { "CHANGELOG.md": "# Changelog\n\n## 1.2.0 (2026-11-26)\n\n## 1.1.0 (2026-10-01)\n\n- Old.\n" },
    "CHANGELOG.md says nothing of 1.2.0\n"
  ],
  ["what does not pass", { ".ci/run": "exit 3\n" }, "bash .ci/run ended with 3\n"]
]

describe("npm run release:package", () => {
  it.scopedLive("--dry-run checks and makes the files, and makes no tag", () =>
    Effect.gen(function* () {
      const { folder, git, release } = yield* clone()
      const { code, said } = yield* release("--dry-run")
      expect(said).toBe(
        "all is checked\nthe files are made\nv1.2.0 would be made now, with:\n\n- Something new.\n"
      )
      expect(code).toBe(0)
      expect(existsSync(join(folder, "build/release/SHA256SUMS"))).toBe(true)
      expect(git("tag", "--list")).toBe("")
    })
  )

  it.scopedLive("tags the commit with what has changed", () =>
    Effect.gen(function* () {
      const { git, release } = yield* clone()
      const { code, said } = yield* release()
      expect(said).toContain("git push origin main v1.2.0\n")
      expect(code).toBe(0)
      expect(git("tag", "--list", "--format=%(refname:short) %(contents)")).toBe(
        "v1.2.0 small 1.2.0\n\n- Something new."
      )
      const again = yield* release()
      expect(again).toEqual({ code: 1, said: "v1.2.0 exists already: raise the version in package.json\n" })
    })
  )

  it.scopedLive.each(hindrances)("makes no release of %s", ([, changes, message]) =>
    Effect.gen(function* () {
      const { git, release } = yield* clone(changes)
      expect(yield* release()).toEqual({ code: 1, said: message })
      expect(git("tag", "--list")).toBe("")
    })
  )

  it.scopedLive("makes no release of what is not committed, nor of another branch", () =>
    Effect.gen(function* () {
      const { folder, git, release } = yield* clone()
      writeFileSync(join(folder, "index.js"), "export const other = 1\n")
      expect(yield* release("--dry-run")).toEqual({
        code: 1,
        said: "commit or drop these first:\nM index.js\n"
      })
      git("stash", "--quiet")
      git("switch", "--quiet", "--create", "feature")
      expect(yield* release("--dry-run")).toEqual({
        code: 1,
        said: "releases are made of main, not of feature\n"
      })
    })
  )
})

import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

/**
 * Processes that are killed, databases that are stopped, examples, documents, pipelines, benchmarks, secrets and permissions on every
 * runtime, every way of a model, whole jobs and releases: minutes on their own.
 */
const crashes = [
  "test/cli/commands/runner.test.ts",
  "test/cli/permissions.test.ts",
  "test/examples/{examples,upload}.test.ts",
  "test/faults/{crashes,secrets,secrets.runtimes}.test.ts",
  "test/scripts/{action,bench,pipelines,releasePackage,transcripts}.test.ts",
  "test/upload/ExtensionUpload.model.test.ts",
  "test/workflow/{chaos,cluster,crashes,database,documentation,machines,storing}.test.ts"
]
/** Needs Chromium: what cannot be had is left out, and said to be. */
const inBrowser = ["test/runner/page.test.ts"]
const packed = ["test/package/**/*.test.ts"]
/** Needs a store of its own: Ceph's gateway, or a given one. */
const objectStore = ["test/s3/**/*.test.ts"]

/** The examples import the library by its name, as its users do; here that is the source. */
const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url))
const alias = [
  { find: /^effect-elastic-extensions$/, replacement: source("index.ts") },
  { find: /^effect-elastic-extensions\/(.+)$/, replacement: `${source("")}$1.ts` }
]

export default defineConfig({
  resolve: { alias },
  test: {
    // For what hangs, and for nothing else: a machine that is busy with other work may take ten times as long.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    // Most of the time goes into waiting for sockets, timers and child processes, not into computing.
    // As many at least as at most: vitest ends a worker twice that it lets go in between.
    maxWorkers: 5,
    minWorkers: 5,
    // Modules are loaded once a worker, not once a file.
    isolate: false,
    // Tests of memory count what is in use, and not what could be collected.
    ...("bun" in process.versions || "deno" in process.versions
      ? {}
      : { poolOptions: { forks: { execArgv: ["--expose-gc"] } } }),
    setupFiles: ["test/support/sharedWorker.ts"],
    projects: [
      {
        extends: true,
        test: {
          name: "suite",
          include: ["test/**/*.test.ts", "examples/*.test.ts"],
          exclude: [...crashes, ...inBrowser, ...packed, ...objectStore, "**/node_modules"]
        }
      },
      { extends: true, test: { name: "crashes", include: crashes } },
      { extends: true, test: { name: "browser", include: inBrowser } },
      { extends: true, test: { name: "package", include: packed } },
      { extends: true, test: { name: "s3", include: objectStore } }
    ],
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      exclude: ["src/index.ts"],
      reporter: ["text-summary", "text"],
      thresholds: { lines: 90 }
    }
  }
})

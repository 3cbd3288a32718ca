import { defineConfig } from "vitest/config"

/** Real processes that are killed and databases that are stopped: minutes on their own. */
const crashes = ["test/faults/crashes.test.ts", "test/workflow/{cluster,crashes,database}.test.ts"]
const packed = ["test/package/**/*.test.ts"]

export default defineConfig({
  test: {
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // Most of the time goes into waiting for sockets, timers and child processes, not into computing.
    maxWorkers: 3,
    minWorkers: 1,
    projects: [
      {
        extends: true,
        test: {
          name: "suite",
          include: ["test/**/*.test.ts"],
          exclude: [...crashes, ...packed, "**/node_modules"]
        }
      },
      { extends: true, test: { name: "crashes", include: crashes } },
      { extends: true, test: { name: "package", include: packed } }
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

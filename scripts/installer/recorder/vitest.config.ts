import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/archive/ArchiveInspection*.test.ts"],
    setupFiles: ["scripts/installer/recorder/setup.ts"],
    testTimeout: 60_000,
    maxWorkers: 2,
    minWorkers: 1
  }
})

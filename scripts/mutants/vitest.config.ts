/** For the mutation tester: the tests of one folder, one after the other, with modules that are loaded once for all mutants. */
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    isolate: false,
    fileParallelism: false,
    setupFiles: ["test/support/sharedWorker.ts"],
    // A mutant may wait for what never comes.
    testTimeout: 20_000,
    hookTimeout: 20_000
  }
})

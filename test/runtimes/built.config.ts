/** The same tests, of the modules that are published: whatever they import of `src` comes from `dist`. */
import { dirname, join, relative, resolve, sep } from "node:path"
import { mergeConfig, type Plugin } from "vitest/config"
import source from "../../vitest.config.ts"

const root = resolve(import.meta.dirname, "../..")
const src = join(root, "src")

const built: Plugin = {
  name: "built",
  enforce: "pre",
  resolveId(specifier, importer) {
    if (importer === undefined || !/^[./]/.test(specifier)) return undefined
    const module = relative(src, resolve(dirname(importer), specifier))
    // The command is published as one file, which other tests run.
    if (module.startsWith("..") || module.startsWith(`cli${sep}`)) return undefined
    return join(root, "dist", module.replace(/\.ts$/, ".js"))
  }
}

export default mergeConfig(source, { root, plugins: [built] })

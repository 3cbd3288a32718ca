/** Bundles programs for Node into one file each, which starts faster than separate modules. */
import { type BuildOptions, build, type Metafile } from "esbuild"

/** Some bundled packages are CommonJS and call `require`. The import is renamed because some modules import it too. */
const banner =
  'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);'

/** Bundles `entryPoint` into `outfile`; returns what it contains. */
export const bundleProgram = async (
  entryPoint: string,
  outfile: string,
  options: Pick<BuildOptions, "alias" | "external" | "legalComments" | "minify" | "absWorkingDir" | "plugins"> = {}
): Promise<Metafile> => {
  const { metafile } = await build({
    ...options,
    entryPoints: [entryPoint],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    banner: { js: banner },
    metafile: true,
    logLevel: "error"
  })
  return metafile
}

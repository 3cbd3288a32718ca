/** Programs for Node as one file each: that starts faster than its modules one by one. */
import { type BuildOptions, build, type Metafile } from "esbuild"

/** Some of what is bundled was written for CommonJS and calls `require`. The other name is for those who import it too. */
const banner =
  'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);'

/** Bundles `entryPoint` into `outfile`, and tells what went into it. */
export const bundleProgram = async (
  entryPoint: string,
  outfile: string,
  options: Pick<BuildOptions, "external" | "legalComments" | "minify" | "absWorkingDir"> = {}
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

/** Bundles programs for Node into few files, which start faster than separate modules. */
import { basename, dirname, extname } from "node:path"
import { type BuildOptions, build, type Metafile, type Plugin } from "esbuild"

/** Some bundled packages are CommonJS and call `require`. The import is renamed because some modules import it too. */
const banner =
  'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);'

type Options = Pick<
  BuildOptions,
  "alias" | "external" | "legalComments" | "minify" | "plugins" | "absWorkingDir"
> & {
  /** A folder beside `outfile` for what is imported only when it is needed. Default: all is in `outfile`. */
  readonly chunks?: string
}

/** Bundles `entryPoint` into `outfile`; returns what it contains. */
export const bundleProgram = async (
  entryPoint: string,
  outfile: string,
  { chunks, ...options }: Options = {}
): Promise<Metafile> => {
  const extension = extname(outfile)
  const { metafile } = await build({
    ...options,
    entryPoints: [{ in: entryPoint, out: basename(outfile, extension) }],
    outdir: dirname(outfile),
    outExtension: { ".js": extension },
    ...(chunks === undefined ? {} : { splitting: true, chunkNames: `${chunks}/[name]-[hash]` }),
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

/** Puts a module in place of a package, which alone may still import it. */
export const optionalPackage = (name: string, module: string): Plugin => ({
  name: "optional-package",
  setup: ({ onResolve }) =>
    onResolve({ filter: /./ }, ({ importer, path }) => {
      if (path !== name) return
      return importer === module ? { path, external: true } : { path: module }
    })
})

/**
 * The Node to start programs with. If this process is Bun or Deno, its parent names the Node in `NODE_BESIDE`.
 */
export const node: string = process.env["NODE_BESIDE"] ?? process.execPath

/**
 * The Node that programs are started with, also while this process is Bun or Deno: then whoever started it says which in
 * `NODE_BESIDE`.
 */
export const node: string = process.env["NODE_BESIDE"] ?? process.execPath

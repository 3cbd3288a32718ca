/**
 * What the command has in place of `@libsql/client`, which is native and cannot be bundled: the package itself, if it is installed
 * beside the command. It is looked for when releases in a file are asked for, and not before.
 */
export const { createClient } = await import("@libsql/client")

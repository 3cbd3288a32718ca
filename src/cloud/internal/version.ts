/** The version this library names itself by; the same as in package.json, which not every runtime can import. */
export const version = "0.1.0"

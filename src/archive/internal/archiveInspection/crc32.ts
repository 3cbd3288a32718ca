/** CRC-32 as ZIP uses it: zlib's where the runtime has it, which Node 21 and 22.0 have not. */
import * as zlib from "node:zlib"

const table = () => {
  const made = new Uint32Array(256)
  for (let i = 0; i < 256; i++) {
    let value = i
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
    made[i] = value
  }
  return made
}

export const portable = (bytes: Uint8Array, crc = 0): number => {
  remainders ??= table()
  let value = ~crc
  for (let i = 0; i < bytes.length; i++) {
    value = (value >>> 8) ^ (remainders[(value ^ (bytes[i] ?? 0)) & 0xff] ?? 0)
  }
  return ~value >>> 0
}

let remainders: Uint32Array | undefined

/** Continues `crc`, which is 0 at the start. */
export const crc32: (bytes: Uint8Array, crc?: number) => number =
  typeof zlib.crc32 === "function" ? (bytes, crc = 0) => zlib.crc32(bytes, crc) : portable

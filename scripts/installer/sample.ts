/** An archive to judge. */
export interface Sample {
  /** How it came to be, so that it can be made again. */
  readonly name: string
  readonly origin: Origin
  readonly bytes: Uint8Array
}

export const origins = ["suite", "tool", "crafted", "mutation"] as const

/** Made for a test, by a tool, byte by byte from random parts, or from one of these by damage. */
export type Origin = (typeof origins)[number]

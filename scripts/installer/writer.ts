/** A tool that makes ZIPs, with its options. */
import type * as CommandExecutor from "@effect/platform/CommandExecutor"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"

export interface Writer {
  readonly tool: string
  /** What its users type or write to get such a ZIP. */
  readonly how: string
  /** The program that has to be there; npm's tools are dependencies. */
  readonly command: Option.Option<string>
  /** What to do instead, where the installer refuses its ZIPs. */
  readonly instead: Option.Option<string>
  /** Packs the content of a folder into a file. */
  readonly write: (
    folder: string,
    file: string
  ) => Effect.Effect<void, WriterFailed, CommandExecutor.CommandExecutor>
}

export class WriterFailed extends Data.TaggedError("WriterFailed")<{
  readonly how: string
  readonly cause: unknown
}> {
  override get message(): string {
    return `${this.how}: ${String(this.cause)}`
  }
}

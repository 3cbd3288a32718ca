/** What a section of the benchmark is. */
import type { CommandExecutor } from "@effect/platform/CommandExecutor"
import type * as Effect from "effect/Effect"
import type { DiskTooFull } from "../archives.ts"
import type { Workbench } from "../workbench.ts"

export interface Figures {
  /** A table, ready to be read. */
  readonly markdown: string
  /** A chart to stand beside it. */
  readonly svg?: string
}

export interface Section {
  readonly name: string
  readonly run: Effect.Effect<Figures, DiskTooFull, Workbench | CommandExecutor>
}

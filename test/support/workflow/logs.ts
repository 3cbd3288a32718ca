/** What a runner in this process writes into its log. */
import { Cause, Layer, Logger, LogLevel } from "effect"

export interface Line {
  readonly level: string
  readonly text: string
  readonly annotations: Readonly<Record<string, unknown>>
}

/** Keeps every line, also those that are usually left out. */
export const logs = () => {
  const lines: Array<Line> = []
  const logger = Logger.make(({ annotations, cause, logLevel, message }) => {
    const said = Cause.isEmpty(cause) ? [message] : [message, cause]
    const text = said.flat().map(String).join(" ")
    lines.push({ level: logLevel.label, text, annotations: Object.fromEntries(annotations) })
  })
  return {
    lines,
    layer: Layer.merge(Logger.replace(Logger.defaultLogger, logger), Logger.minimumLogLevel(LogLevel.Debug))
  }
}

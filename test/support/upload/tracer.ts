import { Context, Tracer } from "effect"

/** A tracer that keeps every span it was asked for. */
export const recordingTracer = () => {
  const spans: Array<Tracer.Span> = []
  const tracer = Tracer.make({
    span: (name, parent, context, links, startTime, kind) => {
      const attributes = new Map<string, unknown>()
      const events: Array<unknown> = []
      const kept: Array<Tracer.SpanLink> = [...links]
      let status: Tracer.SpanStatus = { _tag: "Started", startTime }
      const span = {
        _tag: "Span" as const,
        name,
        parent,
        context: context ?? Context.empty(),
        links: kept,
        kind,
        spanId: String(spans.length),
        traceId: "trace",
        sampled: true,
        attributes,
        events,
        get status() {
          return status
        },
        end: (endTime: bigint, exit: Extract<Tracer.SpanStatus, { _tag: "Ended" }>["exit"]) => {
          status = { _tag: "Ended", startTime, endTime, exit }
        },
        attribute: (key: string, value: unknown) => void attributes.set(key, value),
        event: (name: string, _: bigint, more?: Record<string, unknown>) => void events.push([name, more]),
        addLinks: (more: ReadonlyArray<Tracer.SpanLink>) => void kept.push(...more)
      }
      spans.push(span)
      return span
    },
    context: (f) => f()
  })
  return { spans, tracer }
}

/** The names of the headers of a request that carry a trace. */
export const traceHeaders = (headers: object): ReadonlyArray<string> =>
  Object.keys(headers).filter((name) => /^(?:traceparent|tracestate|baggage|b3|x-b3-.*)$/i.test(name))

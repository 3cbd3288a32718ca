/**
 * What outlives a request: its connection, kept for the next read, and what is known of its server.
 *
 * Connections are kept for some seconds only. A server that closes one while a request is on its way to it leaves the
 * request without an answer; a read can then be made again, and nothing else is sent on a connection that was kept.
 */
import type * as Http from "node:http"
import type { Duplex } from "node:stream"
import { clearTimeout, setTimeout } from "node:timers"
import * as Option from "effect/Option"

/** As long as a client that watches pauses at most, and a little more. Servers that close earlier are heard to do so. */
const keptMillis = 15_000

/** Silent connections to one place, at most. */
const mostKept = 64

/** Places that something is remembered of, at most. */
const mostPlaces = 64

/** One connection at most, and the agent that makes it. */
export interface Line {
  readonly agent: Http.Agent
  /** Gives up a tunnel that is still being dug: until it is there, no request knows its socket. */
  readonly abandon: () => void
}

/** What earlier connections have told of a place. */
export interface Knowledge {
  /** The TLS session to resume. */
  readonly session?: Buffer
  /** From the end of a request without content to its answer. */
  readonly answerMillis?: number
}

interface Kept {
  readonly line: Line
  readonly isUsable: () => boolean
  /** Takes the connection out of the list, to be used or closed. */
  readonly release: () => void
}

/** Whatever a silent connection says is the end of it: nothing was asked. */
const news = ["data", "end", "error", "close"]

/** The connections of one client, by the place they lead to: an origin, and the proxy on the way. */
export class Lines {
  readonly #kept = new Map<string, Set<Kept>>()
  readonly #knowledge = new Map<string, Knowledge>()
  #isClosed = false

  /** Makes a line one that is kept when its request has been answered, until it is taken or too old. */
  share(place: string, line: Line): Line {
    const { agent } = line
    const keepAlive = agent.keepSocketAlive.bind(agent)
    // The runtime closes the socket where this is false.
    agent.keepSocketAlive = (socket) => this.#keep(place, line, socket) && keepAlive(socket)
    return line
  }

  #keep(place: string, line: Line, socket: Duplex): boolean {
    const others = this.#kept.get(place) ?? new Set()
    if (this.#isClosed || others.size >= mostKept) return false
    const close = () => {
      kept.release()
      line.agent.destroy()
    }
    const timer = setTimeout(close, keptMillis).unref()
    const kept: Kept = {
      line,
      isUsable: () => !socket.destroyed && socket.readable && socket.writable,
      release: () => {
        clearTimeout(timer)
        for (const event of news) socket.off(event, close)
        others.delete(kept)
      }
    }
    for (const event of news) socket.on(event, close)
    this.#kept.set(place, others.add(kept))
    return true
  }

  /** A line that was kept: the one used last, which its server will keep the longest. */
  take(place: string): Option.Option<Line> {
    for (const kept of [...(this.#kept.get(place) ?? [])].reverse()) {
      kept.release()
      if (kept.isUsable()) return Option.some(kept.line)
      kept.line.agent.destroy()
    }
    return Option.none()
  }

  known(place: string): Knowledge {
    return this.#knowledge.get(place) ?? {}
  }

  learn(place: string, news: Knowledge): void {
    const known = this.known(place)
    this.#knowledge.delete(place)
    this.#knowledge.set(place, { ...known, ...news })
    const [oldest] = this.#knowledge.keys()
    if (this.#knowledge.size > mostPlaces && oldest !== undefined) this.#knowledge.delete(oldest)
  }

  /** Closes what is kept, and keeps nothing from now on. Requests under way are not disturbed. */
  close(): void {
    this.#isClosed = true
    for (const { line, release } of [...this.#kept.values()].flatMap((kept) => [...kept])) {
      release()
      line.agent.destroy()
    }
  }
}

/** Connections that are opened before the request they are for can be sent. */
import type * as Http from "node:http"
import { setImmediate, setTimeout } from "node:timers"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Scope } from "effect/Scope"
import type { ConnectionFailed, ConnectTimeout } from "../../TransferError.ts"
import * as Connection from "./connection.ts"
import * as Limits from "./limits.ts"

/** How long an unused connection is trusted: servers wait longer than this for the first request of one. */
const trusted = "10 seconds"

/** The connections of one client that wait to be used, by the place they lead to. */
export class Waiting {
  readonly #connections = new Map<string, Set<Connection.Connection>>()

  /** Returns what takes the connection out again, which says whether it was still there. */
  add(place: string, connection: Connection.Connection): () => boolean {
    const all = this.#connections.get(place) ?? new Set()
    this.#connections.set(place, all.add(connection))
    return () => all.delete(connection)
  }

  /** One that is not known to be dead. */
  take(place: string): Option.Option<Connection.Connection> {
    const all = this.#connections.get(place) ?? new Set()
    for (const connection of all) {
      all.delete(connection)
      if (!connection.isDead) return Option.some(connection)
      connection.close()
    }
    return Option.none()
  }
}

/**
 * Opens a connection for a request with content, in the background, and closes it with the scope if none has used it. It is
 * held by a request of which nothing is sent before it is known. What goes wrong is not told: the request will meet it too.
 */
export const open = (
  network: Connection.Network,
  waiting: Waiting,
  url: URL
): Effect.Effect<void, never, Scope> =>
  Effect.acquireRelease(hold(network, waiting, url), (letGo) => Effect.sync(letGo)).pipe(
    Effect.flatMap((letGo) => Effect.delay(Effect.sync(letGo), trusted)),
    Effect.ignore,
    // The read that comes before the upload goes first.
    (opening) => Effect.zipRight(turn, opening),
    Effect.forkScoped,
    Effect.asVoid
  )

const hold = Effect.fnUntraced(function* (network: Connection.Network, waiting: Waiting, url: URL) {
  const clock = yield* Effect.clock
  const fiberId = yield* Effect.fiberId
  const progress = new Limits.Progress({ clock, method: "PUT", url, bytesTotal: undefined })
  const route = yield* Connection.routeTo(network, progress, url)
  const opened = yield* Connection.open(network, route, {
    progress,
    method: "PUT",
    headers: {},
    isShared: false,
    line: Option.none()
  })
  const connection = new Connection.Connection(opened, { network, route, progress, fiberId })
  const leave = waiting.add(route.place, connection)
  return () => {
    if (leave()) connection.close()
  }
})

/**
 * A connection that was opened ahead, ready for this request, or none. One that turns out to be dead before anything was
 * sent on it is none.
 */
export const claim = (
  waiting: Waiting,
  place: string,
  request: {
    readonly method: string
    readonly path: string
    readonly headers: Http.OutgoingHttpHeaders
    readonly connectLimit: number
  }
): Effect.Effect<Option.Option<Connection.Connection>, ConnectionFailed | ConnectTimeout> =>
  Effect.suspend(() =>
    Option.match(waiting.take(place), {
      onNone: () => Effect.succeedNone,
      onSome: (connection) =>
        Effect.ignore(connection.ready).pipe(
          Limits.connectWithin(connection.progress, request.connectLimit),
          Effect.zipRight(listened),
          Effect.raceFirst(Effect.ignore(connection.answer)),
          Effect.zipRight(
            Effect.suspend(() =>
              connection.isDead
                ? Effect.succeedNone
                : Effect.as(Connection.give(connection, request), Option.some(connection))
            )
          ),
          Effect.onExit((exit) =>
            Exit.isSuccess(exit) && Option.isSome(exit.value) ? Effect.void : Effect.sync(connection.close)
          )
        )
    })
  )

const turn = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

/**
 * Until what the other side has sent meanwhile, such as the end of the connection, has been heard. A runtime may look for it
 * only once it has nothing else to do: Deno goes round its event loop sixty times in between.
 */
const listened = Effect.zipRight(
  Effect.async<void>((resume) => void setTimeout(() => resume(Effect.void), 1)),
  turn
)

/** The processes that contenders send to. */
import { resolve } from "node:path"
import * as Command from "@effect/platform/Command"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Message, type Received } from "./message.ts"

/** Fewer uploads reached the server than were sent to it. */
export class UploadsMissing extends Schema.TaggedError<UploadsMissing>()("UploadsMissing", {
  expected: Schema.Number
}) {
  override get message(): string {
    return `the server did not see ${this.expected} upload(s)`
  }
}

const deno = resolve(import.meta.dirname, "../../node_modules/.bin/deno")

export interface Server {
  readonly url: string
  /** The uploads since the last call. */
  readonly take: (uploads: number) => Effect.Effect<ReadonlyArray<Received>, UploadsMissing>
  /** Drops what an earlier, failed run may have sent. */
  readonly forget: Effect.Effect<void>
}

/** The server's line may arrive after the client has its answer. */
const patience = Duration.seconds(5)

const path = (script: string) => resolve(import.meta.dirname, script)

/** What a server of uploads is, beyond one that has none yet and speaks plain HTTP. */
export interface SinkOptions {
  /** The files of a key and a certificate, for TLS. */
  readonly tls?: { readonly key: string; readonly cert: string }
  /** Each extension holds an archive of so many bytes, as far as it tells. */
  readonly holding?: number
}

export const startSink = ({ holding, tls }: SinkOptions = {}) =>
  start(
    "sinkProcess.ts",
    Command.make(
      deno,
      "run",
      "--no-prompt",
      "--allow-net=127.0.0.1",
      "--allow-read",
      path("sinkProcess.ts"),
      ...(tls === undefined ? [] : [`--key=${tls.key}`, `--cert=${tls.cert}`]),
      ...(holding === undefined ? [] : [`--holding=${holding}`])
    ).pipe(Command.env({ DENO_NO_UPDATE_CHECK: "1" }))
  )

export const startTus = (folder: string) => start("tusProcess.ts", onNode("tusProcess.ts", folder))

/** A line to another server on this machine: see `lineProcess.ts`. */
export const startLine = (options: {
  readonly port: number
  readonly rttMillis: number
  readonly bitsPerSecond: number
}) =>
  start(
    "lineProcess.ts",
    onNode("lineProcess.ts", String(options.port), String(options.rttMillis), String(options.bitsPerSecond))
  )

const onNode = (script: string, ...args: ReadonlyArray<string>) =>
  Command.make(process.execPath, "--import", "tsx", path(script), ...args)

/** Starts a server that says where it listens, for as long as the scope lives. */
const start = (script: string, command: Command.Command) =>
  Effect.gen(function* () {
    const closed = yield* Effect.acquireRelease(Deferred.make<void>(), (latch) =>
      Deferred.succeed(latch, undefined)
    )
    const child = yield* command.pipe(
      Command.stdin(Stream.drain(Stream.fromEffect(Deferred.await(closed)))),
      Command.stderr("inherit"),
      Command.start
    )
    const messages = yield* child.stdout.pipe(
      Stream.decodeText(),
      Stream.splitLines,
      Stream.mapEffect(Schema.decode(Message)),
      Stream.toQueueOfElements({ capacity: 1024 })
    )
    const next = Queue.take(messages).pipe(
      Effect.flatten,
      Effect.mapError(Option.getOrElse(() => new Error(`${script} has ended`))),
      Effect.orDie
    )
    const { url } = yield* Effect.filterOrDieMessage(
      next,
      (message) => message._tag === "Listening",
      `${script} did not start`
    )
    const received = Effect.filterOrDieMessage(
      next,
      (message) => message._tag === "Received",
      `${script} started twice`
    )
    const server: Server = {
      url,
      take: (expected) =>
        Effect.timeoutFail(Effect.replicateEffect(received, expected), {
          duration: patience,
          onTimeout: () => new UploadsMissing({ expected })
        }),
      forget: Effect.asVoid(Queue.takeAll(messages))
    }
    return server
  })

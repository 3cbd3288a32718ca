/**
 * `releases …`: submit, list, show, watch, approve, reject, cancel, retry.
 *
 * @since 0.1.0
 */
import { userInfo } from "node:os"
import * as Path from "@effect/platform/Path"
import * as Clock from "effect/Clock"
import type * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as ArchiveLocator from "../../archive/ArchiveLocator.ts"
import { printable } from "../../outsideText.ts"
import * as Variable from "../../transfer/Variable.ts"
import * as UploadSettings from "../../upload/UploadSettings.ts"
import type { ReleaseDetails } from "../../workflow/ReleaseList.ts"
import * as ReleasePayload from "../../workflow/ReleasePayload.ts"
import { isEnded, ReleaseFilter, type ReleaseSummary } from "../../workflow/ReleaseRecord.ts"
import * as ReleaseTarget from "../../workflow/ReleaseTarget.ts"
import * as ExitCode from "../ExitCode.ts"
import { UsageError } from "../Failure.ts"
import type { Run } from "../internal/command.ts"
import type * as definitions from "../internal/definitions.ts"
import { Exited, Output } from "../internal/output.ts"
import { Desk, layer as layerDesk } from "../internal/releases/desk.ts"
import { describeRelease, listReleases } from "../internal/releases/views.ts"
import * as Results from "../internal/results.ts"
import { commandLine } from "../internal/text.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const submit: Run<typeof definitions.releasesSubmit> = (taken) =>
  Effect.gen(function* () {
    const desk = yield* Desk
    const output = yield* Output
    const attempt = yield* Effect.transposeMapOption(taken.attempt, (text) =>
      read("--attempt", text, Variable.count("--attempt", { min: 1, max: 1_000_000 }))
    )
    const payload = yield* ReleasePayload.prepare({
      releaseId: Option.getOrElse(taken.releaseId, () => nameOf(taken.archive)),
      extension: yield* targetOf(taken),
      archive: yield* locate(taken.archive),
      attempt: Option.getOrUndefined(attempt),
      allow: yield* UploadSettings.allow,
      holdForApproval: taken.hold,
      policy: Option.getOrUndefined(taken.policy)
    })
    const executionId = yield* desk.submit(payload)
    yield* output.part({
      schema: Results.ReleaseSubmitted,
      value: Results.ReleaseSubmitted.make({
        executionId,
        releaseId: payload.releaseId,
        sha256: payload.sha256
      }),
      lines: [
        `Submitted the release ${printable(payload.releaseId)} as ${output.style.bold(executionId)}.`,
        ...(taken.wait ? [] : [`To follow it: ${commandLine("releases", "watch", executionId)}`])
      ],
      quietLines: [executionId]
    })
    if (taken.wait) yield* follow(executionId)
  }).pipe(Effect.provide(layerDesk))

/**
 * @since 0.1.0
 * @category commands
 */
export const list: Run<typeof definitions.releasesList> = ({
  after,
  extension,
  limit,
  newerThan,
  olderThan,
  state
}) =>
  Effect.gen(function* () {
    const desk = yield* Desk
    const output = yield* Output
    const ago = (option: string, given: Option.Option<string>) =>
      Effect.transposeMapOption(given, (text) =>
        Effect.map(
          Effect.all([
            read(option, text, Variable.duration(option, { example: "2 hours" })),
            Clock.currentTimeMillis
          ]),
          ([duration, now]) => now - Duration.toMillis(duration)
        )
      )
    const most = yield* Effect.transposeMapOption(limit, (text) =>
      read("--limit", text, Variable.count("--limit", { min: 1, max: 1000 }))
    )
    const place = yield* Effect.transposeMapOption(after, (text) =>
      read("--after", text, Variable.parsed("--after", parsePlace))
    )
    const page = yield* desk.list({
      ...given(
        "states",
        Option.map(state, (one) => [one] as const)
      ),
      ...given("extension", extension),
      ...given("submittedBeforeMillis", yield* ago("--older-than", olderThan)),
      ...given("submittedSinceMillis", yield* ago("--newer-than", newerThan)),
      ...given("limit", most),
      ...given("after", place)
    })
    yield* output.result({
      schema: Results.ReleasesListed,
      value: Results.ReleasesListed.make(page),
      lines: listReleases(page, yield* Clock.currentTimeMillis),
      quietLines: page.releases.map(({ executionId }) => executionId)
    })
  }).pipe(Effect.provide(layerDesk))

/**
 * @since 0.1.0
 * @category commands
 */
export const show: Run<typeof definitions.releasesShow> = ({ release }) =>
  Effect.gen(function* () {
    const desk = yield* Desk
    const output = yield* Output
    const details = yield* desk.show(release)
    yield* output.result(shownOf(details, yield* Clock.currentTimeMillis))
  }).pipe(Effect.provide(layerDesk))

/**
 * @since 0.1.0
 * @category commands
 */
export const watch: Run<typeof definitions.releasesWatch> = ({ release }) =>
  Effect.flatMap(Desk, (desk) => desk.show(release)).pipe(
    Effect.flatMap(({ summary }) => follow(summary.executionId)),
    Effect.provide(layerDesk)
  )

/**
 * @since 0.1.0
 * @category commands
 */
export const approve: Run<typeof definitions.releasesApprove> = (taken) => decide("approve", taken)

/**
 * @since 0.1.0
 * @category commands
 */
export const reject: Run<typeof definitions.releasesReject> = (taken) => decide("reject", taken)

/**
 * @since 0.1.0
 * @category commands
 */
export const cancel: Run<typeof definitions.releasesCancel> = ({ release }) =>
  Effect.gen(function* () {
    const desk = yield* Desk
    const output = yield* Output
    const { summary } = yield* desk.show(release)
    yield* desk.cancel(summary.executionId)
    yield* output.result({
      schema: Results.ReleaseCancelling,
      value: Results.ReleaseCancelling.make({ executionId: summary.executionId, state: summary.state }),
      lines: [
        isEnded(summary.state)
          ? `The release ${printable(summary.releaseId)} has ended already: ${summary.state}.`
          : `The release ${printable(summary.releaseId)} is being cancelled.`
      ]
    })
  }).pipe(Effect.provide(layerDesk))

/**
 * @since 0.1.0
 * @category commands
 */
export const retry: Run<typeof definitions.releasesRetry> = ({ release }) =>
  Effect.gen(function* () {
    const desk = yield* Desk
    const output = yield* Output
    const { summary } = yield* desk.show(release)
    const executionId = yield* desk.retry(summary.executionId)
    const { releaseId, sha256 } = summary
    yield* output.result({
      schema: Results.ReleaseSubmitted,
      value: Results.ReleaseSubmitted.make({ executionId, releaseId, sha256 }),
      lines: [`Submitted the next attempt of ${printable(releaseId)} as ${output.style.bold(executionId)}.`],
      quietLines: [executionId]
    })
  }).pipe(Effect.provide(layerDesk))

const decide = Effect.fnUntraced(function* (
  how: "approve" | "reject",
  taken: {
    readonly release: string
    readonly by: Option.Option<string>
    readonly note: Option.Option<string>
  }
) {
  const by = yield* Option.match(taken.by, { onNone: () => userName(how), onSome: Effect.succeed })
  const desk = yield* Desk
  const output = yield* Output
  const { summary } = yield* desk.show(taken.release)
  const { inForce, isFirst } = yield* desk[how](summary.executionId, {
    by,
    note: Option.getOrUndefined(taken.note)
  })
  const id = printable(summary.releaseId)
  yield* output.result({
    schema: Results.ReleaseDecided,
    value: Results.ReleaseDecided.make({
      executionId: summary.executionId,
      isFirst,
      inForce: Option.getOrNull(inForce)
    }),
    lines: [
      isFirst
        ? `The release ${id} is ${how === "approve" ? "approved" : "rejected"} by ${printable(by)}.`
        : Option.match(inForce, {
            onNone: () => `The release ${id} was decided about already.`,
            onSome: (decision) =>
              `The release ${id} was ${decision.verdict} already, by ${printable(decision.by)}.`
          })
    ]
  })
  if (!isFirst) return yield* new Exited({ code: ExitCode.exitCodes.conflict })
}, Effect.provide(layerDesk))

/** Not every user has one, and Deno does not tell it to everybody. */
const userName = (how: "approve" | "reject") =>
  Effect.try({
    try: () => userInfo().username,
    catch: () =>
      new UsageError({
        problem: "Say with --by who decides: the name of this user cannot be found out.",
        command: `releases ${how}`
      })
  })

/** Tells each change, and ends with the outcome. */
const follow = Effect.fnUntraced(function* (executionId: string) {
  const desk = yield* Desk
  const output = yield* Output
  let last = ""
  for (;;) {
    const details = yield* desk.show(executionId)
    const now = yield* Clock.currentTimeMillis
    if (isEnded(details.summary.state)) {
      yield* output.result(shownOf(details, now))
      return yield* outcome(details.summary)
    }
    const told = describeRelease(details, now, "short")
    if (told.join() !== last) yield* output.part({ ...shownOf(details, now), lines: told })
    last = told.join()
    yield* Effect.sleep("1 second")
  }
})

const outcome = ({ failure, state }: ReleaseSummary) =>
  state === "done"
    ? Effect.void
    : new Exited({ code: ExitCode.exitCodes[ExitCode.ofTag(failure?.tag ?? "ReleaseCancelled")] })

const shownOf = (details: ReleaseDetails, now: number) => ({
  schema: Results.ReleaseShown,
  value: Results.ReleaseShown.make(details),
  lines: describeRelease(details, now, "full")
})

const isUrl = (text: string) => /^https?:\/\//i.test(text)

const locate = (archive: string) =>
  isUrl(archive)
    ? Effect.succeed(ArchiveLocator.url(archive))
    : Effect.map(Path.Path, ({ resolve }) => ArchiveLocator.path(resolve(archive)))

const nameOf = (archive: string): string =>
  (archive.split(/[?#]/, 1)[0] ?? archive).replace(/^.*[\\/]/, "").replace(/\.zip$/i, "") || "release"

const targetOf = ({
  description,
  extension,
  name,
  type,
  version
}: {
  readonly extension: Option.Option<string>
  readonly name: Option.Option<string>
  readonly type: Option.Option<typeof ReleaseTarget.Named.Type.type>
  readonly version: Option.Option<string>
  readonly description: Option.Option<string>
}) => {
  const named = Option.all({ name, type, version })
  if (Option.isSome(extension) && Option.isNone(Option.firstSomeOf([name, type, version])))
    return Effect.succeed(ReleaseTarget.id(extension.value))
  if (Option.isSome(named) && Option.isNone(extension)) {
    return Effect.succeed(ReleaseTarget.named({ ...named.value, ...given("description", description) }))
  }
  return new UsageError({
    problem: "Name the extension either by --extension, or by --name, --type and --version.",
    command: "releases submit"
  })
}

const given = <K extends string, A>(key: K, value: Option.Option<A>): { readonly [P in K]?: A } =>
  Option.match(value, { onNone: () => ({}), onSome: (value) => ({ [key]: value }) as { [P in K]: A } })

const isPlace = Schema.is(ReleaseFilter.fields.after.from)

const parsePlace = (text: string): Either.Either<string, string> =>
  isPlace(text) ? Either.right(text) : Either.left("it is not a place that a list names at its end")

/** By the rules of the variables. */
const read = <A>(
  option: string,
  text: string,
  config: Config.Config<A>
): Effect.Effect<A, ConfigError.ConfigError> => ConfigProvider.fromMap(new Map([[option, text]])).load(config)

/** Creating an upload instead of sending an ordinary request, and what can be asked of it then. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Access from "../access.ts"
import * as ArchiveBody from "../archiveBody.ts"
import { Exchange } from "../exchange.ts"
import * as Extensions from "../extensions.ts"
import { empty, type Reply, refused, undocumented } from "../reply.ts"
import * as RequestBody from "../requestBody.ts"
import { Settings } from "../settings.ts"
import * as Draft from "./draft.ts"
import * as Transfer from "./transfer.ts"
import { addressOf, replay, type Upload, Uploads } from "./uploads.ts"

/** The upload of an archive, which a client that asks for it can resume. */
export const upload = Effect.fnUntraced(function* (extensionId: string) {
  const wish = yield* wishOf
  return yield* Option.match(wish, {
    onNone: () => Extensions.upload(extensionId),
    onSome: (wish) => create(extensionId, wish)
  })
})

/** What can be asked for at an extension, and the limits an upload to it would have. */
export const options = Effect.fnUntraced(function* (extensionId: string) {
  const { interopVersions, limits } = yield* Draft.Draft
  const account = yield* Access.authenticate
  yield* Access.owned(account, extensionId)
  const version = Option.getOrElse(yield* Draft.spoken, () => Math.max(...interopVersions))
  return empty(204, {
    allow: "GET, POST, PUT, DELETE, OPTIONS",
    "upload-limit": Draft.uploadLimit(limits, version, limits.maxAgeSeconds),
    ...(Draft.iteration(version).namesPatchType ? { "accept-patch": PARTIAL_UPLOAD } : {})
  })
})

/** How far an upload is. */
export const retrieve = Effect.fnUntraced(
  function* (token: string) {
    const { turns } = yield* Uploads
    const { request } = yield* Exchange
    yield* refuseStray(yield* find(token), [
      Draft.uploadOffset(request),
      Draft.uploadComplete(request),
      Draft.uploadLength(request)
    ])
    yield* RequestBody.discard
    return yield* turns.exclusively(token, Effect.flatMap(find(token), state))
  },
  Effect.catchTag("Problem", (problem) => Effect.succeed(Draft.problemReply(problem)))
)

/** Forgets an upload and all that was received of it. */
export const cancel = Effect.fnUntraced(
  function* (token: string) {
    const { remove, turns } = yield* Uploads
    const { request } = yield* Exchange
    yield* refuseStray(yield* find(token), [Draft.uploadOffset(request), Draft.uploadComplete(request)])
    yield* RequestBody.discard
    yield* turns.exclusively(token, remove(token))
    return empty(204)
  },
  Effect.catchTag("Problem", (problem) => Effect.succeed(Draft.problemReply(problem)))
)

/** Appends to an upload, and finishes it with what the request says is its end. */
export const append = Effect.fnUntraced(function* (token: string) {
  const { turns } = yield* Uploads
  const found = yield* find(token)
  return yield* Effect.flatMap(appendOf, (asked) =>
    turns.transferring(token, appendInTurn(token, asked))
  ).pipe(Effect.catchTag("Problem", (problem) => problemAbout(found, problem)))
})

const PARTIAL_UPLOAD = "application/partial-upload"

/** What a request says that asks for an upload to be created. */
interface Wish {
  readonly complete: boolean
  readonly interopVersion: number
}

/** A creation speaks of completeness, and in an iteration of the draft that is known here. */
const wishOf: Effect.Effect<Option.Option<Wish>, never, Exchange | Draft.Draft> = Effect.gen(function* () {
  const { request } = yield* Exchange
  return Option.all({ complete: Draft.uploadComplete(request), interopVersion: yield* Draft.spoken })
})

const create = Effect.fnUntraced(
  function* (extensionId: string, wish: Wish) {
    const { request } = yield* Exchange
    const { maxArchiveBytes } = yield* Settings
    const uploads = yield* Uploads
    const account = yield* Access.authenticate
    const { owner } = yield* Access.owned(account, extensionId)
    yield* ArchiveBody.checkType
    const length = yield* lengthOf({ offset: 0, length: null }, wish.complete)
    if (yield* staysOrdinary(wish, length)) {
      return Transfer.fromTarget(yield* Extensions.upload(extensionId))
    }
    if (Option.exists(length, (size) => size > maxArchiveBytes)) {
      return yield* undocumented.tooLarge(maxArchiveBytes)
    }
    yield* checkLimits(wish, length)
    const upload = yield* uploads.create({
      extensionId,
      owner,
      contentType: request.headers["content-type"] ?? "",
      interopVersion: wish.interopVersion,
      length: Option.getOrNull(length),
      reprDigest: Option.getOrNull(Draft.field(request, "repr-digest"))
    })
    return yield* uploads.turns
      .transferring(upload.token, receiveInto(upload, wish.complete))
      .pipe(Effect.catchTag("Problem", (problem) => problemAbout(upload, problem)))
  },
  Effect.catchTags({
    Problem: (problem) => Effect.succeed(Draft.problemReply(problem)),
    Refusal: (refusal) => Effect.succeed(Transfer.fromTarget(refused(refusal)))
  })
)

/** Nothing is gained by an upload that the client could never learn the address of, or that is not worth the effort. */
const staysOrdinary = Effect.fnUntraced(function* ({ complete }: Wish, length: Option.Option<number>) {
  const { interimResponses, limits } = yield* Draft.Draft
  return complete && (!interimResponses || Option.getOrElse(length, () => 0) < (limits.minSize ?? 0))
})

const checkLimits = Effect.fnUntraced(function* (
  { complete, interopVersion }: Wish,
  length: Option.Option<number>
) {
  const { entry } = yield* Exchange
  const { limits } = yield* Draft.Draft
  const { maxSize = Number.POSITIVE_INFINITY, minSize = 0 } = limits
  const limit = Draft.uploadLimit(limits, interopVersion, limits.maxAgeSeconds)
  if (Option.exists(length, (size) => size > maxSize)) {
    return yield* Draft.tooLarge(`The upload is larger than ${maxSize} bytes.`, limit)
  }
  if (Option.getOrElse(length, () => 0) < minSize) {
    return yield* Draft.tooSmall(`The upload is smaller than ${minSize} bytes.`, limit)
  }
  const isEmpty = entry.isComplete()
  yield* checkContentSize(limit, complete || isEmpty)
})

/** Receives what there is of the representation, into an upload that the client is told of first. */
const receiveInto = Effect.fnUntraced(function* (upload: Upload, complete: boolean) {
  const { limits } = yield* Draft.Draft
  const location = addressOf(upload)
  yield* Draft.announce({ Location: location, "Upload-Limit": yield* Draft.uploadLimitOf(upload, limits) })
  const offset = yield* Transfer.receive(upload)
  if (!complete) {
    return empty(201, {
      location,
      "upload-complete": Draft.boolean(false),
      "upload-offset": String(offset),
      "upload-limit": yield* Draft.uploadLimitOf(upload, limits)
    })
  }
  const reply = yield* Transfer.complete(upload, offset)
  return Draft.iteration(upload.interopVersion).tellsWhereItStands
    ? { ...reply, headers: { ...reply.headers, location } }
    : reply
})

/** The upload, for the owner of the key alone: to anybody else there is none. */
const find = Effect.fnUntraced(function* (token: string) {
  const account = yield* Access.authenticate
  const upload = yield* (yield* Uploads).find(token)
  return yield* Option.match(
    Option.filter(upload, ({ owner }) => owner === account.owner),
    { onNone: () => Effect.fail(undocumented.unknownPath), onSome: Effect.succeed }
  )
})

const state = Effect.fnUntraced(function* (upload: Upload) {
  const { limits } = yield* Draft.Draft
  return empty(204, {
    "upload-offset": String(upload.offset),
    "upload-complete": Draft.boolean(upload.answer !== null),
    ...(upload.length === null ? {} : { "upload-length": String(upload.length) }),
    "upload-limit": yield* Draft.uploadLimitOf(upload, limits),
    "cache-control": "no-store"
  })
})

const refuseStray = Effect.fnUntraced(function* (
  upload: Upload,
  fields: ReadonlyArray<Option.Option<unknown>>
) {
  const { refusesStrayFields } = Draft.iteration(yield* Draft.versionFor(upload))
  if (refusesStrayFields && fields.some(Option.isSome)) {
    return yield* Draft.badRequest("Upload-Offset, Upload-Complete and Upload-Length have no meaning here.")
  }
})

/** The answer to a request that failed; in the iterations that demand it, with the offset of an upload that is there. */
const problemAbout = Effect.fnUntraced(function* (upload: Upload, problem: Draft.Problem) {
  const reply = Draft.problemReply(problem)
  const now = yield* (yield* Uploads).find(upload.token)
  const { tellsWhereItStands } = Draft.iteration(yield* Draft.versionFor(upload))
  return tellsWhereItStands && Option.isSome(now)
    ? { ...reply, headers: { ...reply.headers, "upload-offset": String(now.value.offset) } }
    : reply
})

/** What a request says that appends to an upload. */
interface Append {
  readonly offset: number
  readonly complete: boolean
}

const appendOf = Effect.gen(function* () {
  const { request } = yield* Exchange
  const contentType = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase()
  if (contentType !== PARTIAL_UPLOAD) return yield* Draft.wrongMediaType
  const offset = Draft.uploadOffset(request)
  if (Option.isNone(offset)) return yield* Draft.badRequest("Upload-Offset is missing or not an Integer.")
  const complete = Draft.uploadComplete(request)
  if (Option.isNone(complete)) {
    return yield* Draft.badRequest("Upload-Complete is missing or not a Boolean.")
  }
  return { offset: offset.value, complete: complete.value } satisfies Append
})

const appendInTurn = Effect.fnUntraced(function* (token: string, append: Append) {
  const { limits } = yield* Draft.Draft
  const { update } = yield* Uploads
  const upload = yield* find(token)
  if (append.offset !== upload.offset) return yield* Draft.mismatchingOffset(upload.offset, append.offset)
  if (upload.answer !== null) return yield* appendToComplete(upload, upload.answer, append)
  const length = yield* lengthOf(upload, append.complete)
  const limit = yield* Draft.uploadLimitOf(upload, limits)
  yield* checkContentSize(limit, append.complete)
  const known = { ...upload, length: Option.getOrNull(length) }
  yield* update(known)
  const offset = yield* Transfer.receive(known)
  if (append.complete) return yield* Transfer.complete(known, offset)
  return empty(Draft.iteration(yield* Draft.versionFor(upload)).appended, {
    "upload-complete": Draft.boolean(false),
    "upload-offset": String(offset),
    "upload-limit": limit
  })
})

/** All that can be appended to a complete upload is nothing, by a client that lost the answer. */
const appendToComplete = Effect.fnUntraced(function* (
  upload: Upload,
  answer: NonNullable<Upload["answer"]>,
  { complete }: Append
): Effect.fn.Return<Reply, Draft.Problem, Exchange | Draft.Draft> {
  const { entry } = yield* Exchange
  const { replayFinalAnswer } = yield* Draft.Draft
  const { replays } = Draft.iteration(yield* Draft.versionFor(upload))
  return replays && replayFinalAnswer && complete && entry.isComplete()
    ? replay(answer)
    : yield* Draft.completed
})

/**
 * The length of the representation, if it is known by now: all that was ever said about it has to agree. Content that
 * completes the upload says it by its own length.
 */
const lengthOf = Effect.fnUntraced(function* (
  upload: { readonly offset: number; readonly length: number | null },
  completes: boolean
) {
  const { request } = yield* Exchange
  const byContent = completes
    ? Option.map(Draft.contentLength(request), (bytes) => upload.offset + bytes)
    : Option.none()
  const said = [Option.fromNullable(upload.length), Draft.uploadLength(request), byContent].flatMap(
    Option.toArray
  )
  if (new Set(said).size > 1) {
    return yield* Draft.inconsistentLength(`The upload cannot have ${said.join(" and ")} bytes at once.`)
  }
  const [first] = said
  if (first !== undefined && first < upload.offset) {
    return yield* Draft.inconsistentLength(
      `The upload cannot have ${first} bytes: ${upload.offset} were received.`
    )
  }
  return Option.fromNullable(first)
})

/** Refuses content that is too large or too small for one request, as far as the head tells. */
const checkContentSize = Effect.fnUntraced(function* (uploadLimit: string, completes: boolean) {
  const { request } = yield* Exchange
  const { limits } = yield* Draft.Draft
  const { maxAppendSize = Number.POSITIVE_INFINITY, minAppendSize = 0 } = limits
  const size = Draft.contentLength(request)
  if (Option.isNone(size)) return
  if (size.value > maxAppendSize) {
    return yield* Draft.tooLarge(`The content is larger than ${maxAppendSize} bytes.`, uploadLimit)
  }
  if (size.value < minAppendSize && !completes) {
    return yield* Draft.tooSmall(`The content is smaller than ${minAppendSize} bytes.`, uploadLimit)
  }
})

/** The operations of a store, as requests of the S3 protocol. */
import * as HttpClient from "@effect/platform/HttpClient"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { attribute, spanned } from "../../../telemetry.ts"
import { TransportCapabilities } from "../../../transfer/Exchange.ts"
import { traced } from "../../../transfer/HttpSpan.ts"
import type { ObjectStoreService, StoredPart, UnfinishedUpload } from "../../ObjectStore.ts"
import {
  LinkTooShort,
  type Operation,
  type StagingError,
  StoreAnswerInvalid,
  StoreCredentialsExpired,
  StoreCredentialsRefused
} from "../../StagingError.ts"
import * as Answer from "./answer.ts"
import { type Keys, leftMillis, makeKeyring, scrubber } from "./keyring.ts"
import * as Request from "./request.ts"
import type { Settings } from "./settings.ts"
import { sha256 } from "./signature.ts"
import * as Xml from "./xml.ts"

const mebibyte = 1024 * 1024

/** A link of Signature Version 4 lives a week at most. */
const maxLinkMillis = Duration.toMillis("7 days")

type Query = NonNullable<Request.Call["query"]>

interface UploadMarker {
  readonly key: string
  readonly uploadId: string
}

type Reader<A> = (asked: Answer.Asked, response: HttpClientResponse) => Effect.Effect<A, StagingError>

export const make = (settings: Settings): Effect.Effect<ObjectStoreService, never, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const transport: Request.Transport = {
      client: traced(yield* HttpClient.HttpClient),
      isStreaming: (yield* TransportCapabilities).interimResponses
    }
    const keyring = yield* makeKeyring(settings.keys)
    const { bucket, origin, prefix } = settings
    const location = `s3://${bucket}/${prefix}`.replace(/\/$/, "")
    const keyOf = (key: string) => `${prefix}${key}`

    const ask = <A, E = never, R = never>(
      call: Request.Call<E, R>,
      read: Reader<A>,
      partNumber?: number
    ): Effect.Effect<A, StagingError | E, R> => {
      const askWith = (keys: Keys): Effect.Effect<A, StagingError | E, R> =>
        Effect.flatMap(Request.execute(transport, settings, keys, call), (response) =>
          read(
            {
              operation: call.operation,
              settings,
              store: location,
              isRenewable: keyring.isRenewable,
              partNumber,
              scrub: scrubber(keys)
            },
            response
          )
        )
      return Effect.flatMap(keyring.current, (keys) =>
        Effect.catchIf(askWith(keys), isOutdated(keyring.isRenewable), () =>
          Effect.flatMap(keyring.renewed(keys), askWith)
        )
      ).pipe(
        spanned(`ObjectStore.${call.operation}`, {
          attributes: partNumber === undefined ? {} : { [attribute.storePart]: partNumber }
        })
      )
    }

    const endless = (operation: Operation) =>
      new StoreAnswerInvalid({
        operation,
        store: location,
        status: 200,
        detail: "the list has no end",
        origin,
        reason: "WrongShape"
      })

    const listUploads = (key: string) =>
      pages(
        (
          marker: Option.Option<UploadMarker>
        ): Effect.Effect<Page<UnfinishedUpload, UploadMarker>, StagingError> =>
          ask(
            {
              operation: "unfinished",
              method: "GET",
              key: "",
              query: [
                ["uploads", ""],
                ["max-uploads", "1000"],
                ["prefix", keyOf(key)],
                ...Option.match(marker, {
                  onNone: () => [],
                  onSome: ({ key, uploadId }): Query => [
                    ["key-marker", key],
                    ["upload-id-marker", uploadId]
                  ]
                })
              ]
            },
            Answer.readXml("ListMultipartUploadsResult", Xml.ListMultipartUploadsResult)
          ).pipe(
            Effect.map((page) => ({
              items: page.Upload.map(
                ({ Initiated, Key, UploadId }): UnfinishedUpload => ({
                  key: Key[0].slice(prefix.length),
                  uploadId: UploadId[0],
                  initiated: DateTime.make(Initiated?.[0] ?? "")
                })
              ),
              next:
                page.IsTruncated?.[0] === true && page.NextKeyMarker !== undefined
                  ? Option.some({ key: page.NextKeyMarker[0], uploadId: page.NextUploadIdMarker?.[0] ?? "" })
                  : Option.none()
            }))
          ),
        endless("unfinished")
      )

    const listParts = ({ key, uploadId }: UnfinishedUpload, query: Query) =>
      Effect.map(
        ask(
          {
            operation: "parts",
            method: "GET",
            key: keyOf(key),
            query: [["uploadId", uploadId], ...query]
          },
          Answer.readXml("ListPartsResult", Xml.ListPartsResult)
        ),
        (page) => ({
          items: page.Part.map(
            ({ ETag, PartNumber, Size }): StoredPart => ({
              number: PartNumber[0],
              size: Size[0],
              etag: ETag[0]
            })
          ),
          next:
            page.IsTruncated?.[0] === true
              ? Option.fromNullable(page.NextPartNumberMarker?.[0])
              : Option.none()
        })
      )

    return {
      location,
      limits: { minPartBytes: 5 * mebibyte, maxPartBytes: 5 * 1024 * mebibyte, maxParts: 10_000 },
      locationOf: (key) => `${location}/${key}`,
      unfinishedOf: (key) =>
        Effect.map(listUploads(key), (uploads) => uploads.filter((upload) => upload.key === key)),
      unfinished: listUploads(""),
      parts: (upload) =>
        pages(
          (marker: Option.Option<string>) =>
            listParts(upload, [
              ["max-parts", "1000"],
              ...Option.match(marker, {
                onNone: () => [],
                onSome: (number): Query => [["part-number-marker", number]]
              })
            ]),
          endless("parts")
        ),
      part: (upload, number) =>
        Effect.map(
          listParts(upload, [
            ["max-parts", "1"],
            ["part-number-marker", String(number - 1)]
          ]),
          ({ items: [part] }) => Option.filter(Option.fromNullable(part), (found) => found.number === number)
        ),
      create: (key) =>
        Effect.map(
          ask(
            {
              operation: "create",
              method: "POST",
              key: keyOf(key),
              query: [["uploads", ""]],
              headers: { "content-type": "application/zip" }
            },
            Answer.readXml("InitiateMultipartUploadResult", Xml.InitiateMultipartUploadResult)
          ),
          ({ UploadId: [uploadId] }) => ({ key, uploadId, initiated: Option.none() })
        ),
      putPart: ({ key, uploadId }, { body, number, onWritten, sha256, size }) =>
        Effect.map(
          ask(
            {
              operation: "putPart",
              method: "PUT",
              key: keyOf(key),
              query: [
                ["partNumber", String(number)],
                ["uploadId", uploadId]
              ],
              body: { content: body, size, sha256, contentType: "application/octet-stream" },
              onWritten
            },
            Answer.readHeaders((headers) => Option.map(Option.fromNullable(headers["etag"]), unquoted)),
            number
          ),
          (etag) => ({ number, size, etag })
        ),
      complete: ({ key, uploadId }, parts) => {
        const bytes = new TextEncoder().encode(Xml.completeMultipartUpload(parts))
        return Effect.asVoid(
          ask(
            {
              operation: "complete",
              method: "POST",
              key: keyOf(key),
              query: [["uploadId", uploadId]],
              body: {
                content: Stream.succeed(bytes),
                size: bytes.length,
                sha256: sha256(bytes),
                contentType: "application/xml"
              }
            },
            Answer.readXml("CompleteMultipartUploadResult", Xml.CompleteMultipartUploadResult)
          )
        )
      },
      abort: ({ key, uploadId }) =>
        ask(
          { operation: "abort", method: "DELETE", key: keyOf(key), query: [["uploadId", uploadId]] },
          Answer.readNothing
        ).pipe(Effect.catchTag("StoreUploadLost", () => Effect.void)),
      // HEAD has no body to say why it fails; the first byte costs as little.
      head: (key) =>
        ask({ operation: "head", method: "GET", key: keyOf(key), headers: { range: "bytes=0-0" } }, readSize),
      remove: (key) =>
        ask({ operation: "remove", method: "DELETE", key: keyOf(key) }, Answer.readNothing).pipe(
          Effect.catchTag("StoreUploadLost", () => Effect.void)
        ),
      link: Effect.fn("ObjectStore.link")(function* (key, options) {
        const wanted = Math.min(maxLinkMillis, Duration.toMillis(options.lifetime))
        const needed = Math.min(wanted, Duration.toMillis(options.atLeast ?? options.lifetime))
        const keys = yield* keyring.current
        const lasting = (yield* leftMillis(keys)) >= wanted ? keys : yield* keyring.renewed(keys)
        const left = yield* leftMillis(lasting)
        if (left < needed) {
          return yield* new LinkTooShort({
            operation: "link",
            store: location,
            leftMillis: left,
            neededMillis: needed
          })
        }
        return yield* Request.presign(settings, lasting, keyOf(key), Math.min(wanted, left))
      })
    }
  })

/** Whether other credentials may be the answer: expired ones say so in several ways, and keys are replaced. */
const isOutdated =
  (isRenewable: boolean) =>
  (error: unknown): boolean =>
    isRenewable && (error instanceof StoreCredentialsExpired || error instanceof StoreCredentialsRefused)

const unquoted = (etag: string): string => etag.replace(/^"|"$/g, "")

/** The size of an object, if it is there, from the answer to a request for its first byte. */
const readSize: Reader<Option.Option<{ readonly size: number }>> = (asked, response) => {
  const { headers, status } = response
  const size = /^bytes (?:0-0|\*)\/(\d{1,15})$/.exec(headers["content-range"] ?? "")?.[1]
  if (status === 416 && size === "0") return Effect.as(Answer.close(response), Option.some({ size: 0 }))
  return Answer.isSuccess(response)
    ? Answer.readHeaders((found) =>
        Option.map(Option.fromNullable(size ?? found["content-length"]), (text) => ({ size: Number(text) }))
      )(asked, response).pipe(Effect.asSome)
    : Effect.catchTag(
        Effect.flip(Answer.errorOf(asked, response)),
        "StoreUploadLost",
        () => Effect.succeedNone
      )
}

/** A list that goes on for ever, or in a circle, is not one. */
const maxPages = 100

interface Page<A, M> {
  readonly items: ReadonlyArray<A>
  /** Where the next page begins. */
  readonly next: Option.Option<M>
}

const pages = <A, M>(
  page: (marker: Option.Option<M>) => Effect.Effect<Page<A, M>, StagingError>,
  endless: StagingError
): Effect.Effect<ReadonlyArray<A>, StagingError> => {
  const from = (marker: Option.Option<M>, pagesLeft: number): Effect.Effect<ReadonlyArray<A>, StagingError> =>
    Effect.flatMap(page(marker), ({ items, next }) => {
      if (Option.isNone(next)) return Effect.succeed(items)
      return pagesLeft === 0
        ? Effect.fail(endless)
        : Effect.map(from(next, pagesLeft - 1), (others) => [...items, ...others])
    })
  return from(Option.none(), maxPages)
}

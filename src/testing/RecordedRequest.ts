/**
 * What `LocalElasticCloud` remembers of a request.
 *
 * @since 0.1.0
 */

/**
 * The archive inside a request: the multipart part called `file`, or the raw body. Of an upload that was resumed, the
 * whole archive, with the request that completed it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ContentFile {
  /** In bytes. */
  readonly size: number
  /** Hexadecimal. */
  readonly sha256: string
  /** As the part's head names it; a raw body has none. */
  readonly filename: string | undefined
  readonly contentType: string | undefined
}

/**
 * One request as the stand-in received it, finished or not.
 *
 * @since 0.1.0
 * @category models
 */
export interface RecordedRequest {
  readonly method: string
  /** With its query, as sent. */
  readonly path: string
  /** Lower-case names. Of `authorization`, only the scheme: `ApiKey ****`. */
  readonly headers: Readonly<Record<string, string>>
  /** Names and values in turn, spelled and ordered as sent; the key masked. */
  readonly rawHeaders: ReadonlyArray<string>
  /** Bytes of the body the stand-in read, without their framing. */
  readonly bodyBytes: number
  /** SHA-256 of those bytes, hexadecimal. */
  readonly bodySha256: string
  /** Whether the whole body arrived, as its framing counts. True for a request that has none. */
  readonly complete: boolean
  /** The archive in the body of an upload, once it was read to its end. */
  readonly contentFile: ContentFile | undefined
  /** The status that was answered, or `undefined` when none was. */
  readonly status: number | undefined
  /** The TCP connection, counted from 1 in the order of first requests. */
  readonly connection: number
  /** The request's place on its connection, counted from 1. */
  readonly requestOnConnection: number
}

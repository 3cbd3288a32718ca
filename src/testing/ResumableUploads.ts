/**
 * What the server side of "Resumable Uploads for HTTP" (draft-ietf-httpbis-resumable-upload) in `LocalElasticCloud` can
 * be told, and what it tells about the uploads it holds.
 *
 * @since 0.1.0
 */

/**
 * What `Upload-Limit` announces, and what is enforced. Sizes are bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResumableLimits {
  /** Of a whole representation; more is 413. */
  readonly maxSize?: number | undefined
  /** Of a whole representation; a smaller one, or one of unknown length, is taken as an ordinary upload. */
  readonly minSize?: number | undefined
  /** Of the content of one request; more is 413. */
  readonly maxAppendSize?: number | undefined
  /** Of the content of one request that does not complete the upload; less is 400. */
  readonly minAppendSize?: number | undefined
  /** Seconds of real time from its creation after which an upload is gone. */
  readonly maxAgeSeconds?: number | undefined
}

/**
 * How resumable uploads are served. Interim responses are written to the socket of `node:http`, which works the same on
 * Node, Bun and Deno.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResumableOptions {
  /**
   * The interop versions of the draft that are spoken: 6 is draft -05, 7 is -06 to -08, 8 is -09 to -11, 9 is -12, 10 is
   * -13. Each request is served in its own; one that names none of them is an ordinary request. Default: all.
   */
  readonly interopVersions?: ReadonlyArray<6 | 7 | 8 | 9 | 10> | undefined
  /** Default: none. */
  readonly limits?: ResumableLimits | undefined
  /**
   * Bytes after which another `104` tells the offset; 0 for never. Content with a `Content-Digest` is acknowledged
   * only as a whole: it may yet be thrown away. Default 4 MiB.
   */
  readonly progressEveryBytes?: number | undefined
  /**
   * Whether `104` is ever sent. Without it, an upload is resumable only if it is created by a request that does not
   * complete it. Default true.
   */
  readonly interimResponses?: boolean | undefined
  /**
   * Whether an empty append to a completed upload is given the final answer once more, where the interop version allows
   * it: from 8 on. Default true.
   */
  readonly replayFinalAnswer?: boolean | undefined
  /** How long a completed upload can still be asked for, in milliseconds. Default: as long as any other. */
  readonly keepCompletedMillis?: number | undefined
}

/**
 * An upload resource as it is in the store.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoredUpload {
  /** What makes its address hard to guess. */
  readonly token: string
  readonly url: string
  readonly extensionId: string
  /** Bytes of the representation that are on disk. */
  readonly offset: number
  /** Bytes of the whole representation, once the client has told. */
  readonly length: number | undefined
  /** Whether the extension has answered. */
  readonly complete: boolean
  /** Whether its time is over: it can no longer be reached. */
  readonly expired: boolean
}

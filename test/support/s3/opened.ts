/** The client's side of the object store that tests run against. */
import { type DateTime, Effect, Layer, Option } from "effect"
import * as S3ObjectStore from "../../../src/staging/S3ObjectStore.ts"
import * as UploadHttpClient from "../../../src/transfer/UploadHttpClient.ts"
import * as ObjectServer from "./objectServer.ts"

interface Opening {
  readonly account?: ObjectServer.Account
  /** When the credentials expire. */
  readonly expires?: DateTime.Utc
  readonly bucket?: string
  readonly endpoint?: string
  readonly prefix?: string
}

/** The client's side of the store. */
export const opened = ({ account, bucket, endpoint, expires, prefix = "" }: Opening = {}) =>
  Layer.unwrapEffect(
    Effect.map(ObjectServer.ObjectServer, (server) => {
      const { accessKeyId, secretAccessKey, sessionToken } = account ?? server.owner
      return S3ObjectStore.layer({
        location: `s3://${bucket ?? server.bucket}/${prefix}`,
        region: server.region,
        endpoint: endpoint ?? server.endpoint,
        credentials: {
          accessKeyId,
          secretAccessKey,
          sessionToken: Option.getOrUndefined(sessionToken),
          expires
        }
      })
    })
  ).pipe(Layer.provide(UploadHttpClient.layer()))

/** Who has no right to the bucket but what a test gives. */
export const stranger = Effect.flatMap(ObjectServer.ObjectServer, (server) =>
  Option.match(server.stranger, {
    onNone: () => Effect.dieMessage("a given server has no second account"),
    onSome: Effect.succeed
  })
)
/** Only a server of this test's own has a second account. */
export const hasStranger = process.env["S3_ENDPOINT"] === undefined

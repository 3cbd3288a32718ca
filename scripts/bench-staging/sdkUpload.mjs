/** One upload with `@aws-sdk/lib-storage`, with the part size and concurrency that this library has by default. */
import { createReadStream } from "node:fs"
import { S3Client } from "@aws-sdk/client-s3"
import { Upload } from "@aws-sdk/lib-storage"

const [path, bucket, key] = process.argv.slice(2)
const client = new S3Client({ endpoint: process.env.AWS_ENDPOINT_URL_S3, forcePathStyle: true })
const upload = new Upload({
  client,
  params: { Bucket: bucket, Key: key, Body: createReadStream(path, { highWaterMark: 1024 * 1024 }) },
  partSize: 8 * 1024 * 1024,
  queueSize: 4
})
await upload.done()

/** The minimum on Node: one `node:http` request, a file piped into it in reads of 1 MiB. */
import { createReadStream, statSync } from "node:fs"
import { request } from "node:http"

const [url = "", path = ""] = process.argv.slice(2)

const headers = { "content-type": "application/zip", "content-length": statSync(path).size }
const put = request(url, { method: "PUT", agent: false, headers }, (response) => {
  if (response.statusCode !== 200) process.exitCode = 1
  response.resume()
})
createReadStream(path, { highWaterMark: 1024 * 1024 }).pipe(put)

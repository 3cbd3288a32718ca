/** An upload as tus-js-client documents it for Node. */
import { createReadStream, statSync } from "node:fs"
import { Upload } from "tus-js-client"

const [endpoint = "", path = ""] = process.argv.slice(2)

new Upload(createReadStream(path), {
  endpoint,
  uploadSize: statSync(path).size,
  onError: (error) => {
    throw error
  }
}).start()

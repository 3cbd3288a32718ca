/** The tus project's own server, keeping uploads in the folder it is given until they are finished. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { FileStore } from "@tus/file-store"
import { Server } from "@tus/server"
import { endWithParent, say } from "./message.ts"

const directory = process.argv[2] ?? ""
const datastore = new FileStore({ directory })

const tus = new Server({
  path: "/files",
  datastore,
  onUploadFinish: async (_request, upload) => {
    say({
      _tag: "Received",
      announced: upload.size ?? null,
      received: upload.offset,
      connectedAt: null,
      firstByteAt: null,
      connections: 0
    })
    // What the system has not yet written to disk would slow down whoever comes next.
    await datastore.remove(upload.id)
    return {}
  }
})

const server = createServer((request, response) => tus.handle(request, response))
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo
  say({ _tag: "Listening", url: `http://127.0.0.1:${port}` })
})
endWithParent()

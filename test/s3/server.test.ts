/** The store that the other tests of this folder stand on, asked by `curl`. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { expect, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as ObjectServer from "../support/s3/objectServer.ts"
import { fileWith } from "../support/upload/archives.ts"

layer(Layer.provideMerge(ObjectServer.layer, NodeContext.layer), {
  timeout: "60 seconds",
  excludeTestServices: true
})("an object store", (it) => {
  it.scoped("keeps what it is given", () =>
    Effect.gen(function* () {
      const server = yield* ObjectServer.ObjectServer
      const file = yield* fileWith(new TextEncoder().encode("hello"))
      const path = "/with%20space/a%2Bb/%C3%BC.zip"
      expect(yield* ObjectServer.ask(server, { method: "PUT", path, file })).toMatchObject({ status: 200 })
      expect(yield* ObjectServer.ask(server, { method: "GET", path })).toEqual({ status: 200, body: "hello" })
      const listed = yield* ObjectServer.ask(server, { method: "GET", path: "?list-type=2" })
      expect(ObjectServer.elements(listed.body, "Key")).toEqual(["with space/a+b/ü.zip"])
      yield* ObjectServer.empty(server)
      expect(yield* ObjectServer.ask(server, { method: "GET", path })).toMatchObject({ status: 404 })
    })
  )
})

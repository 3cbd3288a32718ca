/** What docs/staging.md tells people to allow and to set, tried on a real store: it is enough, and no line of it is too much. */
import { readFileSync } from "node:fs"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { expect, layer } from "@effect/vitest"
import { Effect, Either, Layer, Schema } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as ArchiveStaging from "../../src/staging/ArchiveStaging.ts"
import * as ObjectServer from "../support/s3/objectServer.ts"
import { hasStranger, opened, stranger } from "../support/s3/opened.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"

const page = readFileSync("docs/staging.md", "utf8")
const files = new Map(
  [...page.matchAll(/<!-- file: (\S+) -->\n```json\n([\s\S]*?)```/g)].map(
    ([, name = "", text = ""]) => [name, text] as const
  )
)

const Policy = Schema.parseJson(
  Schema.Struct({
    Version: Schema.String,
    Statement: Schema.Array(
      Schema.Struct({
        Effect: Schema.Literal("Allow"),
        Action: Schema.Union(Schema.String, Schema.Array(Schema.String)),
        Resource: Schema.String
      })
    )
  })
)
const policy = Schema.decodeSync(Policy)(files.get("policy.json") ?? "")
const actionsOf = ({ Action }: (typeof policy.Statement)[number]) =>
  typeof Action === "string" ? [Action] : Action
const actions = policy.Statement.flatMap(actionsOf)

/**
 * The statement of the page for the stranger, as a policy of the bucket. One action may be denied: leaving it out is not the
 * same, because here an object is of whoever has put it there, and may be read by its owner.
 */
const allowed = (denied?: string) =>
  Effect.gen(function* () {
    const server = yield* ObjectServer.ObjectServer
    const Principal = { AWS: ["arn:aws:iam:::user/stranger"] }
    const statements = policy.Statement.flatMap((statement) => [
      { ...statement, Principal },
      ...actionsOf(statement)
        .filter((action) => action === denied)
        .map((Action) => ({ ...statement, Principal, Effect: "Deny", Action }))
    ])
    const text = JSON.stringify({ ...policy, Statement: statements }).replaceAll("my-bucket", server.bucket)
    const file = yield* fileWith(new TextEncoder().encode(text), "policy.json")
    const answer = yield* ObjectServer.ask(server, { method: "PUT", path: "?policy=", file })
    expect(answer.status, answer.body).toBeLessThan(300)
    return opened({ account: yield* stranger, prefix: "extensions" })
  })

layer(Layer.provideMerge(ObjectServer.layer, NodeContext.layer), {
  timeout: "60 seconds",
  excludeTestServices: true
})("docs/staging.md", (it) => {
  it.scoped.skipIf(!hasStranger)("allows all that staging needs", () =>
    Effect.gen(function* () {
      const store = yield* allowed()
      const content = yield* zipOf(6 * 1024 * 1024)
      yield* Effect.gen(function* () {
        const steps = yield* ArchiveStaging.probe
        expect(steps.filter(({ result }) => Either.isLeft(result))).toEqual([])
        const archive = Archive.bytes({ name: "words.zip", bytes: content })
        const staged = yield* ArchiveStaging.stage(archive, { partBytes: 5 * 1024 * 1024 })
        expect(staged).toMatchObject({ bytesSent: content.length })
        expect(yield* ArchiveStaging.pending).toEqual([])
        yield* ArchiveStaging.remove(staged)
        expect(yield* ArchiveStaging.look({ ...staged, name: "words.zip" })).toMatchObject({ _tag: "Absent" })
      }).pipe(Effect.provide(store))
    })
  )

  it.scoped.each(hasStranger ? actions : [])("needs %s, and doctor misses it", (action) =>
    Effect.gen(function* () {
      const store = yield* allowed(action)
      const steps = yield* Effect.provide(ArchiveStaging.probe, store)
      const missing = steps.flatMap(({ result }) =>
        Either.isLeft(result) && result.left._tag === "StoreAccessDenied" ? [result.left.permission] : []
      )
      expect(missing).toContain(action)
      expect(missing.filter((permission) => permission !== action)).toEqual([])
      yield* ObjectServer.empty(yield* ObjectServer.ObjectServer)
    })
  )

  it.scoped("gives a lifecycle rule that a store takes", () =>
    Effect.gen(function* () {
      const server = yield* ObjectServer.ObjectServer
      const { Rules } = JSON.parse(files.get("lifecycle.json") ?? "")
      expect(Rules).toHaveLength(1)
      const [{ AbortIncompleteMultipartUpload, Expiration, Filter, ID, Status }] = Rules
      const xml = [
        "<LifecycleConfiguration><Rule>",
        `<ID>${ID}</ID><Status>${Status}</Status><Filter><Prefix>${Filter.Prefix}</Prefix></Filter>`,
        `<AbortIncompleteMultipartUpload><DaysAfterInitiation>${AbortIncompleteMultipartUpload.DaysAfterInitiation}</DaysAfterInitiation></AbortIncompleteMultipartUpload>`,
        `<Expiration><Days>${Expiration.Days}</Days></Expiration>`,
        "</Rule></LifecycleConfiguration>"
      ].join("")
      const file = yield* fileWith(new TextEncoder().encode(xml), "lifecycle.xml")
      const put = yield* ObjectServer.ask(server, { method: "PUT", path: "?lifecycle=", file })
      expect(put.status, put.body).toBe(200)
      const got = yield* ObjectServer.ask(server, { method: "GET", path: "?lifecycle=" })
      expect(ObjectServer.elements(got.body, "DaysAfterInitiation")).toEqual(["7"])
    })
  )
})

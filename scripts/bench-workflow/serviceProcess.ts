/** The stand-in for Elastic Cloud in a process of its own, as the service is: says where it is, and lives as long as its input is open. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"

Effect.flatMap(LocalElasticCloud.LocalElasticCloud, ({ url }) => Console.log(url)).pipe(
  Effect.zipRight(Stream.runDrain(NodeStream.stdin)),
  Effect.provide(LocalElasticCloud.layer()),
  NodeRuntime.runMain
)

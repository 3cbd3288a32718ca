import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { main } from "./stock.ts"

main(NodeHttpClient.layerUndici)

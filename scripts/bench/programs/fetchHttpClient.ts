import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { main } from "./stock.ts"

main(FetchHttpClient.layer)

import { describe, expect, it } from "@effect/vitest"
import { LocalElasticCloudError } from "../../src/testing/LocalElasticCloudError.ts"

describe("LocalElasticCloudError", () => {
  it.each([
    ["PortInUse", "port 9200 of 127.0.0.1", "cannot listen: port 9200 of 127.0.0.1 is taken."],
    ["ListenFailed", "getaddrinfo ENOTFOUND nowhere", "cannot listen: getaddrinfo ENOTFOUND nowhere."],
    ["DataFolderUnusable", '"/data": EACCES', 'cannot use its data folder "/data": EACCES.'],
    ["StateUnreadable", "Unexpected end", "cannot read its state.json: Unexpected end."]
  ] as const)("%s says what happened, and then what to do", (reason, detail, happened) => {
    const error = new LocalElasticCloudError({ reason, detail })
    expect(error.message).toBe(`The local Elastic Cloud ${happened} ${error.remedy}`)
    expect(error.remedy).toMatch(/^[A-Z].*\.$/)
    expect(error.isRetryable).toBe(false)
  })
})

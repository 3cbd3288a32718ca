import { describe, expect, it } from "@effect/vitest"
import { ExtensionId } from "../../src/cloud/ExtensionId.ts"
import * as Errors from "../../src/publish/PublishError.ts"

const [one, two] = [ExtensionId.make("1"), ExtensionId.make("2")]
const origin = "https://builds.example"
const several = { name: "words", type: "bundle", ids: [one, two] } as const

const samples = (): ReadonlyArray<
  readonly [
    error:
      | Errors.AmbiguousExtension
      | Errors.NameTaken
      | Errors.DownloadUrlUnusable
      | Errors.DownloadFailed
      | Errors.StagingNotConfigured,
    says: string
  ]
> => [
  [
    new Errors.AmbiguousExtension({ ...several, emptyIds: [] }),
    'There are 2 bundles called "words": "1", "2". Upload to one'
  ],
  [
    new Errors.AmbiguousExtension({ ...several, emptyIds: [two] }),
    '"1", "2". Without a file: "2". Upload to one'
  ],
  [
    new Errors.NameTaken({ name: "words", type: "plugin", takenBy: one, refusal: "Conflict: no" }),
    'No plugin called "words" could be created (Conflict: no). A bundle of that name exists ("1"). Publish it as a bundle'
  ],
  [
    new Errors.NameTaken({ name: "words", type: "bundle", takenBy: one, refusal: "Conflict: no" }),
    'A plugin of that name exists ("1"). Publish it as a plugin'
  ],
  ...(
    [
      ["Redirects", "the URL redirects (d.), and the service follows no redirects. Give the address"],
      ["Refused", "access is refused (d.). Check that the credentials"],
      ["NotFound", "there is nothing behind it (d.). Check the path"],
      ["Unavailable", "its server does not answer as it should (d.). Try again later."],
      ["Unreachable", "it cannot be reached from here (d). Check the URL."],
      ["HtmlPage", "because d.. Give the address of the file itself"],
      ["NotAZip", "because d.. Put the ZIP archive"],
      ["WrongLength", "because d.. Put the same archive"]
    ] as const
  ).map(
    ([reason, says]) =>
      [new Errors.DownloadUrlUnusable({ origin, reason, detail: "d.", isRetryable: false }), says] as const
  ),
  ...(
    [
      [
        "NotFetched",
        'could not fetch the archive of extension "1" from https://builds.example: d. Make the URL'
      ],
      ["TimedOut", 'Extension "1" has no new archive from https://builds.example after 5s. Check that'],
      ["Different", 'into extension "1" is not the local archive: d. Put the same archive']
    ] as const
  ).map(
    ([reason, says]) =>
      [
        new Errors.DownloadFailed({ extensionId: one, origin, reason, waitedMillis: 5000, detail: "d" }),
        says
      ] as const
  ),
  [
    new Errors.DownloadFailed({ extensionId: one, origin, reason: "NotFetched", waitedMillis: 5000 }),
    "from https://builds.example. Make the URL"
  ],
  [
    new Errors.StagingNotConfigured({}),
    "The archive is to be staged, and no object store is configured. Set EC_UPLOAD_STAGE=s3://bucket/prefix"
  ],
  [
    new Errors.StagingNotConfigured({ location: "s3://b/p" }),
    "The unfinished upload is staged in s3://b/p, which is not the object store that is configured. Set EC_UPLOAD_STAGE=s3://b/p"
  ]
]

describe("an error", () => {
  it("says what happened, then what to do, and that the same again is of no use", () => {
    for (const [error, says] of samples()) {
      expect(error.message).toContain(says)
      expect(error.message.endsWith(` ${error.remedy}`)).toBe(true)
      expect(error.remedy).toMatch(/^[A-Z]/)
      expect([error._tag, error.isRetryable]).toEqual([error._tag, false])
    }
  })

  it("about a download URL says by itself whether another try may help", () => {
    const unavailable = { origin, reason: "Unavailable", detail: "503", isRetryable: true } as const
    expect(new Errors.DownloadUrlUnusable(unavailable).isRetryable).toBe(true)
  })
})

/** What a client may do after an answer, by status and `Upload-Complete`: the rules of the draft, one row each. */
import * as Headers from "@effect/platform/Headers"
import { describe, expect, it } from "@effect/vitest"
import * as Answers from "../../../../src/transfer/internal/resumable/answers.ts"
import { at, complete, incomplete } from "../../../support/transfer/draftScript.ts"

type Row = readonly [
  status: number,
  fields: Readonly<Record<string, string>>,
  request: { readonly completes?: boolean; readonly interopVersion?: number },
  meaning: Answers.AppendAnswer
]

const silent = {}
const completes = { completes: true }
const appends = { completes: false }

const rows: ReadonlyArray<Row> = [
  ...[200, 204, 300, 400, 404, 409, 413, 423, 429, 500, 503].map(
    (status): Row => [status, complete, completes, "Final"]
  ),

  [200, incomplete, completes, "Appended"],
  [204, silent, appends, "Appended"],
  [204, incomplete, appends, "Appended"],
  [299, incomplete, appends, "Appended"],
  ...[7, 8, 9, 10].map(
    (interopVersion): Row => [200, silent, { completes: true, interopVersion }, "Unclear"]
  ),
  [200, silent, { completes: true, interopVersion: 6 }, "Final"],
  [200, incomplete, { completes: true, interopVersion: 6 }, "Appended"],
  [200, silent, { completes: false, interopVersion: 6 }, "Appended"],
  [200, { "upload-complete": "1" }, completes, "Unclear"],

  [409, incomplete, completes, "WrongOffset"],
  [409, { ...incomplete, ...at(5) }, completes, "WrongOffset"],
  [409, silent, completes, "Refused"],
  ...[9, 10].map((interopVersion): Row => [409, at(5), { interopVersion }, "Refused"]),
  ...[6, 7, 8].map((interopVersion): Row => [409, at(5), { interopVersion }, "WrongOffset"]),
  ...[6, 7, 8].map((interopVersion): Row => [409, silent, { interopVersion }, "Refused"]),

  ...[silent, incomplete].flatMap(
    (fields): ReadonlyArray<Row> => [
      [413, fields, completes, "TooLarge"],
      [423, fields, completes, "Locked"],
      [404, fields, completes, "Gone"],
      [410, fields, completes, "Gone"],
      ...[401, 403, 407, 408, 425, 429, 500, 502, 503, 504, 599].map(
        (status): Row => [status, fields, completes, "Later"]
      ),
      ...[405, 415, 501].map((status): Row => [status, fields, completes, "Unsupported"]),
      ...[300, 302, 304, 400, 402, 411, 412, 422, 451].map(
        (status): Row => [status, fields, completes, "Refused"]
      )
    ]
  )
]

describe("an answer to PATCH", () => {
  it.each(rows)("%i with %j, to an append %j, is %s", (status, fields, request, meaning) => {
    const append = { completes: true, interopVersion: 9, ...request }
    expect(Answers.toAppend({ status, headers: Headers.fromInput(fields) }, append)).toBe(meaning)
  })
})

describe("an answer to HEAD", () => {
  it.each([
    ["Told", [200, 204, 299]],
    ["Gone", [404, 410]],
    ["Locked", [409, 423]],
    ["Later", [401, 403, 407, 408, 425, 429, 500, 502, 503, 504]],
    ["Refused", [300, 301, 304, 400, 405, 412, 415, 422, 501]]
  ] as const)("is %s with %j", (meaning, statuses) => {
    for (const status of statuses) {
      expect([status, Answers.toOffsetRequest({ status, headers: Headers.empty })]).toEqual([status, meaning])
    }
  })
})

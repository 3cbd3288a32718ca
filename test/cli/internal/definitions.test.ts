/** What has to hold for every command is tested with the commands of one list. */
import { expect, it } from "@effect/vitest"
import { definitions } from "../../../src/cli/internal/definitions.ts"
import { commands, ofFile } from "../../support/cli/commands.ts"

it("the commands of the tests are all that there are", () => {
  const given = { archive: "words.zip", database: "releases.db" }
  const asked = [...commands(given), ...ofFile(given)].map((words) => words.join(" "))
  for (const { name } of definitions) {
    expect(
      asked.filter((line) => `${line} `.startsWith(`${name} `)),
      name
    ).not.toEqual([])
  }
})

/** The token that opens a runner: compared without telling how much of a wrong one was right. */
import { createHash, timingSafeEqual } from "node:crypto"
import * as Redacted from "effect/Redacted"

export type AccessToken = Redacted.Redacted<string>

const digest = (text: string) => createHash("sha256").update(text).digest()

/** Digests have one length, and show nothing of what they are of. */
export const matches = (token: AccessToken) => {
  const expected = digest(Redacted.value(token))
  return (given: string): boolean => timingSafeEqual(digest(given), expected)
}

/** Parameters that nobody would send without meaning a token. */
const telling = /^(access[-_]?token|token|bearer|auth(orization)?|api[-_]?key|key|password|secret)$/i

const partsOf = (path: string): ReadonlyArray<string> =>
  path.split("/").map((part) => {
    const bytes = part.replace(/%(?![0-9a-f]{2})/gi, "%25")
    return new URLSearchParams(`part=${bytes.replaceAll("+", "%2B")}`).get("part") ?? ""
  })

/** Whether an address, from its path on, carries a token: by the name of a parameter, or because it is the right one. */
export const isInUrl =
  (isToken: (given: string) => boolean) =>
  (url: string): boolean => {
    const [path = "", ...query] = url.split("?")
    const parameters = [...new URLSearchParams(query.join("?"))]
    return (
      parameters.some(([name, value]) => telling.test(name) || isToken(value)) || partsOf(path).some(isToken)
    )
  }

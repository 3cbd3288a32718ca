/** A certificate authority of the test's own, and a server certificate from it. */
import { randomUUID } from "node:crypto"
import { Effect } from "effect"
import { type CertificateExtension, generate } from "selfsigned"

const make = (
  commonName: string,
  extensions: Array<CertificateExtension>,
  ca?: { key: string; cert: string }
) =>
  generate([{ name: "commonName", value: commonName }], {
    keyType: "ec",
    algorithm: "sha256",
    extensions,
    ...(ca === undefined ? {} : { ca })
  })

const names = [
  { type: 2, value: "localhost" },
  { type: 2, value: "upload.test" },
  { type: 7, ip: "127.0.0.1" }
] as const

export interface Authority {
  /** The authority's certificate in PEM. */
  readonly ca: string
  readonly server: { readonly key: string; readonly cert: string }
}

export const authority: Effect.Effect<Authority> = Effect.promise(async () => {
  // Two authorities of one name are taken for each other.
  const root = await make(`Test authority ${randomUUID()}`, [
    { name: "basicConstraints", cA: true, critical: true },
    { name: "keyUsage", keyCertSign: true, critical: true }
  ])
  const server = await make(
    "localhost",
    [
      { name: "basicConstraints", cA: false },
      { name: "subjectAltName", altNames: [...names] }
    ],
    { key: root.private, cert: root.cert }
  )
  return { ca: root.cert, server: { key: server.private, cert: server.cert } }
})

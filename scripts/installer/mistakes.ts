/** What goes wrong most often before a first upload, and what an inspection says of each. */
import { gzipSync } from "node:zlib"
import * as Effect from "effect/Effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as ArchiveInspection from "../../src/archive/ArchiveInspection.ts"
import * as ArchiveProblem from "../../src/archive/ArchiveProblem.ts"
import { classic, descriptor, dictionary, jar, stable, zip } from "../../test/support/archive/zip.ts"

interface Mistake {
  readonly what: string
  readonly bytes: Uint8Array
  readonly expected: ArchiveInspection.ExpectedExtension
}

const plugin: ArchiveInspection.ExpectedExtension = { type: "plugin", version: "8.17.0" }
const bundle: ArchiveInspection.ExpectedExtension = { type: "bundle" }

const text = (content: string): Uint8Array => new TextEncoder().encode(content)
const inFolder = { ...classic(), name: "acme/plugin-descriptor.properties" }
const withDescriptor = (values: Record<string, string>) => zip([classic(descriptor(values)), jar])

export const mistakes: ReadonlyArray<Mistake> = [
  {
    what: "The folder was packed, not its content.",
    bytes: zip([inFolder, { ...jar, name: "acme/acme.jar" }]),
    expected: plugin
  },
  {
    what: "The jar was uploaded, not the ZIP that the build makes.",
    bytes: zip([
      { name: "META-INF/MANIFEST.MF", data: "Manifest-Version: 1.0\n" },
      { name: "com/acme/Plugin.class", data: "not really a class" }
    ]),
    expected: plugin
  },
  {
    what: "The ZIP of a release page holds another ZIP, the plugin.",
    bytes: zip([
      { name: "acme-2.1.0/acme-2.1.0.zip", data: zip([classic(), jar]), method: 0 },
      { name: "acme-2.1.0/README.md", data: "# Acme\n" }
    ]),
    expected: plugin
  },
  {
    what: "The source code was downloaded, not the plugin.",
    bytes: zip([
      { name: "acme-main/pom.xml", data: "<project/>\n" },
      { name: "acme-main/src/main/java/com/acme/Plugin.java", data: "class Plugin {}\n" },
      {
        name: "acme-main/src/main/resources/plugin-descriptor.properties",
        data: descriptor({ version: "$" + "{project.version}" })
      }
    ]),
    expected: plugin
  },
  {
    what: "The build did not fill in a placeholder.",
    bytes: withDescriptor({ "java.version": "$" + "{maven.compiler.target}" }),
    expected: plugin
  },
  {
    what: "The plugin was built for another version of Elasticsearch.",
    bytes: withDescriptor({ "elasticsearch.version": "8.16.1" }),
    expected: plugin
  },
  {
    what: "A stable plugin has the descriptor of a classic one.",
    bytes: zip([stable(descriptor()), jar]),
    expected: plugin
  },
  {
    what: "A file was stored while it was streamed.",
    bytes: zip([classic(), { ...jar, method: 0, flags: 8 }]),
    expected: plugin
  },
  {
    what: "An old .NET or PowerShell wrote backslashes.",
    bytes: zip([classic(), jar, { name: "config\\acme.yml", data: "a: 1\n" }]),
    expected: plugin
  },
  {
    what: "The folder of the bundle was packed, not its content.",
    bytes: zip([{ ...dictionary, name: "my-bundle/dictionaries/words.dic" }]),
    expected: bundle
  },
  {
    what: "Only part of the file was downloaded.",
    bytes: zip([classic(), jar]).subarray(0, 200),
    expected: plugin
  },
  {
    what: "A web page was saved under the name of the ZIP.",
    bytes: text("<!doctype html>\n<html><title>Sign in</title></html>\n"),
    expected: plugin
  },
  {
    what: "Git LFS left a pointer instead of the file.",
    bytes: text(
      "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
    ),
    expected: plugin
  },
  {
    what: "It is a `.tar.gz` under the name of a ZIP.",
    bytes: new Uint8Array(gzipSync(Buffer.alloc(10_240))),
    expected: plugin
  }
]

/** Each mistake with the messages of its errors, or of its warnings where it has no errors. */
export const markdown = Effect.forEach(mistakes, ({ bytes, expected, what }) =>
  Effect.map(
    ArchiveInspection.inspect(Archive.bytes({ name: "acme.zip", bytes }), { expected }),
    (inspection) => {
      const problems = inspection.errors.length > 0 ? inspection.errors : inspection.warnings
      return `**${what}**\n\n${problems.map((problem) => `> ${ArchiveProblem.describe(problem)}`).join("\n>\n")}`
    }
  )
).pipe(Effect.map((parts) => parts.join("\n\n")))

/** What the writers of ZIPs get to pack: folders as a build leaves them. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import { content as noise } from "../../test/support/archive/sources.ts"
import { descriptor, zip } from "../../test/support/archive/zip.ts"

/** Files by their paths; a path that ends in `/` is an empty folder. */
export type Content = Readonly<Record<string, string | Uint8Array>>

/** Like most of what is in a real jar, the class does not compress: some writers then store it. */
const jar = zip([
  { name: "META-INF/MANIFEST.MF", data: "Manifest-Version: 1.0\n" },
  { name: "com/acme/Plugin.class", data: noise(2000), method: 0 }
])

const lines = (count: number): string => Array.from({ length: count }, (_, n) => `word${n}\n`).join("")

const classic: Content = {
  "plugin-descriptor.properties": descriptor(),
  "acme.jar": jar,
  "LICENSE.txt": "As is.\n".repeat(20),
  "bin/acme": "#!/bin/sh\nexit 0\n",
  "config/acme.yml": "acme:\n  size: 3\n"
}

export const contents = {
  "a plugin": classic,
  "a stable plugin": {
    "stable-plugin-descriptor.properties": descriptor({ classname: undefined, modular: "false" }),
    "named_components.json": "{}",
    "acme.jar": jar
  },
  "an empty file": { ...classic, "NOTICE.txt": "", "docs/": "" },
  "names beyond ASCII": {
    ...classic,
    "config/größe.txt": "1,80 m\n",
    "config/日本語.dic": lines(300)
  },
  "a bundle": {
    "dictionaries/words.dic": lines(500),
    "dictionaries/words.aff": "SET UTF-8\n",
    "scripts/": ""
  }
} satisfies Readonly<Record<string, Content>>

/** Builds run at other times; what is packed here is always as old. */
const builtAt = new Date("2026-03-01T12:00:00Z")

export const writeContent = (content: Content, folder: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    for (const [name, data] of Object.entries(content)) {
      const target = path.join(folder, name)
      yield* fs.makeDirectory(name.endsWith("/") ? target : path.dirname(target), { recursive: true })
      if (name.endsWith("/")) continue
      yield* fs.writeFile(target, new Uint8Array(Buffer.from(data)))
      yield* fs.utimes(target, builtAt, builtAt)
    }
  })

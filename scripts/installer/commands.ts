/** Programs of Debian, run in the folder whose content they pack. */
import * as Command from "@effect/platform/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type Writer, WriterFailed } from "./writer.ts"

/** The name that stands in each command line for the file to write. */
const target = "plugin.zip"

interface Line {
  /** The page shows it, and it is run as it stands, but for where the file goes. */
  readonly line: string
  /** What the page shows where the line is too long to read. */
  readonly shown?: string
  readonly instead?: string
}

const command =
  (tool: string) =>
  ({ instead, line, shown }: Line): Writer => ({
    tool,
    how: shown ?? `\`${line.replaceAll("|", "\\|")}\``,
    command: Option.some(tool),
    instead: Option.fromNullable(instead),
    write: (folder, file) =>
      Command.make("sh", "-c", line.replaceAll(target, '"$FILE"')).pipe(
        Command.workingDirectory(folder),
        Command.env({ FILE: file, LC_ALL: "C.UTF-8" }),
        Command.exitCode,
        Effect.mapError((cause) => new WriterFailed({ how: line, cause })),
        Effect.filterOrFail(
          (code) => code === 0,
          (code) => new WriterFailed({ how: line, cause: `exit code ${code}` })
        ),
        Effect.asVoid
      )
  })

const toAFile = "let `zip` write the file, without a pipe"
const deflated = "leave the option out: the default is deflated"
const fromInside = "pack from inside the folder"
const noPassword = "pack without a password"

const zip: ReadonlyArray<Line> = [
  { line: "zip -r plugin.zip ." },
  { line: "zip -r plugin.zip *" },
  { line: "zip -r -9 -X -D plugin.zip ." },
  { line: "zip -r -0 plugin.zip ." },
  { line: "zip -r - . > plugin.zip" },
  { line: "zip -r - . | cat > plugin.zip", instead: toAFile },
  { line: "zip -r -0 - . | cat > plugin.zip", instead: toAFile },
  { line: "zip -r -fd plugin.zip .", instead: "leave out `-fd`" },
  { line: "zip -r -fz plugin.zip ." },
  { line: "zip -r -Z bzip2 plugin.zip .", instead: deflated },
  { line: "zip -r -P secret plugin.zip .", instead: noPassword },
  { line: "cd .. && zip -r plugin.zip plugin", instead: fromInside }
]

const bsdtar: ReadonlyArray<Line> = [
  { line: "bsdtar -a -cf plugin.zip ." },
  { line: "bsdtar -a -cf plugin.zip *" },
  { line: "bsdtar --format zip -cf - . | cat > plugin.zip" },
  { line: "bsdtar -a --options zip:compression=store -cf plugin.zip .", instead: deflated },
  {
    line: "cd .. && bsdtar -a -cf plugin.zip plugin",
    instead: "pack from inside the folder, or with `-C plugin .`"
  }
]

const sevenZip: ReadonlyArray<Line> = [
  { line: "7z a plugin.zip ." },
  { line: "7z a -mx=9 plugin.zip ." },
  { line: "7z a -mx=0 plugin.zip ." },
  { line: "7z a -mm=Deflate64 plugin.zip .", instead: deflated },
  { line: "7z a -mm=LZMA plugin.zip .", instead: deflated },
  { line: "7z a -psecret plugin.zip .", instead: noPassword },
  { line: "7z a -t7z plugin.zip .", instead: "leave the option out: `7z` goes by the file name" }
]

/** Packs a folder with `ZipFile`, given where to and how. */
const pythonScript = (where: string, how: string): string =>
  [
    "import os, sys, zipfile",
    `with zipfile.ZipFile(${where}, "w"${how}) as packed:`,
    '  for folder, _, names in os.walk("."):',
    "    for name in names: packed.write(os.path.join(folder, name))"
  ].join("\n")

const python: ReadonlyArray<Line> = [
  { line: "python3 -m zipfile -c plugin.zip *" },
  {
    line: `python3 -c 'import shutil, sys; shutil.make_archive(sys.argv[1][:-4], "zip", ".")' plugin.zip`,
    shown: '`shutil.make_archive("plugin", "zip", folder)`'
  },
  {
    line: `python3 -c '${pythonScript("sys.argv[1]", "")}' plugin.zip`,
    shown: '`ZipFile("plugin.zip", "w")`'
  },
  {
    line: `python3 -c '${pythonScript("sys.stdout.buffer", "")}' | cat > plugin.zip`,
    shown: '`ZipFile(sys.stdout.buffer, "w")`, to a pipe',
    instead: "add `compression=ZIP_DEFLATED`, or write to a file"
  },
  {
    line: `python3 -c '${pythonScript("sys.stdout.buffer", ", zipfile.ZIP_DEFLATED")}' | cat > plugin.zip`,
    shown: '`ZipFile(sys.stdout.buffer, "w", ZIP_DEFLATED)`, to a pipe'
  }
]

const jar: ReadonlyArray<Line> = [
  { line: "jar cMf plugin.zip ." },
  { line: "jar cMf0 plugin.zip ." },
  { line: "jar cf plugin.zip *" },
  { line: "jar cM . | cat > plugin.zip" }
]

const git: ReadonlyArray<Line> = [
  {
    line: [
      "git init -q . && git add -A && git -c user.name=a -c user.email=a@b -c commit.gpgsign=false commit -qm a",
      "git archive --format zip HEAD > plugin.zip"
    ].join(" && "),
    shown: "`git archive --format zip HEAD > plugin.zip`"
  }
]

const tar: ReadonlyArray<Line> = [
  {
    line: "tar -czf plugin.zip .",
    instead: "this makes a tar, whatever its name is: use `zip`, or `bsdtar -a`"
  }
]

export const commands: ReadonlyArray<Writer> = [
  ...zip.map(command("zip")),
  ...bsdtar.map(command("bsdtar")),
  ...sevenZip.map(command("7z")),
  ...python.map(command("python3")),
  ...jar.map(command("jar")),
  ...git.map(command("git")),
  ...tar.map(command("tar"))
]

/** Scripts that complete command lines, one for each shell, made of what the commands declare. */
import { shortName } from "../Project.ts"
import type { Page } from "./definitions.ts"
import { type Entry, namesOf } from "./parameters.ts"
import { commandName } from "./text.ts"

/** The shells there are scripts for. */
export const shells = ["bash", "fish", "zsh"] as const

export type Shell = (typeof shells)[number]

/** What the program takes before any command, and its commands. */
export interface Program {
  readonly entries: ReadonlyArray<Entry>
  readonly pages: ReadonlyArray<Page>
}

export const script = (shell: Shell, program: Program): string => writers[shell](program)

/** The names under which the program is installed. */
const names = [commandName, shortName]

/** A name for shell functions. */
const prefix = `_${commandName.replaceAll("-", "_")}`

/** Without a key or a line to the server it says nothing, and soon. */
const listIds = (program: string): string =>
  `${program} list --quiet --connect-timeout 3s --timeout 3s --tries 1 2> /dev/null`

const argumentsOf = (page: Page) => page.entries.filter((entry) => entry._tag === "Argument")

const optionsOf = ({ entries }: { readonly entries: ReadonlyArray<Entry> }) =>
  entries.filter((entry) => entry._tag !== "Argument")

const helpOption: Entry = { _tag: "Flag", names: ["-h", "--help"], meaning: "Help for this command." }

const withHelp = (page: Page) => [...optionsOf(page), helpOption]

type ValueEntry = Extract<Entry, { readonly _tag: "Value" }>

/** Every option with a value, once: an option means the same in each command that takes it. */
const valuesOf = ({ entries, pages }: Program): ReadonlyArray<ValueEntry> => {
  const all = [...entries, ...pages.flatMap((page) => page.entries)].flatMap((entry) =>
    entry._tag === "Value" ? [entry] : []
  )
  return [...new Map(all.map((entry) => [entry.names.join(), entry])).values()]
}

/** The first sentence, which is enough beside a name. */
const brief = (meaning: string): string => /^.*?[.:](?= |$)/.exec(meaning)?.[0].slice(0, -1) ?? meaning

/** The second words of the commands that begin with this one. */
export const membersOf = (name: string, pages: ReadonlyArray<Page>): ReadonlyArray<string> =>
  pages.flatMap((page) => (page.name.startsWith(`${name} `) ? [page.name.slice(name.length + 1)] : []))

const firstWord = (name: string): string => name.split(" ", 1)[0] ?? name

interface Group {
  readonly name: string
  /** Their second words. */
  readonly members: ReadonlyArray<string>
}

/** Commands whose name is of two words, such as `releases list`. */
const groupsOf = (pages: ReadonlyArray<Page>): ReadonlyArray<Group> =>
  [...new Set(pages.map(({ name }) => firstWord(name)))]
    .map((name) => ({ name, members: membersOf(name, pages) }))
    .filter(({ members }) => members.length > 0)

/** What can follow the program's name, and what help says of it. */
const firstWordsOf = (
  pages: ReadonlyArray<Page>
): ReadonlyArray<readonly [word: string, meaning: string]> => [
  ...pages.flatMap(({ name, summary }) => (name.includes(" ") ? [] : [[name, brief(summary)] as const])),
  ...groupsOf(pages).map(({ members, name }) => [name, members.join(", ")] as const)
]

/** A word for a shell, in single quotes. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** Of a `case`: a space would end it. */
const pattern = (name: string): string => (name.includes(" ") ? quoted(name) : name)

/** Bash 3.2, which macOS has, can run it. Where it offers nothing, readline offers file names. */
const bash = (program: Program): string => {
  const { entries, pages } = program
  const values = valuesOf(program)
  const words = (list: ReadonlyArray<string>) => quoted(list.join(" "))
  const choices = values.filter((entry) => entry.choices.length > 0)
  const kinds = pages.flatMap((page) =>
    argumentsOf(page).flatMap(({ completes }, index) =>
      completes === "extensions" ? [`${pattern(page.name)}:${index}`] : []
    )
  )
  return `# Completes ${commandName} in bash: source <(${commandName} --completions bash)
${prefix}() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} command=\${COMP_WORDS[1]}
  local word options='' offers='' position=0 skip='' index begin=2
  # An equals sign is a word of its own.
  if [[ $current == '=' ]]; then current=''
  elif [[ $before == '=' ]]; then before=\${COMP_WORDS[COMP_CWORD-2]}; fi
  COMPREPLY=()
  case $before in
${choices.map(({ choices, names }) => `    ${names.join("|")}) COMPREPLY=($(compgen -W ${words(choices)} -- "$current")); return ;;`).join("\n")}
    ${values
      .filter(({ choices }) => choices.length === 0)
      .flatMap(namesOf)
      .join("|")}) return ;;
  esac
  if [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=($(compgen -W ${words([...firstWordsOf(pages).map(([word]) => word), "help", ...optionsOf({ entries }).flatMap(namesOf)])} -- "$current"))
    return
  fi
  case $command in
${groupsOf(pages)
  .map(
    ({ members, name }) => `    ${name})
      if [[ $COMP_CWORD -eq 2 ]]; then COMPREPLY=($(compgen -W ${words(members)} -- "$current")); return; fi
      command="$command \${COMP_WORDS[2]}" begin=3 ;;`
  )
  .join("\n")}
  esac
  case $command in
${pages.map((page) => `    ${pattern(page.name)}) options=${words(withHelp(page).flatMap(namesOf))} ;;`).join("\n")}
    help) COMPREPLY=($(compgen -W ${words(firstWordsOf(pages).map(([word]) => word))} -- "$current")); return ;;
  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
    return
  fi
  for ((index = begin; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    if [[ $word == '=' ]]; then skip=yes
    elif [[ -n $skip ]]; then skip=''
    else
      case $word in
        ${values.flatMap(namesOf).join("|")}) skip=yes ;;
        -*) ;;
        *) position=$((position + 1)) ;;
      esac
    fi
  done
  case $command:$position in
    ${kinds.join("|")}) COMPREPLY=($(compgen -W "$(${listIds('"$1"')})" -- "$current")) ;;
  esac
}
${names.map((name) => `complete -o bashdefault -o default -F ${prefix} ${name}`).join("\n")}
`
}

const zsh = ({ entries, pages }: Program): string => {
  const text = (words: string) => words.replace(/[[\]:\\]/g, "\\$&")
  const action = (entry: ValueEntry): string => {
    if (entry.choices.length > 0) return `(${entry.choices.join(" ")})`
    return actions[entry.completes]
  }
  const actions = { files: "_files", folders: "_files -/", extensions: `${prefix}_ids`, nothing: " " }
  const spec = (entry: Entry): ReadonlyArray<string> => {
    switch (entry._tag) {
      case "Argument":
        return [
          `${entry.isRequired ? ":" : "::"}${text(entry.name.replace(/[<>]/g, ""))}:${actions[entry.completes]}`
        ]
      case "Flag":
        return entry.names.map((name) => `(${entry.names.join(" ")})${name}[${text(brief(entry.meaning))}]`)
      case "Value":
        return entry.names.map(
          (name) =>
            `${entry.placeholder.endsWith("...") ? "*" : ""}${name}=[${text(brief(entry.meaning))}]:${text(entry.placeholder)}:${action(entry)}`
        )
    }
  }
  const specs = (list: ReadonlyArray<Entry>) => list.flatMap(spec).map(quoted).join(" \\\n        ")
  return `#compdef ${names.join(" ")}
# Completes ${commandName} in zsh: source <(${commandName} --completions zsh)
${prefix}_ids() {
  local -a ids
  ids=(\${(f)"$(${listIds("$program")})"})
  (( $#ids )) && compadd -a ids
}
${prefix}() {
  local program=$words[1] curcontext=$curcontext state line
  local -a commands
  commands=(
${[...firstWordsOf(pages).map(([word, meaning]) => `${word}:${text(meaning)}`), "help:Help for a command"].map((line) => `    ${quoted(line)}`).join("\n")}
  )
  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
    _describe command commands
    return
  fi
  local command=$words[2]
  case $command in
${groupsOf(pages)
  .map(
    ({ members, name }) => `    ${name})
      if (( CURRENT == 3 )); then
        compadd ${members.join(" ")}
        return
      fi
      command="$words[2] $words[3]"
      shift words; (( CURRENT-- )) ;;`
  )
  .join("\n")}
  esac
  case $command in
${pages
  .map(
    (page) => `    ${pattern(page.name)})
      shift words; (( CURRENT-- ))
      _arguments -s -S \\
        ${specs([...withHelp(page), ...argumentsOf(page)])} ;;`
  )
  .join("\n")}
    help) _describe command commands ;;
    *)
      _arguments -s -S \\
        ${specs(optionsOf({ entries }))} ;;
  esac
}
if [[ $funcstack[1] == ${prefix} ]]; then ${prefix} "$@"; else compdef ${prefix} ${names.join(" ")}; fi
`
}

const fish = (program: Program): string => {
  const { entries, pages } = program
  const escaped = (text: string) => `'${text.replace(/[\\']/g, "\\$&")}'`
  const optionNames = (entry: Entry) =>
    namesOf(entry).map((name) => (name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
  const offers = (entry: Entry): string => {
    if (entry._tag !== "Value") return ""
    if (entry.choices.length > 0) return ` -x -a ${escaped(entry.choices.join(" "))}`
    return entry.completes === "nothing" ? " -x" : " -r -F"
  }
  const option = (condition: string, entry: Entry) =>
    `-n ${escaped(condition)} ${optionNames(entry).join(" ")}${offers(entry)} -d ${escaped(brief(entry.meaning))}`
  const atCommand = `${prefix}_at_command`
  const lines = [
    "-f",
    ...firstWordsOf(pages).map(([word, meaning]) => `-n ${atCommand} -a ${word} -d ${escaped(meaning)}`),
    ...groupsOf(pages).map(
      ({ members, name }) => `-n ${escaped(`${prefix}_at ${name} 0`)} -a ${escaped(members.join(" "))}`
    ),
    `-n ${atCommand} -a help -d 'Help for a command'`,
    `-n '${prefix}_at help 0' -a ${escaped(
      firstWordsOf(pages)
        .map(([word]) => word)
        .join(" ")
    )}`,
    ...optionsOf({ entries }).map((entry) => option(atCommand, entry)),
    ...pages.flatMap((page) => [
      ...withHelp(page).map((entry) => option(`${prefix}_in ${pattern(page.name)}`, entry)),
      ...argumentsOf(page).flatMap(({ completes }, index) => {
        const condition = escaped(`${prefix}_at ${pattern(page.name)} ${index}`)
        if (completes === "extensions") return [`-n ${condition} -a '(${prefix}_ids)'`]
        return completes === "nothing" ? [] : [`-n ${condition} -F`]
      })
    ])
  ]
  return `# Completes ${commandName} in fish: ${commandName} --completions fish | source
function ${prefix}_at_command
  test (count (commandline -opc)) -eq 1
end
function ${prefix}_in
  set -l words (commandline -opc) ''
  test "$words[2]" = $argv[1]; or test "$words[2] $words[3]" = $argv[1]
end
# Whether the argument that is typed is the one at this position, from 0.
function ${prefix}_at
  ${prefix}_in $argv[1]; or return 1
  set -l words (commandline -opc)
  # The words of the command's own name do not count.
  set -l position (math 1 - (count (string split ' ' $argv[1])))
  set -l skip no
  for word in $words[2..]
    if test $skip = yes
      set skip no
    else if contains -- $word ${valuesOf(program).flatMap(namesOf).join(" ")}
      set skip yes
    else if not string match -q -- '-*' $word
      set position (math $position + 1)
    end
  end
  test (math $position - 1) -eq $argv[2]
end
function ${prefix}_ids
  set -l words (commandline -opc)
  ${listIds("$words[1]")}
end
${names.map((name) => lines.map((line) => `complete -c ${name} ${line}`).join("\n")).join("\n")}
`
}

const writers: Readonly<Record<Shell, (program: Program) => string>> = { bash, fish, zsh }

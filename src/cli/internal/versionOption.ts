/**
 * The parser keeps `--version` for itself wherever on the line it stands. Commands whose `--version` is that of an
 * extension have it under another name, which is put in on the way to the parser and taken out on the way back.
 */
const visible = "--version"

/** Without its dashes. */
export const name = "extension-version"

/** The first word is the program's own `--version`, or the command. */
export const put = (words: ReadonlyArray<string>): ReadonlyArray<string> =>
  words.map((word, i) => (i > 0 && word === visible ? `--${name}` : word))

export const takeOut = (text: string): string => text.replaceAll(`--${name}`, visible)

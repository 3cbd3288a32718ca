/**
 * What somebody else has written, fit for a terminal: control characters, which could move the cursor or change the
 * window, and marks that turn the direction of text, are shown by their code.
 */
export const printable = (text: string): string =>
  text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`
  )

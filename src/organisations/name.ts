/**
 * Names that other people will read and trust: of organisations, administrations, services and staff (claim I9). They are written in NFC with
 * Latin letters only, so that no Cyrillic or full-width look-alike passes for a known name, and hold no control, bidi or invisible character,
 * no lone combining mark and no line break.
 */
const FORBIDDEN = /[\p{C}\p{M}\p{Zl}\p{Zp}]/u;
const SPACES = /[\p{Zs}\t]/gu;
const LETTERS = /\p{L}/gu;
const LATIN = /^\p{Script=Latin}$/u;

const isPlainLetter = (letter: string): boolean => LATIN.test(letter) && letter.normalize('NFKC') === letter;

/** Reads a name: NFC, single plain spaces inside, none around. Undefined when it is empty, too long, or holds what a name must not. */
export const readName = (value: unknown, longest = 120): string | undefined => {
  if (typeof value !== 'string' || value.length > longest * 4) return undefined;
  const name = value.normalize('NFC').replace(SPACES, ' ').trim();
  if (name === '' || [...name].length > longest || FORBIDDEN.test(name) || name.includes('  ')) return undefined;
  return (name.match(LETTERS) ?? []).every(isPlainLetter) ? name : undefined;
};

/** Reads an e-mail address for messages (never a key: identity is iss and sub). Undefined when a mail could not be sent to it safely. */
export const readEmail = (value: unknown): string | undefined => {
  if (typeof value !== 'string' || value.length > 254) return undefined;
  return /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*$/.test(value) ? value.toLowerCase() : undefined;
};

/** Reads a stated reason: one line of text of at most 200 characters, without control or bidi characters. */
export const readReason = (value: unknown): string | undefined => {
  if (typeof value !== 'string' || value.length > 800) return undefined;
  const reason = value.normalize('NFC').trim();
  return reason !== '' && [...reason].length <= 200 && !/[\p{C}\p{Zl}\p{Zp}]/u.test(reason) ? reason : undefined;
};

import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { base32, readBase32 } from '../aidants/code.ts';
import { canonical, type Json, parseCanonical } from '../kernel/canonical.ts';
import { type PrivateKey, type PublicKey, publicKeyOf, sha256, signEd25519, verifyEd25519 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { keyIdOf } from '../mandates/attestation.ts';

/**
 * The statement: what was done for a person over a period, on paper. Each sheet carries a QR code that holds everything the sheet says, signed
 * with the key of attestations: whoever has the published key checks a sheet with no network, and compares what is printed with what was signed.
 */

/** One line, exactly as it is printed. */
export interface StatementLine {
  /** Its number in the journal. */
  readonly index: number;
  readonly at: Date;
  readonly said: string;
  /** The first ten bytes of its leaf hash, base 32: 16 signs (see `checkOf`). */
  readonly check: string;
}

/** What all the sheets of a statement say. */
export interface StatementHead {
  /** Name of the log (its origin), and the signed state of it that covers every line. `root` is base64url, 32 bytes. */
  readonly log: string;
  readonly size: number;
  readonly root: string;
  /** As it is printed: « Madame Colette Martin ». */
  readonly person: string;
  /** First and last day (Paris), `YYYY-MM-DD`. */
  readonly from: string;
  readonly to: string;
  readonly made: Date;
  /** What the whole statement holds, in 16 signs of base 32 (see `numberOf`). */
  readonly number: string;
  readonly sheets: number;
  /** Of the whole statement. */
  readonly lines: number;
}

export interface Sheet extends StatementHead {
  /** From 1. */
  readonly sheet: number;
  readonly rows: readonly StatementLine[];
}

const CHECK_BYTES = 10;
const VERSION = 1;
const KEY_BYTES = 8;
const SEAL_BYTES = 64;
/** A sheet holds a few lines: more than this is none of ours. */
const MOST_BYTES = 16_384;

/** What stands for a leaf on paper. `leaf` is its hash, base64url. */
export const checkOf = (leaf: string): string => base32(Buffer.from(leaf, 'base64url').subarray(0, CHECK_BYTES));

/** The part of it that is printed: `K7QF2-M3XAB`, 50 bits. */
export const printedCheck = (check: string): string => `${check.slice(0, 5)}-${check.slice(5, 10)}`;

/** The number as it is printed: four groups of four. */
export const printedNumber = (number: string): string => (number.match(/.{4}/g) ?? []).join('-');

type Held = Pick<StatementHead, 'log' | 'person' | 'from' | 'to'> & { readonly rows: readonly Pick<StatementLine, 'index' | 'check'>[] };

/** Numbers a statement by its content: the same lines for the same person and period have the same number, and any other has another. */
export const numberOf = ({ log, person, from, to, rows }: Held): string =>
  base32(
    sha256('relais/statement/v1\n', canonical({ log, person, from, to, rows: rows.map((row) => [row.index, row.check]) })).subarray(0, CHECK_BYTES),
  );

/** Signs that fit on one line of a sheet, lines that fit above its QR code, and how many lines a person compares in one go. */
const SIGNS_A_LINE = 46;
const ROOM = 20;
const MOST_ROWS = 6;

/** Cuts lines into sheets that fit on a page of paper in large print with their QR code. */
export const sheetsOf = (lines: readonly StatementLine[]): StatementLine[][] => {
  const sheets: StatementLine[][] = [];
  let left = 0;
  for (const line of lines) {
    const needs = 2.6 + Math.ceil(line.said.length / SIGNS_A_LINE);
    const last = sheets.at(-1);
    if (last && needs <= left && last.length < MOST_ROWS) last.push(line);
    else {
      sheets.push([line]);
      left = ROOM;
    }
    left -= needs;
  }
  return sheets;
};

/** What is signed: canonical JSON (RFC 8785). Instants are UTC to the millisecond. */
const contentOf = (sheet: Sheet): string =>
  canonical({
    ...sheet,
    v: VERSION,
    made: sheet.made.toISOString(),
    rows: sheet.rows.map((row) => [row.index, row.at.toISOString(), row.said, row.check]),
  });

/** The key's name is part of what is signed, as in an attestation. The content is signed as it is compressed: nothing is inflated that nobody signed. */
const message = (keyId: string, compressed: Buffer): Buffer => Buffer.concat([Buffer.from(`relais/statement/sheet/v1\n${keyId}\n`), compressed]);

/** Signs a sheet: what its QR code holds, in base 32 (version, start of the key's name, Ed25519 signature, content compressed by RFC 1951). */
export const sealSheet = (key: PrivateKey, sheet: Sheet): string => {
  const keyId = keyIdOf(publicKeyOf(key));
  const compressed = deflateRawSync(contentOf(sheet), { level: 9 });
  return base32(
    Buffer.concat([
      Buffer.of(VERSION),
      Buffer.from(keyId, 'base64url').subarray(0, KEY_BYTES),
      signEd25519(key, message(keyId, compressed)),
      compressed,
    ]),
  );
};

const text = (value: Json | undefined): string => {
  if (typeof value !== 'string') throw new Failure('sheet_malformed', 'expected a text');
  return value;
};
const count = (value: Json | undefined): number => {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new Failure('sheet_malformed', 'expected a count');
  return value;
};
const list = (value: Json | undefined): readonly Json[] => {
  if (!Array.isArray(value)) throw new Failure('sheet_malformed', 'expected a list');
  return value as readonly Json[];
};

/** Reads what `contentOf` wrote, in no other form. Fails as `sheet_malformed` or `not_canonical`. */
const readContent = (content: string): Sheet => {
  const read = parseCanonical(content) as { readonly [member: string]: Json };
  const sheet: Sheet = {
    log: text(read['log']),
    size: count(read['size']),
    root: text(read['root']),
    person: text(read['person']),
    from: text(read['from']),
    to: text(read['to']),
    made: new Date(text(read['made'])),
    number: text(read['number']),
    sheets: count(read['sheets']),
    lines: count(read['lines']),
    sheet: count(read['sheet']),
    rows: list(read['rows']).map((row) => {
      const [index, at, said, check] = list(row);
      return { index: count(index), at: new Date(text(at)), said: text(said), check: text(check) };
    }),
  };
  const dates = [sheet.made, ...sheet.rows.map((row) => row.at)];
  if (dates.some((date) => Number.isNaN(date.getTime())) || contentOf(sheet) !== content) throw new Failure('sheet_malformed');
  return sheet;
};

/** What a text of a QR code is: a sheet that was signed, one that was changed or signed by nobody we know, or none at all. */
type Opened = { readonly sheet: Sheet } | { readonly refused: 'unreadable' | 'altered' };

const openSheet = (trusted: ReadonlyMap<string, PublicKey>, sealed: string): Opened => {
  const bytes = readBase32(sealed);
  const start = 1 + KEY_BYTES + SEAL_BYTES;
  if (!bytes || bytes.length <= start || bytes[0] !== VERSION) return { refused: 'unreadable' };
  const name = bytes.subarray(1, 1 + KEY_BYTES);
  const known = [...trusted].find(([keyId]) => Buffer.from(keyId, 'base64url').subarray(0, KEY_BYTES).equals(name));
  try {
    const compressed = bytes.subarray(start);
    if (!known || !verifyEd25519(known[1], message(known[0], compressed), bytes.subarray(1 + KEY_BYTES, start))) return { refused: 'altered' };
    return { sheet: readContent(inflateRawSync(compressed, { maxOutputLength: MOST_BYTES }).toString()) };
  } catch {
    return { refused: 'altered' };
  }
};

/** What the texts of one or several QR codes prove together. */
export type StatementVerdict =
  | {
      readonly kind: 'genuine';
      /** In order; each once. */
      readonly sheets: readonly [Sheet, ...Sheet[]];
      /** Numbers of the sheets that were not given. */
      readonly missing: readonly number[];
    }
  /** `mixed`: sheets of several statements. */
  | { readonly kind: 'unreadable' | 'altered' | 'mixed' };

/** Reads what a QR code says as scanners give it: an address that ends in the text, or the text alone, one or several. */
const textsIn = (typed: string): string[] =>
  typed
    .split(/\s+/)
    .map((each) => each.slice(each.lastIndexOf('#') + 1).toUpperCase())
    .filter((each) => each !== '');

/** Checks the sheets of a statement against the keys that are trusted, by their names. It needs nothing else: no database, no network. */
export const checkSheets = (trusted: ReadonlyMap<string, PublicKey>, typed: string): StatementVerdict => {
  const opened = [...new Set(textsIn(typed))].map((each) => openSheet(trusted, each));
  const refused = opened.find((each) => 'refused' in each);
  if (refused && 'refused' in refused)
    return { kind: opened.some((each) => 'refused' in each && each.refused === 'altered') ? 'altered' : refused.refused };
  const sheets = opened.flatMap((each) => ('sheet' in each ? [each.sheet] : [])).sort((a, b) => a.sheet - b.sheet);
  const [first, ...others] = sheets;
  if (!first) return { kind: 'unreadable' };
  if (others.some((each, i) => each.number !== first.number || each.made.getTime() !== first.made.getTime() || each.sheet === sheets[i]?.sheet))
    return { kind: 'mixed' };
  const missing = Array.from({ length: first.sheets }, (_, i) => i + 1).filter((n) => !sheets.some((each) => each.sheet === n));
  const rows = sheets.flatMap((each) => each.rows);
  if (!missing.length && (rows.length !== first.lines || numberOf({ ...first, rows }) !== first.number)) return { kind: 'altered' };
  return { kind: 'genuine', sheets: [first, ...others], missing };
};

/** One thing that is printed otherwise than it was signed. */
export type Difference = { readonly kind: 'missing' | 'altered'; readonly index: number } | { readonly kind: 'added'; readonly check: string };

/** Compares the text of a printed sheet (of a scan, of a file) with what was signed. `says` gives the words of a row as they follow each other on paper, with its code. */
export const differencesOf = (rows: readonly StatementLine[], says: (row: StatementLine) => readonly string[], printed: string): Difference[] => {
  const bare = (words: string): string => words.normalize('NFC').replace(/\s+/g, '');
  const page = bare(printed);
  const found = rows.flatMap((row): Difference[] => {
    if (!page.includes(printedCheck(row.check))) return [{ kind: 'missing', index: row.index }];
    return page.includes(bare(says(row).join(''))) ? [] : [{ kind: 'altered', index: row.index }];
  });
  const left = rows.map((row) => printedCheck(row.check));
  const added = [...printed.matchAll(/(?<![A-Z2-7-])[A-Z2-7]{5}-[A-Z2-7]{5}(?![A-Z2-7-])/g)].flatMap(([check]): Difference[] => {
    const at = left.indexOf(check);
    if (at < 0) return [{ kind: 'added', check }];
    left.splice(at, 1);
    return [];
  });
  return [...found, ...added];
};

export interface Statements {
  /** What the QR code of a sheet holds. */
  seal(sheet: Sheet): string;
  /** What the texts of QR codes prove, under the key in use and the former ones. */
  check(typed: string): StatementVerdict;
}

/** Makes statements with the key of attestations: its public half is published already, with those of former ones. */
export const createStatements = ({
  key,
  former,
}: {
  readonly key: PrivateKey;
  readonly former: readonly { readonly key: PublicKey }[];
}): Statements => {
  const trusted = new Map([publicKeyOf(key), ...former.map((each) => each.key)].map((each) => [keyIdOf(each), each] as const));
  return { seal: (sheet) => sealSheet(key, sheet), check: (typed) => checkSheets(trusted, typed) };
};

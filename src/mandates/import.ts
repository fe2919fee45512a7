import { CsvError, parse } from 'csv-parse/sync';
import { endOfMandate, parisDay, readDay, startOfDay } from '../kernel/calendar.ts';
import { canonical } from '../kernel/canonical.ts';
import { sha256 } from '../kernel/crypto.ts';
import type { Id } from '../kernel/ids.ts';
import { readEmail } from '../organisations/name.ts';
import { readThemes, type Theme } from '../organisations/theme.ts';
import { readTyped } from '../usagers/typed.ts';
import { type CivilIdentity, pivot } from '../usagers/usager.ts';
import { type Days, isDuration } from './mandate.ts';

export type ImportId = Id<'imp'>;

/** The columns of the file, in any order (docs/import.md). */
export const COLUMNS = [
  'given_name',
  'family_name',
  'used_name',
  'gender',
  'birthdate',
  'birth_code',
  'themes',
  'days',
  'signed_on',
  'aidant',
  'witness',
] as const;
type Column = (typeof COLUMNS)[number];
/** Columns that a file may leave out. */
const OPTIONAL: readonly Column[] = ['used_name', 'aidant'];

/** Lines of one file: more is several files, so that one transaction stays short. */
export const MOST_LINES = 2000;

/** One mandate as the file tells it. */
export interface ImportLine {
  /** Of the file, from 1; the columns are line 1. */
  readonly number: number;
  readonly identity: CivilIdentity;
  readonly themes: readonly Theme[];
  readonly days: Days;
  /** `YYYY-MM-DD`, day 1 of the mandate. */
  readonly signedOn: string;
  /** Address of the aidant who signed; empty for the one of `--by`. */
  readonly aidant: string;
  readonly witness: string;
}

export type LineFault =
  | 'columns_wrong'
  | 'quotes_wrong'
  | 'person_name_malformed'
  | 'birthdate_malformed'
  | 'birth_code_malformed'
  | 'gender_malformed'
  | 'themes_malformed'
  | 'days_malformed'
  | 'date_malformed'
  | 'signed_in_future'
  | 'already_ended'
  | 'aidant_missing'
  | 'aidant_unknown'
  | 'witness_unknown'
  | 'witness_is_aidant'
  | 'witness_is_person'
  | 'aidant_suspended'
  | 'organisation_suspended'
  | 'theme_not_covered'
  | 'minor'
  | 'self_dealing'
  | 'protected_person'
  | 'person_deceased'
  | 'person_known'
  | 'grant_exists';

export interface Fault {
  readonly line: number;
  readonly code: LineFault;
  readonly column?: Column;
}

export type FileRefusal = 'file_empty' | 'file_too_long' | 'columns_missing';

const GENDERS: Readonly<Record<string, string>> = { f: 'female', female: 'female', m: 'male', male: 'male' };
const COLUMN_OF = {
  givenName: 'given_name',
  familyName: 'family_name',
  usedName: 'used_name',
  birthdate: 'birthdate',
  birthCode: 'birth_code',
  gender: 'gender',
} as const satisfies Record<string, Column>;

type Cells = Readonly<Record<Column, string>>;

const readLine = (number: number, cells: Cells, now: Date): ImportLine | { readonly faults: Fault[] } => {
  const faults: Fault[] = [];
  const wrong = (column: Column, code: LineFault): undefined => {
    faults.push({ line: number, column, code });
  };
  const identity = readTyped(
    {
      givenName: cells.given_name,
      familyName: cells.family_name,
      usedName: cells.used_name,
      birthdate: cells.birthdate,
      birthCode: cells.birth_code,
      gender: GENDERS[cells.gender.toLowerCase()] ?? '',
    },
    now,
  );
  if ('faults' in identity)
    for (const { field, code } of identity.faults) wrong(COLUMN_OF[field], code === 'gender_required' ? 'gender_malformed' : code);
  const themes = readThemes(cells.themes.split('|').map((theme) => theme.trim())) ?? wrong('themes', 'themes_malformed');
  const number_ = /^\d{1,3}$/.test(cells.days) ? Number(cells.days) : 0;
  const days = isDuration(number_) ? number_ : wrong('days', 'days_malformed');
  const signedOn = readDay(cells.signed_on.slice(0, 20)) ?? wrong('signed_on', 'date_malformed');
  if (signedOn !== undefined && signedOn > parisDay(now)) wrong('signed_on', 'signed_in_future');
  else if (signedOn !== undefined && days !== undefined && endOfMandate(startOfDay(signedOn), days) <= now) wrong('signed_on', 'already_ended');
  const aidant = cells.aidant === '' ? '' : (readEmail(cells.aidant) ?? wrong('aidant', 'aidant_unknown'));
  const witness = readEmail(cells.witness) ?? wrong('witness', 'witness_unknown');
  if (faults.length || 'faults' in identity || !themes || !days || !signedOn || aidant === undefined || !witness) return { faults };
  return { number, identity, themes, days, signedOn, aidant, witness };
};

/** Reads the file: UTF-8 with or without its mark, `;` or `,` as its first line has it. Each line is a mandate or its faults; nothing is decided here. */
export const readImport = (
  text: string,
  now: Date,
): { readonly lines: ImportLine[]; readonly faults: Fault[] } | { readonly refused: FileRefusal } => {
  const head = text.slice(0, 2000).split('\n')[0] ?? '';
  const delimiter = head.split(';').length > head.split(',').length ? ';' : ',';
  let found: { record: string[]; info: { lines: number } }[];
  try {
    // `info` makes each record come with where it stands: what the declarations do not know.
    found = parse(text, {
      bom: true,
      delimiter,
      trim: true,
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: 10_000,
      to: MOST_LINES + 2,
    }) as unknown as typeof found;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    // Its message quotes the value: it goes nowhere.
    return { lines: [], faults: [{ line: typeof error.lines === 'number' ? error.lines : 1, code: 'quotes_wrong' }] };
  }
  const [first, ...rest] = found;
  if (!first || !rest.length) return { refused: 'file_empty' };
  if (rest.length > MOST_LINES) return { refused: 'file_too_long' };
  const columns = first.record.map((name) => name.toLowerCase());
  const known = (name: string): name is Column => COLUMNS.some((column) => column === name);
  const missing = COLUMNS.some((column) => !OPTIONAL.includes(column) && !columns.includes(column));
  if (missing || !columns.every(known) || new Set(columns).size !== columns.length) return { refused: 'columns_missing' };
  const lines: ImportLine[] = [];
  const faults: Fault[] = [];
  for (const { record, info } of rest) {
    if (record.length !== columns.length) {
      faults.push({ line: info.lines, code: 'columns_wrong' });
      continue;
    }
    const cells = Object.fromEntries(COLUMNS.map((column) => [column, record[columns.indexOf(column)] ?? ''])) as Cells;
    const read = readLine(info.lines, cells, now);
    if ('faults' in read) faults.push(...read.faults);
    else lines.push(read);
  }
  return { lines, faults };
};

/** What a line says, however it is written: two lines alike are one mandate. */
export const hashOfLine = (line: ImportLine, aidant: string, witness: string): Buffer =>
  sha256(
    'relais/mandates/import/line/v1\n',
    canonical({
      person: pivot(line.identity),
      themes: [...line.themes].sort(),
      days: line.days,
      signed_on: line.signedOn,
      aidant,
      witness,
    }),
  );

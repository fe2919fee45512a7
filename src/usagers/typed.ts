import { ageInYears, parisDay, readDay } from '../kernel/calendar.ts';
import { readName } from '../organisations/name.ts';
import type { CivilIdentity } from './usager.ts';

/** A civil identity as somebody typed it from a paper: text as it came. */
export interface TypedIdentity {
  readonly givenName: string;
  readonly familyName: string;
  /** Name in use; empty when it is the birth name. */
  readonly usedName: string;
  /** `12/04/1946` or `1946-04-12`. */
  readonly birthdate: string;
  /** INSEE's code of the commune (`17415`, `2A004`), or of the country for somebody born abroad (`99350`). */
  readonly birthCode: string;
  readonly gender: string;
}

export type TypedFault = {
  readonly field: keyof TypedIdentity;
  readonly code: 'person_name_malformed' | 'birthdate_malformed' | 'birth_code_malformed' | 'gender_required';
};

const FRANCE = '99100';
const OLDEST = 130;

/** Letters with what stands between them in French names; `readName` has refused other scripts, marks, control and bidi characters. */
const nameOf = (typed: string): string | undefined => {
  const name = readName(typed, 80);
  return name !== undefined && /^\p{L}[\p{L}'’ .-]*$/u.test(name) ? name : undefined;
};

/** Reads an identity typed from a paper; says every field that is not right. */
export const readTyped = (typed: TypedIdentity, now: Date): CivilIdentity | { readonly faults: TypedFault[] } => {
  const givenName = nameOf(typed.givenName);
  const familyName = nameOf(typed.familyName);
  const usedName = typed.usedName.trim() === '' ? '' : nameOf(typed.usedName);
  const birthdate = readDay(typed.birthdate.slice(0, 20));
  const code = typed.birthCode.slice(0, 20).trim().toUpperCase();
  const { gender } = typed;
  const faults: TypedFault[] = [];
  if (givenName === undefined) faults.push({ field: 'givenName', code: 'person_name_malformed' });
  if (familyName === undefined) faults.push({ field: 'familyName', code: 'person_name_malformed' });
  if (usedName === undefined) faults.push({ field: 'usedName', code: 'person_name_malformed' });
  const real = birthdate !== undefined && birthdate <= parisDay(now) && ageInYears(birthdate, now) <= OLDEST;
  if (!real) faults.push({ field: 'birthdate', code: 'birthdate_malformed' });
  // 00 is no département; 99100 is France itself, which is no place of birth.
  const place = /^(\d{5}|2[AB]\d{3})$/.test(code) && !code.startsWith('00') && code !== FRANCE;
  if (!place) faults.push({ field: 'birthCode', code: 'birth_code_malformed' });
  if (gender !== 'female' && gender !== 'male') faults.push({ field: 'gender', code: 'gender_required' });
  if (faults.length || !givenName || !familyName || !birthdate || (gender !== 'female' && gender !== 'male')) return { faults };
  const abroad = code.startsWith('99');
  return {
    givenName,
    familyName,
    preferredUsername: usedName && usedName !== familyName ? usedName : undefined,
    gender,
    birthdate,
    birthplace: abroad ? '' : code,
    birthcountry: abroad ? code : FRANCE,
    email: undefined,
  };
};

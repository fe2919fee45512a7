import { ageInYears } from '../kernel/calendar.ts';
import type { UsagerId } from '../kernel/ids.ts';

/** The civil identity of a person, as FranceConnect gives it (federations.md §2.1). Codes of places are INSEE's. */
export interface CivilIdentity {
  /** All given names, separated by spaces. */
  readonly givenName: string;
  /** Birth name. */
  readonly familyName: string;
  /** Name in use, when it differs. */
  readonly preferredUsername: string | undefined;
  readonly gender: 'male' | 'female';
  /** `YYYY-MM-DD`. */
  readonly birthdate: string;
  /** Empty for a person born abroad. */
  readonly birthplace: string;
  readonly birthcountry: string;
  readonly email: string | undefined;
}

export interface Usager extends CivilIdentity {
  readonly id: UsagerId;
}

const FRANCE = '99100';
const clean = (value: unknown): string =>
  typeof value === 'string'
    ? value
        .normalize('NFC')
        .replace(/[\p{Cc}\p{Cf}]/gu, '')
        .trim()
    : '';

/** Reads a complete civil identity out of upstream claims. An incomplete one makes no row: `identity_incomplete`. */
export const readIdentity = (claims: Readonly<Record<string, unknown>>): CivilIdentity | { refused: 'identity_incomplete' } => {
  const gender = claims['gender'];
  const identity = {
    givenName: clean(claims['given_name']),
    familyName: clean(claims['family_name']),
    preferredUsername: clean(claims['preferred_username']) || undefined,
    birthdate: clean(claims['birthdate']),
    birthplace: clean(claims['birthplace']),
    birthcountry: clean(claims['birthcountry']),
    email: clean(claims['email']) || undefined,
  };
  const complete =
    identity.givenName !== '' &&
    identity.familyName !== '' &&
    /^\d{4}-\d{2}-\d{2}$/.test(identity.birthdate) &&
    /^\d{5}$/.test(identity.birthcountry) &&
    (identity.birthcountry !== FRANCE || /^[0-9AB]{5}$/.test(identity.birthplace));
  if (!complete || (gender !== 'male' && gender !== 'female')) return { refused: 'identity_incomplete' };
  return { ...identity, gender };
};

/** The name of whoever was erased (migration 0036): the only one without a given name. */
const isErased = (usager: Pick<CivilIdentity, 'givenName'>): boolean => usager.givenName === '';

/** `Madame Colette Martin`: how every page names a person. The first given name, and the name in use before the birth name. */
export const displayName = (usager: Pick<CivilIdentity, 'gender' | 'givenName' | 'familyName' | 'preferredUsername'>): string =>
  isErased(usager) ? usager.familyName : `${usager.gender === 'female' ? 'Madame' : 'Monsieur'} ${firstName(usager.givenName)} ${nameInUse(usager)}`;

/** `Madame Martin`. */
export const shortName = (usager: Pick<CivilIdentity, 'gender' | 'givenName' | 'familyName' | 'preferredUsername'>): string =>
  isErased(usager) ? usager.familyName : `${usager.gender === 'female' ? 'Madame' : 'Monsieur'} ${nameInUse(usager)}`;

export const firstName = (givenNames: string): string => givenNames.split(' ')[0] ?? givenNames;

const nameInUse = (usager: Pick<CivilIdentity, 'familyName' | 'preferredUsername'>): string => {
  const name = usager.preferredUsername ?? usager.familyName;
  return name === name.toUpperCase() ? name.toLowerCase().replace(/(^|[\s'’-])\p{L}/gu, (part) => part.toUpperCase()) : name;
};

const fold = (text: string): string =>
  text
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, ' ')
    .trim();

/** The pivot in one comparable line: two people with the same line are the same civil identity. */
export const pivot = (identity: CivilIdentity): string =>
  [fold(identity.givenName), fold(identity.familyName), identity.gender, identity.birthdate, identity.birthplace, identity.birthcountry].join('|');

const PIVOT = ['givenName', 'familyName', 'gender', 'birthdate', 'birthplace', 'birthcountry'] as const satisfies readonly (keyof CivilIdentity)[];

/** Names the traits of the pivot by which two identities differ (claim U8): accents, capitals and hyphens make no difference. */
export const drift = (known: CivilIdentity, now: CivilIdentity): string[] => PIVOT.filter((trait) => fold(known[trait]) !== fold(now[trait]));

/**
 * Says whether the person may be the aidant himself (claim M23): same address, or same first given name and same name. A namesake is
 * refused too; a colleague can then accompany that person.
 */
export const isSamePerson = (usager: CivilIdentity, staff: { givenName: string; familyName: string; email: string }): boolean => {
  if (usager.email && usager.email.toLowerCase() === staff.email.toLowerCase()) return true;
  const names = [usager.familyName, usager.preferredUsername ?? ''].map(fold);
  return fold(firstName(usager.givenName)) === fold(firstName(staff.givenName)) && names.includes(fold(staff.familyName));
};

export const isMinor = (usager: CivilIdentity, now: Date): boolean => ageInYears(usager.birthdate, now) < 18;

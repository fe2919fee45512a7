import { randomBytes } from './crypto.ts';

/** Prefixes of the identifiers, one a thing. `dls` is a delegated session, `evt` a journal entry before it has an index. */
export type Prefix =
  | 'man'
  | 'gra'
  | 'dra'
  | 'aid'
  | 'org'
  | 'usg'
  | 'dls'
  | 'adm'
  | 'agt'
  | 'opr'
  | 'dlv'
  | 'apr'
  | 'act'
  | 'chn'
  | 'rcs'
  | 'pap'
  | 'lnk'
  | 'imp'
  | 'scn'
  | 'pky'
  | 'los'
  | 'exp'
  | 'ers'
  | 'hld';

/** An identifier such as `man_01k…`: prefix, 10 characters of time (ms), 16 characters of chance (80 bits), in Crockford base 32. */
export type Id<P extends Prefix> = `${P}_${string}`;
export type MandateId = Id<'man'>;
export type DraftId = Id<'dra'>;
export type AidantId = Id<'aid'>;
export type OrganisationId = Id<'org'>;
export type UsagerId = Id<'usg'>;
export type SessionId = Id<'dls'>;
export type AdministrationId = Id<'adm'>;
export type AgentId = Id<'agt'>;
export type OperateurId = Id<'opr'>;
/** Anyone who signs in through ProConnect and holds a second factor of ours. */
export type StaffId = AidantId | AgentId | OperateurId;

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

const encode = (value: bigint, length: number): string => {
  let rest = value;
  let text = '';
  for (let i = 0; i < length; i++) {
    text = ALPHABET[Number(rest & 31n)] + text;
    rest >>= 5n;
  }
  return text;
};

/** Draws a new identifier. Its order is the order of creation, to the millisecond. */
export const newId = <P extends Prefix>(prefix: P): Id<P> =>
  `${prefix}_${encode(BigInt(Date.now()), 10)}${encode(BigInt(`0x${randomBytes(10).toString('hex')}`), 16)}`;

/** Says whether `value` has the shape of an identifier with this prefix; nothing is said of its existence. */
export const isId = <P extends Prefix>(prefix: P, value: unknown): value is Id<P> =>
  typeof value === 'string' && value.startsWith(`${prefix}_`) && /^[0-9a-hjkmnp-tv-z]{26}$/.test(value.slice(4));

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
  | 'hld'
  | 'str';

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
const VALUES = Uint8Array.from({ length: 128 }, (_, code) => Math.max(ALPHABET.indexOf(String.fromCharCode(code)), 0));

/** 26 characters for 16 bytes: two bits more, which are zero and come first. */
const write = (bytes: Uint8Array): string => {
  let text = '';
  let rest = 0;
  let bits = 2;
  for (const byte of bytes) {
    rest = (rest << 8) | byte;
    for (bits += 8; bits >= 5; ) {
      bits -= 5;
      text += ALPHABET[(rest >> bits) & 31];
    }
    rest &= 31;
  }
  return text;
};

/** Draws a new identifier. Its order is the order of creation, to the millisecond. */
export const newId = <P extends Prefix>(prefix: P): Id<P> => {
  const bytes = Buffer.allocUnsafe(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes.set(randomBytes(10), 6);
  return `${prefix}_${write(bytes)}`;
};

/** What `writeId` takes: three bytes of prefix, then what the 26 characters stand for. */
export const ID_BYTES = 19;

/** Writes an identifier in `ID_BYTES` at `start`. False, for a text that `readId` would not give back. */
export const writeId = (into: Buffer, start: number, id: string): boolean => {
  if (!/^[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}$/.test(id)) return false;
  let at = start + into.write(id.slice(0, 3), start, 'latin1');
  let rest = 0;
  let bits = -2;
  for (let i = 4; i < id.length; i++) {
    rest = (rest << 5) | (VALUES[id.charCodeAt(i)] ?? 0);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    into[at++] = (rest >> bits) & 255;
    rest &= 255;
  }
  return true;
};

/** Reads what `writeId` wrote. */
export const readId = (bytes: Buffer): string => `${bytes.toString('latin1', 0, 3)}_${write(bytes.subarray(3, ID_BYTES))}`;

/** Says whether `value` has the shape of an identifier with this prefix; nothing is said of its existence. */
export const isId = <P extends Prefix>(prefix: P, value: unknown): value is Id<P> =>
  typeof value === 'string' && value.startsWith(`${prefix}_`) && /^[0-9a-hjkmnp-tv-z]{26}$/.test(value.slice(4));

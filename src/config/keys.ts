import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprintOf } from '../journal/log-keys.ts';
import { ed25519FromRaw, makePrivateKeyPem, type PublicKey, publicKeyOf, randomToken, randomUuid, readPrivateKey, sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { Secret } from '../kernel/secret.ts';

/** Private keys, by the file they come from. */
const PEM = {
  'op-es256': 'es256',
  'op-rs256': 'rs256',
  'ssf-rs256': 'rs256',
  'journal-ed25519': 'ed25519',
  'attestation-ed25519': 'ed25519',
} as const;
const RAW = ['journal-mac', 'payload-kek', 'totp-kek', 'pairwise', 'cookies', 'dpop-nonce', 'sms-gateway'] as const;
/** Needed only where its part is used: `sms-gateway` goes with RELAIS_SMS_URL; without `ssf-rs256` there are no signal streams. */
const OPTIONAL: readonly string[] = ['sms-gateway', 'ssf-rs256'];

/** Public keys that no longer seal attestations. */
const FORMER = 'attestation-former.json';

export type PemName = keyof typeof PEM;
export type RawName = (typeof RAW)[number];

/** Every key of the installation, read once at start. */
export interface Keys {
  readonly folder: string;
  /** Whether the file is there: the journal's key may be the signer's alone. */
  has(name: PemName | RawName): boolean;
  /** Fails as `keys_missing` for a key that is not here. */
  pem(name: PemName): Secret<string>;
  /**
   * The keys of a name that signs what services read, its own and the one that follows it, if it is there: `op-es256.pem`, `op-es256-next.pem`. Read at
   * each call: a key is brought while the process runs. Fails as `keys_missing`.
   */
  signing(name: SigningName): readonly { readonly alg: 'ES256' | 'RS256'; readonly pem: Secret }[];
  /** 32 bytes. */
  raw(name: RawName): Secret<Buffer>;
  /** Public keys of attestations sealed with an earlier `attestation-ed25519`: the optional file `attestation-former.json`. */
  readonly formerAttestation: readonly { readonly key: PublicKey; readonly until: string | undefined }[];
  /** SHA-256 of the public key, or of the secret key, in hexadecimal: what the database remembers. */
  fingerprint(name: PemName | RawName): string;
}

const path = (folder: string, name: PemName | RawName): string => join(folder, name in PEM ? `${name}.pem` : name);

/** Where the journal's key that follows is looked for, beside the one that signs. */
export const nextJournalKey = (folder: string): string => join(folder, 'journal-ed25519-next.pem');

/** Private keys that sign what services read, by the algorithm: tokens, and the events of signal streams. */
export const SIGNING = { 'op-es256': 'ES256', 'op-rs256': 'RS256', 'ssf-rs256': 'RS256' } as const;
export type SigningName = keyof typeof SIGNING;
export const SIGNING_NAMES = Object.keys(SIGNING) as SigningName[];

const nextSigningKey = (folder: string, name: SigningName): string => join(folder, `${name}-next.pem`);

/** Writes a secret file unless it is there: whole or not at all, whoever reads it meanwhile, and one of several processes that write at once. */
const writeOnce = (file: string, text: () => string): boolean => {
  if (existsSync(file)) return false;
  const draft = `${file}.${randomUuid()}`;
  const written = text();
  try {
    writeFileSync(draft, written, { mode: 0o600, flag: 'wx' });
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    writeFileSync(file, written, { mode: 0o600, flag: 'wx' }); // a disk without links; or the fault is told again, by its own name
    return true;
  } finally {
    rmSync(draft, { force: true });
  }
};

/** Makes the key that follows one that signs, unless it is there. */
export const makeNextSigningKey = (folder: string, name: SigningName): boolean =>
  writeOnce(nextSigningKey(folder, name), () => makePrivateKeyPem(PEM[name]));

/** The PEM text of the key that follows, or undefined. */
export const readNextSigningKey = (folder: string, name: SigningName): Secret<string> | undefined => {
  const file = nextSigningKey(folder, name);
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, 'utf8').trim();
  if (!isPem(text)) throw new Failure('keys_missing', `${file}: not a PKCS #8 PEM key`);
  return new Secret(text);
};

/** Puts the key that follows in the place of the one before, which is gone then. */
export const settleSigningKey = (folder: string, name: SigningName): void => renameSync(nextSigningKey(folder, name), path(folder, name));

/** Makes `journal-ed25519-next.pem`, the key that `relais journal rotate-key` puts in place, unless there is one. Gives its fingerprint. */
export const makeNextJournalKey = (folder: string): { readonly made: boolean; readonly fingerprint: string } => {
  const file = nextJournalKey(folder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const made = writeOnce(file, () => makePrivateKeyPem('ed25519'));
  return { made, fingerprint: fingerprintOf(publicKeyOf(readPrivateKey(readFileSync(file, 'utf8')))) };
};

/** Makes the keys that are missing (demonstration only) and returns their names. */
export const makeMissingKeys = (folder: string): string[] => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const made: string[] = [];
  const write = (name: PemName | RawName, text: () => string): void => {
    if (writeOnce(path(folder, name), text)) made.push(name);
  };
  for (const [name, kind] of Object.entries(PEM)) write(name as PemName, () => makePrivateKeyPem(kind));
  for (const name of RAW) write(name, () => randomToken(32));
  return made;
};

/**
 * Reads every key of `folder`. Fails as `keys_missing`, naming all that are missing or malformed at once. Where a signer of its own signs the
 * journal (`signerApart`), its key belongs to the signer and need not be here.
 */
export const readKeys = (folder: string, options: { readonly signerApart?: boolean } = {}): Keys => {
  const faults: string[] = [];
  const values = new Map<string, string>();
  for (const name of [...(Object.keys(PEM) as PemName[]), ...RAW]) {
    const file = path(folder, name);
    if (!existsSync(file)) {
      if (!(options.signerApart && name === 'journal-ed25519') && !OPTIONAL.includes(name)) faults.push(`${file}: missing`);
      continue;
    }
    const text = readFileSync(file, 'utf8').trim();
    if (name in PEM ? !isPem(text) : Buffer.from(text, 'base64url').length !== 32)
      faults.push(`${file}: not a ${name in PEM ? 'PKCS #8 PEM key' : '32-byte base64url key'}`);
    values.set(name, text);
  }
  const formerAttestation = readFormer(folder, faults);
  if (faults.length) throw new Failure('keys_missing', faults.join('; '));
  const text = (name: PemName | RawName): string => {
    const value = values.get(name);
    if (value === undefined)
      throw new Failure('keys_missing', `${path(folder, name)}: missing${OPTIONAL.includes(name) ? '' : '; the signer holds it'}`);
    return value;
  };
  /** A key that signs is replaced while the process runs: the file, rather than what was read at the start. */
  const now = (name: PemName | RawName): string => {
    const known = text(name);
    if (!(name in SIGNING)) return known;
    const own = readFileSync(path(folder, name), 'utf8').trim();
    return isPem(own) ? own : known;
  };
  return {
    folder,
    formerAttestation,
    has: (name) => values.has(name),
    pem: (name) => new Secret(text(name)),
    signing: (name) => [new Secret(now(name)), readNextSigningKey(folder, name)].flatMap((pem) => (pem ? [{ alg: SIGNING[name], pem }] : [])),
    raw: (name) => new Secret(Buffer.from(text(name), 'base64url')),
    fingerprint: (name) =>
      name in PEM
        ? fingerprintOf(publicKeyOf(readPrivateKey(now(name))))
        : sha256('relais/fingerprint/v1\n', Buffer.from(text(name), 'base64url')).toString('hex'),
  };
};

const isPem = (text: string): boolean => {
  try {
    readPrivateKey(text);
    return true;
  } catch {
    return false;
  }
};

/** Reads a JWK set (RFC 7517 section 5) of Ed25519 public keys (RFC 8037 section 2); `until`, a day, says when a key stopped sealing. */
const readFormer = (folder: string, faults: string[]): { key: PublicKey; until: string | undefined }[] => {
  const file = join(folder, FORMER);
  if (!existsSync(file)) return [];
  try {
    const { keys } = JSON.parse(readFileSync(file, 'utf8')) as { keys: readonly Readonly<Record<string, unknown>>[] };
    return keys.map(({ kty, crv, x, until }) => {
      const raw = Buffer.from(String(x), 'base64url');
      if (kty !== 'OKP' || crv !== 'Ed25519' || raw.length !== 32) throw new TypeError('not an Ed25519 public key');
      return { key: ed25519FromRaw(raw), until: typeof until === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(until) ? until : undefined };
    });
  } catch {
    faults.push(`${file}: not a JWK set of Ed25519 public keys`);
    return [];
  }
};

import { calculateJwkThumbprint, importJWK, type JWK, SignJWT } from 'jose';
import { equal, hmacSha256, readPrivateKey, toJwk } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Transaction } from '../kernel/transaction.ts';

/** Algorithms that the provider signs with, ES256 first: it is the default of id_tokens (protocol.md, "Signing"). */
export const SIGNING_ALGS = ['ES256', 'RS256'] as const;
export type SigningAlg = (typeof SIGNING_ALGS)[number];

/** What the database says of a key that an instance published. */
export interface KeyTimes {
  readonly kid: string;
  readonly alg: SigningAlg;
  readonly publishedAt: Date;
  readonly promotedAt: Date | undefined;
  readonly revokedAt: Date | undefined;
}

/** Every time in it is the database's: whoever writes a row does not say when. */
export interface SigningKeyStore {
  all(tx: Transaction): Promise<readonly KeyTimes[]>;
  /** Writes when a key was first published, once. */
  publish(tx: Transaction, keys: readonly { readonly kid: string; readonly alg: SigningAlg }[]): Promise<void>;
  /** Puts a key in force if it was published at `since` or before, and is not revoked. `event` is that of its entry. */
  promote(tx: Transaction, kid: string, since: Date, event: string): Promise<boolean>;
  revoke(tx: Transaction, kid: string, event: string): Promise<boolean>;
  /** Makes whoever decides of a key wait until the transaction ends. */
  lock(tx: Transaction): Promise<void>;
  /** Ends what the provider gave or holds: sign-ins, grants, codes, tokens. */
  dropTokens(tx: Transaction): Promise<void>;
}

/** A private key as a JWK (RFC 7517), with its `kid`: the first 16 characters of its thumbprint (RFC 7638). */
export type SigningKey = JWK & { readonly kid: string; readonly alg: SigningAlg };

export const signingKey = async (pem: Secret, alg: SigningAlg): Promise<SigningKey> => {
  const jwk = toJwk(readPrivateKey(pem.reveal())) as JWK;
  return { ...jwk, alg, use: 'sig', kid: (await calculateJwkThumbprint(jwk)).slice(0, 16) };
};

/**
 * The keys to publish, in the order in which they sign: of each algorithm the one put in force last, then the others as given; never one that was
 * revoked. Fails as `signing_key_missing` when an algorithm has none left.
 */
const inForceFirst = (keys: readonly SigningKey[], times: readonly KeyTimes[]): readonly SigningKey[] => {
  const of = new Map(times.map((each) => [each.kid, each]));
  const promoted = ({ kid }: SigningKey): number => of.get(kid)?.promotedAt?.getTime() ?? Number.NEGATIVE_INFINITY;
  const later = (a: SigningKey, b: SigningKey): number => (promoted(a) === promoted(b) ? 0 : promoted(b) - promoted(a));
  return SIGNING_ALGS.filter((alg) => keys.some((key) => key.alg === alg)).flatMap((alg) => {
    const usable = keys.filter((key) => key.alg === alg && !of.get(key.kid)?.revokedAt).sort(later);
    if (!usable.length) throw new Failure('signing_key_missing', `every ${alg} key that is here was revoked: make another (relais keys next)`);
    return usable;
  });
};

/** The keys of one set of public keys as they are on this machine now, and what the database says of them. */
export interface KeySource {
  keys(): readonly { readonly alg: SigningAlg; readonly pem: Secret }[];
  times(): Promise<readonly KeyTimes[]>;
  publish(keys: readonly { readonly kid: string; readonly alg: SigningAlg }[]): Promise<void>;
}

/** What is here and not revoked, in the order in which it signs, once the database knows that it is published. Fails as `signing_key_missing`. */
export const usableKeys = async (source: KeySource): Promise<readonly SigningKey[]> => {
  const keys = await Promise.all(source.keys().map(({ pem, alg }) => signingKey(pem, alg)));
  let times = await source.times();
  if (keys.some(({ kid }) => !times.some((known) => known.kid === kid))) {
    await source.publish(keys);
    times = await source.times();
  }
  return inForceFirst(keys, times);
};

/** The kids of keys in their order: another text when what is published, or what signs, has changed. */
export const named = (keys: readonly SigningKey[]): string => keys.map(({ kid }) => kid).join();

/** The same without what is private. */
export const publicSet = (keys: readonly SigningKey[]): { keys: object[] } => ({
  keys: keys.map(({ d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...open }) => open),
});

/** Signs claims with the first ES256 key of a set. */
export const signerOf =
  (keys: readonly SigningKey[]) =>
  async (claims: Readonly<Record<string, unknown>>, typ: string): Promise<string> => {
    const key = keys.find(({ alg }) => alg === 'ES256');
    if (!key) throw new Error('no ES256 key');
    return new SignJWT(claims).setProtectedHeader({ alg: 'ES256', typ, kid: key.kid }).sign(await importJWK(key));
  };

/** Signs the library's cookies with one key, in place of the list of keys that it would sign them with itself. */
export const cookieKeys = (key: Buffer) => {
  const sign = (data: string): string => hmacSha256(key, data).toString('base64url');
  const index = (data: string, signature: string): number => (equal(signature, sign(data)) ? 0 : -1);
  return { sign, index, verify: (data: string, signature: string): boolean => index(data, signature) === 0 };
};

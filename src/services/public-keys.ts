import type { Json } from '../kernel/canonical.ts';

/** A key set as a service registers it: public keys only, given inline so that Relais never fetches one (claims P8, I3). */
export interface PublicKeySet {
  readonly keys: readonly PublicJwk[];
}
export type PublicJwk = { readonly [member: string]: Json };

export type KeyFault = 'keys_malformed' | 'keys_private' | 'keys_weak' | 'keys_algorithm' | 'keys_all_end';

const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
const MEMBERS: { readonly [kty: string]: readonly string[] } = { EC: ['crv', 'x', 'y'], RSA: ['n', 'e'], OKP: ['crv', 'x'] };
const COMMON = ['kty', 'kid', 'use', 'alg', 'key_ops', 'x5c', 'x5t', 'x5t#S256'];
/** Algorithms a key may serve: those of FAPI 2.0 §5.4.1, for every profile. */
const ALGORITHMS = { EC: ['ES256'], RSA: ['PS256'], OKP: ['EdDSA', 'Ed25519'] } as const;
const RSA_BYTES = 256;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const bytesOf = (value: unknown): number =>
  typeof value === 'string' && /^[A-Za-z0-9_-]+$/.test(value) ? Buffer.from(value, 'base64url').length : 0;

const strength = (key: Record<string, unknown>): boolean => {
  switch (key['kty']) {
    case 'EC':
      return key['crv'] === 'P-256' && bytesOf(key['x']) === 32 && bytesOf(key['y']) === 32;
    case 'RSA':
      return bytesOf(key['n']) >= RSA_BYTES && bytesOf(key['n']) <= 1024 && bytesOf(key['e']) > 0 && bytesOf(key['e']) <= 8;
    case 'OKP':
      return key['crv'] === 'Ed25519' && bytesOf(key['x']) === 32;
    default:
      return false;
  }
};

const keyFault = (key: unknown): KeyFault | undefined => {
  if (!isObject(key) || typeof key['kty'] !== 'string') return 'keys_malformed';
  if (PRIVATE.some((member) => Object.hasOwn(key, member))) return 'keys_private';
  const { kty, kid, use, alg, exp } = key;
  if (kty !== 'EC' && kty !== 'RSA' && kty !== 'OKP') return 'keys_algorithm';
  if (kid !== undefined && (typeof kid !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(kid))) return 'keys_malformed';
  if (use !== undefined && use !== 'sig') return 'keys_malformed';
  if (exp !== undefined && !(typeof exp === 'number' && Number.isSafeInteger(exp) && exp > 0)) return 'keys_malformed';
  const allowed: readonly string[] = ALGORITHMS[kty];
  if (alg !== undefined && !(typeof alg === 'string' && allowed.includes(alg))) return 'keys_algorithm';
  return strength(key) ? undefined : 'keys_weak';
};

/** Keeps what a public key needs: its kind, its numbers, `kid`, `use`, `alg`, and `exp`, from when on it is taken no more. */
const pick = (key: Record<string, unknown>): PublicJwk => {
  const names = [...(MEMBERS[String(key['kty'])] ?? []), ...COMMON.slice(0, 4)];
  const texts = Object.fromEntries(names.flatMap((name): [string, string][] => (typeof key[name] === 'string' ? [[name, key[name]]] : [])));
  return typeof key['exp'] === 'number' ? { ...texts, exp: key['exp'] } : texts;
};

/** The keys that a service may use at this instant, without the date of their end (claim K3). */
export const keysAt = ({ keys }: PublicKeySet, now: Date): PublicKeySet => ({
  keys: keys.flatMap(({ exp, ...key }) => (typeof exp === 'number' && exp * 1000 <= now.getTime() ? [] : [key])),
});

/** Reads a registered key set (RFC 7517): 1 to 10 public signing keys, P-256, RSA of 2048 bits or more, or Ed25519; one of them without an end. */
export const readPublicKeys = (value: unknown): PublicKeySet | { readonly fault: KeyFault } => {
  if (!isObject(value) || !Array.isArray(value['keys'])) return { fault: 'keys_malformed' };
  const keys: readonly unknown[] = value['keys'];
  if (keys.length < 1 || keys.length > 10) return { fault: 'keys_malformed' };
  for (const key of keys) {
    const fault = keyFault(key);
    if (fault) return { fault };
  }
  const picked = keys.filter(isObject).map(pick);
  if (picked.every((key) => 'exp' in key)) return { fault: 'keys_all_end' };
  const kids = new Set(picked.flatMap((key) => key['kid'] ?? []));
  const repeated = picked.length > 1 && kids.size < picked.length; // several keys: each has a kid of its own
  return repeated ? { fault: 'keys_malformed' } : { keys: picked };
};

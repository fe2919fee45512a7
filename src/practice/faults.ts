import './guard.ts';
import { base64url, CompactSign, type CryptoKey, decodeJwt, decodeProtectedHeader, generateKeyPair } from 'jose';

/** What a simulator can be told to do wrong, at any moment, so that the connectors are tested against a real, misbehaving federation. */
export const FAULTS = [
  'hang',
  'hang-discovery',
  'hang-userinfo',
  'garbage',
  'http-500',
  'wrong-nonce',
  'wrong-aud',
  'wrong-iss',
  'wrong-callback-iss',
  'low-acr',
  'no-acr',
  'none-alg',
  'hs256',
  'bad-signature',
  'expired',
  'userinfo-sub',
  'userinfo-unsigned',
  'ignore-mfa',
] as const;
export type Fault = (typeof FAULTS)[number];

/** Keys and levels that a forged id_token needs. */
export interface Forge {
  readonly key: CryptoKey;
  /** Of the key; ES256 if left out. */
  readonly alg?: 'ES256' | 'RS256';
  readonly lowAcr: string;
  readonly secretOf: (clientId: string) => string;
}

type Payload = Record<string, unknown>;

const changed = (fault: Fault, payload: Payload, forge: Forge): Payload => {
  const now = Math.floor(Date.now() / 1000);
  switch (fault) {
    case 'wrong-nonce':
      return { ...payload, nonce: 'another-nonce-another-nonce-another' };
    case 'wrong-aud':
      return { ...payload, aud: 'another-client' };
    case 'wrong-iss':
      return { ...payload, iss: 'https://another-issuer.example/api/v2' };
    case 'low-acr':
      return { ...payload, acr: forge.lowAcr };
    case 'no-acr':
      return { ...payload, acr: undefined };
    case 'expired':
      return { ...payload, iat: now - 7200, exp: now - 3600 };
    default:
      return payload;
  }
};

const sign = async (payload: Payload, header: { alg: string; kid?: string }, key: CryptoKey | Uint8Array): Promise<string> =>
  new CompactSign(new TextEncoder().encode(JSON.stringify(payload))).setProtectedHeader(header).sign(key);

/** Rewrites an id_token as the fault says; except where the signature is the fault, it is signed again with the simulator's own key. */
export const forgeIdToken = async (fault: Fault, idToken: string, forge: Forge): Promise<string> => {
  const { kid } = decodeProtectedHeader(idToken);
  const payload: Payload = { ...decodeJwt(idToken) };
  const { alg = 'ES256' } = forge;
  const header = kid === undefined ? { alg } : { alg, kid };
  const wrong = changed(fault, payload, forge);
  if (fault === 'none-alg') return `${base64url.encode(JSON.stringify({ alg: 'none' }))}.${base64url.encode(JSON.stringify(wrong))}.`;
  if (fault === 'hs256') return sign(wrong, { alg: 'HS256' }, new TextEncoder().encode(forge.secretOf(String(payload['aud']))));
  if (fault === 'bad-signature') return sign(wrong, header, (await generateKeyPair(alg)).privateKey);
  return sign(wrong, header, forge.key);
};

const TOKEN_FAULTS: ReadonlySet<Fault> = new Set([
  'wrong-nonce',
  'wrong-aud',
  'wrong-iss',
  'low-acr',
  'no-acr',
  'none-alg',
  'hs256',
  'bad-signature',
  'expired',
]);

/** Says whether a fault changes the id_token. */
export const forgesIdToken = (fault: Fault): boolean => TOKEN_FAULTS.has(fault);

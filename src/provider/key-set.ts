import { calculateJwkThumbprint, type JWK } from 'jose';
import { equal, hmacSha256, readPrivateKey, toJwk } from '../kernel/crypto.ts';
import type { Secret } from '../kernel/secret.ts';

/** The provider's signing keys as private JWKs, ES256 first: it is the default of id_tokens (protocol.md, "Signing"). */
export const keySet = async (pems: { es256: Secret; rs256: Secret }): Promise<{ keys: JWK[] }> => {
  const read = async (pem: Secret, alg: string): Promise<JWK> => {
    const jwk = toJwk(readPrivateKey(pem.reveal())) as JWK;
    return { ...jwk, alg, use: 'sig', kid: (await calculateJwkThumbprint(jwk)).slice(0, 16) };
  };
  return { keys: [await read(pems.es256, 'ES256'), await read(pems.rs256, 'RS256')] };
};

/** Signs the library's cookies with one key, in place of the list of keys that it would sign them with itself. */
export const cookieKeys = (key: Buffer) => {
  const sign = (data: string): string => hmacSha256(key, data).toString('base64url');
  const index = (data: string, signature: string): number => (equal(signature, sign(data)) ? 0 : -1);
  return { sign, index, verify: (data: string, signature: string): boolean => index(data, signature) === 0 };
};

import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } from 'jose';
import { equal, sha256 } from '../kernel/crypto.ts';
import { DPOP_ALGS } from './names.ts';

/** What a proof must speak of. */
export interface ProofContext {
  readonly method: string;
  /** The public address of the resource, without query. */
  readonly url: string;
  readonly accessToken: string;
  readonly thumbprint: string;
  readonly now: Date;
}

const WINDOW_SECONDS = 60;

/**
 * Checks a DPoP proof at a protected resource of ours (RFC 9449 §4.3 and §7.1), in order: shape and signature, method, address, time, access token
 * hash, key, and that it is the first time. Returns what is wrong, or undefined.
 */
export const checkProof = async (
  proof: string,
  context: ProofContext,
  unique: (id: Buffer, expiresAt: Date) => Promise<boolean>,
): Promise<string | undefined> => {
  const verified = await jwtVerify(proof, EmbeddedJWK, {
    typ: 'dpop+jwt',
    algorithms: [...DPOP_ALGS],
    currentDate: context.now,
  }).catch(() => undefined);
  if (!verified) return 'the DPoP proof is not a valid JWS';
  const { payload, protectedHeader } = verified;
  if (payload['htm'] !== context.method) return 'the DPoP proof speaks of another method';
  if (typeof payload['htu'] !== 'string' || payload['htu'].split(/[?#]/)[0] !== context.url) return 'the DPoP proof speaks of another address';
  if (typeof payload.iat !== 'number' || Math.abs(context.now.getTime() / 1000 - payload.iat) > WINDOW_SECONDS) return 'the DPoP proof is not recent';
  if (typeof payload.jti !== 'string' || payload.jti.length > 200) return 'the DPoP proof has no jti';
  if (typeof payload['ath'] !== 'string' || !equal(payload['ath'], sha256(context.accessToken).toString('base64url')))
    return 'the DPoP proof is for another access token';
  if (!protectedHeader.jwk || !equal(await calculateJwkThumbprint(protectedHeader.jwk), context.thumbprint))
    return 'the DPoP proof is signed by another key';
  const first = await unique(sha256(`dpop\0${context.thumbprint}\0${payload.jti}`), new Date(context.now.getTime() + 3 * WINDOW_SECONDS * 1000));
  return first ? undefined : 'the DPoP proof was already used';
};

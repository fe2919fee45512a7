import './guard.ts';
import { createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { EVENTS } from '../signals/events.ts';
import { record } from './mirror-session.ts';

/** What a security event that was accepted ends: one session, or nothing that this service keeps. */
interface Signal {
  readonly session: string | undefined;
}

/** What RFC 8935 §2.4 calls what is wrong. */
const errorOf = (error: unknown): string => {
  if (error instanceof errors.JWTClaimValidationFailed) return { iss: 'invalid_issuer', aud: 'invalid_audience' }[error.claim] ?? 'invalid_request';
  return error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWSSignatureVerificationFailed ? 'invalid_key' : 'invalid_request';
};

/**
 * Makes the check of security events (RFC 8417, SSF 1.0 §4.1): signed by Relais with the key of its signals, RS256, `typ`, `iss`, `aud`. The same `jti`
 * again is accepted and ends nothing more. A fault of the key endpoint is thrown, so that Relais tries again.
 */
export const createSignalCheck = (expected: { readonly relaisOrigin: string; readonly clientId: string }) => {
  const seen = new Set<string>();
  let keys: JWTVerifyGetKey | undefined;
  return async (token: string): Promise<Signal | { readonly refused: string }> => {
    keys ??= createRemoteJWKSet(new URL('/ssf/jwks', expected.relaisOrigin), { timeoutDuration: 5000 });
    let payload: Readonly<Record<string, unknown>>;
    try {
      const options = { issuer: expected.relaisOrigin, audience: expected.clientId, algorithms: ['RS256'], typ: 'secevent+jwt' };
      payload = (await jwtVerify(token, keys, options)).payload;
    } catch (error) {
      if (error instanceof errors.JWKSTimeout || !(error instanceof errors.JOSEError)) throw error;
      return { refused: errorOf(error) };
    }
    const { jti, events } = payload;
    if (typeof jti !== 'string' || !jti) return { refused: 'invalid_request' };
    if (seen.has(jti)) return { session: undefined };
    seen.add(jti);
    const { session } = record(record(events)[EVENTS['session-revoked']]);
    return { session: typeof session === 'string' ? session : undefined };
  };
};

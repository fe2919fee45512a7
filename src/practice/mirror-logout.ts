import './guard.ts';
import { errors, type JWTVerifyGetKey, jwtVerify } from 'jose';

/** A logout token that was accepted. */
export interface LogoutToken {
  readonly sid: string | undefined;
  readonly sub: string | undefined;
  readonly jti: string;
  readonly at: Date;
}

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/**
 * Makes the check of logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.6): signature by Relais, `iss`, `aud`, `iat`, the event,
 * `sid` or `sub`, no `nonce`, each `jti` once. A fault of the key endpoint is thrown, so that Relais tries again.
 */
export const createLogoutCheck = (expected: {
  readonly issuer: string;
  readonly clientId: string;
  readonly keys: () => Promise<JWTVerifyGetKey>;
}) => {
  const seen = new Map<string, number>();
  return async (token: string): Promise<LogoutToken | { readonly refused: string }> => {
    const keys = await expected.keys();
    let payload: Readonly<Record<string, unknown>>;
    try {
      const options = {
        issuer: expected.issuer,
        audience: expected.clientId,
        algorithms: ['ES256', 'RS256'],
        typ: 'logout+jwt',
        maxTokenAge: 180,
        clockTolerance: 5,
      };
      payload = (await jwtVerify(token, keys, options)).payload;
    } catch (error) {
      if (error instanceof errors.JWKSTimeout || !(error instanceof errors.JOSEError)) throw error;
      return { refused: error.code };
    }
    const { jti, sid, sub, nonce, events } = payload;
    if (typeof events !== 'object' || events === null || typeof (events as Record<string, unknown>)[EVENT] !== 'object')
      return { refused: 'no_logout_event' };
    if (nonce !== undefined) return { refused: 'nonce_present' };
    if (typeof jti !== 'string' || !jti) return { refused: 'no_jti' };
    if (typeof sid !== 'string' && typeof sub !== 'string') return { refused: 'no_subject' };
    for (const [old, until] of seen) if (until < Date.now()) seen.delete(old);
    if (seen.has(jti)) return { refused: 'replayed' };
    seen.set(jti, Date.now() + 600_000);
    return { sid: typeof sid === 'string' ? sid : undefined, sub: typeof sub === 'string' ? sub : undefined, jti, at: new Date() };
  };
};

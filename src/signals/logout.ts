import { Failure } from '../kernel/failure.ts';
import { REFUSED, type Transports } from '../notices/deliveries.ts';
import type { Outgoing } from './outgoing.ts';

/** Refusals that are the endpoint's, not of what was sent: no such page, too slow, too many. */
const PASSING = new Set([404, 408, 421, 425, 429]);

/**
 * Tells a service that one delegated session is over (OIDC Back-Channel Logout 1.0 §2.5): a form post of a fresh logout token. Anything but 200
 * or 204 is a failure, to be tried again.
 */
export const sendLogout =
  (parts: {
    readonly token: (
      serviceId: string,
      session: { readonly sid: string; readonly sub?: string; readonly jti: string },
    ) => Promise<string | undefined>;
    readonly outgoing: Pick<Outgoing, 'post'>;
  }): Transports['logout'] =>
  async ({ id, serviceId, uri, ...named }) => {
    const token = await parts.token(serviceId, { ...named, jti: id });
    if (!token) throw new Error('ServiceUnknown');
    const { status } = await parts.outgoing.post(new URL(uri), {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ logout_token: token }).toString(),
    });
    if (status === 200 || status === 204) return;
    throw status >= 400 && status < 500 && !PASSING.has(status) ? new Failure(REFUSED) : new Error('NotAcknowledged');
  };

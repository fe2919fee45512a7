import type { Transports } from '../notices/deliveries.ts';
import type { Outgoing } from './outgoing.ts';

/**
 * Tells a service that one delegated session is over (OIDC Back-Channel Logout 1.0 §2.5): a form post of a fresh logout token. Anything but 200
 * or 204 is a failure, to be tried again.
 */
export const sendLogout =
  (parts: {
    readonly token: (serviceId: string, sid: string) => Promise<string | undefined>;
    readonly outgoing: Pick<Outgoing, 'post'>;
  }): Transports['logout'] =>
  async ({ serviceId, uri, sid }) => {
    const token = await parts.token(serviceId, sid);
    if (!token) throw new Error('ServiceUnknown');
    const { status } = await parts.outgoing.post(new URL(uri), {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ logout_token: token }).toString(),
    });
    if (status !== 200 && status !== 204) throw new Error('NotAcknowledged');
  };

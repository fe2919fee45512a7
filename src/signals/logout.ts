import type { Transports } from '../notices/deliveries.ts';

const TIMEOUT_MS = 5_000;

/**
 * Tells a service that one delegated session is over (OIDC Back-Channel Logout 1.0 §2.5): a form post of a fresh logout token. Anything but 200
 * or 204 is a failure, to be tried again. `guard` refuses addresses that must not be called (loopback and private ranges in production).
 */
export const sendLogout =
  (parts: {
    readonly token: (serviceId: string, sid: string) => Promise<string | undefined>;
    readonly guard: (address: URL) => Promise<void>;
  }): Transports['logout'] =>
  async ({ serviceId, uri, sid }) => {
    const token = await parts.token(serviceId, sid);
    if (!token) throw new Error('ServiceUnknown');
    const address = new URL(uri);
    await parts.guard(address);
    const response = await fetch(address, {
      method: 'POST',
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ logout_token: token }),
    });
    await response.body?.cancel();
    if (response.status !== 200 && response.status !== 204) throw new Error('NotAcknowledged');
  };

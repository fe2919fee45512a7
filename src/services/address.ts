/** Addresses that a service registers. They are compared and called later exactly as they stand, so only the canonical spelling is taken. */

export type AddressFault = 'address_malformed' | 'address_not_https' | 'address_wildcard' | 'address_fragment' | 'address_userinfo' | 'address_host';

/** How this machine is written in an address. */
export const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);
const LONGEST = 2000;

/** Hosts that no public service has: loopback names, addresses in digits, names without a dot or in the reserved local domains (claim I3). */
const isPublicHost = (host: string): boolean =>
  host.includes('.') &&
  !host.endsWith('.') &&
  !/^[0-9.]+$/.test(host) &&
  !host.startsWith('[') &&
  !/(?:^|\.)(?:localhost|local|internal|home\.arpa)$/.test(host);

/**
 * Checks an address: https on a public host name, or http on a loopback one where the installation allows it (the demonstration); no
 * wildcard, fragment or user name (RFC 9700 §4.1.1, OIDC Registration §2), and written as a URL parser writes it back.
 */
export const addressFault = (value: unknown, allowLoopback: boolean): AddressFault | undefined => {
  if (typeof value !== 'string' || value.length > LONGEST || !URL.canParse(value)) return 'address_malformed';
  if (value.includes('*')) return 'address_wildcard';
  if (value.includes('#')) return 'address_fragment';
  const url = new URL(value);
  if (url.username !== '' || url.password !== '' || value.includes('@')) return 'address_userinfo';
  const loopback = allowLoopback && LOOPBACK.has(url.hostname);
  if (url.protocol !== 'https:' && !(loopback && url.protocol === 'http:')) return 'address_not_https';
  if (!loopback && !isPublicHost(url.hostname)) return 'address_host';
  return url.href === value || url.href === `${value}/` ? undefined : 'address_malformed';
};

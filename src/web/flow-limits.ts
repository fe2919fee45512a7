import { isIPv6 } from 'node:net';
import type { Clock } from '../kernel/clock.ts';
import { createTries } from './tries.ts';

/** Of one address, or one IPv6 network of 64 bits: a hundred a second, more than a whole département behind one proxy. */
const OF_ONE = 6_000;
/** Of all: what this instance may keep for the half hour that a sign-in may last is bounded by thirty times this. */
const OF_ALL = 20_000;

/** The first four groups of an IPv6 address, whose owner has all the rest; any other address as it is. */
const networkOf = (address: string): string => {
  if (!isIPv6(address) || address.startsWith('::ffff:')) return address;
  const [head = '', tail = ''] = address.split('::');
  const [first, last] = [head.split(':').filter(Boolean), tail.split(':').filter(Boolean)];
  const groups = [...first, ...Array<string>(Math.max(0, 8 - first.length - last.length)).fill('0'), ...last];
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':');
};

/**
 * Says whether an address may begin one more authorization now: each one leaves a row until it is used or too old (claim D9). Counts in the memory of
 * this instance, by minute.
 */
export const createFlowLimits = (clock: Clock): ((address: string) => boolean) => {
  const ofOne = createTries(clock, OF_ONE);
  const ofAll = createTries(clock, OF_ALL);
  return (address) => ofOne(networkOf(address)) && ofAll('all');
};

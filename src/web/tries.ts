import type { Clock } from '../kernel/clock.ts';

/** How many addresses are remembered at once; the oldest minute goes first. */
const KEPT = 10_000;
const MINUTE = 60_000;

/** Counts tries by address in the memory of this instance: `true` while an address has tried less than `limit` times in its current minute. */
export const createTries = (clock: Clock, limit: number): ((address: string) => boolean) => {
  const windows = new Map<string, { from: number; count: number }>();
  return (address) => {
    const now = clock.now().getTime();
    const found = windows.get(address);
    if (found && now - found.from < MINUTE) return ++found.count <= limit;
    windows.delete(address);
    windows.set(address, { from: now, count: 1 });
    for (const [oldest] of windows) {
      if (windows.size <= KEPT) break;
      windows.delete(oldest);
    }
    return true;
  };
};

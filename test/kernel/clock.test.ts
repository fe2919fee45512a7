import { seconds, systemClock } from '../../src/kernel/clock.ts';
import { assert, test } from '../support/check.ts';
import { frozenClock } from '../support/clock.ts';

test('seconds are whole, and rounded down', () => {
  assert.equal(seconds(new Date(1999)), 1);
});

test('a frozen clock moves only when told', () => {
  const clock = frozenClock('2026-01-01T00:00:00Z');
  const before = clock.now();
  clock.advance(1500);
  assert.equal(clock.now().getTime() - before.getTime(), 1500);
  clock.set('2027-01-01T00:00:00Z');
  assert.equal(clock.now().toISOString(), '2027-01-01T00:00:00.000Z');
  assert.ok(Math.abs(systemClock.now().getTime() - Date.now()) < 1000);
});

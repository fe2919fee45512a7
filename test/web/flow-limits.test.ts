import { createFlowLimits } from '../../src/web/flow-limits.ts';
import { assert, test } from '../support/check.ts';
import { frozenClock } from '../support/clock.ts';

const times = (count: number, allows: (address: string) => boolean, address: string | ((i: number) => string)): number =>
  Array.from({ length: count }, (_, i) => allows(typeof address === 'string' ? address : address(i))).filter(Boolean).length;

test('D9 one address, or one IPv6 network, begins a hundred authorizations a second and no more, and all together have a limit', () => {
  const clock = frozenClock('2026-11-21T09:00:00Z');
  const allows = createFlowLimits(clock);
  assert.equal(times(6100, allows, '192.0.2.1'), 6000);
  assert.equal(times(5, allows, '192.0.2.2'), 5, 'its neighbour goes on');
  assert.equal(times(5000, allows, '2001:db8:0:7::1'), 5000);
  assert.equal(
    times(2000, allows, (i) => `2001:db8:0:7:${(i + 1).toString(16)}::2`),
    1000,
    'the rest of its network is the same somebody',
  );
  assert.equal(times(1, allows, '2001:db8:0:8::1'), 1);
  assert.equal(times(1, allows, '2001:db8::7:0:0:0:1'), 0, 'the same network, written otherwise');
  assert.equal(
    times(9000, allows, (i) => `198.51.${i >> 8}.${i & 255}`),
    20_000 - 6000 - 5 - 5000 - 1000 - 1,
    'an attack from everywhere is bounded too',
  );
  clock.advance(60_000);
  assert.equal(times(10, allows, '192.0.2.1'), 10, 'a minute later');
});

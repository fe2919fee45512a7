import { fuzz } from '../flows/fuzz.ts';
import { inTheMorning } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { postgresOnly } from '../support/database.ts';
import { openWorld } from '../support/world.ts';

const kind = postgresOnly();

if (kind)
  test('P21 a million requests that know the protocol, bent: no 5xx, no answer after a second, and memory stays', {
    database: 'postgres',
  }, async (t) => {
    const world = await openWorld(kind);
    t.after(() => world.close());
    inTheMorning(world);
    const report = await fuzz(world, { count: Number(process.env['RELAIS_FUZZ_COUNT'] ?? 1_000_000), hangMs: 1000 });
    t.diagnostic(JSON.stringify(report));
    const [early, late] = report.memory;
    assert.ok(late < early * 1.25 + 50, `${early} MiB, then ${late}`);
    assert.deepEqual((await world.verifyJournal()).faults, []);
  });

import { raceRevocations } from '../flows/race.ts';
import { assert, test } from '../support/check.ts';
import { postgresOnly } from '../support/database.ts';

const kind = postgresOnly();
const INTERLEAVINGS = 10_000;

if (kind)
  test(`M17 a stop against uses at two instances: nothing commits after the stop (${INTERLEAVINGS} interleavings, postgres)`, {
    database: 'postgres',
    atLeast: 20_000,
  }, async () => {
    const seen = await raceRevocations(kind, INTERLEAVINGS);
    assert.ok(seen.before > 500 && seen.after > 500, JSON.stringify(seen));
  });

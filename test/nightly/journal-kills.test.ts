import { loadWithKills } from '../flows/kills.ts';
import { assert, test } from '../support/check.ts';
import { postgresOnly } from '../support/database.ts';

const kind = postgresOnly();
/** One minute, and as long as ten kills take, unless RELAIS_TEST_MINUTES says more. A delegated session lasts thirty: no more than twenty-five at a time. */
const MINUTES = Math.max(1, Number(process.env['RELAIS_TEST_MINUTES'] ?? 1));
const ROUND = 25;

if (kind)
  test(`J1 under load, with instances killed without warning for ${MINUTES} min, each decision has its one entry and each receipt holds (postgres)`, {
    database: 'postgres',
    atLeast: 100,
  }, async (t) => {
    for (let left = MINUTES; left > 0; left -= ROUND) {
      const report = await loadWithKills(kind, Math.min(left, ROUND) * 60_000, 10);
      t.diagnostic(JSON.stringify(report));
      assert.ok(report.kills >= 10 && report.acknowledged >= 100, JSON.stringify(report));
    }
  });

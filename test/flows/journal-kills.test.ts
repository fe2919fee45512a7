import { assert, test } from '../support/check.ts';
import { postgresOnly } from '../support/database.ts';
import { loadWithKills } from './kills.ts';

const kind = postgresOnly();

if (kind)
  test('J1 under load, with instances killed without warning for ten seconds, each decision has its one entry and each receipt holds (postgres)', {
    database: 'postgres',
    atLeast: 40,
  }, async (t) => {
    const report = await loadWithKills(kind, 10_000);
    t.diagnostic(JSON.stringify(report));
    assert.ok(report.kills >= 2 && report.acknowledged >= 10 && report.mandates >= 5 && report.sessions >= 4, JSON.stringify(report));
  });

import { deposeLeaders, killUnderLoad, newSeed } from '../faults/killing.ts';
import { assert, test } from '../support/check.ts';
import { postgresOnly } from '../support/database.ts';

if (postgresOnly()) {
  test('J1 application, sequencer, signer and PostgreSQL killed 100 times without warning under load: no receipt is lost or doubled (§6.12) (postgres)', {
    database: 'postgres',
    atLeast: 500,
  }, async (t) => {
    const report = await killUnderLoad(100, newSeed());
    t.diagnostic(JSON.stringify(report));
    assert.ok(Object.values(report.kills).every((n) => n === 25) && report.acknowledged >= 500, JSON.stringify(report));
  });

  test('J1 four processes would lead and whoever does is deposed every 200 ms for a minute: no fork, gap, loss or double (§6.11) (postgres)', {
    database: 'postgres',
    atLeast: 200,
  }, async (t) => {
    const report = await deposeLeaders(60_000, 200, newSeed());
    t.diagnostic(JSON.stringify(report));
    assert.ok(report.killed >= 10 && report.cut >= 10 && report.leads >= 30, JSON.stringify(report));
  });
}

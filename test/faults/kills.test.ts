import { assert, test } from '../support/check.ts';
import { postgresOnly } from '../support/database.ts';
import { deposeLeaders, killUnderLoad, newSeed } from './killing.ts';

if (postgresOnly()) {
  test('J1 application, sequencer, signer and PostgreSQL killed without warning under load: no receipt is lost or doubled, never two roots for one size (§6.12) (postgres)', {
    database: 'postgres',
    atLeast: 40,
  }, async (t) => {
    const report = await killUnderLoad(8, newSeed());
    t.diagnostic(JSON.stringify(report));
    assert.ok(Object.values(report.kills).every((n) => n >= 1) && report.acknowledged >= 50 && report.checkpoints >= 2, JSON.stringify(report));
  });

  test('J1 four processes would lead and whoever does is deposed every 200 ms: no fork, gap, loss or double, and the epoch only grows (§6.11) (postgres)', {
    database: 'postgres',
    atLeast: 40,
  }, async (t) => {
    const report = await deposeLeaders(6000, 200, newSeed());
    t.diagnostic(JSON.stringify(report));
    assert.ok(report.killed >= 1 && report.cut >= 1 && report.leads >= 6 && report.acknowledged >= 30, JSON.stringify(report));
  });
}

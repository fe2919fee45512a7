import { inTheMorning } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { inEachWorld } from '../support/protocol.ts';
import { fuzz } from './fuzz.ts';

inEachWorld(({ world: of, kind }) => {
  test(`P21 requests that know the protocol, bent in fifteen hundred ways on every address, crash nothing and are answered (${kind})`, {
    database: kind,
  }, async (t) => {
    const world = of();
    inTheMorning(world);
    // A busy machine may be slow: the second that is promised is measured at night, alone.
    const report = await fuzz(world, { count: 1500, hangMs: 15_000 });
    t.diagnostic(JSON.stringify(report));
    assert.ok(report.sent >= 1500);
    assert.ok(
      (report.byClass['4xx'] ?? 0) > 300 && (report.byClass['2xx'] ?? 0) > 100 && (report.byClass['3xx'] ?? 0) > 50,
      'some are refused, some are served',
    );
    assert.ok((report.byClass['0xx'] ?? 0) < report.sent / 2, 'most can be carried by HTTP');
    assert.equal(
      world.logged.filter(({ level, line }) => level === 'error' && line['event'] === 'security').length,
      0,
      'nothing was a fault of ours',
    );
    assert.deepEqual((await world.verifyJournal()).faults, []);
  });
});

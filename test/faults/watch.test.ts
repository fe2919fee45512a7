import { after, before, describe } from 'node:test';
import { verify } from '../../src/journal/verify.ts';
import { createClockWatch } from '../../src/persistence/clock-watch.ts';
import { rows } from '../../src/persistence/database.ts';
import { createScrubber, type MissingAlarm, type ScrubAlarm } from '../../src/persistence/journal-scrub.ts';
import { journalSource } from '../../src/persistence/journal-source.ts';
import { startKit } from '../journal/kit.ts';
import { agreed, until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { frozenClock } from '../support/clock.ts';
import { databases, postgresOnly } from '../support/database.ts';
import { openWorld, type World } from '../support/world.ts';

for (const kind of databases()) {
  const on = { database: kind.kind };
  const title = (text: string): string => `${text} (${kind.kind})`;

  test(title('J17 clocks more than two seconds apart raise an alarm, those that agree do not'), on, async (t) => {
    const kit = await startKit(t, kind);
    const alarms: number[] = [];
    let skew = 0;
    const clock = { now: () => new Date(Date.now() + skew) };
    const watch = createClockWatch(kit.database.auto, clock, ({ ms }) => alarms.push(ms));
    for (const [ahead, apart] of [
      [0, false],
      [1500, false],
      [600_000, true],
      [-600_000, true],
      [-1500, false],
    ] as const) {
      skew = ahead;
      alarms.length = 0;
      await watch.look();
      assert.equal(watch.apart(), apart, String(ahead));
      assert.equal(alarms.length, apart ? 1 : 0);
      if (apart) assert.ok(Math.abs((alarms[0] ?? 0) - ahead) < 1000, String(alarms[0]));
    }
  });

  test(
    title('the scrubber re-reads the last ten minutes at each turn and everything after three in the morning, once, and names the first difference'),
    on,
    async (t) => {
      const clock = frozenClock('2026-11-21T09:00:00Z');
      const kit = await startKit(t, kind, clock);
      const alarms: (ScrubAlarm | MissingAlarm)[] = [];
      const froms: number[] = [];
      let leads = true;
      const scrub = createScrubber({
        tx: kit.database.auto,
        clock,
        leading: () => leads,
        opened: () => kit.database.dedicated('relais_sequencer'),
        onAlarm: (alarm) => alarms.push(alarm),
        verify: (from) => {
          froms.push(from);
          return verify({
            source: journalSource(kit.database),
            origin: kit.origin,
            trusted: kit.trusted,
            keys: (asked) => kit.keys.store.load(kit.database.auto, asked),
            from,
          });
        },
      });
      const found = () =>
        kit.database.asOwner((query) => query('select range, size::int size, fault, fault_index::int at from journal_scrub order by range'));
      await kit.write(600);
      leads = false;
      await scrub();
      assert.deepEqual(froms, [], 'an instance that does not lead leaves it to the one that does');
      leads = true;
      const night = { name: 'night', text: "insert into journal_scrub (range, at, size) values ('whole', '2036-01-01', 600)", values: [] };
      await assert.rejects(rows(kit.database.auto, night), { code: '42501' }, 'the application cannot say that the night was read');
      await scrub();
      assert.deepEqual(froms, [0], 'never re-read whole: everything');
      const later = { name: 'later', text: "update journal_scrub set at = '2036-01-01'", values: [] };
      await assert.rejects(rows(kit.database.auto, later), { code: '42501' });
      clock.advance(11 * 60_000);
      await kit.write(20, 600);
      await scrub();
      assert.deepEqual(froms, [0, 600], 'what was sealed ten minutes ago is old');
      assert.deepEqual(alarms, []);
      assert.deepEqual(await found(), [
        { range: 'recent', size: 620, fault: null, at: null },
        { range: 'whole', size: 600, fault: null, at: null },
      ]);
      await kit.keep();
      await kit.tamper(["update journal.projection set outcome = 'allowed' where idx = 610"]);
      await scrub();
      assert.deepEqual(alarms.splice(0), [{ kind: 'scrub_failed', fault: 'projection_altered', index: 610 }]);
      assert.deepEqual((await found())[0], { range: 'recent', size: 620, fault: 'projection_altered', at: 610 });
      await kit.restore();
      await kit.tamper(["update journal.projection set outcome = 'allowed' where idx = 3"]);
      await scrub();
      assert.deepEqual(alarms, [], 'what is old is for the night');
      assert.deepEqual((await found())[0], { range: 'recent', size: 620, fault: null, at: null });
      clock.set('2026-11-22T01:59:00Z');
      await scrub();
      assert.deepEqual(alarms, []);
      clock.set('2026-11-22T02:00:30Z');
      await scrub();
      assert.deepEqual(alarms.splice(0), [{ kind: 'scrub_failed', fault: 'projection_altered', index: 3 }]);
      await scrub();
      assert.deepEqual(alarms, [], 'once a night');
      assert.deepEqual(froms.slice(-2), [0, 620]);
    },
  );

  test(title('a part of the journal verifies by itself, and what is altered in it is found from any start'), on, async (t) => {
    const kit = await startKit(t, kind);
    await kit.write(300);
    await kit.write(700, 300);
    await kit.keep();
    const from = (index: number) =>
      verify({
        source: journalSource(kit.database),
        origin: kit.origin,
        trusted: kit.trusted,
        keys: (asked) => kit.keys.store.load(kit.database.auto, asked),
        from: index,
      });
    for (const index of [0, 1, 255, 256, 300, 511, 513, 999, 1000, 5000]) {
      const report = await from(index);
      assert.deepEqual(report.faults, [], String(index));
      assert.equal(report.checked, 1000 - Math.min(Math.floor(index / 256) * 256, 768), String(index));
      assert.equal(report.sealed, 1000);
    }
    await kit.tamper(['delete from journal.leaf where idx = 700']);
    for (const index of [0, 256, 600])
      assert.deepEqual([(await from(index)).faults[0]?.kind, (await from(index)).faults[0]?.index], ['leaf_missing', 700]);
    assert.deepEqual((await from(800)).faults, [], 'what is before is not looked at');
    await kit.restore();
    await kit.tamper(["update journal.tile set root = sha256('x') where level = 0 and n = 0"]);
    assert.ok((await from(600)).faults.length > 0, 'a tile that it stands on and that was altered shows in the root');
  });
}

const postgres = postgresOnly();
if (postgres)
  describe('a whole house whose clock is ten minutes off', () => {
    let world: World;
    before(async () => {
      world = await openWorld(postgres, { watchEveryMs: 150 });
    });
    after(() => world.close());
    const on = { database: 'postgres' } as const;
    const alarms = (kind: string, from = 0): number => world.logged.slice(from).filter(({ line }) => line['kind'] === kind).length;
    const parameters = async (): Promise<unknown> => {
      await world.app.flushJournal();
      const [last] = await world.sql("select convert_from(leaf, 'UTF8')::jsonb->'p' p from journal.leaf order by idx desc limit 1");
      return last?.['p'];
    };

    test('J17 the alarm is logged, entries say that their time is not to be trusted, and mandates are made all the same (postgres)', on, async () => {
      const count = () => world.sql('select count(*)::int n from mandate');
      await agreed(world, 'colette', ['logement']);
      assert.equal(await parameters(), null);
      assert.equal(alarms('clock_apart'), 0);
      world.advance(600_000);
      assert.ok(await until(() => alarms('clock_apart') > 0));
      const [before] = await count();
      await agreed(world, 'jean', ['logement']);
      assert.deepEqual(await parameters(), { clock: 'apart' });
      const [found] = await count();
      assert.equal(found?.['n'], Number(before?.['n']) + 1);
      world.advance(-600_000);
      const from = world.logged.length;
      await until(() => alarms('clock_apart', from) > 1, 600);
      await agreed(world, 'colette', ['social']);
      assert.deepEqual(await parameters(), { late: 'waited' }, 'time did not go back: entries wait for it, and say so');
      assert.deepEqual((await world.verifyJournal()).faults, []);
    });

    test('an instance that runs finds what was changed in the database within one turn, by itself (postgres)', on, async () => {
      await world.app.flushJournal();
      assert.ok(await until(async () => (await world.sql('select 1 from journal_scrub where fault is null')).length > 0));
      assert.deepEqual(
        world.logged.filter(({ line }) => line['kind'] === 'scrub_failed'),
        [],
      );
      const [last] = await world.sql('select max(idx)::int idx from journal.projection');
      await world.sql('alter table journal.projection disable trigger all');
      await world.sql("update journal.projection set outcome = 'changed' where idx = $1", [last?.['idx']]);
      assert.ok(await until(() => alarms('scrub_failed') > 0));
      const { line } = world.logged.find(({ line: each }) => each['kind'] === 'scrub_failed') ?? { line: {} };
      assert.deepEqual(line, { event: 'journal', kind: 'scrub_failed', fault: 'projection_altered', index: last?.['idx'] });
    });
  });

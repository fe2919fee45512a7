import { rows } from '../../src/persistence/database.ts';
import { createKeyEraser } from '../../src/persistence/journal-eraser.ts';
import { openKeyStore } from '../../src/persistence/journal-keys.ts';
import { startSequencer } from '../../src/persistence/journal-sequencer.ts';
import { migrate } from '../../src/persistence/migrate.ts';
import { assert, test } from '../support/check.ts';
import { frozenClock } from '../support/clock.ts';
import { databases, postgresOnly } from '../support/database.ts';
import { entryOf, type Kit, startKit } from './kit.ts';

const NOISE = Buffer.alloc(60, 7);
/** As the database's superuser, past the guard. */
const replace = (kit: Kit, table: string, where: string, wrapped: Buffer): Promise<Buffer> =>
  kit.database.asOwner(async (query) => {
    const [before] = await query(`select wrapped from journal_keys.${table} where ${where}`);
    await query(`alter table journal_keys.${table} disable trigger all`);
    await query(`update journal_keys.${table} set wrapped = $1 where ${where}`, [wrapped]);
    await query(`alter table journal_keys.${table} enable always trigger only_erased`);
    return before?.['wrapped'] as Buffer;
  });
const usagersOf = (kit: Kit): Promise<string[]> =>
  kit.database.asOwner(async (query) => (await query('select usager from journal.projection order by idx')).map((row) => String(row['usager'])));
const plant = (kit: Kit, party: string): Promise<unknown> =>
  kit.database.asOwner((query) => query('insert into journal_keys.person_key (party_id, wrapped) values ($1, $2)', [party, NOISE]));
const again = async (kit: Kit, timeoutMs?: number): Promise<string[]> => {
  const alarms: string[] = [];
  const sequencer = startSequencer({
    database: kit.database,
    macKey: kit.keys.mac,
    keys: kit.keys.store,
    clock: { now: () => new Date() },
    onAlarm: (alarm) => alarms.push(alarm.kind === 'halted' ? alarm.reason : alarm.kind),
  });
  await sequencer.flush(timeoutMs).catch(() => undefined);
  await sequencer.stop();
  return alarms;
};

for (const kind of databases()) {
  const on = { database: kind.kind };
  const title = (text: string): string => `${text} (${kind.kind})`;

  test(
    title('L6 a key that opens with nothing stops the entries of its party alone, is told once, and they follow once it is put right'),
    on,
    async (t) => {
      const kit = await startKit(t, kind);
      await plant(kit, 'usg_1');
      await kit.database.run(async (tx) => {
        for (let i = 0; i < 9; i++) await kit.journal.record(tx, entryOf(i));
      });
      await assert.rejects(kit.sequencer.flush(600), { code: 'journal_not_flushed' });
      await kit.database.run((tx) => kit.journal.record(tx, entryOf(0)));
      await kit.database.run((tx) => kit.journal.record(tx, entryOf(1)));
      await assert.rejects(kit.sequencer.flush(600), { code: 'journal_not_flushed' });
      assert.deepEqual(await usagersOf(kit), ['usg_0', 'usg_2', 'usg_0', 'usg_2', 'usg_0', 'usg_2', 'usg_0']);
      assert.deepEqual(kit.alarms, [{ kind: 'key_unreadable', table: 'journal_keys.person_key', whose: '301b876d238c' }]);
      assert.ok(!JSON.stringify(kit.alarms).includes('usg_'), 'a log names nobody');
      await assert.rejects(kit.journal.tagKey(kit.database.auto, 'usg_1'), { code: 'journal_key_unreadable' });
      await kit.database.asOwner(async (query) => {
        await query('alter table journal_keys.person_key disable trigger all');
        await query("delete from journal_keys.person_key where party_id = 'usg_1'");
        await query('alter table journal_keys.person_key enable always trigger only_erased');
      });
      await kit.sequencer.stop();
      assert.deepEqual(await again(kit), []);
      assert.deepEqual((await usagersOf(kit)).slice(7), ['usg_1', 'usg_1', 'usg_1', 'usg_1']);
      await kit.sealing.seal();
      assert.deepEqual((await kit.verify()).faults, []);
    },
  );

  test(title('L6 a key altered after entries were written shows as entries that do not open, and is named by who verifies'), on, async (t) => {
    const kit = await startKit(t, kind);
    await kit.write(6);
    const before = await replace(kit, 'person_key', "party_id = 'usg_1'", NOISE);
    const read = await kit.journal.read(kit.database.auto, {});
    assert.deepEqual(
      read.filter(({ detail }) => detail === null).map(({ index }) => index),
      [4, 1],
    );
    const { faults } = await kit.verify();
    assert.deepEqual(
      faults.map(({ kind: fault, index, message }) => [fault, index, message.includes('journal_key_unreadable')]),
      [1, 4].map((index) => ['payload_unreadable', index, true]),
    );
    await createKeyEraser(kit.database).persons(['usg_1']);
    assert.equal((await kit.keys.store.load(kit.database.auto, { persons: ['usg_1'], periods: [] })).person('usg_1'), null, 'it can be erased');
    assert.equal(before.length, 60);
  });

  test(title('L6 a month’s key that opens with nothing halts the sequence, which says which'), on, async (t) => {
    const kit = await startKit(t, kind);
    await kit.write(1);
    await kit.sequencer.stop();
    const month = new Date().toISOString().slice(0, 7);
    const before = await replace(kit, 'period_key', `class = 'access' and period = '${month}'`, NOISE);
    await kit.database.run((tx) => kit.journal.record(tx, entryOf(1)));
    assert.match((await again(kit, 3000)).join(), new RegExp(`^the key of access ${month} in journal_keys.period_key opens with no key: put`));
    assert.equal((await usagersOf(kit)).length, 1);
    await replace(kit, 'period_key', `class = 'access' and period = '${month}'`, before);
    assert.deepEqual(await again(kit), []);
    assert.equal((await usagersOf(kit)).length, 2);
  });

  test(
    title('L6 a day’s key that opens with nothing stops the start, and of a running instance is told once while the former still serves'),
    on,
    async (t) => {
      const clock = frozenClock('2026-11-21T09:00:00Z');
      const kit = await startKit(t, kind, clock);
      await kit.database.asOwner((query) =>
        query("insert into journal_keys.period_key (class, period, wrapped) values ('queue', '2026-11-22', $1)", [NOISE]),
      );
      clock.set('2026-11-22T00:00:01Z');
      const alarmed = [{ kind: 'key_unreadable', table: 'journal_keys.period_key', whose: 'queue 2026-11-22' }];
      for (let i = 0; i < 100 && !kit.alarms.length; i++) {
        await kit.write(1);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      assert.deepEqual(kit.alarms, alarmed);
      await kit.write(3);
      assert.deepEqual(kit.alarms, alarmed);
      assert.deepEqual((await kit.verify()).faults, []);
      await assert.rejects(openKeyStore({ database: kit.database, kek: kit.keys.kek, clock }), {
        code: 'journal_key_unreadable',
        detail: 'the key of queue 2026-11-22 in journal_keys.period_key opens with no key: put that row back from a backup',
      });
    },
  );

  test(title('L6 after a sleep of days the day’s key is made inside the transaction that needs it, which stays the application’s'), on, async (t) => {
    const clock = frozenClock('2026-11-21T09:00:00Z');
    const kit = await startKit(t, kind, clock);
    await kit.write(1);
    clock.set('2026-11-27T09:00:00Z');
    const role = await kit.database.run(async (tx) => {
      await kit.journal.record(tx, entryOf(1));
      return rows<{ role: string }>(tx, { name: 'who', text: 'select current_user as role', values: [] });
    });
    assert.deepEqual(role, [{ role: 'relais_app' }]);
    await kit.sequencer.flush();
    await kit.sealing.seal();
    assert.deepEqual((await kit.verify()).faults, []);
    const days = await kit.database.asOwner((query) => query("select period from journal_keys.period_key where class = 'queue' order by 1"));
    assert.deepEqual(
      days.map(({ period }) => period),
      ['2026-11-21', '2026-11-27'],
    );
  });
}

const postgres = postgresOnly();
if (postgres)
  test('L6 in a key store apart too, keys are made by the sequencer’s role alone, and the application’s plants, alters and removes none (postgres)', {
    database: 'postgres',
  }, async (t) => {
    const apart = await postgres.fresh({ empty: true });
    t.after(apart.drop);
    await migrate(apart.database, undefined, 'key-store');
    const clock = { now: () => new Date() };
    const kek = Buffer.alloc(32, 1);
    const store = await openKeyStore({ database: apart.database, apart: true, kek, clock });
    const asked = { persons: ['usg_1'], periods: [{ class: 'access' as const, period: '2026-11' }] };
    const elsewhere = apart.database.auto; // nothing of the journal's own connection reaches a store apart
    const [one, two] = await Promise.all([store.make(elsewhere, asked), store.make(elsewhere, asked)]);
    assert.ok(one.person('usg_1')?.equals(two.person('usg_1') ?? Buffer.alloc(0)), 'one key, whoever was first');
    const state = () =>
      apart.database.asOwner((query) =>
        query('select to_jsonb(p)::text from journal_keys.person_key p union all select to_jsonb(p)::text from journal_keys.period_key p order by 1'),
      );
    const before = await state();
    assert.equal(before.length, 3);
    for (const [i, text] of [
      "insert into journal_keys.person_key (party_id, wrapped) values ('usg_2', '\\x00')",
      "insert into journal_keys.person_key (party_id, wrapped, erased_at) values ('usg_2', null, now())",
      "insert into journal_keys.period_key (class, period, wrapped) values ('queue', '2031-01-01', '\\x00')",
      "update journal_keys.person_key set wrapped = '\\x00'",
      'update journal_keys.period_key set wrapped = null, erased_at = now()',
      'delete from journal_keys.person_key',
      'truncate journal_keys.period_key',
    ].entries())
      await assert.rejects(rows(apart.database.auto, { name: `plant-${i}`, text, values: [] }), { code: '42501' }, text);
    assert.deepEqual(await state(), before);
    const sequencer = await apart.database.dedicated('relais_sequencer');
    t.after(() => sequencer.release());
    const erased = "insert into journal_keys.person_key (party_id, wrapped, erased_at) values ('usg_2', null, now())";
    await assert.rejects(rows(sequencer.auto, { name: 'erased', text: erased, values: [] }), { code: '42501' }, 'nor does the sequencer erase');
  });

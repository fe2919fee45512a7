import type { Entry } from '../../src/journal/event.ts';
import { createHolds } from '../../src/journal/holds.ts';
import { createRetention } from '../../src/journal/retention.ts';
import { holdStore } from '../../src/persistence/holds.ts';
import { createKeyEraser } from '../../src/persistence/journal-eraser.ts';
import { createRetentionStore } from '../../src/persistence/retention.ts';
import { assert, test } from '../support/check.ts';
import { frozenClock } from '../support/clock.ts';
import { databases } from '../support/database.ts';
import { WITHOUT_ENTRY } from '../support/never.ts';
import { type Kit, startKit } from './kit.ts';

const access = (i: number): Entry => ({ type: 'session.refused', usager: `usg_${i % 2}`, aidant: 'aid_a', detail: { reason: `reason ${i}` } });
const staff: Entry = { type: 'organisation.suspended', organisation: 'org_a', detail: { reason: 'closed' } };
const mandate: Entry = { type: 'mandate.ended', usager: 'usg_0', detail: { reason: 'expired', themes: ['logement'] } };
const heartbeat: Entry = { type: 'log.heartbeat', detail: {} };

const NOTHING = { links: 0, answers: 0, channels: 0, scans: 0 };

const write = async (kit: Kit, ...entries: Entry[]): Promise<void> => {
  await kit.database.run((tx) =>
    kit.journal.recordAll(
      tx,
      entries.map((entry) => ({ entry })),
    ),
  );
  await kit.sequencer.flush();
  await kit.sealing.seal();
};

/** Of each entry, whether what it says can be read, and who did it. */
const read = async (kit: Kit): Promise<Map<number, { said: boolean; actor: boolean }>> =>
  new Map(
    (await kit.journal.prove(kit.database.auto, { limit: 500 })).map((one) => [
      one.index,
      { said: one.boxes.subject !== undefined, actor: one.boxes.actor !== undefined },
    ]),
  );

const faults = async (kit: Kit, options: Parameters<Kit['verify']>[0] = {}) =>
  (await kit.verify({ withoutState: true, ...options })).faults.map((fault) => [fault.kind, fault.index]);

for (const kind of databases()) {
  const on = { database: kind.kind } as const;
  const made = async (t: Parameters<typeof startKit>[0], at: string) => {
    const clock = frozenClock(at);
    const kit = await startKit(t, kind, clock);
    const common = { transactions: kit.database, journal: kit.journal, clock };
    const retention = createRetention({ ...common, store: createRetentionStore(kit.database), keys: createKeyEraser(kit.database) });
    return { kit, clock, retention, holds: createHolds({ ...common, store: holdStore }) };
  };

  test(
    `J10 the key of a month is destroyed when its time is over, not a day before: that month unreadable for all, its neighbours intact (§6.33) (${kind.kind})`,
    on,
    async (t) => {
      const { kit, clock, retention, holds } = await made(t, '2024-11-15T10:00:00Z');
      await write(kit, access(0), access(1), staff, heartbeat); // 0 to 3
      clock.set('2024-12-01T00:00:00Z');
      await write(kit, access(2), mandate); // 4, 5
      clock.set('2025-11-30T23:59:59Z');
      const early = await retention.run();
      assert.deepEqual([early.keys, early.queueDays], [[], ['2024-11-15', '2024-12-01']], 'only keys of the queue');
      assert.equal(
        [...(await read(kit)).values()].every(({ said }) => said),
        true,
      );

      clock.set('2025-12-01T00:00:00Z');
      const held = await holds.place({ class: 'access', month: '2024-11', ground: 'judge', by: 'opr_a' });
      const kept = await retention.run();
      assert.deepEqual([kept.keys, kept.held], [[], [{ class: 'access', month: '2024-11' }]], 'a hold is honoured');
      assert.equal((await read(kit)).get(0)?.said, true);
      assert.ok('hold' in held && 'hold' in (await holds.lift(held.hold, 'opr_a')));
      const planned = await retention.plan();
      assert.deepEqual(planned, {
        keys: [{ class: 'access', month: '2024-11', entries: 2 }],
        held: [],
        queueDays: [],
        dropped: [],
        returned: 0,
        rows: NOTHING,
      });
      assert.deepEqual(await retention.plan(), planned, 'saying it changes nothing');
      assert.deepEqual(await retention.run(), planned, 'what was said is what is done');
      await kit.sequencer.flush();
      await kit.sealing.seal();

      const after = await read(kit);
      assert.deepEqual(
        [0, 1].map((i) => after.get(i)?.said),
        [false, false],
      );
      assert.deepEqual(
        [0, 1].map((i) => after.get(i)?.actor),
        [true, true],
        'who acted has its own time',
      );
      assert.deepEqual(
        [2, 3, 4, 5].map((i) => after.get(i)?.said),
        [true, true, true, true],
      );
      assert.deepEqual(await holds.place({ class: 'access', month: '2024-11', ground: 'judge', by: 'opr_a' }), { refused: 'already_erased' });
      assert.deepEqual([await faults(kit), await faults(kit, { withoutKey: true })], [[], []]);
      const [said] = await kit.journal.read(kit.database.auto, { types: ['erasure.executed'] });
      assert.deepEqual(said?.detail, { scope: 'period', class: 'access', month: '2024-11', ground: 'retention', entries: 2 });
      assert.equal((await retention.run()).keys.length, 0, 'once');
      assert.deepEqual(await kit.database.asOwner((query) => query(WITHOUT_ENTRY)), []);
      assert.equal((await kit.database.asOwner((query) => query('select 1 from happened'))).length, 1);
    },
  );

  test(
    `J10 when every class of a month is over its sealed parts leave the database, those of the log stay, and the journal holds (§6.33) (${kind.kind})`,
    on,
    async (t) => {
      const { kit, clock, retention } = await made(t, '2024-11-15T10:00:00Z');
      await write(kit, access(0), access(1), staff, heartbeat, mandate); // 0 to 4
      clock.set('2030-12-31T23:59:59Z');
      assert.deepEqual((await retention.run()).dropped, []);
      clock.set('2031-01-01T00:00:00Z');
      const planned = await retention.plan();
      assert.deepEqual([planned.keys.map((one) => one.class), planned.dropped], [['mandate'], [{ month: '2024-11', entries: 4 }]]);
      assert.deepEqual(await retention.run(), planned);
      await kit.sequencer.flush();
      await kit.sealing.seal();
      const left = await kit.database.asOwner((query) => query("select idx::int from journal.payload where month = '2024-11-01'"));
      assert.deepEqual(
        left.map((row) => row['idx']),
        [3],
      );
      const [said] = await kit.journal.read(kit.database.auto, { types: ['partition.dropped'] });
      assert.deepEqual(said?.detail, { month: '2024-11', entries: 4 });
      assert.deepEqual([await faults(kit), await faults(kit, { withoutKey: true })], [[], []]);
      await assert.rejects(
        kit.database.asOwner((query) => query('delete from journal.payload where idx = 3')),
        /append-only/,
      );
      await kit.tamper(['delete from journal.payload where idx = 3']);
      assert.deepEqual(await faults(kit), [['payload_missing', 3]], 'what stays with the log is missed');
    },
  );

  test(`J4 a sealed part, a key of a person or a key of a month that is gone without an entry is named (§6.25) (${kind.kind})`, on, async (t) => {
    const { kit, clock, retention } = await made(t, '2025-03-01T10:00:00Z');
    await write(kit, staff, access(1), access(0), mandate); // 0 to 3; usg_1 has 1, usg_0 has 2 and 3
    const keys = createKeyEraser(kit.database);
    assert.deepEqual(await faults(kit), []);
    await kit.keep();
    await kit.tamper(['delete from journal.payload where idx = 2']);
    assert.deepEqual(await faults(kit), [['payload_missing', 2]]);
    assert.deepEqual(await faults(kit, { withoutKey: true }), [['payload_missing', 2]]);
    await kit.restore();
    const back = await kit.database.asOwner((query) => query('select class, wrapped from journal_keys.period_key'));
    await keys.period('access', '2025-03');
    assert.deepEqual(await faults(kit), [['erasure_unaccounted', 1]]);
    const put = (name: string, period: string) =>
      kit.database.asOwner(async (query) => {
        await query('alter table journal_keys.period_key disable trigger all');
        await query('update journal_keys.period_key set wrapped = $1, erased_at = null where class = $2 and period = $3', [
          back.find((row) => row['class'] === name)?.['wrapped'],
          name,
          period,
        ]);
        await query('alter table journal_keys.period_key enable always trigger only_erased');
      });
    await put('access', '2025-03');
    assert.deepEqual(await faults(kit), []);

    clock.set('2026-04-01T00:00:00Z');
    assert.equal((await retention.run()).keys.length, 1);
    await kit.sequencer.flush();
    await kit.sealing.seal();
    assert.deepEqual(await faults(kit), []);
    await put('access', '2025-03');
    assert.deepEqual(await faults(kit), [['erasure_unaccounted', 4]], 'a key that came back is named at the entry that says it is destroyed');
    assert.equal((await retention.run()).returned, 1, 'and the next run destroys it again');
    assert.deepEqual(await faults(kit), []);
    await keys.persons(['usg_0']);
    assert.deepEqual(await faults(kit), [['erasure_unaccounted', 2]]);
  });
}

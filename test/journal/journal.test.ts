import { proveInclusion, verifyInclusion } from '../../src/journal/proof.ts';
import { leafHash } from '../../src/journal/tree.ts';
import { randomUuid } from '../../src/kernel/crypto.ts';
import { run } from '../../src/persistence/database.ts';
import { createJournal } from '../../src/persistence/journal.ts';
import { startSequencer } from '../../src/persistence/journal-sequencer.ts';
import { hashSource, lastCheckpoint } from '../../src/persistence/journal-source.ts';
import { until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { frozenClock } from '../support/clock.ts';
import { databases, openSecond } from '../support/database.ts';
import { entryOf, startKit } from './kit.ts';

const SYSTEM = ['head', 'leaf', 'tile', 'payload', 'receipt', 'projection', 'checkpoint', 'queue'];
const count = async (query: (text: string) => Promise<Record<string, unknown>[]>, table: string): Promise<number> =>
  Number((await query(`select count(*)::int as n from journal.${table}`))[0]?.['n']);

for (const kind of databases()) {
  const on = { database: kind.kind };
  const title = (text: string): string => `${text} (${kind.kind})`;

  test(title('J1 a rolled back change leaves no entry; N parallel commits are N entries, contiguous (§6.9)'), on, async (t) => {
    const kit = await startKit(t, kind);
    await assert.rejects(
      kit.database.run(async (tx) => {
        await kit.journal.record(tx, entryOf(0));
        throw new Error('changed my mind');
      }),
      /changed my mind/,
    );
    const ids = await Promise.all(Array.from({ length: 300 }, (_, i) => kit.database.run((tx) => kit.journal.record(tx, entryOf(i)))));
    kit.journal.nudge();
    const receipts = await Promise.all(ids.map((id) => kit.journal.receipt(id)));
    assert.deepEqual(
      receipts.map((receipt) => receipt?.index ?? -1).sort((a, b) => a - b),
      Array.from({ length: 300 }, (_, i) => i),
    );
    await kit.database.asOwner(async (query) => {
      for (const table of ['leaf', 'payload', 'receipt', 'projection']) assert.equal(await count(query, table), 300);
      assert.deepEqual([await count(query, 'queue'), await count(query, 'tile')], [0, 1]);
    });
    assert.deepEqual(await kit.sealing.seal(), { size: 300 });
    const report = await kit.verify();
    assert.deepEqual(report.faults, []);
    assert.deepEqual([report.ok, report.size, report.sealed, report.checked], [true, 300, 300, 300]);
    assert.deepEqual(kit.alarms, []);
  });

  test(title('J1 the same event fifty times in parallel, then again later, is one entry with one receipt (§6.10)'), on, async (t) => {
    const kit = await startKit(t, kind);
    const eventId = randomUuid();
    const once = (): Promise<string> => kit.database.run((tx) => kit.journal.record(tx, entryOf(1), eventId));
    await Promise.all(Array.from({ length: 50 }, once));
    const first = await kit.journal.receipt(eventId);
    await once();
    await kit.sequencer.flush();
    const elsewhere = createJournal({
      transactions: kit.database,
      keys: kit.keys.store,
      macKey: kit.keys.mac,
      origin: kit.origin,
      writer: 'cli',
      clock: { now: () => new Date() },
    });
    assert.deepEqual(await elsewhere.receipt(eventId), first);
    assert.equal(first?.index, 0);
    await kit.database.asOwner(async (query) => assert.equal(await count(query, 'leaf'), 1));
  });

  test(title('a receipt names the leaf that an inclusion proof shows in the signed tree, and unknown events have none'), on, async (t) => {
    const kit = await startKit(t, kind);
    const ids = await kit.write(9);
    const receipt = await kit.journal.receipt(ids[4] ?? '');
    assert.equal(receipt?.origin, kit.origin);
    const sealed = await lastCheckpoint(kit.database.auto);
    assert.ok(receipt && sealed);
    const proof = await proveInclusion(hashSource(kit.database.auto), receipt.index, sealed.size);
    assert.ok(verifyInclusion(Buffer.from(receipt.leaf, 'base64url'), receipt.index, sealed.size, proof, sealed.root));
    assert.equal(await kit.journal.receipt(randomUuid(), 60), undefined);
  });

  test(title('entries are read back opened, newest first, by any filter'), on, async (t) => {
    const kit = await startKit(t, kind);
    await kit.write(10);
    const { auto } = kit.database;
    const all = await kit.journal.read(auto, {});
    assert.deepEqual(
      all.map((entry) => entry.index),
      [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    );
    assert.deepEqual([all[0]?.usager, all[0]?.type, all[0]?.detail], ['usg_0', 'session.refused', { reason: 'reason 9' }]);
    assert.deepEqual(
      (await kit.journal.read(auto, { usager: 'usg_1' })).map((entry) => entry.index),
      [7, 4, 1],
    );
    assert.deepEqual(
      (await kit.journal.read(auto, { usager: 'usg_1', before: 7, limit: 1 })).map((entry) => entry.index),
      [4],
    );
    assert.equal(
      (
        await kit.journal.read(auto, {
          types: ['session.refused'],
          service: 'impots',
          outcome: 'refused',
          from: new Date(0),
          until: new Date(8e12),
          limit: 3,
        })
      ).length,
      3,
    );
    assert.equal((await kit.journal.read(auto, { types: ['mandate.created'] })).length, 0);
    assert.equal(
      (await kit.journal.read(auto, { session: 'dls_x' })).length +
        (await kit.journal.read(auto, { administration: 'adm_x', theme: 'argent', demarche: 'x' })).length,
      0,
    );
    const blind = createJournal({
      transactions: kit.database,
      keys: { ...kit.keys.store, load: async () => ({ person: () => null, period: () => null }) },
      macKey: kit.keys.mac,
      origin: kit.origin,
      writer: 'cli',
      clock: { now: () => new Date() },
    });
    assert.equal((await blind.read(auto, { limit: 1 }))[0]?.detail, null);
  });

  test(title('J3 neither the application nor the sequencer can change or remove what was written'), on, async (t) => {
    const kit = await startKit(t, kind);
    await kit.write(260);
    const allowed = new Set(['relais_sequencer update head', 'relais_sequencer delete queue']);
    let refusals = 0;
    for (const role of ['relais_app', 'relais_sequencer'] as const)
      for (const table of SYSTEM)
        for (const [verb, text] of Object.entries({
          update: `update journal.${table} set ${table === 'checkpoint' || table === 'head' ? 'size = size' : table === 'tile' ? 'n = n' : table === 'queue' ? 'type = type' : 'idx = idx'}`,
          delete: `delete from journal.${table}`,
          truncate: `truncate journal.${table}`,
          drop: `drop table journal.${table}`,
          alter: `alter table journal.${table} disable trigger all`,
        })) {
          if (allowed.has(`${role} ${verb} ${table}`)) continue;
          refusals++;
          await assert.rejects(
            kit.database.asOwner(async (query) => {
              await query(`set role ${role}`);
              try {
                await query(text);
              } finally {
                await query('reset role');
              }
            }),
            { code: '42501' },
            `${role}: ${text}`,
          );
        }
    // Whoever owns the tables must take the triggers off first.
    for (const [table, column] of Object.entries({ leaf: 'idx', receipt: 'idx', checkpoint: 'size', payload: 'idx', projection: 'idx', tile: 'n' }))
      for (const text of [`update journal.${table} set ${column} = ${column}`, `delete from journal.${table}`, `truncate journal.${table}`])
        await assert.rejects(
          kit.database.asOwner((query) => query(text)),
          /append-only/,
          `the owner: ${text}`,
        );
    for (const table of ['leaf', 'head', 'receipt', 'checkpoint', 'payload', 'projection', 'tile'])
      await assert.rejects(
        kit.database.asOwner(async (query) => {
          await query('set role relais_app');
          try {
            await query(`insert into journal.${table} select * from journal.${table}`);
          } finally {
            await query('reset role');
          }
        }),
        { code: '42501' },
        `relais_app: insert into ${table}`,
      );
    // A superuser meets the triggers first: they turn a mistake into an error, no more.
    for (const table of ['leaf', 'tile', 'payload', 'receipt', 'projection', 'checkpoint'])
      await assert.rejects(
        kit.database.asOwner((query) => query(`delete from journal.${table}`)),
        { code: '42501' },
      );
    assert.equal(refusals, 2 * 8 * 5 - allowed.size);
    assert.ok((await kit.verify()).ok);
  });

  test(title('a row that the writer did not write is removed, loudly, and never sequenced'), on, async (t) => {
    const kit = await startKit(t, kind);
    await kit.sequencer.stop();
    const [forged, altered, absurd] = [randomUuid(), randomUuid(), randomUuid()];
    await kit.database.run((tx) => kit.journal.record(tx, entryOf(1)));
    await kit.database.run((tx) => kit.journal.record(tx, entryOf(2), altered));
    await kit.database.asOwner(async (query) => {
      await query(
        `insert into journal.queue (event_id, type, class, writer, at, parties, box, sealed_with, commitment, mac)
        select $1, type, class, writer, at, parties, box, sealed_with, commitment, mac from journal.queue limit 1`,
        [forged],
      );
      await query(
        `insert into journal.queue (event_id, type, class, writer, at, parties, box, sealed_with, commitment, mac)
        select $1, type, class, writer, '-infinity', '[1e999]', box, sealed_with, commitment, mac from journal.queue limit 1`,
        [absurd],
      );
      await query(`update journal.queue set parties = '{"usager":"usg_else"}' where event_id = $1`, [altered]);
    });
    const alarms: string[] = [];
    const again = startSequencer({
      database: kit.database,
      macKey: kit.keys.mac,
      keys: kit.keys.store,
      clock: { now: () => new Date() },
      onAlarm: (alarm) => alarms.push(alarm.kind === 'forged_entry' ? alarm.eventId : alarm.kind),
    });
    await again.flush();
    assert.deepEqual(alarms.sort(), [forged, altered, absurd].sort());
    await again.stop();
    await kit.database.asOwner(async (query) => assert.equal(await count(query, 'leaf'), 1));
  });

  test(
    title('J1 rows that the application’s role plants for later are removed, however many, and do not count as waiting for ever'),
    on,
    async (t) => {
      const kit = await startKit(t, kind);
      await kit.write(1);
      const plant = `insert into journal.queue (event_id, type, class, writer, at, parties, box, sealed_with, commitment, mac)
      select gen_random_uuid(), 'log.heartbeat', 'log', 'app', case n % 2 when 0 then 'infinity' else '3000-01-01'::timestamptz end, '{}', '\\x00', '2026-11-21', sha256('c'), sha256('m')
      from generate_series(1, 5000) n`;
      await run(kit.database.auto, { name: 'plant', text: plant, values: [] });
      const counted = async (): Promise<number> =>
        Number((await kit.database.asOwner((query) => query('select count(*)::int n from journal.queue')))[0]?.['n']);
      assert.ok(await until(async () => (await counted()) === 0, 10_000));
      assert.ok(await until(() => kit.sequencer.waiting() === 0), 'and are not counted any more');
      assert.equal(kit.alarms.filter((alarm) => alarm.kind === 'forged_entry').length, 5000);
      await kit.write(2, 1);
      assert.deepEqual((await kit.verify()).faults, []);
    },
  );

  test(title('time never goes back in the journal: late entries say so, those from a clock ahead wait (§6.15)'), on, async (t) => {
    const clock = frozenClock();
    const kit = await startKit(t, kind, clock);
    const at = (iso: string) => ({ now: () => new Date(iso) });
    const other = (iso: string) =>
      createJournal({ transactions: kit.database, keys: kit.keys.store, macKey: kit.keys.mac, origin: kit.origin, writer: 'cli', clock: at(iso) });
    await other('2026-11-21T08:59:54.000Z').record(kit.database.auto, entryOf(0));
    await other('2026-11-21T08:59:58.000Z').record(kit.database.auto, entryOf(1));
    await other('2026-11-21T09:00:01.500Z').record(kit.database.auto, entryOf(2));
    await kit.sequencer.flush();
    const early = await other('2026-11-21T09:00:03.000Z').record(kit.database.auto, entryOf(3));
    assert.equal(await kit.journal.receipt(early, 80), undefined);
    clock.set('2026-11-21T09:00:01.200Z');
    assert.equal((await kit.journal.receipt(early))?.index, 3);
    clock.set('2026-11-21T08:00:00.000Z');
    await kit.write(1);
    const leaves = await kit.database.asOwner((query) => query(`select convert_from(leaf, 'UTF8') as leaf from journal.leaf order by idx`));
    const read = leaves.map(({ leaf }) => JSON.parse(String(leaf)) as { t: string; o?: string; p?: unknown; w: string });
    assert.deepEqual(
      read.map(({ t: time, o, p }) => [time.slice(11, 23), o?.slice(11, 23), p]),
      [
        ['09:00:00.000', '08:59:54.000', { late: 'waited' }],
        ['09:00:00.000', '08:59:58.000', undefined],
        ['09:00:00.000', '09:00:01.500', undefined],
        ['09:00:01.200', '09:00:03.000', undefined],
        ['09:00:01.200', '08:00:00.000', { late: 'waited' }],
      ],
    );
    assert.deepEqual(
      read.map(({ w }) => w),
      ['cli', 'cli', 'cli', 'cli', 'app'],
    );
    assert.ok((await kit.verify()).ok);
  });

  test(title('J13 what users write stays one line in leaf, payload and projection'), on, async (t) => {
    const kit = await startKit(t, kind);
    const nasty = 'a\r\nb\u001b[31mc\u0000d\u202ee\u2028f\ud800';
    const id = await kit.database.run((tx) =>
      kit.journal.record(tx, { type: 'journal.read', usager: nasty, outcome: nasty, detail: { reason: nasty, entries: 1 } }),
    );
    assert.ok(await kit.journal.receipt(id));
    await kit.sealing.seal();
    const [entry] = await kit.journal.read(kit.database.auto, {});
    const line = 'a\\u{d}\\u{a}b\\u{1b}[31mc\\u{0}d\\u{202e}e\\u{2028}f\ufffd';
    assert.deepEqual([entry?.usager, entry?.outcome, entry?.detail], [line, line, { reason: line, entries: 1 }]);
    const stored = await kit.database.asOwner((query) => query('select leaf from journal.leaf'));
    const bytes = stored[0]?.['leaf'];
    assert.ok(Buffer.isBuffer(bytes) && /^[\x20-\x7e]+$/.test(bytes.toString('latin1')));
    assert.equal(leafHash(bytes).toString('base64url'), entry?.leaf);
    assert.deepEqual((await kit.verify()).faults, []);
  });

  test(title('when too much waits, nothing more is promised'), on, async (t) => {
    const kit = await startKit(t, kind);
    const full = createJournal({
      transactions: kit.database,
      keys: kit.keys.store,
      macKey: kit.keys.mac,
      origin: kit.origin,
      writer: 'app',
      clock: { now: () => new Date() },
      sequencer: { nudge: () => undefined, waiting: () => 4097, leading: () => false, onSequenced: () => undefined },
    });
    await assert.rejects(
      kit.database.run((tx) => full.record(tx, entryOf(0))),
      { code: 'journal_full' },
    );
    await kit.database.asOwner(async (query) => assert.equal(await count(query, 'queue'), 0));
  });

  test(title('a head changed by hand halts the sequencer, and entries wait'), on, async (t) => {
    const kit = await startKit(t, kind);
    await kit.write(5);
    await kit.tamper(['delete from journal.leaf where idx = 4'], [`update journal.head set size = 4, root = sha256('x')`]);
    await kit.journal.record(kit.database.auto, entryOf(6));
    await assert.rejects(kit.sequencer.flush(3000), { code: 'journal_not_flushed' });
    assert.equal(kit.alarms[0]?.kind, 'halted');
    await kit.database.asOwner(async (query) => assert.equal(await count(query, 'queue'), 1));
  });

  if (kind.kind === 'postgres')
    test(title('two instances: one leads, the other takes over without a gap, and receipts reach both'), on, async (t) => {
      const kit = await startKit(t, kind);
      await kit.write(3);
      const second = await openSecond(kit.url ?? '');
      const clock = { now: () => new Date() };
      const follower = startSequencer({ database: second, macKey: kit.keys.mac, keys: kit.keys.store, clock });
      const journal = createJournal({
        transactions: second,
        keys: kit.keys.store,
        macKey: kit.keys.mac,
        origin: kit.origin,
        writer: 'app',
        clock,
        sequencer: follower,
      });
      try {
        assert.equal((await journal.receipt(await journal.record(second.auto, entryOf(3))))?.index, 3);
        assert.deepEqual([kit.sequencer.leading(), follower.leading()], [true, false]);
        await kit.sequencer.stop();
        assert.equal((await journal.receipt(await journal.record(second.auto, entryOf(4))))?.index, 4);
        assert.ok(follower.leading());
        const head = await kit.database.asOwner((query) => query('select epoch from journal.head'));
        assert.equal(head[0]?.['epoch'], 2);
      } finally {
        await follower.stop();
        await second.close();
      }
      await kit.sealing.seal();
      assert.deepEqual((await kit.verify()).faults, []);
    });
}

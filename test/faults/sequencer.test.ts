import { createHeartbeat } from '../../src/journal/heartbeat.ts';
import { createJournal } from '../../src/persistence/journal.ts';
import { startSequencer } from '../../src/persistence/journal-sequencer.ts';
import { entryOf, type Kit, startKit } from '../journal/kit.ts';
import { until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases, openSecond } from '../support/database.ts';

const types = async (kit: Kit): Promise<string[]> => (await kit.journal.read(kit.database.auto, {})).map((entry) => entry.type).reverse();

for (const kind of databases()) {
  const on = { database: kind.kind };
  const title = (text: string): string => `${text} (${kind.kind})`;

  test(title('J1 a journal that nothing happens in says that it lives, once, and not while entries flow'), on, async (t) => {
    const kit = await startKit(t, kind);
    let passed = 0;
    const elapsed = (): number => passed;
    const heartbeat = createHeartbeat({ transactions: kit.database, journal: kit.journal, sequencer: kit.sequencer, elapsed });
    await kit.write(1);
    assert.ok(kit.sequencer.leading());
    assert.equal(await heartbeat.beat(), 0, 'not idle yet');
    for (let i = 1; i < 5; i++) {
      passed += 59_000;
      await kit.write(1, i);
      assert.equal(await heartbeat.beat(), 0, 'entries flow');
    }
    passed += 60_000;
    assert.equal(await heartbeat.beat(), 1);
    await kit.sequencer.flush();
    assert.equal(await heartbeat.beat(), 0, 'the heartbeat is an entry itself');
    passed += 60_000;
    assert.equal(await heartbeat.beat(), 1);
    await kit.sequencer.flush();
    assert.deepEqual((await types(kit)).slice(4), ['session.refused', 'log.heartbeat', 'log.heartbeat']);
    await kit.sealing.seal();
    assert.deepEqual((await kit.verify()).faults, []);
  });

  test(title('J2 a sequencer that halted still counts what waits, and nothing is promised beyond the limit (§6.14)'), on, async (t) => {
    const kit = await startKit(t, kind);
    await kit.write(2);
    await kit.tamper([`update journal.head set root = sha256('x')`]);
    await kit.database.run((tx) => kit.journal.record(tx, entryOf(2)));
    await assert.rejects(kit.sequencer.flush(8000), { code: 'journal_not_flushed' });
    assert.equal(kit.alarms.at(-1)?.kind, 'halted');
    await kit.database.run((tx) =>
      kit.journal.recordAll(
        tx,
        Array.from({ length: 4096 }, (_, i) => ({ entry: entryOf(i) })),
      ),
    );
    const full = (): boolean => kit.sequencer.waiting() > 4096;
    assert.ok(await until(full, 5000));
    await assert.rejects(
      kit.database.run((tx) => kit.journal.record(tx, entryOf(3))),
      { code: 'journal_full' },
    );
  });

  if (kind.kind === 'postgres')
    test(title('J1 of two instances, only the one that leads says that the journal lives; the other does once it leads'), on, async (t) => {
      const kit = await startKit(t, kind);
      await kit.write(1);
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
      let passed = 0;
      const elapsed = (): number => passed;
      const beats = [
        createHeartbeat({ transactions: kit.database, journal: kit.journal, sequencer: kit.sequencer, elapsed }),
        createHeartbeat({ transactions: second, journal, sequencer: follower, elapsed }),
      ];
      try {
        passed += 60_000;
        assert.deepEqual(await Promise.all(beats.map((each) => each.beat())), [1, 0]);
        await kit.sequencer.stop();
        assert.ok(await until(() => follower.leading()));
        passed += 60_000;
        assert.deepEqual(await Promise.all(beats.map((each) => each.beat())), [0, 1]);
        await follower.flush();
      } finally {
        await follower.stop();
        await second.close();
      }
      assert.deepEqual(await types(kit), ['session.refused', 'log.heartbeat', 'log.heartbeat']);
    });
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT } from '../../src/cli/command.ts';
import { exitOfFault } from '../../src/cli/journal.ts';
import { openCheckpoint, writeVkey } from '../../src/journal/note.ts';
import { readPolicy } from '../../src/journal/policy.ts';
import { verify } from '../../src/journal/verify.ts';
import { openWitness } from '../../src/journal/witness.ts';
import { serveWitness } from '../../src/journal/witness-server.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { openPostgres } from '../../src/persistence/database.ts';
import { createJournal } from '../../src/persistence/journal.ts';
import { openKeyStore } from '../../src/persistence/journal-keys.ts';
import { startSealing } from '../../src/persistence/journal-sealing.ts';
import { startSequencer } from '../../src/persistence/journal-sequencer.ts';
import { journalSource } from '../../src/persistence/journal-source.ts';
import { createWitnessing, type WitnessAlarm } from '../../src/persistence/journal-witnessing.ts';
import { entryOf, startKit } from '../journal/kit.ts';
import { assert, test } from '../support/check.ts';
import { postgresAt, postgresOnly } from '../support/database.ts';
import { startPostgres } from '../support/postgres.ts';

if (postgresOnly())
  test('J4 J5 a base backup of yesterday that is put back is refused by the signer and by the witness, and named by verify (§6.21)', {
    database: 'postgres',
  }, async (t) => {
    const cluster = await startPostgres();
    const kit = await startKit(t, postgresAt(cluster.url));
    const [log] = kit.trusted;
    assert.ok(log && kit.url);
    const witness = openWitness({ folder: join(kit.folder, 'witness'), name: 'w.example', logs: [log], clock: systemClock });
    const server = await serveWitness({ witness, port: 0, host: '127.0.0.1' });
    t.after(() => server.close());
    const policy = readPolicy(`log ${writeVkey(log)}\nwitness w ${writeVkey(witness.verifier)} http://127.0.0.1:${server.port}\nquorum w\n`);
    const alarms: WitnessAlarm[] = [];
    /** Puts the newest checkpoint of a database to the witness, and waits for what comes of it. */
    const putTo = async (database: typeof kit.database, came: () => boolean): Promise<void> => {
      const witnessing = createWitnessing({ policy, clock: systemClock, onAlarm: (alarm) => alarms.push(alarm) });
      const connection = await database.dedicated('relais_sequencer');
      await witnessing.ask(connection.auto, true);
      for (const end = performance.now() + 5000; !came() && performance.now() < end; ) await new Promise((resume) => setTimeout(resume, 20));
      await witnessing.stop();
      await connection.release();
    };

    await kit.write(30);
    const yesterday = cluster.backup();
    await kit.write(20, 30);
    await putTo(kit.database, () => witness.watched()[0]?.size === 50);
    assert.deepEqual([(await kit.verify()).faults, witness.watched()[0]?.size], [[], 50]);
    const seen = readFileSync(join(kit.folder, 'seen'), 'utf8');
    await kit.sealing.stop();
    await kit.sequencer.stop();
    await cluster.restore(yesterday);

    // The instances that start again, on what was put back; the signer and the witness were not.
    const database = await openPostgres(kit.url);
    const store = await openKeyStore({ database, kek: kit.keys.kek, clock: systemClock });
    const sequencer = startSequencer({ database, macKey: kit.keys.mac, keys: store, clock: systemClock, onAlarm: () => undefined });
    const sealing = startSealing({ database, sequencer, signer: kit.signer, clock: systemClock, everyMs: 3_600_000 });
    t.after(async () => {
      await sealing.stop();
      await sequencer.stop();
      await database.close();
    });
    t.after(() => cluster.stop()); // last: the kit drops its database before
    const journal = createJournal({
      transactions: database,
      keys: store,
      macKey: kit.keys.mac,
      origin: kit.origin,
      writer: 'app',
      clock: systemClock,
      sequencer,
    });
    const check = () => verify({ source: journalSource(database), origin: kit.origin, trusted: kit.trusted, stateFile: join(kit.folder, 'seen') });
    const sealed = async () => {
      const answer = await sealing.seal();
      return 'refused' in answer ? answer.refused : answer.size;
    };
    assert.equal(await sealed(), 'smaller_tree');
    await putTo(database, () => alarms.length === 1);
    assert.deepEqual(alarms, [{ kind: 'witness_ahead', witness: 'w', size: 30, known: 50 }]);
    const [fault] = (await check()).faults;
    assert.ok(fault);
    assert.deepEqual([fault.kind, fault.index, exitOfFault(fault.kind)], ['rolled_back', 30, EXIT.continuity]);

    // Life goes on, beyond where it had been: another history, which the signer does not sign.
    await database.run(async (tx) => {
      for (let i = 0; i < 40; i++) await journal.record(tx, entryOf(i));
    });
    await sequencer.flush();
    assert.equal(await sealed(), 'inconsistent_proof');
    const forked = await check();
    assert.deepEqual([forked.size, forked.sealed, forked.faults[0]?.kind], [70, 30, 'fork']);
    const [last] = await database.asOwner((query) => query('select max(size)::int as size from journal.checkpoint'));
    assert.equal(last?.['size'], 30, 'nothing of it was signed');
    assert.deepEqual([witness.watched()[0]?.size, openCheckpoint(seen, kit.origin, [log]).size], [50, 50]);
    assert.equal(readFileSync(join(kit.folder, 'seen'), 'utf8'), seen, 'what was seen is not forgotten');
  });

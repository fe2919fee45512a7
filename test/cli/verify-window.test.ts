import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT } from '../../src/cli/command.ts';
import type { CommandContext } from '../../src/cli/context.ts';
import { cosignNote, signNote, textOf, verifierOf, writeCheckpoint, writeVkey } from '../../src/journal/note.ts';
import { createAccounts } from '../../src/journal/verify-erasure.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import { makePrivateKeyPem, publicKeyOf, randomBytes, readPrivateKey } from '../../src/kernel/crypto.ts';
import { keepCosignature } from '../../src/persistence/journal-cosignatures.ts';
import { journalSource } from '../../src/persistence/journal-source.ts';
import { entryOf, type Kit, startKit } from '../journal/kit.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { runWith } from '../support/desk.ts';

/** `relais journal verify` of the database: from an entry on, and against the time that signatures took. */

const start = async (t: Parameters<typeof startKit>[0], kind: Parameters<typeof startKit>[1]) => {
  let ahead = 0;
  const clock: Clock = { now: () => new Date(Date.now() + ahead) };
  const kit: Kit = await startKit(t, kind, clock);
  const [key] = kit.trusted;
  assert.ok(key);
  const context: CommandContext = {
    mode: 'production',
    publicUrl: 'https://relais.example',
    varFolder: kit.folder,
    journalHost: 'example',
    database: kit.database,
    clock,
    keys: () => assert.fail('the key is given'),
    keyStore: async () => kit.keys.store,
    domain: () => assert.fail('nothing is decided'),
    enrolmentUrl: (token) => token,
  };
  const relais = (...args: string[]) => runWith(context, ['journal', 'verify', '--vkey', writeVkey(key), ...args]);
  /** What any file that is named holds. */
  relais.with = (file: string, ...args: string[]) => runWith(context, ['journal', 'verify', '--vkey', writeVkey(key), ...args], file);
  return {
    kit,
    pass: (minutes: number) => {
      ahead += minutes * 60_000;
    },
    relais,
    /** Entries that are in the log, and that nobody signed yet. */
    unsigned: async (count: number) => {
      await kit.database.run(async (tx) => {
        for (let i = 0; i < count; i++) await kit.journal.record(tx, entryOf(i));
      });
      await kit.sequencer.flush();
    },
  };
};

for (const kind of databases()) {
  const on = { database: kind.kind };

  test(`J4 on ${kind.kind}: verified from an entry on, what is passed over must still continue what was seen`, on, async (t) => {
    const { kit, relais } = await start(t, kind);
    await kit.write(600);
    assert.equal((await relais()).code, EXIT.done);
    const seen = readFileSync(join(kit.folder, 'journal-seen'), 'utf8');
    await kit.write(300, 600);
    const part = await relais('--from', '800');
    assert.equal(part.code, EXIT.done, part.text);
    assert.match(part.text, /132 of 900 entries checked .*900 of them under a signed checkpoint/);
    assert.equal((await relais('--from', '12x')).code, EXIT.configuration);

    await kit.tamper(["update journal.leaf set leaf = leaf || ' ' where idx = 850"]);
    assert.match((await relais('--from', '800')).text, /^leaf_altered at 850/m);
    assert.equal((await relais('--from', '860')).code, EXIT.entry, 'it begins at the tile of its entry');
    await kit.tamper(['update journal.leaf set leaf = substr(leaf, 1, length(leaf) - 1) where idx = 850']);

    // The same key signed another past, before what is looked at.
    writeFileSync(join(kit.folder, 'journal-seen'), seen);
    assert.equal((await relais('--from', '800')).code, EXIT.done);
    const forked = writeCheckpoint({ origin: kit.origin, size: 600, root: randomBytes(32) });
    writeFileSync(join(kit.folder, 'journal-seen'), signNote(forked, kit.origin, readPrivateKey(kit.privateKeyPem)));
    const fork = await relais('--from', '800');
    assert.deepEqual([fork.code, /^fork at 0/m.test(fork.text)], [EXIT.continuity, true], fork.text);
  });

  test(`J5 on ${kind.kind}: by a policy, the database is verified under the newest checkpoint that its witnesses have seen`, on, async (t) => {
    const { kit, relais } = await start(t, kind);
    const key = readPrivateKey(makePrivateKeyPem('ed25519'));
    const verifier = verifierOf('w.example', publicKeyOf(key), 'cosignature');
    const [log] = kit.trusted;
    const policy = `log ${log ? writeVkey(log) : ''}\nwitness w ${writeVkey(verifier)}\nquorum w\n`;
    await kit.write(300);
    const unseen = await relais.with(policy, '--policy', 'policy');
    assert.deepEqual([unseen.code, /^checkpoint_missing at 300/m.test(unseen.text)], [EXIT.checkpoint, true], unseen.text);
    const text = textOf((await journalSource(kit.database).overview()).lastNote ?? '');
    const at = new Date(Math.floor(Date.now() / 1000) * 1000);
    const connection = await kit.database.dedicated('relais_sequencer');
    await keepCosignature(connection.auto, 300, verifier, at, cosignNote(text, 'w.example', key, at));
    await connection.release();
    await kit.write(20, 300);
    const seen = await relais.with(policy, '--policy', 'policy');
    assert.deepEqual([seen.code, /300 of 300 signed entries checked .*witnessed by w/.test(seen.text)], [EXIT.done, true], seen.text);
  });

  test(`J4 on ${kind.kind}: entries that waited for a signature longer than they may are told, and those that wait still`, on, async (t) => {
    const { kit, relais, unsigned, pass } = await start(t, kind);
    await kit.write(5);
    await unsigned(3);
    pass(20);
    const waits = await relais();
    assert.deepEqual([waits.code, /^checkpoint_late at 5: /m.test(waits.text)], [EXIT.checkpoint, true], waits.text);
    assert.equal((await relais('--window', '1h')).code, EXIT.done);
    assert.equal((await relais('--window', 'off')).code, EXIT.done);
    assert.equal((await relais('--window', 'soon')).code, EXIT.configuration);

    await kit.sealing.seal();
    const after = await relais();
    assert.equal(after.code, EXIT.done, 'signed at last, it holds; how long it waited is said');
    assert.match(after.text, /waited 12\d\d\.\d s at most for a signed checkpoint \(from entry 5\)/);
    const strict = await relais('--window', '15m', '--json');
    assert.equal(strict.code, EXIT.checkpoint);
    const { faults } = JSON.parse(strict.text) as { faults: { kind: string; index: number }[] };
    assert.deepEqual(
      faults.map((fault) => [fault.kind, fault.index]),
      [['checkpoint_late', 5]],
    );
  });

  test(`J4 on ${kind.kind}: checkpoints that were taken out of the past show as a wait`, on, async (t) => {
    const { kit, relais, pass } = await start(t, kind);
    for (let i = 0; i < 4; i++) {
      await kit.write(2, 2 * i);
      pass(10);
    }
    assert.equal((await relais('--window', '15m')).code, EXIT.done);
    await kit.tamper(['delete from journal.checkpoint where size in (2, 4)']);
    const gone = await relais('--window', '15m');
    assert.deepEqual([gone.code, /^checkpoint_late at 0: .* came 12\d\d\.\d s after/m.test(gone.text)], [EXIT.checkpoint, true], gone.text);
  });
}

test('J4 begun in the middle of a month whose sealed parts were dropped, a verification accounts for those it saw', () => {
  const leaf = { type: 'partition.dropped', parameters: { month: '2026-01', entries: '3' } } as unknown as Parameters<
    ReturnType<typeof createAccounts>['said']
  >[1];
  const told = (partial: boolean, parts: number) => {
    const accounts = createAccounts(partial);
    for (let i = 0; i < parts; i++) accounts.part(i, '2026-01');
    accounts.said(9, leaf);
    return accounts.faults(undefined).map(({ kind }) => kind);
  };
  assert.deepEqual([told(true, 2), told(true, 3), told(false, 3)], [[], [], []]);
  assert.deepEqual([told(false, 2), told(true, 4)], [['payload_missing'], ['payload_missing']]);
});

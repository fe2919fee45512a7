import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { verifierOf } from '../../src/journal/note.ts';
import { verify } from '../../src/journal/verify.ts';
import { makePrivateKeyPem, publicKeyOf, readPrivateKey, sha256 } from '../../src/kernel/crypto.ts';
import { journalSource } from '../../src/persistence/journal-source.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { type Kit, startKit } from './kit.ts';
import { CASES, planted, sealedLog } from './tampering-cases.ts';

for (const kind of databases()) {
  const undo: (() => Promise<void>)[] = [];
  after(async () => {
    for (const step of undo) await step();
  });
  let shared: Promise<Kit> | undefined;
  for (const one of CASES)
    test(`J4 ${one.name} is named with its first index (${kind.kind})`, { database: kind.kind }, async () => {
      shared ??= sealedLog({ after: (step) => void undo.push(step) }, kind);
      await planted(await shared, one);
    });

  test(`J4 without the last checkpoint seen, a rewritten history with its checkpoints removed still has none that vouches for it (${kind.kind})`, {
    database: kind.kind,
  }, async (t) => {
    const kit = await startKit(t, kind);
    await kit.write(3);
    assert.ok((await kit.verify()).ok);
    await kit.tamper(['delete from journal.checkpoint']);
    assert.deepEqual(
      (await kit.verify()).faults.map((fault) => fault.kind),
      ['checkpoint_missing'],
    );
    rmSync(join(kit.folder, 'seen'));
    assert.deepEqual(
      (await kit.verify()).faults.map((fault) => fault.kind),
      ['checkpoint_missing'],
    );
    const stranger = verifierOf(kit.origin, publicKeyOf(readPrivateKey(makePrivateKeyPem('ed25519'))));
    await kit.sealing.seal();
    const report = await verify({ source: journalSource(kit.database), origin: kit.origin, trusted: [stranger] });
    assert.equal(report.faults[0]?.kind, 'checkpoint_altered', "only the log's own key counts");
  });

  test(`J4 what the verifier cannot know without the key it does not claim, and it still sees what was sealed (${kind.kind})`, {
    database: kind.kind,
  }, async (t) => {
    const kit = await startKit(t, kind);
    await kit.write(5);
    await kit.tamper([`update journal.projection set outcome = 'allowed' where idx = 2`]);
    assert.equal((await kit.verify({ withoutKey: true, withoutState: true })).ok, true);
    assert.equal((await kit.verify()).faults[0]?.kind, 'projection_altered');
    await kit.tamper(['update journal.payload set box_subject = $1 where idx = 3', [sha256('x')]]);
    assert.deepEqual(
      (await kit.verify({ withoutKey: true })).faults.map((fault) => [fault.kind, fault.index]),
      [['payload_altered', 3]],
    );
  });
}

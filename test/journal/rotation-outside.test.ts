import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copyLog } from '../../src/journal/log-folder.ts';
import { fingerprintOf, signRotation } from '../../src/journal/log-keys.ts';
import { folderReader } from '../../src/journal/log-reader.ts';
import { openMirror } from '../../src/journal/mirror.ts';
import { readCheckpoint, signNote, textOf, verifierOf, writeVkey } from '../../src/journal/note.ts';
import { readPolicy } from '../../src/journal/policy.ts';
import { readRotations, writeRotations } from '../../src/journal/rotations.ts';
import { verifyLog } from '../../src/journal/verify-log.ts';
import { makePrivateKeyPem, publicKeyOf, readPrivateKey } from '../../src/kernel/crypto.ts';
import { logStore } from '../../src/persistence/journal-published.ts';
import { rotationsIn } from '../../src/persistence/journal-source.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { startKit } from './kit.ts';

for (const kind of databases())
  test(`K6 from outside, a copy holds for whoever knows the former key or the new one, and the changes it shows are its entries (${kind.kind})`, {
    database: kind.kind,
  }, async (t) => {
    const kit = await startKit(t, kind);
    const folder = mkdtempSync(join(tmpdir(), 'relais-rotations-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    await kit.write(200);
    const pem = makePrivateKeyPem('ed25519');
    writeFileSync(join(kit.folder, 'next.pem'), pem);
    const answer = await kit.signer.rotate(fingerprintOf(publicKeyOf(readPrivateKey(pem))));
    assert.ok('rotation' in answer);
    const { rotation } = answer;
    await kit.database.run((tx) => kit.journal.record(tx, { type: 'key.rotated', actor: 'cli', detail: { name: 'journal-ed25519', ...rotation } }));
    await kit.write(0);
    await kit.write(110, 200);
    const store = logStore(kit.database.auto);
    const note = (await store.checkpoint())?.note ?? '';
    const shown = await rotationsIn(kit.database.auto);
    const text = writeRotations(shown);
    assert.deepEqual([shown.map(({ index }) => index), writeRotations(readRotations(text))], [[200], text]);
    const put = (name: string, content: string): void => writeFileSync(join(folder, name), content);
    await copyLog({ folder, note, checkpoint: readCheckpoint(textOf(note)), leaves: store.leaves, entries: true });
    put('rotations', text);
    const stranger = verifierOf(kit.origin, publicKeyOf(readPrivateKey(makePrivateKeyPem('ed25519'))));
    const check = async (vkey: string, where = folder): Promise<string> => {
      const policy = readPolicy(`log ${vkey}\nquorum none\n`);
      const { faults } = await verifyLog({ reader: folderReader(where), policy, origin: kit.origin });
      return faults.map((fault) => `${fault.kind} ${fault.index}`).join() || 'holds';
    };
    assert.deepEqual([await check(rotation.former), await check(rotation.vkey)], ['holds', 'holds']);
    assert.match(await check(writeVkey(stranger)), /^checkpoint_altered/);

    const copyOf = async (key: string) => {
      const mine = mkdtempSync(join(tmpdir(), 'relais-mirror-'));
      t.after(() => rmSync(mine, { recursive: true, force: true }));
      const mirror = await openMirror({ folder: mine, reader: folderReader(folder), policy: readPolicy(`log ${key}\nquorum none\n`) });
      return { mirror, mine };
    };
    const { mirror, mine } = await copyOf(rotation.former);
    assert.deepEqual(await mirror.update(), { kind: 'copied', size: 311, new: 311 }, 'a mirror that knows the former key goes on');
    assert.equal(readFileSync(join(mine, 'rotations'), 'utf8'), text);
    await assert.rejects((await copyOf(writeVkey(stranger))).mirror.update(), { code: 'note_unsigned' });

    put('rotations', '');
    await assert.rejects((await copyOf(rotation.former)).mirror.update(), { code: 'note_unsigned' });
    // Without the leaves, as anybody who may not read them.
    const hashes = join(folder, 'hashes');
    mkdirSync(join(hashes, 'tile'), { recursive: true });
    await copyLog({ folder: hashes, note, checkpoint: readCheckpoint(textOf(note)), leaves: store.leaves, entries: false });
    const show = (content: string): void => writeFileSync(join(hashes, 'rotations'), content);
    show(text);
    assert.deepEqual([await check(rotation.former, hashes), await check(rotation.vkey, hashes)], ['holds', 'holds']);
    assert.match(await check(writeVkey(stranger), hashes), /^checkpoint_altered/);
    show('');
    assert.match(await check(rotation.former, hashes), /^checkpoint_altered/, 'the new key is unknown without the change');
    for (const index of [199, 201, 305]) {
      show(writeRotations(shown.map(({ leaf }) => ({ index, leaf }))));
      assert.match(await check(rotation.former, hashes), /^checkpoint_altered/, 'shown at another place');
    }
    const forged = signRotation(kit.origin, readPrivateKey(makePrivateKeyPem('ed25519')), readPrivateKey(pem));
    const [change] = shown;
    assert.ok(change);
    show(writeRotations([{ index: 200, leaf: Buffer.from(change.leaf.toString().replace(rotation.byFormer, forged.byFormer)) }]));
    assert.match(await check(rotation.former, hashes), /^checkpoint_altered/, 'a change that the former key did not sign');
    show('x\n');
    assert.match(await check(rotation.former, hashes), /^checkpoint_altered/);

    put('rotations', text);
    put('checkpoint', signNote(textOf(note), kit.origin, readPrivateKey(kit.privateKeyPem)));
    assert.match(await check(rotation.former), /^checkpoint_altered/, 'a later size under the former key, which a thief would sign');
    assert.match(await check(rotation.vkey), /^checkpoint_altered/);
  });

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext } from 'node:test';
import { encodeLeaf } from '../../src/journal/entry.ts';
import { createLogKeys, fingerprintOf, openSized, readRotation, type SignedRotation, signRotation } from '../../src/journal/log-keys.ts';
import { openNote, readCheckpoint, signNote, textOf, verifierOf, writeCheckpoint, writeVkey } from '../../src/journal/note.ts';
import { proveConsistency, proveInclusion } from '../../src/journal/proof.ts';
import { openSigner, type SignRequest, trustCheckpoint } from '../../src/journal/signer.ts';
import { readState, stateFile } from '../../src/journal/signer-state.ts';
import { append, EMPTY_EDGE, fold, type HashSource, leafHash, rootOf } from '../../src/journal/tree.ts';
import { type Report, verify } from '../../src/journal/verify.ts';
import { makePrivateKeyPem, publicKeyOf, readPrivateKey, sha256 } from '../../src/kernel/crypto.ts';
import { journalSource } from '../../src/persistence/journal-source.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { type Kit, startKit } from './kit.ts';

const origin = 'journal.example/0a1b2c3d';
const pems = Array.from({ length: 4 }, () => makePrivateKeyPem('ed25519'));
const keys = pems.map(readPrivateKey);
const verifiers = keys.map((key) => verifierOf(origin, publicKeyOf(key)));
const key = (i: number) => keys[i] ?? readPrivateKey('');
const verifier = (i: number) => verifiers[i] ?? verifierOf('', publicKeyOf(key(i)));
const vkey = (i: number): string => writeVkey(verifier(i));
const code = (expected: string, detail = /./) => ({ name: 'Failure', code: expected, message: detail });

const leafOf = (rotation: Readonly<Record<string, string>>, type: 'key.rotated' | 'log.heartbeat' = 'key.rotated'): Buffer =>
  Buffer.from(
    encodeLeaf({
      type,
      class: 'log',
      at: new Date(0),
      eventId: '00000000-0000-4000-8000-000000000000',
      writer: 'cli',
      tags: [],
      commitment: sha256('x'),
      boxes: [sha256('y')],
      parameters: rotation,
    }),
  );
const change = (from: number, to: number): SignedRotation => signRotation(origin, key(from), key(to));
const rotation = (index: number, from: number, to: number) => readRotation(index, leafOf({ name: 'k', ...change(from, to) }));
const names = (found: readonly { name: string }[]): number[] =>
  found.map((one) => verifiers.findIndex((each) => each === one || writeVkey(each) === writeVkey(one as never)));

test('K6 a change of key is read from its leaf alone, and only if both keys signed it', () => {
  const signed = change(0, 1);
  const read = readRotation(7, leafOf({ ...signed }));
  assert.deepEqual([read.index, writeVkey(read.former), writeVkey(read.next)], [7, vkey(0), vkey(1)]);
  const wrong: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
    [{ ...signed, byFormer: change(2, 1).byFormer }, /former key did not sign/],
    [{ ...signed, byFormer: signed.byNext }, /former key did not sign/],
    [{ ...signed, byNext: signed.byFormer }, /new key did not sign/],
    [{ ...signed, vkey: vkey(2) }, /former key did not sign/],
    [{ ...signed, vkey: signed.former }, /not two keys of one log/],
    [{ ...signed, byFormer: '' }, /former key did not sign/],
  ];
  for (const [parameters, detail] of wrong) assert.throws(() => readRotation(7, leafOf(parameters)), code('rotation_wrong', detail));
  assert.throws(() => readRotation(7, leafOf({ ...signed }, 'log.heartbeat')), code('rotation_wrong', /changes no key/));
  assert.throws(() => readRotation(7, leafOf({})), code('vkey_malformed'));
  assert.throws(() => signRotation(origin, key(0), key(0)), code('rotation_wrong'));
});

test('K6 each size has one key, from whichever key is known, and a change that is planted or repeated counts for nothing (§6.29)', () => {
  const [first, second] = [rotation(10, 0, 1), rotation(20, 1, 2)];
  for (const pinned of [0, 1, 2]) {
    const log = createLogKeys([verifier(pinned)], [second, first]);
    assert.deepEqual(
      [0, 10, 11, 20, 21, 1e9].map((size) => names(log.at(size))),
      [[0], [0], [1], [1], [2], [2]],
    );
    assert.deepEqual(log.strange, []);
  }
  assert.deepEqual(names(createLogKeys([verifier(0)], []).at(1e9)), [0], 'without a change the key stays');
  const again = { ...first, index: 30 };
  const back = rotation(31, 2, 0);
  const planted = rotation(5, 3, 1);
  const log = createLogKeys([verifier(0)], [first, second, again, back, planted]);
  assert.deepEqual(
    [5, 11, 31, 32].map((size) => names(log.at(size))),
    [[0], [1], [2], [2]],
  );
  assert.deepEqual(
    log.strange.map(({ index }) => index),
    [5, 30, 31],
  );
  const stranger = createLogKeys([verifier(3)], [first, second]);
  assert.deepEqual([names(stranger.at(5)), names(stranger.at(25)), stranger.strange.length], [[3], [3], 2]);
});

test('K6 a checkpoint is the former key’s up to the change, the new key’s beyond it (§6.29)', () => {
  const log = createLogKeys([verifier(0)], [rotation(10, 0, 1)]);
  const note = (size: number, by: number): string => signNote(writeCheckpoint({ origin, size, root: Buffer.alloc(32) }), origin, key(by));
  const good: readonly (readonly [number, number])[] = [
    [0, 0],
    [10, 0],
    [11, 1],
    [5000, 1],
  ];
  for (const [size, by] of good) assert.equal(openSized(note(size, by), origin, log).size, size);
  for (const [size, by] of [...good.map(([size, by]) => [size, 1 - by] as const), [11, 2] as const])
    assert.throws(() => openSized(note(size, by), origin, log), code('note_unsigned'));
});

const folderOf = (t: TestContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-rotation-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

test('K6 after signing a change the signer waits for its entry, shows both signatures once, and keeps to the new key', async (t) => {
  const folder = folderOf(t);
  let next: string | undefined;
  const open = (present = pems[0] ?? '') => openSigner({ folder, privateKeyPem: present, nextKeyPem: () => next });
  const signer = open();
  const leaves: Buffer[] = Array.from({ length: 40 }, (_, i) => Buffer.from(`entry ${i}`));
  const source = (): HashSource => ({
    hashes: (level, from, count) =>
      Array.from({ length: count }, (_, i) =>
        fold(leaves.slice((from + i) * 256 ** level, (from + i + 1) * 256 ** level).map((leaf) => leafHash(leaf))),
      ),
  });
  const request = async (oldSize: number, newSize: number, index?: number): Promise<SignRequest> => ({
    oldSize,
    newSize,
    root: rootOf(
      append(
        EMPTY_EDGE,
        leaves.slice(0, newSize).map((leaf) => leafHash(leaf)),
      ).edge,
    ),
    proof: await proveConsistency(source(), oldSize, newSize),
    ...(index === undefined
      ? {}
      : { rotation: { index, leaf: leaves[index] ?? Buffer.alloc(0), proof: await proveInclusion(source(), index, newSize) } }),
  });
  const ask = async (at = signer, ...given: Parameters<typeof request>): Promise<string> => {
    const answer = at.sign(origin, await request(...given));
    return 'refused' in answer ? answer.refused : names(openNote(answer.note, verifiers).by).join('+');
  };
  const refusedRotation = (at = signer, to = next): string => {
    const answer = at.rotate(origin, fingerprintOf(publicKeyOf(readPrivateKey(to ?? pems[0] ?? ''))));
    return 'refused' in answer ? answer.refused : 'signed';
  };
  assert.equal(refusedRotation(), 'state_missing');
  assert.equal(await ask(signer, 0, 5), '0');
  assert.equal(refusedRotation(), 'next_key_missing');
  next = pems[0];
  assert.equal(refusedRotation(), 'next_key_missing', 'the same key');
  next = pems[1];
  assert.equal(refusedRotation(signer, pems[2]), 'next_key_differs', 'the key that two people agreed on, and no other');
  const remembered = readState(stateFile(folder, origin));
  assert.ok(remembered && remembered !== 'damaged' && remembered.next === undefined, 'nothing was begun');
  const to = fingerprintOf(publicKeyOf(readPrivateKey(next ?? '')));
  const answer = signer.rotate(origin, to);
  assert.ok('rotation' in answer);
  assert.deepEqual(open().rotate(origin, to), answer, 'interrupted and asked again, the same');
  next = pems[2];
  assert.equal(refusedRotation(), 'next_key_missing', 'another change, while one is under way');
  next = pems[1];
  assert.equal(await ask(signer, 5, 9), 'rotation_pending');
  assert.equal(await ask(signer, 5, 5), '0', 'what was signed before may be asked again');
  leaves[7] = leafOf({ ...answer.rotation });
  leaves[8] = leafOf({ ...change(0, 2) });
  assert.equal(await ask(signer, 5, 9, 6), 'rotation_wrong', 'no change of key');
  assert.equal(await ask(signer, 5, 9, 8), 'rotation_wrong', 'to another key than the one signed');
  const shown = await request(5, 9, 7);
  assert.ok(shown.rotation);
  for (const rotation of [
    { ...shown.rotation, index: 6 },
    { ...shown.rotation, proof: shown.rotation.proof.slice(1) },
    { ...shown.rotation, leaf: leafOf({ ...answer.rotation, more: 'x' }) },
  ]) {
    const refused = signer.sign(origin, { ...shown, rotation });
    assert.equal('refused' in refused && refused.refused, 'rotation_wrong');
  }
  assert.equal(writeVkey(verifier(0)), signer.vkey(origin), 'nothing changed yet');
  assert.equal(await ask(signer, 5, 9, 7), '1+0', 'both, for those who know one of them');
  assert.equal(await ask(signer, 9, 9), '1+0', 'asked again after a crash');
  assert.equal(signer.vkey(origin), vkey(1));
  assert.equal(await ask(signer, 9, 12), '1');
  next = undefined;
  assert.equal(await ask(open(), 12, 13), 'other_key', 'the former key alone signs no more');
  assert.equal(await ask(open(pems[1]), 12, 13), '1', 'the file was put in its place');
  next = pems[0];
  assert.equal(refusedRotation(open(pems[1])), 'next_key_missing', 'a key that was left does not come back');
  next = pems[2];
  assert.equal(refusedRotation(open(pems[1])), 'signed');
  trustCheckpoint({ folder, privateKeyPem: pems[1] ?? '', origin, size: 13, root: (await request(13, 13)).root, reason: 'test', at: new Date(0) });
  next = pems[0];
  assert.equal(refusedRotation(open(pems[1])), 'next_key_missing', 'nor after a person trusted the log anew');
});

test('K6 an entry that the former key had signed over already does not change the key', async (t) => {
  const folder = folderOf(t);
  const signer = openSigner({ folder, privateKeyPem: pems[0] ?? '', nextKeyPem: () => pems[1] });
  const planted = leafOf({ ...change(0, 1) });
  const leaves = [planted, Buffer.from('a'), Buffer.from('b')].map((leaf) => leafHash(leaf));
  const source: HashSource = { hashes: (_, from, count) => leaves.slice(from, from + count) };
  const at = async (oldSize: number, newSize: number): Promise<SignRequest> => ({
    oldSize,
    newSize,
    root: rootOf(append(EMPTY_EDGE, leaves.slice(0, newSize)).edge),
    proof: await proveConsistency(source, oldSize, newSize),
  });
  signer.sign(origin, await at(0, 2));
  signer.rotate(origin, fingerprintOf(publicKeyOf(readPrivateKey(pems[1] ?? ''))));
  const answer = signer.sign(origin, { ...(await at(2, 3)), rotation: { index: 0, leaf: planted, proof: await proveInclusion(source, 0, 3) } });
  assert.equal('refused' in answer && answer.refused, 'rotation_wrong');
});

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    const on = { database: kind.kind };
    const check = (kit: Kit, trusted = kit.trusted): Promise<Report> => verify({ source: journalSource(kit.database), origin: kit.origin, trusted });
    const first = ({ faults: [fault] }: Report): string => (fault ? `${fault.kind} ${fault.index}` : 'holds');

    /** A journal of five entries, the change at index 5, and three more. */
    const rotatedKit = async (t: TestContext) => {
      const kit = await startKit(t, kind);
      await kit.write(5);
      const pem = makePrivateKeyPem('ed25519');
      writeFileSync(join(kit.folder, 'next.pem'), pem);
      const answer = await kit.signer.rotate(fingerprintOf(publicKeyOf(readPrivateKey(pem))));
      assert.ok('rotation' in answer);
      const waiting = await kit.sealing.seal();
      assert.deepEqual('size' in waiting && waiting.size, 5, 'nothing new: the former key answers');
      await kit.database.run((tx) =>
        kit.journal.record(tx, { type: 'key.rotated', actor: 'cli', detail: { name: 'journal-ed25519', ...answer.rotation } }),
      );
      await kit.write(0);
      await kit.write(3, 5);
      const next = verifierOf(kit.origin, publicKeyOf(readPrivateKey(pem)));
      return { kit, next, pem };
    };
    const notesOf = (kit: Kit) => journalSource(kit.database).checkpoints(0, 1000);

    test(`K6 a whole journal holds for whoever knows the former key or the new one, and for nobody else (${kind.kind})`, on, async (t) => {
      const { kit, next } = await rotatedKit(t);
      const [former] = kit.trusted;
      assert.ok(former);
      assert.deepEqual(
        (await notesOf(kit)).map(({ size, note }) => [size, openNote(note, [former, next]).by.map((by) => by === next)]),
        [
          [5, [false]],
          [6, [true, false]],
          [9, [true]],
        ],
      );
      assert.equal(first(await check(kit)), 'holds');
      assert.equal(first(await check(kit, [next])), 'holds');
      assert.equal((await check(kit)).sealed, 9);
      assert.match(first(await check(kit, [verifierOf(kit.origin, publicKeyOf(key(3)))])), /^checkpoint_altered 4/);
    });

    test(
      `K6 with the new key stolen no former checkpoint can be made, with the former key no later one, and a change needs both (${kind.kind})`,
      on,
      async (t) => {
        const { kit, pem } = await rotatedKit(t);
        const put = async (size: number, by: string): Promise<void> => {
          const [found] = (await notesOf(kit)).filter((one) => one.size === size);
          const note = signNote(textOf(found?.note ?? ''), kit.origin, readPrivateKey(by));
          assert.equal(readCheckpoint(textOf(note)).size, size);
          await kit.tamper(['update journal.checkpoint set note = $2 where size = $1', [size, note]]);
        };
        const [before] = (await notesOf(kit)).map(({ note }) => note);
        await put(5, pem);
        assert.equal(first(await check(kit)), 'checkpoint_altered 4', 'an old size under the new key');
        await kit.tamper(['update journal.checkpoint set note = $2 where size = $1', [5, before]]);
        assert.equal(first(await check(kit)), 'holds');
        await put(9, kit.privateKeyPem);
        assert.equal(first(await check(kit)), 'checkpoint_altered 8', 'a later size under the former key');
        await put(9, pem);
        assert.equal(first(await check(kit)), 'holds');
        await put(9, pems[3] ?? '');
        assert.equal(first(await check(kit)), 'checkpoint_altered 8', 'another key');
        await put(9, pem);
        // Somebody who can write entries, and holds no former key, says that theirs follows.
        const theirs = signRotation(kit.origin, key(2), key(3));
        await kit.database.run((tx) =>
          kit.journal.record(tx, {
            type: 'key.rotated',
            actor: 'cli',
            detail: { name: 'journal-ed25519', ...theirs, former: writeVkey(verifierOf(kit.origin, publicKeyOf(readPrivateKey(pem)))) },
          }),
        );
        await kit.write(0);
        const report = await check(kit);
        assert.equal(first(report), 'rotation_wrong 9');
        assert.match(report.faults[0]?.message ?? '', /former key did not sign/);
      },
    );
  });

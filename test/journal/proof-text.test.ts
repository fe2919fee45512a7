import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXIT, readInput } from '../../src/cli/command.ts';
import { checkProof } from '../../src/cli/journal-proof.ts';
import { encodeLeaf } from '../../src/journal/entry.ts';
import { type SignedRotation, signRotation } from '../../src/journal/log-keys.ts';
import { cosignNote, openCheckpoint, signNote, textOf, verifierOf, writeCheckpoint, writeVkey } from '../../src/journal/note.ts';
import { proveInclusion } from '../../src/journal/proof.ts';
import { checkProofText, type ProofText, readProofText, writeProofText } from '../../src/journal/proof-text.ts';
import { writeRotations } from '../../src/journal/rotations.ts';
import { append, EMPTY_EDGE, fold, type HashSource, leafHash, rootOf } from '../../src/journal/tree.ts';
import { makePrivateKeyPem, publicKeyOf, readPrivateKey, sha256 } from '../../src/kernel/crypto.ts';
import { assert, test } from '../support/check.ts';
import { independentlyCheck } from './tlog-proof-reader.ts';

const origin = 'journal.example/0a1b2c3d';
const key = readPrivateKey(makePrivateKeyPem('ed25519'));
const ours = verifierOf(origin, publicKeyOf(key));
const open = (note: string) => openCheckpoint(note, origin, [ours]);
const leafOf = (i: number): Buffer => Buffer.from(`{"entry":${i}}`);
const hashes = Array.from({ length: 300 }, (_, i) => leafHash(leafOf(i)));
const source: HashSource = {
  hashes: (level, from, count) =>
    Array.from({ length: count }, (_, i) => fold(hashes.slice((from + i) * 256 ** level, (from + i + 1) * 256 ** level))),
};
const noteOf = (size: number, by = key): string =>
  signNote(writeCheckpoint({ origin, size, root: rootOf(append(EMPTY_EDGE, hashes.slice(0, size)).edge) }), origin, by);
const proofOf = async (index: number, size: number): Promise<ProofText> => ({
  index,
  hashes: await proveInclusion(source, index, size),
  note: noteOf(size),
  extra: leafOf(index),
});
const leafOfChange = (rotation: SignedRotation): Buffer =>
  Buffer.from(
    encodeLeaf({
      type: 'key.rotated',
      class: 'log',
      at: new Date(0),
      eventId: '00000000-0000-4000-8000-000000000000',
      writer: 'cli',
      tags: [],
      commitment: sha256('x'),
      boxes: [sha256('y')],
      parameters: { ...rotation },
    }),
  );
const code = (expected: string) => ({ name: 'Failure', code: expected });

test('J4 a proof holds offline, for us and for a reader that shares no code with us, at every index of trees of several sizes (§6.38)', async () => {
  for (const size of [1, 2, 3, 7, 8, 255, 256, 257, 300])
    for (const index of new Set([0, 1, Math.floor(size / 2), size - 2, size - 1].filter((i) => i >= 0 && i < size))) {
      const text = writeProofText(await proofOf(index, size));
      assert.equal(writeProofText(readProofText(text)), text);
      assert.deepEqual([checkProofText(text, open).index, checkProofText(text, open).checkpoint.size], [index, size]);
      assert.deepEqual(independentlyCheck(text, leafOf(index), writeVkey(ours)), { index: BigInt(index), size: BigInt(size) });
    }
});

test('J4 a proof of another leaf, index, root, key or history does not hold, for us nor for the independent reader', async () => {
  const proof = await proofOf(5, 300);
  const text = writeProofText(proof);
  const other = verifierOf(origin, publicKeyOf(readPrivateKey(makePrivateKeyPem('ed25519'))));
  const without = writeProofText({ index: 5, hashes: proof.hashes, note: proof.note });
  assert.equal(checkProofText(without, open, { hash: leafHash(leafOf(5)) }).leaf, undefined);
  assert.throws(() => checkProofText(without, open), code('proof_leaf_unknown'));
  assert.throws(() => checkProofText(text, open, { bytes: leafOf(6) }), code('proof_of_other_leaf'));
  assert.throws(() => checkProofText(text, open, { hash: leafHash(leafOf(6)) }), code('proof_of_other_leaf'));
  const wrong: readonly (readonly [string, string])[] = [
    [writeProofText({ ...proof, extra: leafOf(6) }), 'proof_mismatch'],
    [writeProofText({ ...proof, index: 6 }), 'proof_mismatch'],
    [writeProofText({ ...proof, index: 300 }), 'proof_mismatch'],
    [writeProofText({ ...proof, hashes: proof.hashes.slice(1) }), 'proof_mismatch'],
    [writeProofText({ ...proof, hashes: [...proof.hashes, Buffer.alloc(32)] }), 'proof_mismatch'],
    [writeProofText({ ...proof, note: noteOf(299) }), 'proof_mismatch'],
    [text.replace('\n300\n', '\n299\n'), 'note_signature_wrong'],
    [writeProofText({ ...proof, note: noteOf(300, readPrivateKey(makePrivateKeyPem('ed25519'))) }), 'note_unsigned'],
  ];
  for (const [changed, expected] of wrong) {
    assert.throws(() => checkProofText(changed, open), code(expected));
    if (expected !== 'proof_mismatch' || readProofText(changed).extra?.equals(leafOf(5)))
      assert.throws(() => independentlyCheck(changed, leafOf(5), writeVkey(ours)));
  }
  assert.throws(() => independentlyCheck(text, leafOf(6), writeVkey(ours)));
  assert.throws(() => independentlyCheck(text, leafOf(5), writeVkey(other)));
});

test('a proof text is read in one form only', async () => {
  const text = writeProofText(await proofOf(5, 300));
  const [first = ''] = (await proofOf(5, 300)).hashes.map((hash) => hash.toString('base64'));
  for (const bad of [
    '',
    text.replace('@v1', '@v2'),
    text.replace('index 5', 'index 05'),
    text.replace('index 5', 'index -5'),
    text.replace('index 5', 'index 9007199254740993'),
    text.replace('index 5\n', ''),
    text.replace(/extra .*\n/, 'extra \n'),
    text.replace(/extra .*\n/, 'extra YQ\n'),
    text.replace(/(extra .*\n)/, '$1$1'),
    text.replace(first, first.slice(0, -1)),
    text.replace(first, `${first} `),
    text.replace(first, 'AAAA'),
    text.replace(`${first}\n`, `${first}\n`.repeat(60)),
    text.replaceAll('\n', '\r\n'),
    text.slice(0, -1),
    text.replace('\n\n', '\n'),
    `${text}${'—'.repeat(70_000)}\n`,
  ])
    assert.throws(() => readProofText(bad), code('proof_malformed'), JSON.stringify(bad.slice(0, 60)));
});

test('relais journal check-proof says what holds and what does not, with nothing but the file and the key', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-proof-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const run = async (...args: string[]): Promise<{ exit: number; out: string; err: string }> => {
    const [out, err]: [string[], string[]] = [[], []];
    const input = readInput(checkProof, args);
    if ('fault' in input) throw new Error(input.fault);
    const exit = await checkProof.run(input, {
      out: (line) => void out.push(line),
      err: (line) => void err.push(line),
      ask: async () => undefined,
      read: (path) => readFile(path, 'utf8'),
    });
    return { exit, out: out.join('\n'), err: err.join('\n') };
  };
  const file = join(folder, 'entry-5.tlog-proof');
  const leaf = join(folder, 'leaf');
  const text = writeProofText(await proofOf(5, 300));
  writeFileSync(file, text);
  writeFileSync(leaf, leafOf(5));
  const good = await run(file, '--vkey', writeVkey(ours));
  assert.deepEqual([good.exit, good.err], [EXIT.done, '']);
  assert.match(good.out, /entry 5 of journal\.example\/0a1b2c3d .* 300 entries/);
  assert.match(good.out, /\{"entry":5\}/);
  for (const given of [leaf, leafHash(leafOf(5)).toString('hex'), leafHash(leafOf(5)).toString('base64url')])
    assert.equal((await run(file, '--vkey', writeVkey(ours), '--leaf', given)).exit, EXIT.done);
  const bad = await run(file, '--vkey', writeVkey(ours), '--leaf', 'a'.repeat(64), '--json');
  assert.equal(bad.exit, EXIT.refused);
  assert.equal((JSON.parse(bad.out) as { code: string }).code, 'proof_of_other_leaf');
  const policy = join(folder, 'policy');
  const witnessPem = makePrivateKeyPem('ed25519');
  const witness = verifierOf('witness.example/w', publicKeyOf(readPrivateKey(witnessPem)), 'cosignature');
  writeFileSync(policy, `log ${writeVkey(ours)}\nwitness w ${writeVkey(witness)}\nquorum w\n`);
  const unseen = await run(file, '--policy', policy);
  assert.deepEqual([unseen.exit, /checkpoint_unwitnessed/.test(unseen.err)], [EXIT.refused, true]);
  writeFileSync(file, text + cosignNote(textOf(noteOf(300)), witness.name, readPrivateKey(witnessPem), new Date()));
  const seen = await run(file, '--policy', policy);
  assert.deepEqual([seen.exit, /Seen by: w\./.test(seen.out)], [EXIT.done, true]);
  await assert.rejects(run(file), { code: 'vkey_missing' });
  // A later checkpoint by the key that follows: known by the change of key, refused without it.
  const next = readPrivateKey(makePrivateKeyPem('ed25519'));
  const changed = join(folder, 'rotations');
  const change = leafOfChange(signRotation(origin, key, next));
  writeFileSync(changed, writeRotations([{ index: 100, leaf: change }]));
  writeFileSync(file, writeProofText({ ...(await proofOf(5, 300)), note: noteOf(300, next) }));
  assert.equal((await run(file, '--vkey', writeVkey(ours))).exit, EXIT.refused);
  assert.equal((await run(file, '--vkey', writeVkey(ours), '--rotations', changed)).exit, EXIT.done);
  writeFileSync(changed, writeRotations([{ index: 300, leaf: change }]));
  assert.equal((await run(file, '--vkey', writeVkey(ours), '--rotations', changed)).exit, EXIT.refused, 'the key does not count yet at 300');
  writeFileSync(file, text.replace('index 5', 'index 4'));
  const moved = await run(file, '--vkey', writeVkey(ours));
  assert.equal(moved.exit, EXIT.refused);
  assert.match(moved.err, /does not hold: proof_mismatch/);
});

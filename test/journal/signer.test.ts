import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openCheckpoint, verifierOf } from '../../src/journal/note.ts';
import { proveConsistency } from '../../src/journal/proof.ts';
import { openSigner, type SignAnswer, type SignerClient, type SignRequest, trustCheckpoint } from '../../src/journal/signer.ts';
import { connectSigner, startSignerWorker } from '../../src/journal/signer-client.ts';
import { serveSigner } from '../../src/journal/signer-server.ts';
import { append, EMPTY_EDGE, fold, type HashSource, leafHash, rootOf } from '../../src/journal/tree.ts';
import { makePrivateKeyPem, publicKeyOf, readPrivateKey } from '../../src/kernel/crypto.ts';
import { assert, test } from '../support/check.ts';

const origin = 'journal.example/0a1b2c3d';
const privateKeyPem = makePrivateKeyPem('ed25519');
const trusted = [verifierOf(origin, publicKeyOf(readPrivateKey(privateKeyPem)))];
const leaves = Array.from({ length: 40 }, (_, i) => leafHash(`entry ${i}`));
const source = (of: readonly Buffer[]): HashSource => ({
  hashes: (level, from, count) => Array.from({ length: count }, (_, i) => fold(of.slice((from + i) * 256 ** level, (from + i + 1) * 256 ** level))),
});
const rootAt = (size: number, of = leaves): Buffer => rootOf(append(EMPTY_EDGE, of.slice(0, size)).edge);
const request = async (oldSize: number, newSize: number, of = leaves): Promise<SignRequest> => ({
  oldSize,
  newSize,
  root: rootAt(newSize, of),
  proof: newSize < oldSize ? [] : await proveConsistency(source(of), oldSize, newSize),
});
const folderOf = (t: TestContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-signer-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};
const refusedAs = (answer: SignAnswer): string | undefined => ('refused' in answer ? answer.refused : undefined);
const sizeOf = (answer: SignAnswer): number => openCheckpoint('note' in answer ? answer.note : '', origin, trusted).size;

test('the signer signs what continues the last tree, and the same tree again', async (t) => {
  const folder = folderOf(t);
  const signer = openSigner({ folder, privateKeyPem });
  assert.equal(sizeOf(signer.sign(origin, await request(0, 5))), 5);
  assert.equal(sizeOf(signer.sign(origin, await request(5, 12))), 12);
  assert.deepEqual(
    signer.sign(origin, await request(12, 12)),
    signer.sign(origin, await request(5, 12)),
    'asked again after a crash, it gives the same note',
  );
  assert.equal(statSync(join(folder, '0a1b2c3d.json')).mode & 0o777, 0o600);
  assert.equal(sizeOf(openSigner({ folder, privateKeyPem }).sign(origin, await request(12, 40))), 40);
});

test('the signer refuses a smaller tree, another root, another past, a wrong start, and keeps what it knew', async (t) => {
  const folder = folderOf(t);
  const signer = openSigner({ folder, privateKeyPem });
  signer.sign(origin, await request(0, 12));
  const state = (): string => readFileSync(join(folder, '0a1b2c3d.json'), 'utf8');
  const before = state();
  const forged = leaves.map((leaf, i) => (i === 3 ? leafHash('rewritten') : leaf));
  assert.equal(refusedAs(signer.sign(origin, await request(12, 11))), 'smaller_tree');
  assert.equal(refusedAs(signer.sign(origin, await request(0, 11))), 'smaller_tree');
  assert.equal(refusedAs(signer.sign(origin, await request(12, 12, forged))), 'other_root');
  assert.equal(refusedAs(signer.sign(origin, await request(12, 20, forged))), 'inconsistent_proof');
  assert.equal(refusedAs(signer.sign(origin, { ...(await request(12, 20)), proof: [] })), 'inconsistent_proof');
  assert.deepEqual(signer.sign(origin, await request(5, 20)), { refused: 'stale_size', size: 12, message: 'the signer last signed 12 entries' });
  assert.equal(refusedAs(signer.sign(origin, { ...(await request(12, 20)), newSize: 20.5 })), 'malformed');
  assert.equal(refusedAs(openSigner({ folder, privateKeyPem: makePrivateKeyPem('ed25519') }).sign(origin, await request(12, 20))), 'other_key');
  assert.equal(state(), before);
});

test('a state without its log, a log without its state, and a damaged state are refused until a person says so', async (t) => {
  const folder = folderOf(t);
  const signer = openSigner({ folder, privateKeyPem });
  const refusal = signer.sign(origin, await request(5, 12));
  assert.equal(refusedAs(refusal), 'state_missing');
  assert.match('refused' in refusal ? refusal.message : '', /restore .*trust-checkpoint/);
  assert.deepEqual(readdirSync(folder), []);
  signer.sign(origin, await request(0, 12));
  const other = 'journal.example/ffffffff';
  assert.equal(refusedAs(signer.sign(other, await request(0, 3))), 'unknown_log');
  trustCheckpoint({ folder, privateKeyPem, origin: other, size: 3, root: rootAt(3), reason: 'new database', at: new Date(0) });
  assert.ok('note' in signer.sign(other, await request(3, 4)));
  assert.equal(refusedAs(signer.sign(origin, await request(12, 13))), 'unknown_log', 'the former memory was set aside, not kept alive');
  writeFileSync(join(folder, 'ffffffff.json'), '{');
  assert.equal(refusedAs(signer.sign(other, await request(4, 5))), 'state_damaged');
  trustCheckpoint({ folder, privateKeyPem, origin: other, size: 4, root: rootAt(4), reason: 'damaged disk', at: new Date(0) });
  assert.ok('note' in signer.sign(other, await request(4, 5)));
  assert.match(readFileSync(join(folder, 'ffffffff.json'), 'utf8'), /damaged disk/);
  assert.throws(() => signer.sign('journal.example/../..', { oldSize: 0, newSize: 0, root: rootAt(0), proof: [] }), { code: 'origin_malformed' });
});

test('what is signed is on the disk before the signature exists', async (t) => {
  const folder = folderOf(t);
  const signer = openSigner({ folder, privateKeyPem });
  signer.sign(origin, await request(0, 12));
  rmSync(folder, { recursive: true }); // then nothing can be written: neither may anything be signed
  writeFileSync(folder, '');
  await assert.rejects(async () => signer.sign(origin, await request(12, 13)));
});

const sameAnswers = async (client: SignerClient): Promise<void> => {
  assert.equal(sizeOf(await client.sign(await request(0, 7))), 7);
  assert.equal(refusedAs(await client.sign(await request(7, 6))), 'smaller_tree');
  assert.match(await client.vkey(), /^journal\.example\/0a1b2c3d\+[0-9a-f]{8}\+/);
  const answers = await Promise.all([8, 9, 10].map(async (size) => client.sign(await request(7, size))));
  assert.equal(answers.filter((answer) => 'note' in answer).length >= 1, true);
};

test('the signer answers the same through a thread', async (t) => {
  const client = startSignerWorker({ folder: folderOf(t), privateKeyPem, origin });
  await sameAnswers(client);
  await client.close();
});

test('a signer thread that does not answer in time is ended: every call to it fails, and the next one has a thread of its own', async (t) => {
  const folder = folderOf(t);
  const client = startSignerWorker({ folder, privateKeyPem, origin, timeoutMs: 1 });
  const refused = { code: 'signer_unreachable' };
  await Promise.all([assert.rejects(client.vkey(), refused), assert.rejects(client.sign(await request(0, 7)), refused)]);
  await assert.rejects(client.vkey(), refused);
  await client.close();
  const patient = startSignerWorker({ folder, privateKeyPem, origin });
  assert.equal(sizeOf(await patient.sign(await request(0, 7))), 7);
  await patient.close();
});

test('the signer answers the same through its socket, which is for its owner only', async (t) => {
  const folder = folderOf(t);
  const path = join(folder, 'signer.sock');
  const client = connectSigner({ path, origin, timeoutMs: 500 });
  await assert.rejects(client.vkey(), { code: 'signer_unreachable' });
  const server = await serveSigner({ signer: openSigner({ folder: join(folder, 'state'), privateKeyPem }), path });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await sameAnswers(client);
  await assert.rejects(serveSigner({ signer: openSigner({ folder: join(folder, 'state'), privateKeyPem }), path }), { code: 'EADDRINUSE' });
  await server.close();
  assert.ok(!existsSync(path));
  renameSync(join(folder, 'state'), join(folder, 'gone'));
});

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openNote, readVkey, signNote, type Verifier, verifierOf, writeCheckpoint, writeVkey } from '../../src/journal/note.ts';
import { proveConsistency } from '../../src/journal/proof.ts';
import { append, EMPTY_EDGE, fold, type HashSource, leafHash, rootOf } from '../../src/journal/tree.ts';
import { writeAddRequest } from '../../src/journal/witness-wire.ts';
import { makePrivateKeyPem, publicKeyOf, readPrivateKey, sha256 } from '../../src/kernel/crypto.ts';
import { assert, test } from '../support/check.ts';

/** `relais witness` as an administration runs it: a process of its own, spoken to over HTTP. */

const ORIGIN = 'journal.example/0a1b2c3d';
const key = readPrivateKey(makePrivateKeyPem('ed25519'));
const log = verifierOf(ORIGIN, publicKeyOf(key));
const leaves = Array.from({ length: 2000 }, (_, i) => leafHash(`entry ${i}`));
const forged = leaves.map((leaf, i) => (i === 3 ? leafHash('rewritten') : leaf));
const source = (of: readonly Buffer[]): HashSource => ({
  hashes: (level, from, count) => Array.from({ length: count }, (_, i) => fold(of.slice((from + i) * 256 ** level, (from + i + 1) * 256 ** level))),
});
const noteAt = (size: number, of: readonly Buffer[] = leaves): string =>
  signNote(writeCheckpoint({ origin: ORIGIN, size, root: rootOf(append(EMPTY_EDGE, of.slice(0, size)).edge) }), ORIGIN, key);

interface Running {
  readonly child: ChildProcess;
  readonly base: string;
  readonly verifier: Verifier;
  readonly said: () => string;
  add(oldSize: number, size: number, of?: readonly Buffer[]): Promise<{ status: number; text: string }>;
}

const start = async (t: TestContext, folder: string, ...more: string[]): Promise<Running> => {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', 'src/cli/main.ts', 'witness', '--folder', folder, '--log', writeVkey(log), '--port', '0', ...more],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('Line for the policy')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`exit ${code}: ${said}`)));
  });
  const base = /on (http:\S+);/.exec(said)?.[1] ?? '';
  const verifier = readVkey(/the journal: witness \S+ (\S+) /.exec(said)?.[1] ?? '');
  return {
    child,
    base,
    verifier,
    said: () => said,
    async add(oldSize, size, of: readonly Buffer[] = leaves) {
      const body = writeAddRequest({ oldSize, proof: await proveConsistency(source(of), oldSize, size), note: noteAt(size, of) });
      const answer = await fetch(`${base}/add-checkpoint`, { method: 'POST', body });
      return { status: answer.status, text: await answer.text() };
    },
  };
};

const ended = (child: ChildProcess): Promise<number | null> => new Promise((resolve) => child.once('exit', (code) => resolve(code)));
const folderOf = (t: TestContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-witness-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

test('J5 the same key signs two histories: the witness that runs answers 422, keeps both, and goes on with the first (§6.27)', async (t) => {
  const folder = folderOf(t);
  const witness = await start(t, folder, '--name', 'ministere.example/temoin');
  assert.equal(witness.verifier.name, 'ministere.example/temoin');
  assert.equal((await witness.add(0, 12)).status, 200);
  assert.deepEqual(await witness.add(12, 12, forged), { status: 422, text: 'split_view\n' });
  assert.deepEqual(await witness.add(12, 20, forged), { status: 422, text: 'inconsistent_proof\n' });
  assert.deepEqual(await witness.add(0, 20), { status: 409, text: '12\n' });
  const { status, text } = await witness.add(12, 20);
  assert.equal(status, 200);
  assert.deepEqual(openNote(noteAt(20) + text, [log, witness.verifier]).by, [log, witness.verifier]);
  assert.equal(readdirSync(join(folder, 'evidence', sha256(ORIGIN).toString('hex'))).length, 2);
  assert.match(witness.said(), /"event":"split_view","log":"journal\.example\/0a1b2c3d","size":12/);
  await assert.rejects(start(t, folder), /witness_folder_in_use: another witness uses/, 'one process a folder');
  witness.child.kill('SIGTERM');
  assert.equal(await ended(witness.child), 0);
});

test('killed at any moment, a witness that comes back never cosigns less than it did, nor another root', { atLeast: 9 }, async (t) => {
  const folder = folderOf(t);
  let [size, verifier]: [number, Verifier | undefined] = [0, undefined];
  for (let round = 0; round < 3; round++) {
    const witness = await start(t, folder, ...(round ? [] : ['--name', 'ministere.example/temoin']));
    verifier ??= witness.verifier;
    assert.deepEqual(witness.verifier, verifier, 'its key outlived the kill');
    const asked = await witness.add(0, 1);
    const known = asked.status === 409 ? Number(asked.text) : 1;
    assert.ok(known >= size, `it cosigned ${size} and remembers ${known}`);
    size = known;
    assert.equal((await witness.add(known, known, forged)).status, known > 3 ? 422 : 200, 'the other history is refused');
    const gone = ended(witness.child);
    setTimeout(() => witness.child.kill('SIGKILL'), 20 + 60 * Math.random());
    for (let next = size + 1; next < size + 400; next++) {
      const answer = await witness.add(next - 1, next).catch(() => undefined);
      if (!answer) break;
      if (answer.status === 200) size = next;
    }
    await gone;
    const files = readdirSync(join(folder, 'logs')).filter((name) => name.endsWith('.json'));
    assert.equal(files.length, 1);
    assert.doesNotThrow(() => JSON.parse(readFileSync(join(folder, 'logs', files[0] ?? ''), 'utf8')));
  }
});

test('wrong settings of a witness are named, and nothing is made', async (t) => {
  const folder = join(folderOf(t), 'new');
  const other = verifierOf('w.example', publicKeyOf(key), 'cosignature');
  const cases: [string[], RegExp][] = [
    [[], /exit 3: witness_name_missing/],
    [['--log', 'nonsense', '--name', 'w.example'], /exit 3: vkey_malformed/],
    [['--log', writeVkey(other), '--name', 'w.example'], /exit 3: vkey_malformed: w\.example: this is the key of a witness/],
    [['--port', '70000', '--name', 'w.example'], /exit 3: port_malformed/],
  ];
  await Promise.all(cases.map(([flags, expected], i) => assert.rejects(start(t, `${folder}${i}`, ...flags), expected)));
  assert.deepEqual(
    [0, 1, 2, 3].filter((i) => existsSync(join(`${folder}${i}`, 'key.pem'))),
    [],
  );
});

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify from 'fastify';
import { EXIT } from '../../src/cli/command.ts';
import { verifyCommand } from '../../src/cli/journal.ts';
import { prepare } from '../../src/cli/run.ts';
import { tagOf } from '../../src/journal/keys.ts';
import { folderReader } from '../../src/journal/log-reader.ts';
import { urlReader } from '../../src/journal/log-url.ts';
import { cosignNote, textOf, verifierOf, writeVkey } from '../../src/journal/note.ts';
import { readPolicy } from '../../src/journal/policy.ts';
import { createPublishedLog } from '../../src/journal/published.ts';
import { readBundle, writeBundle } from '../../src/journal/tile-path.ts';
import { leafHash } from '../../src/journal/tree.ts';
import { type LogReport, type LogVerifyOptions, verifyLog } from '../../src/journal/verify-log.ts';
import { makePrivateKeyPem, publicKeyOf, randomBytes, randomToken, readPrivateKey, sha256 } from '../../src/kernel/crypto.ts';
import { logApi } from '../../src/web/api/log.ts';
import { assert, test } from '../support/check.ts';
import { leafOf } from './big-log.ts';
import { type OutsideLog, startLog } from './outside-log.ts';

/** Whoever holds a copy of the log and its public key finds what was changed in it, and where. */

type Undo = { after(undo: () => unknown): void };

const folderFor = (t: Undo): string => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-outside-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

const policyOf = (log: OutsideLog, more = 'quorum none\n') => readPolicy(`log ${writeVkey(log.verifier)}\n${more}`);

const check = (log: OutsideLog, folder: string, more: Partial<LogVerifyOptions> = {}): Promise<LogReport> =>
  verifyLog({ reader: folderReader(folder), policy: policyOf(log), origin: log.origin, ...more });

const first = ({ faults }: LogReport): [kind: string | undefined, index: number | undefined] => [faults[0]?.kind, faults[0]?.index];

const edit = (file: string, change: (bytes: Buffer) => Buffer): void => writeFileSync(file, change(readFileSync(file)));

/** Changes leaves of a bundle. */
const editLeaves = (folder: string, path: string, width: number, change: (leaves: Buffer[]) => void): void =>
  edit(join(folder, 'tile/entries', path), (bytes) => {
    const leaves = readBundle(bytes, width) ?? [];
    change(leaves);
    return writeBundle(leaves);
  });

const other = (leaf: Buffer | undefined): Buffer => Buffer.from(String(leaf).replace('"w":"app"', '"w":"apq"'));
const SIZE = 66_000; // three levels
const SMALL = 8_400;

test('J4 a copy of the log that holds is said to hold, with its leaves, with its hashes alone, and from any entry on', async (t) => {
  const log = startLog();
  const [folder, hashes] = [folderFor(t), folderFor(t)];
  for (const count of [300, SIZE - 300]) {
    log.grow(count);
    await log.copyTo(folder);
  }
  await log.copyTo(hashes, false);
  const whole = await check(log, folder);
  assert.deepEqual([whole.ok, whole.size, whole.checked, whole.leaves, whole.faults], [true, SIZE, SIZE, true, []]);
  const bare = await check(log, hashes);
  assert.deepEqual([bare.ok, bare.checked, bare.leaves], [true, SIZE, false]);
  for (const [from, checked] of [
    [255, SIZE],
    [256, SIZE - 256],
    [SIZE - 1, SIZE % 256],
    [SIZE + 5, SIZE % 256],
  ]) {
    const report = await check(log, folder, { from: from ?? 0 });
    assert.deepEqual([report.ok, report.checked], [true, checked], String(from));
  }
  edit(join(folder, 'tile/2/000.p/1'), (bytes) => bytes.fill(1));
  assert.deepEqual(first(await check(log, folder)), ['tile_altered', 0], 'a hash at the top');
});

test('J4 what was changed in a copy is named by its kind and its first entry', async (t) => {
  const log = startLog();
  const good = folderFor(t);
  log.grow(SMALL);
  await log.copyTo(good);
  const partial = SMALL % 256;
  const last = Math.floor(SMALL / 256);
  const flip =
    (at: number) =>
    (bytes: Buffer): Buffer => {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      return changed;
    };
  const tile = (path: string, width: number, leaves: (all: Buffer[]) => void) => (folder: string) => {
    editLeaves(folder, path, width, leaves);
    edit(join(folder, 'tile/0', path), () => {
      const bundle = readBundle(readFileSync(join(folder, 'tile/entries', path)), width) ?? [];
      return Buffer.concat(bundle.map(leafHash));
    });
  };
  const cases: [name: string, change: (folder: string) => void, kind: string, index: number][] = [
    ['a leaf', (f) => editLeaves(f, '003', 256, (all) => all.splice(7, 1, other(all[7]))), 'leaf_altered', 775],
    ['two leaves swapped', (f) => editLeaves(f, '003', 256, (all) => all.splice(7, 2, all[8] as Buffer, all[7] as Buffer)), 'leaf_altered', 775],
    [
      'a leaf of the edge',
      (f) => editLeaves(f, `0${last}.p/${partial}`, partial, (all) => all.splice(2, 1, other(all[2]))),
      'leaf_altered',
      256 * last + 2,
    ],
    ['a hash', (f) => edit(join(f, 'tile/0/010'), flip(32 * 5)), 'tile_altered', 2565],
    ['a hash of the edge', (f) => edit(join(f, `tile/0/0${last}.p/${partial}`), flip(32 * 5)), 'tile_altered', 256 * last + 5],
    ['a hash above', (f) => edit(join(f, 'tile/1/000.p/32'), flip(32 * 9)), 'tile_altered', 256 * 9],
    ['a leaf and its hash', tile('011', 256, (all) => all.splice(1, 1, other(all[1]))), 'tile_altered', 256 * 11],
    ['a bundle gone', (f) => rmSync(join(f, 'tile/entries/020')), 'leaf_missing', 256 * 20],
    ['a bundle cut', (f) => edit(join(f, 'tile/entries/020'), (bytes) => bytes.subarray(0, -3)), 'leaf_missing', 256 * 20],
    ['a tile gone', (f) => rmSync(join(f, 'tile/0/021')), 'tile_missing', 256 * 21],
    ['a tile above gone', (f) => rmSync(join(f, 'tile/1/000.p/32')), 'tile_missing', 0],
    ['a tile too long', (f) => edit(join(f, 'tile/0/021'), (bytes) => Buffer.concat([bytes, bytes])), 'tile_missing', 256 * 21],
    [
      'the checkpoint',
      (f) => edit(join(f, 'checkpoint'), (bytes) => Buffer.from(String(bytes).replace(`${SMALL}`, `${SMALL - 1}`))),
      'checkpoint_altered',
      0,
    ],
    ['no checkpoint', (f) => rmSync(join(f, 'checkpoint')), 'checkpoint_missing', 0],
    ['the checkpoint of another key', (f) => writeFileSync(join(f, 'checkpoint'), startLog().grow(3)), 'checkpoint_altered', 0],
  ];
  for (const [name, change, kind, index] of cases) {
    const folder = folderFor(t);
    cpSync(good, folder, { recursive: true });
    change(folder);
    const report = await check(log, folder);
    assert.deepEqual([report.ok, ...first(report)], [false, kind, index], `${name}: ${JSON.stringify(report.faults.slice(0, 3))}`);
    rmSync(folder, { recursive: true });
  }
  // All of it recomputed below the root: the signature is what still speaks.
  const forged = startLog();
  forged.leaves = log.leaves.map((leaf, i) => (i === 700 ? other(leaf) : leaf));
  forged.seal();
  const folder = folderFor(t);
  await forged.copyTo(folder);
  writeFileSync(join(folder, 'checkpoint'), readFileSync(join(good, 'checkpoint')));
  assert.deepEqual(first(await check(log, folder)), ['checkpoint_mismatch', 0]);
});

test('J5 whoever remembers a checkpoint sees a log that was cut, put back, or rewritten, though it is well signed', async (t) => {
  const log = startLog();
  const stateFile = join(folderFor(t), 'seen');
  const show = async (more: Partial<LogVerifyOptions> = {}): Promise<LogReport> => {
    const fresh = folderFor(t);
    await log.copyTo(fresh);
    return check(log, fresh, { stateFile, ...more });
  };
  log.grow(700);
  assert.ok((await show()).ok);
  const seen = readFileSync(stateFile, 'utf8');
  log.grow(100);
  const kept = log.leaves;
  assert.ok((await show()).ok && (await show({ from: 600 })).ok);
  writeFileSync(stateFile, seen);

  log.leaves = kept.slice(0, 500);
  log.seal();
  assert.deepEqual(first(await show()), ['rolled_back', 500]);
  log.leaves = kept.map((leaf, i) => (i === 40 ? other(leaf) : leaf));
  log.seal();
  assert.equal((await show())['faults'][0]?.kind, 'fork');
  assert.equal((await show({ from: 790 }))['faults'][0]?.kind, 'fork', 'also when it begins after');
  log.leaves = kept.slice(0, 700).map((leaf, i) => (i === 699 ? other(leaf) : leaf));
  log.seal();
  assert.equal((await show())['faults'][0]?.kind, 'fork', 'also at the same size');
  assert.equal(readFileSync(stateFile, 'utf8'), seen, 'what is refused is not remembered');
  writeFileSync(stateFile, seen.replace('700', '701'));
  log.leaves = kept;
  log.seal();
  assert.deepEqual(first(await show()), ['state_damaged', 0]);
  writeFileSync(stateFile, startLog().grow(2));
  assert.deepEqual(first(await show()), ['other_log', 0]);
});

test('J4 an entry that is signed, and yet not as entries must be, is named: another form, a time that goes back', async (t) => {
  const log = startLog();
  log.grow(10);
  const back = leafOf(2);
  const spaced = Buffer.from(String(leafOf(11)).replace('{', '{ '));
  const twice = Buffer.from(String(leafOf(12)).replace('"v":1', '"v":1,"v":1'));
  const more = Buffer.from(String(leafOf(13)).replace('"v":1', '"v":1,"x":1'));
  log.leaves.push(back, spaced, twice, more, leafOf(14));
  log.seal();
  const folder = folderFor(t);
  await log.copyTo(folder);
  const report = await check(log, folder);
  assert.deepEqual(
    report.faults.map(({ kind, index }) => [kind, index]),
    [
      ['time_backwards', 10],
      ['leaf_malformed', 11],
      ['leaf_malformed', 12],
      ['leaf_malformed', 13],
    ],
  );
});

test('J4 whoever has the key of a party’s tags sees which entry of hers was left out, and nobody else recognises one (§6.30)', async (t) => {
  const key = randomBytes(32);
  const tag = (n: number): string => tagOf(key, 'usager', n).toString('base64url');
  const at = (numbers: Readonly<Record<number, number>>) => (index: number) => {
    const n = numbers[index];
    return n === undefined ? [randomBytes(16).toString('base64url')] : [tag(n), randomBytes(16).toString('base64url')];
  };
  const look = async (numbers: Readonly<Record<number, number>>, role: 'usager' | 'aidant' = 'usager', by = key): Promise<LogReport> => {
    const log = startLog();
    log.grow(600, at(numbers));
    const folder = folderFor(t);
    await log.copyTo(folder);
    return check(log, folder, { party: { key: by, role } });
  };
  const whole = await look({ 3: 1, 300: 2, 301: 3, 599: 4 });
  assert.deepEqual([whole.ok, whole.party], [true, { role: 'usager', entries: [3, 300, 301, 599] }]);
  const hidden = await look({ 3: 1, 301: 3, 599: 4 });
  assert.deepEqual(
    [first(hidden), hidden.party?.entries],
    [
      ['number_gap', 301],
      [3, 301, 599],
    ],
  );
  assert.match(hidden.faults[0]?.message ?? '', /number 2 is not in the log before it/);
  assert.deepEqual(first(await look({ 3: 1, 300: 2, 301: 2 })), ['tag_altered', 301], 'a number twice');
  assert.deepEqual((await look({ 3: 1, 300: 2 }, 'aidant')).party?.entries, [], 'under another role');
  assert.deepEqual((await look({ 3: 1, 300: 2 }, 'usager', randomBytes(32))).party?.entries, [], 'with another key');
});

test('J5 a key that was replaced counts up to its last entry, and the one that follows is found in the log itself', async (t) => {
  const log = startLog();
  const stateFile = join(folderFor(t), 'seen');
  const show = async (policy = policyOf(log)): Promise<LogReport> => {
    const folder = folderFor(t);
    await log.copyTo(folder);
    return check(log, folder, { policy, stateFile });
  };
  log.grow(300);
  assert.ok((await show()).ok);
  const next = log.rotate();
  log.grow(20);
  const pinnedNext = readPolicy(`log ${writeVkey(next)}\nquorum none\n`);
  assert.deepEqual([(await show()).faults, (await show(pinnedNext)).faults], [[], []], 'whichever of the two is known');
  log.grow(5);
  assert.ok((await show(pinnedNext)).ok && (await show()).ok, 'what is remembered is of the new key');
  const { leaves } = log;
  log.sealAsBefore();
  assert.deepEqual(first(await show()), ['checkpoint_altered', 326], 'the key that was left signs no more');
  assert.equal((await show(pinnedNext)).faults[0]?.kind, 'checkpoint_altered');
  // An entry that both keys did not sign changes nothing.
  const planted = JSON.parse(String(leaves[300])) as { p: Record<string, string> };
  log.leaves = [...leaves.slice(0, 300), leafOf(300, [], { e: 'key.rotated', k: 'log', p: { ...planted.p, byFormer: planted.p['byNext'] ?? '' } })];
  log.seal();
  rmSync(stateFile);
  assert.deepEqual(first(await show(pinnedNext)), ['rotation_wrong', 300]);
  assert.equal((await show()).faults[0]?.kind, 'checkpoint_altered');
});

test('J5 a policy that asks for witnesses is not met by the log’s own signature', async (t) => {
  const log = startLog();
  const folder = folderFor(t);
  const note = log.grow(300);
  await log.copyTo(folder);
  const witness = readPrivateKey(makePrivateKeyPem('ed25519'));
  const name = 'witness.example/w';
  const policy = policyOf(log, `witness w ${writeVkey(verifierOf(name, publicKeyOf(witness), 'cosignature'))}\nquorum w\n`);
  assert.deepEqual(first(await check(log, folder, { policy })), ['checkpoint_missing', 300]);
  writeFileSync(join(folder, 'checkpoint'), note + cosignNote(textOf(note), name, witness, new Date('2026-02-01T00:00:00Z')));
  const report = await check(log, folder, { policy });
  assert.deepEqual([report.ok, report.witnesses], [true, ['w']]);
});

test('J4 over HTTP the same is verified: with the token of a mirror by leaves, without it by hashes', async (t) => {
  const log = startLog();
  const token = randomToken();
  log.grow(1000);
  const app = Fastify();
  await app.register(logApi({ published: createPublishedLog(log.store), mirrors: [sha256(token)], notice: () => undefined }));
  app.get('/log/checkpoint', async () => (await log.store.checkpoint())?.note);
  app.get('/log/checkpoint/witnessed', async (_request, reply) => reply.code(503).send('not enough witnesses have cosigned yet\n'));
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  t.after(() => app.close());
  const at = (given?: string) => verifyLog({ reader: urlReader(`${address}/log/`, given), policy: policyOf(log), origin: log.origin });
  const whole = await at(token);
  assert.deepEqual([whole.ok, whole.leaves, whole.checked], [true, true, 1000]);
  const bare = await at();
  assert.deepEqual([bare.ok, bare.leaves, bare.checked], [true, false, 1000]);
  assert.throws(() => urlReader('http://relais.example/log', token), { code: 'log_address_unsafe' }, 'the token never goes in clear');
  assert.doesNotThrow(() => urlReader('http://relais.example/log'));
  const name = 'witness.example/w';
  const witness = writeVkey(verifierOf(name, publicKeyOf(readPrivateKey(makePrivateKeyPem('ed25519'))), 'cosignature'));
  const unmet = await verifyLog({
    reader: urlReader(`${address}/log`, token),
    policy: policyOf(log, `witness w ${witness}\nquorum w\n`),
    origin: log.origin,
  });
  assert.deepEqual(first(unmet), ['checkpoint_missing', 1000], 'a log that no quorum has seen');
  await assert.rejects(verifyLog({ reader: urlReader('http://127.0.0.1:9/log'), policy: policyOf(log), origin: log.origin }), {
    code: 'log_unreachable',
  });

  // The command, with neither database nor setting.
  const folder = folderFor(t);
  await log.copyTo(folder);
  const lines: string[] = [];
  const io = {
    out: (line: string) => void lines.push(line),
    err: (line: string) => void lines.push(line),
    ask: async () => undefined,
    read: async () => token,
  };
  const command = async (...args: string[]): Promise<number | undefined> => {
    lines.length = 0;
    const ready = prepare(['journal', 'verify', ...args], io);
    assert.ok('input' in ready);
    return verifyCommand.outside?.(ready.input, io);
  };
  const vkey = writeVkey(log.verifier);
  assert.equal(await command('--source', folder, '--vkey', vkey), EXIT.done);
  assert.equal(lines.at(-1), 'The log holds.');
  assert.match(lines[0] ?? '', /: 1000 of 1000 signed entries checked/);
  assert.equal(await command('--source', `${address}/log`, '--vkey', vkey, '--token-file', 'token', '--window', 'off', '--json'), EXIT.done);
  assert.deepEqual((JSON.parse(lines[0] ?? '') as LogReport).checked, 1000);
  assert.equal(await command('--source', folder), EXIT.usage, 'a log cannot say whose signature counts');
  assert.equal(await command(), undefined, 'without a source it is the database');
  editLeaves(folder, '002', 256, (all) => all.splice(0, 1, other(all[0])));
  assert.equal(await command('--source', folder, '--vkey', vkey), EXIT.entry);
  assert.match(lines.at(-1) ?? '', /^leaf_altered at 512: /);
  rmSync(join(folder, 'tile/0/002'));
  editLeaves(folder, '002', 256, (all) => all.splice(0, 1, log.leaves[512] as Buffer));
  assert.equal(await command('--source', folder, '--vkey', vkey), EXIT.tree);
  rmSync(join(folder, 'checkpoint'));
  assert.equal(await command('--source', folder, '--vkey', vkey), EXIT.checkpoint);
});

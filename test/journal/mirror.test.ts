import { appendFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import Fastify from 'fastify';
import { EXIT } from '../../src/cli/command.ts';
import { mirror as mirrorCommand, mirrorToken } from '../../src/cli/mirror.ts';
import { prepare } from '../../src/cli/run.ts';
import { readMirrors } from '../../src/config/mirrors.ts';
import { tagOf } from '../../src/journal/keys.ts';
import { folderReader, readLeaves } from '../../src/journal/log-reader.ts';
import { urlReader } from '../../src/journal/log-url.ts';
import { type Mirror, openMirror } from '../../src/journal/mirror.ts';
import { serveMirror } from '../../src/journal/mirror-server.ts';
import { cosignNote, openCheckpoint, textOf, verifierOf, writeVkey } from '../../src/journal/note.ts';
import { readPolicy } from '../../src/journal/policy.ts';
import { createPublishedLog } from '../../src/journal/published.ts';
import { writeRotations } from '../../src/journal/rotations.ts';
import { append, EMPTY_EDGE, leafHash, rootOf } from '../../src/journal/tree.ts';
import { verifyLog } from '../../src/journal/verify-log.ts';
import { makePrivateKeyPem, publicKeyOf, randomBytes, randomToken, readPrivateKey, sha256 } from '../../src/kernel/crypto.ts';
import { logApi } from '../../src/web/api/log.ts';
import { assert, test } from '../support/check.ts';
import { leafOf } from './big-log.ts';
import { type OutsideLog, startLog } from './outside-log.ts';

/** A mirror holds what the operator cannot take back, and tells a person whether her tag is there. */

interface Place {
  readonly log: OutsideLog;
  readonly url: string;
  readonly token: string;
  readonly folder: string;
  /** Changes what the log shows from now on; its cache is forgotten too. */
  show(leaves: Buffer[]): void;
  open(): Promise<Mirror>;
}

const policyOf = (log: OutsideLog, more = 'quorum none\n') => readPolicy(`log ${writeVkey(log.verifier)}\n${more}`);

const start = async (t: { after(undo: () => unknown): void }): Promise<Place> => {
  const log = startLog();
  const token = randomToken();
  const folder = mkdtempSync(join(tmpdir(), 'relais-mirror-'));
  let published = createPublishedLog(log.store);
  const app = Fastify();
  await app.register(
    logApi({
      published: {
        tile: (address) => published.tile(address),
        inclusion: (index, size) => published.inclusion(index, size),
        consistency: (from, to) => published.consistency(from, to),
      },
      mirrors: [sha256(token)],
      notice: () => undefined,
    }),
  );
  app.get('/log/checkpoint', async (_request, reply) => {
    const found = await log.store.checkpoint();
    return found ? found.note : reply.code(404).send();
  });
  const url = `${await app.listen({ host: '127.0.0.1', port: 0 })}/log`;
  t.after(async () => {
    await app.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    log,
    url,
    token,
    folder,
    show(leaves) {
      log.leaves = leaves;
      log.seal();
      published = createPublishedLog(log.store);
    },
    open: () => openMirror({ folder, reader: urlReader(url, token), policy: policyOf(log) }),
  };
};

const other = (leaf: Buffer): Buffer => Buffer.from(String(leaf).replace('"w":"app"', '"w":"apq"'));
const stateOf = (folder: string): [string, string][] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /^(?:tile|tags|checkpoint)/.test(name) && statSync(join(folder, name)).isFile())
    .sort()
    .map((name) => [name, readFileSync(join(folder, name), 'base64')]);

test('J5 a mirror copies what is signed, verified leaf by leaf, goes on, and is itself a log that anybody verifies', async (t) => {
  const { log, url, token, folder, open } = await start(t);
  const mirror = await open();
  assert.deepEqual(await mirror.update(), { kind: 'nothing_yet' });
  log.grow(300);
  assert.deepEqual(await mirror.update(), { kind: 'copied', size: 300, new: 300 });
  assert.deepEqual(await mirror.update(), { kind: 'current', size: 300, new: 0 });
  log.grow(1500);
  assert.deepEqual(await (await open()).update(), { kind: 'copied', size: 1800, new: 1500 }, 'another process goes on');
  const server = await serveMirror({ mirror, token, port: 0, host: '127.0.0.1' });
  t.after(() => server.close());
  const base = `http://127.0.0.1:${server.port}`;
  const policy = policyOf(log);
  const report = await verifyLog({ reader: urlReader(base, token), policy, origin: log.origin });
  assert.deepEqual([report.ok, report.leaves, report.checked], [true, true, 1800]);
  const bare = await verifyLog({ reader: urlReader(base), policy, origin: log.origin });
  assert.deepEqual([bare.ok, bare.leaves], [true, false], 'leaves are not for everybody');
  const status = async (path: string, headers: Record<string, string> = {}): Promise<number> => (await fetch(base + path, { headers })).status;
  writeFileSync(join(folder, 'tile/0/008'), Buffer.alloc(32 * 256)); // a copy that is under way
  assert.equal(await status('/tile/entries/000', { authorization: `Bearer ${randomToken()}` }), 401);
  for (const path of [
    '/tile/0/007.p/9',
    '/tile/0/008',
    '/tile/0/..%2f..%2fvkey',
    '/tile/0%2f000',
    '/tags/size',
    '/evidence',
    '/',
    '/tile/entries/007.p/9',
  ])
    assert.equal(await status(path, { authorization: `Bearer ${token}` }), 404, path);
  assert.equal((await fetch(`${base}/checkpoint`, { method: 'POST' })).status, 405);
  const wrong = urlReader(url, randomToken());
  await assert.rejects((async () => (await openMirror({ folder: join(folder, 'x'), reader: wrong, policy: policyOf(log) })).update())(), {
    code: 'log_forbidden',
  });
});

test('J4 a mirror says whether a tag is in the log, which shows the entry that was hidden at the end (§6.30)', async (t) => {
  const { log, token, folder, open } = await start(t);
  const key = randomBytes(32);
  const tag = (n: number): string => tagOf(key, 'usager', n).toString('base64url');
  log.grow(600, (index) => (index % 50 === 7 ? [tag(1 + (index - 7) / 50), randomBytes(16).toString('base64url')] : []));
  const mirror = await open();
  await mirror.update();
  const server = await serveMirror({ mirror, token, port: 0, host: '127.0.0.1' });
  t.after(() => server.close());
  const ask = async (text: string): Promise<[number, unknown]> => {
    const answer = await fetch(`http://127.0.0.1:${server.port}/tag/${text}`);
    return [answer.status, answer.status === 200 ? await answer.json() : await answer.text()];
  };
  const { origin } = log;
  // She was shown eleven entries: the twelfth is there, a thirteenth is not.
  assert.deepEqual(await ask(tag(12)), [200, { origin, size: 600, found: true, index: 557 }]);
  assert.deepEqual(await ask(tag(13)), [200, { origin, size: 600, found: false }]);
  for (const wrong of ['', 'x', tag(1).slice(1), `${tag(1)}A`, '%00']) assert.equal((await ask(wrong))[0], 400, wrong);
  log.grow(40, (index) => (index === 639 ? [tag(13)] : []));
  assert.deepEqual((await ask(tag(13)))[1], { origin, size: 600, found: false }, 'it speaks of what it has');
  await mirror.update();
  assert.deepEqual(await ask(tag(13)), [200, { origin, size: 640, found: true, index: 639 }]);

  // Killed in the middle of a record, or without its index: the next process has the same answers.
  const [bucket = ''] = readdirSync(join(folder, 'tags')).filter((name) => name === Buffer.from(tag(12), 'base64url').subarray(0, 1).toString('hex'));
  appendFileSync(join(folder, 'tags', bucket), Buffer.from('half a record'));
  const beside = Buffer.concat([Buffer.from(bucket, 'hex'), randomBytes(15)]); // in the same file as what was cut
  log.grow(1, () => [tag(14), beside.toString('base64url')]);
  const again = await open();
  await again.update();
  const found = (of: Mirror): unknown[] => [1, 12, 13, 14, 15].map((n) => of.tags.find(Buffer.from(tag(n), 'base64url')));
  assert.deepEqual([found(again), again.tags.find(beside)], [[7, 557, 639, 640, undefined], 640]);
  rmSync(join(folder, 'tags'), { recursive: true });
  const third = await open();
  assert.deepEqual([third.tags.size(), found(third)], [641, [7, 557, 639, 640, undefined]]);
});

test('J5 a mirror refuses a history that was rewritten, keeps both checkpoints, and what it had', async (t) => {
  const { log, folder, show, open } = await start(t);
  log.grow(700);
  const mirror = await open();
  await mirror.update();
  const kept = log.leaves;
  const before = stateOf(folder);
  const heldNote = readFileSync(join(folder, 'checkpoint'), 'utf8');
  assert.ok(before.length > 6);
  const unchanged = (what: string): void => assert.deepEqual(stateOf(folder), before, what);
  const rewritten = async (shown: number, what: string): Promise<void> => {
    const done = await mirror.update();
    assert.ok(done.kind === 'rewritten' && done.shown === shown && done.size === 700, `${what}: ${JSON.stringify(done)}`);
    const read = (name: string) => openCheckpoint(readFileSync(join(done.evidence, name), 'utf8'), log.origin, [log.verifier]);
    assert.deepEqual([read('held').size, read('shown').size], [700, shown], 'both are signed by the log itself');
    assert.equal(readFileSync(join(done.evidence, 'held'), 'utf8'), heldNote);
    unchanged(what);
  };
  const with690 = kept.map((leaf, i) => (i === 690 ? other(leaf) : leaf));
  show([...with690, ...kept.slice(0, 100)]);
  await rewritten(800, 'a later tree that does not begin with ours');
  show(with690);
  await rewritten(700, 'another tree of the same size');
  show(with690.slice(0, 695));
  await rewritten(695, 'a smaller tree that never was');
  await mirror.update();
  assert.equal(readdirSync(join(folder, 'evidence')).length, 3, 'the same evidence is kept once');
  show(kept.slice(0, 500));
  assert.deepEqual(await mirror.update(), { kind: 'older_shown', size: 700, shown: 500 });
  unchanged('an older one of the same past');
  const stranger = startLog();
  stranger.grow(900);
  log.store.checkpoint = stranger.store.checkpoint;
  await assert.rejects(mirror.update(), { code: 'note_unsigned' });
  unchanged('another key');
});

test('J4 a mirror keeps no leaf that is not the one that was signed, and takes the right one when it is given', async (t) => {
  const { log, folder, open } = await start(t);
  log.grow(300);
  const mirror = await open();
  await mirror.update();
  log.grow(400);
  const right = log.store.leaves;
  log.store.leaves = async (from, to) => (await right(from, to)).map((leaf, i) => (from + i === 650 ? other(leaf) : leaf));
  assert.deepEqual(await mirror.update(), { kind: 'leaves_differ', size: 300, shown: 700 });
  log.store.leaves = async (from, to) => (await right(from, to)).map((leaf, i) => (from + i === 3 ? other(leaf) : leaf));
  assert.equal((await mirror.update()).kind, 'copied', 'what it has already is not asked again');
  rmSync(folder, { recursive: true });
  const fresh = await open();
  assert.deepEqual(await fresh.update(), { kind: 'leaves_differ', size: 0, shown: 700 });
  assert.ok(!existsSync(join(folder, 'checkpoint')) && !existsSync(join(folder, 'tile/entries')));
  log.store.leaves = right;
  assert.deepEqual(await fresh.update(), { kind: 'copied', size: 700, new: 700 });
  const leaves = (await Promise.all([0, 1, 2].map((n) => readLeaves(folderReader(folder), 700, n)))).flatMap((bundle) => bundle ?? []);
  assert.deepEqual(rootOf(append(EMPTY_EDGE, leaves.map(leafHash)).edge), openCheckpoint(log.seal(), log.origin, [log.verifier]).root);
});

test('J5 relais mirror looks once without a port, with the exit code of what it saw; its token is shown once', async (t) => {
  const { log, url, folder } = await start(t);
  const lines: string[] = [];
  let file = '';
  const io = {
    out: (line: string) => void lines.push(line),
    err: (line: string) => void lines.push(line),
    ask: async () => undefined,
    read: async () => file,
  };
  const run = async (...args: string[]): Promise<number> => {
    lines.length = 0;
    const ready = prepare(args, io);
    if ('exit' in ready) return ready.exit;
    assert.ok(ready.command === mirrorCommand || ready.command === mirrorToken);
    return ready.command.run(ready.input, io);
  };
  assert.equal(await run('journal', 'mirror-token', '--name', 'Tax office'), EXIT.usage);
  assert.equal(await run('journal', 'mirror-token', '--name', 'tax-office'), EXIT.done);
  const token = lines[0]?.split(': ')[1] ?? '';
  const line = lines[1]?.split(': ')[1] ?? '';
  const mirrors = join(folder, 'mirrors');
  writeFileSync(mirrors, `${line}\n`);
  assert.deepEqual(
    readMirrors(mirrors).map(({ hash }) => hash),
    [sha256(token)],
  );

  file = randomToken();
  const dir = join(folder, 'copy');
  const vkey = writeVkey(log.verifier);
  const look = () => run('mirror', '--from', url, '--token-file', 'token', '--vkey', vkey, '--dir', dir);
  log.grow(10);
  assert.equal(await look(), EXIT.configuration, 'a token that was not given');
  assert.match(lines[0] ?? '', /"code":"log_forbidden"/);
  const place = await start(t);
  place.log.grow(40);
  file = `${place.token}\n`;
  const at = ['mirror', '--from', place.url, '--token-file', 'token', '--vkey', writeVkey(place.log.verifier), '--dir', place.folder];
  assert.equal(
    await run(...at.filter((one) => one !== '--vkey' && !one.startsWith('journal.'))),
    EXIT.usage,
    'a log cannot say whose signature counts',
  );
  assert.equal(await run(...at, '--policy', 'policy'), EXIT.usage);
  assert.equal(await run(...at), EXIT.done);
  assert.match(lines[0] ?? '', /"event":"copied","size":40,"new":40/);
  assert.equal(await run(...at), EXIT.checkpoint);
  assert.match(lines[0] ?? '', /"event":"frozen","size":40,"new":0,"last":"2026-01-01T00:00:00\.390Z"/, 'its last entry is of long ago (§4, 13)');
  place.log.leaves.push(leafOf(40, [], { t: new Date().toISOString() }));
  place.log.seal();
  assert.deepEqual([await run(...at), await run(...at)], [EXIT.done, EXIT.done]);
  assert.deepEqual(lines, [], 'nothing new is nothing to say');
  place.show(place.log.leaves.map((leaf, i) => (i === 2 ? other(leaf) : leaf)));
  assert.equal(await run(...at), EXIT.continuity);
  assert.match(lines[0] ?? '', /"event":"rewritten","size":41,"shown":41,"evidence":/);
});

test('K6 a mirror goes by one key, follows its changes in its own leaves, and takes nothing more of the key that was left', async (t) => {
  const { log, folder } = await start(t);
  const shown = join(folder, 'shown');
  for (const where of [shown, join(folder, 'planted')]) mkdirSync(join(where, 'tile'), { recursive: true });
  const copy = join(folder, 'copy');
  const show = async (rotations: string): Promise<void> => {
    await log.copyTo(shown);
    writeFileSync(join(shown, 'rotations'), rotations);
  };
  const former = log.verifier;
  const open = (policy = policyOf(log)) => openMirror({ folder: copy, reader: folderReader(shown), policy });
  log.grow(300);
  await show('');
  assert.equal((await (await open()).update()).kind, 'copied');
  const next = log.rotate();
  log.grow(20);
  const change = writeRotations([{ index: 300, leaf: log.leaves[300] as Buffer }]);
  const right = log.leaves;
  log.leaves = right.map((leaf, i) => (i === 300 ? leafOf(300) : leaf));
  log.seal();
  await log.copyTo(join(folder, 'planted'));
  writeFileSync(join(folder, 'planted', 'rotations'), change);
  const planted = await openMirror({ folder: copy, reader: folderReader(join(folder, 'planted')), policy: policyOf(log) });
  await assert.rejects(planted.update(), { code: 'note_unsigned' }, 'a change that is shown, and is no entry');
  assert.equal((await planted.held())?.size, 300);
  log.leaves = right;
  log.seal();
  await show(change);
  assert.deepEqual(await (await open()).update(), { kind: 'copied', size: 321, new: 21 });
  assert.equal(readFileSync(join(copy, 'rotations'), 'utf8'), change);

  // A thief of the former key continues the log, and shows no change; a mirror that was given both keys is not deceived either.
  const both = policyOf(log, `log ${writeVkey(next)}\nquorum none\n`);
  log.leaves.push(leafOf(321));
  log.sealAsBefore();
  await show('');
  for (const policy of [policyOf(log), both]) await assert.rejects((await open(policy)).update(), { code: 'note_unsigned' });
  rmSync(join(copy, 'rotations'));
  await assert.rejects((await open(both)).update(), { code: 'note_unsigned' }, 'what it copied says it again');
  log.seal();
  await show('');
  assert.deepEqual(await (await open()).update(), { kind: 'copied', size: 322, new: 1 });
  const stranger = startLog();
  stranger.grow(3);
  await assert.rejects(open(policyOf(log, `log ${writeVkey(stranger.verifier)}\nquorum none\n`)), { code: 'log_unknown' });
  assert.equal(log.verifier, former);
});

test('J5 a mirror by policy takes what its witnesses have seen, and keeps the evidence of what the log signs beside', async (t) => {
  const { log, folder } = await start(t);
  const [shown, copy] = [join(folder, 'shown'), join(folder, 'copy')];
  mkdirSync(join(shown, 'tile'), { recursive: true });
  const key = readPrivateKey(makePrivateKeyPem('ed25519'));
  const name = 'witness.example/w';
  const policy = policyOf(log, `witness w ${writeVkey(verifierOf(name, publicKeyOf(key), 'cosignature'))}\nquorum w\n`);
  const mirror = await openMirror({ folder: copy, reader: folderReader(shown), policy });
  const put = (path: string, note: string): void => {
    mkdirSync(dirname(join(shown, path)), { recursive: true });
    writeFileSync(join(shown, path), note);
  };
  const cosigned = (note: string): string => note + cosignNote(textOf(note), name, key, new Date('2026-02-01T00:00:00Z'));
  const first = log.grow(300);
  await log.copyTo(shown);
  assert.deepEqual(await mirror.update(), { kind: 'unwitnessed', size: 0, shown: 300 });
  assert.ok(!existsSync(join(copy, 'checkpoint')));
  put('checkpoint', cosigned(first));
  assert.deepEqual(await mirror.update(), { kind: 'copied', size: 300, new: 300 });
  log.grow(40);
  await log.copyTo(shown);
  assert.deepEqual(await mirror.update(), { kind: 'unwitnessed', size: 300, shown: 340 });
  const kept = log.leaves;
  const rewritten = kept.map((leaf, i) => (i === 40 ? other(leaf) : leaf));
  // What no witness has seen is still signed by the log: another past in it is evidence.
  const right = join(folder, 'right');
  cpSync(shown, right, { recursive: true });
  rmSync(shown, { recursive: true });
  mkdirSync(join(shown, 'tile'), { recursive: true });
  log.leaves = rewritten;
  log.seal();
  await log.copyTo(shown);
  const told = await mirror.update();
  assert.ok(told.kind === 'rewritten' && existsSync(join(told.evidence, 'shown')), JSON.stringify(told));
  rmSync(shown, { recursive: true });
  cpSync(right, shown, { recursive: true });
  log.leaves = kept;
  log.seal();
  mkdirSync(join(shown, 'checkpoint-of'), { recursive: true });
  const reader = { read: (path: string) => folderReader(shown).read(path === 'checkpoint/witnessed' ? 'checkpoint-of/witnessed' : path) };
  put('checkpoint-of/witnessed', cosigned((await log.store.checkpoint(340))?.note ?? ''));
  const again = await openMirror({ folder: copy, reader, policy });
  assert.deepEqual(await again.update(), { kind: 'copied', size: 340, new: 40 }, 'from where a log publishes it');
  assert.match(readFileSync(join(copy, 'checkpoint'), 'utf8'), /witness\.example\/w/);
});

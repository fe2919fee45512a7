import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openNote, signNote, verifierOf, writeCheckpoint } from '../../src/journal/note.ts';
import { proveConsistency } from '../../src/journal/proof.ts';
import { append, EMPTY_EDGE, EMPTY_ROOT, fold, type HashSource, leafHash, rootOf } from '../../src/journal/tree.ts';
import { type Answer, openWitness, type Refusal, type Witness } from '../../src/journal/witness.ts';
import { serveWitness, type WitnessEvent } from '../../src/journal/witness-server.ts';
import { type AddRequest, readAddRequest, writeAddRequest } from '../../src/journal/witness-wire.ts';
import { ed25519FromRaw, makePrivateKeyPem, publicKeyOf, readPrivateKey, sha256 } from '../../src/kernel/crypto.ts';
import { assert, test } from '../support/check.ts';
import { frozenClock } from '../support/clock.ts';

/** C2SP tlog-witness: what a witness cosigns, what it refuses, and what it remembers. */

const ORIGIN = 'journal.example/0a1b2c3d';
const key = readPrivateKey(makePrivateKeyPem('ed25519'));
const log = verifierOf(ORIGIN, publicKeyOf(key));
const leaves = Array.from({ length: 40 }, (_, i) => leafHash(`entry ${i}`));
const forged = leaves.map((leaf, i) => (i === 3 ? leafHash('rewritten') : leaf));
const source = (of: readonly Buffer[]): HashSource => ({
  hashes: (level, from, count) => Array.from({ length: count }, (_, i) => fold(of.slice((from + i) * 256 ** level, (from + i + 1) * 256 ** level))),
});
const rootAt = (size: number, of = leaves): Buffer => rootOf(append(EMPTY_EDGE, of.slice(0, size)).edge);
const noteAt = (size: number, of = leaves, root = rootAt(size, of)): string => signNote(writeCheckpoint({ origin: ORIGIN, size, root }), ORIGIN, key);
const request = async (oldSize: number, size: number, of = leaves): Promise<AddRequest> => ({
  oldSize,
  proof: oldSize > size ? [] : await proveConsistency(source(of), oldSize, size),
  note: noteAt(size, of),
});
const folderOf = (t: TestContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-witness-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};
const clock = frozenClock();
const open = (folder: string, onSplit?: (origin: string, size: number) => void): Witness =>
  openWitness({ folder, name: 'witness.example/w1', logs: [log], clock, ...(onSplit ? { onSplit } : {}) });
const outcome = (answer: Answer | Refusal): string | number => ('refused' in answer ? answer.refused : answer.checkpoint.size);

test('the body of add-checkpoint is read as the specification writes it, and nothing else', async () => {
  const body = writeAddRequest(await request(5, 12));
  assert.match(body, /^old 5\n([A-Za-z0-9+/]{43}=\n)+\njournal\.example\/0a1b2c3d\n12\n/);
  assert.deepEqual(readAddRequest(body), await request(5, 12));
  const hash = `${Buffer.alloc(32, 42).toString('base64')}\n`;
  assert.equal(readAddRequest(`old 0\n${hash.repeat(63)}\n${noteAt(1)}`)?.proof.length, 63);
  for (const wrong of [
    '',
    'old 0',
    `old 0\n${hash.repeat(64)}\n${noteAt(1)}`,
    body.replace('old 5', 'old 05'),
    body.replace('old 5', 'old -5'),
    body.replace('old 5', 'new 5'),
    body.replace('old 5', 'old 9007199254740993'),
    body.replace('old 5\n', 'old 5\nnot base 64\n'),
    body.replace('old 5\n', 'old 5\nAAAA\n'),
  ])
    assert.equal(readAddRequest(wrong), undefined, wrong.slice(0, 30));
});

test('first contact, catching up, and every refusal of the specification (§6.39)', async (t) => {
  const folder = folderOf(t);
  const witness = open(folder);
  const add = async (asked: AddRequest | Promise<AddRequest>): Promise<string | number> => outcome(witness.add(await asked));
  const empty = { oldSize: 0, proof: [], note: noteAt(0) };
  assert.equal(await add({ ...empty, note: noteAt(0, leaves, leaves[0]) }), 'inconsistent_proof', 'an empty tree has one root');
  assert.equal(await add({ ...empty, proof: [EMPTY_ROOT] }), 'inconsistent_proof');
  assert.equal(await add(empty), 0, 'a log of size 0 is cosigned');
  assert.equal(await add(empty), 0, 'and again');
  assert.equal(await add({ ...(await request(0, 5)), proof: [EMPTY_ROOT] }), 'inconsistent_proof', 'no proof from nothing');
  assert.equal(await add(request(0, 5)), 5);
  assert.deepEqual(witness.add(await request(0, 12)), { refused: 'other_size', size: 5 }, 'it says from where to ask again');
  assert.equal(await add(request(5, 12)), 12);
  assert.equal(await add(request(12, 12)), 12, 'the same tree again');
  assert.equal(await add({ ...(await request(12, 12)), proof: [EMPTY_ROOT] }), 'inconsistent_proof');
  assert.equal(await add(request(12, 5)), 'old_beyond_new');
  assert.equal(await add(request(5, 5)), 'other_size', 'a smaller tree is never cosigned again');
  assert.equal(await add({ ...(await request(12, 20)), proof: [] }), 'inconsistent_proof');
  assert.equal(await add(request(12, 20, forged)), 'inconsistent_proof', 'another past');
  assert.equal(await add({ ...(await request(12, 20)), note: noteAt(20).replaceAll(ORIGIN, 'journal.example/other') }), 'unknown_log');
  const stolen = signNote(writeCheckpoint({ origin: ORIGIN, size: 20, root: rootAt(20) }), ORIGIN, readPrivateKey(makePrivateKeyPem('ed25519')));
  assert.equal(await add({ ...(await request(12, 20)), note: stolen }), 'not_signed');
  assert.equal(await add({ ...(await request(12, 20)), note: noteAt(20).replace('\n20\n', '\n21\n') }), 'not_signed', 'signed, but not this');
  assert.equal(await add({ ...(await request(12, 20)), note: `${ORIGIN}\n20\n` }), 'malformed');
  const extended = signNote(`${writeCheckpoint({ origin: ORIGIN, size: 20, root: rootAt(20) })}more\n`, ORIGIN, key);
  assert.equal(await add({ ...(await request(12, 20)), note: extended }), 'malformed', 'an extension that nobody could audit');
  const own = witness.verifier;
  const answer = witness.add(await request(12, 20));
  const opened = openNote(noteAt(20) + ('cosigned' in answer ? answer.cosigned : ''), [log, own]);
  assert.deepEqual(opened.by, [log, own], 'after all of this, it still cosigns what continues');
  assert.deepEqual(opened.times.get(own), clock.now());
});

test('the vectors of another implementation: the requests of litewitness’s own tests are cosigned, its roll-back is not', (t) => {
  const origin = 'sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562';
  const sigsum = verifierOf(origin, ed25519FromRaw(Buffer.from('ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f', 'hex')));
  const witness = openWitness({ folder: folderOf(t), name: 'example.com', logs: [sigsum], clock });
  const body = (old: number, proof: string[], size: number, root: string, signature: string): AddRequest | undefined =>
    readAddRequest(`old ${old}\n${proof.map((hash) => `${hash}\n`).join('')}\n${origin}\n${size}\n${root}\n\n— ${origin} ${signature}\n`);
  const add = (asked: AddRequest | undefined) => outcome(asked ? witness.add(asked) : { refused: 'malformed' });
  const one = body(
    0,
    [],
    1,
    'KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
    'UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY=',
  );
  const three = body(
    1,
    ['KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=', 'KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='],
    3,
    'RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=',
    'UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go=',
  );
  const five = body(
    1,
    ['KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=', '+fUDV+k970B4I3uKrqJM4aP1lloPZP8mvr2Z4wRw2LI=', 'KgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='],
    5,
    'QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=',
    'UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww=',
  );
  assert.deepEqual([add(one), add(five), add(three)], [1, 5, 'other_size']);
  assert.equal(witness.watched()[0]?.size, 5);
});

test('J5 a split view is refused, told once, and both signed histories are kept', async (t) => {
  const folder = folderOf(t);
  const told: [string, number][] = [];
  const witness = open(folder, (origin, size) => told.push([origin, size]));
  witness.add(await request(0, 12));
  for (const oldSize of [12, 12, 0]) {
    const answer = witness.add({ oldSize, proof: [], note: noteAt(12, forged) });
    assert.equal(outcome(answer), oldSize ? 'split_view' : 'other_size');
  }
  assert.deepEqual(told, [[ORIGIN, 12]]);
  const kept = join(folder, 'evidence', sha256(ORIGIN).toString('hex'));
  const notes = readdirSync(kept).map((file) => openNote(readFileSync(join(kept, file), 'utf8'), [log, witness.verifier]));
  assert.deepEqual(
    notes.map(({ text }) => text).sort(),
    [noteAt(12), noteAt(12, forged)].map((note) => note.slice(0, note.indexOf('\n\n') + 1)).sort(),
  );
  assert.equal(notes.filter(({ by }) => by.includes(witness.verifier)).length, 1, 'only the one that it saw first carries its cosignature');
  assert.deepEqual(witness.watched(), [{ origin: ORIGIN, id: sha256(ORIGIN).toString('hex'), size: 12, evidence: 2 }]);
  assert.equal(outcome(witness.add(await request(12, 20))), 20, 'the history that it witnessed goes on');
  assert.equal(outcome(witness.add(await request(20, 30, forged))), 'inconsistent_proof');
  const before = readdirSync(kept).length;
  const outsider = signNote(
    writeCheckpoint({ origin: ORIGIN, size: 20, root: rootAt(20, forged) }),
    ORIGIN,
    readPrivateKey(makePrivateKeyPem('ed25519')),
  );
  witness.add({ oldSize: 20, proof: [], note: outsider });
  assert.equal(readdirSync(kept).length, before, 'what the log did not sign is evidence of nothing');
});

test('a witness remembers across its ends, and whatever was half written', async (t) => {
  const folder = folderOf(t);
  const memory = join(folder, 'logs', `${sha256(ORIGIN).toString('hex')}.json`);
  const first = open(folder);
  first.add(await request(0, 12));
  const state = readFileSync(memory, 'utf8');
  writeFileSync(`${memory}.new`, state.slice(0, 20)); // killed while it wrote the next state
  const second = openWitness({ folder, logs: [log], clock });
  assert.deepEqual(second.verifier, first.verifier, 'its name is needed once');
  assert.equal(outcome(second.add(await request(0, 20))), 'other_size');
  assert.deepEqual(openNote(second.last(sha256(ORIGIN).toString('hex')) ?? '', [log, first.verifier]).by, [log, first.verifier]);
  assert.equal(outcome(second.add(await request(12, 20))), 20);
  assert.equal(second.last('00'.repeat(32)), undefined);
  writeFileSync(memory, state.slice(0, 20));
  assert.throws(() => second.add({ oldSize: 0, proof: [], note: noteAt(5) }), { code: 'witness_state_damaged' }, 'damaged is not the same as new');
  assert.throws(() => open(folder), { code: 'witness_state_damaged' });
});

test('what is cosigned is on the disk before the cosignature exists', async (t) => {
  const folder = folderOf(t);
  const witness = open(folder);
  writeFileSync(join(folder, 'logs'), 'no folder can be made here');
  const asked = await request(0, 12);
  assert.throws(() => witness.add(asked), /EEXIST|ENOTDIR/);
  assert.equal(existsSync(join(folder, 'logs', 'x')), false);
});

test('a folder without its key, or with another, is refused', async (t) => {
  const folder = folderOf(t);
  assert.throws(() => openWitness({ folder, logs: [log], clock }), { code: 'witness_name_missing' });
  writeFileSync(join(folder, 'vkey'), 'left by a first start that was killed\n');
  const witness = open(folder);
  assert.throws(() => openWitness({ folder, name: 'witness.example/other', logs: [log], clock }), { code: 'witness_name_other' });
  witness.add(await request(0, 12));
  const pem = readFileSync(join(folder, 'key.pem'), 'utf8');
  rmSync(join(folder, 'key.pem'));
  assert.throws(() => open(folder), { code: 'witness_key_missing' });
  writeFileSync(join(folder, 'key.pem'), makePrivateKeyPem('ed25519'));
  assert.throws(() => open(folder), { code: 'witness_key_other' });
  writeFileSync(join(folder, 'key.pem'), pem);
  assert.deepEqual(open(folder).verifier, witness.verifier);
});

test('over HTTP, each answer has the status and the type of the specification (§6.39)', async (t) => {
  const events: WitnessEvent[] = [];
  const witness = open(folderOf(t));
  const server = await serveWitness({ witness, port: 0, host: '127.0.0.1', onEvent: (event) => events.push(event) });
  t.after(() => server.close());
  const base = `http://127.0.0.1:${server.port}`;
  const post = async (body: string): Promise<[number, string, string]> => {
    const answer = await fetch(`${base}/add-checkpoint`, { method: 'POST', body });
    return [answer.status, answer.headers.get('content-type') ?? '', await answer.text()];
  };
  const add = async (asked: Promise<AddRequest>) => post(writeAddRequest(await asked));
  const [status, , line] = await add(request(0, 5));
  assert.equal(status, 200);
  assert.deepEqual(openNote(noteAt(5) + line, [log, witness.verifier]).by, [log, witness.verifier]);
  assert.deepEqual(await add(request(0, 12)), [409, 'text/x.tlog.size', '5\n']);
  assert.equal((await add(request(5, 12)))[0], 200);
  const statuses: [string, number][] = [
    ['', 400],
    [writeAddRequest(await request(12, 5)), 400],
    [writeAddRequest({ ...(await request(12, 20)), note: noteAt(20).replace('\n20\n', '\n21\n') }), 403],
    [writeAddRequest({ ...(await request(12, 20)), note: noteAt(20).replaceAll(ORIGIN, 'journal.example/other') }), 404],
    [writeAddRequest({ ...(await request(12, 20)), proof: [] }), 422],
    [writeAddRequest({ oldSize: 12, proof: [], note: noteAt(12, forged) }), 422],
    ['x'.repeat(40_000), 413],
  ];
  for (const [body, expected] of statuses) assert.equal((await post(body))[0], expected, body.slice(0, 20));
  assert.deepEqual(
    events.map(({ code }) => code),
    ['malformed', 'old_beyond_new', 'not_signed', 'unknown_log', 'inconsistent_proof', 'split_view'],
  );
  const [watched] = witness.watched();
  assert.equal(watched?.size, 12, 'nothing of this changed what it knows');
  const last = await fetch(`${base}/checkpoint/${watched?.id}`);
  assert.deepEqual([last.status, last.headers.get('cache-control')], [200, 'no-store']);
  assert.deepEqual(openNote(await last.text(), [log, witness.verifier]).by, [log, witness.verifier]);
  for (const [path, expected] of [
    ['/checkpoint/0', 404],
    ['/add-checkpoint', 405],
    ['/../key.pem', 404],
    ['/key.pem', 404],
  ] as const)
    assert.equal((await fetch(base + path)).status, expected, path);
  const page = await fetch(`${base}/`);
  const html = await page.text();
  assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'; style-src 'sha256-/);
  assert.match(html, /<html lang="fr">.*<h1>Témoin de journal<\/h1>/);
  assert.match(html, /Ce témoin a vu 12 lignes, et aucune n’a changé depuis\./);
  assert.match(html, /Alerte\.<\/strong> Ce journal a signé deux histoires différentes/);
  assert.ok(html.includes(`checkpoint/${watched?.id}`));
});

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXIT, readInput } from '../../src/cli/command.ts';
import { compare } from '../../src/cli/journal-compare.ts';
import { cosignNote, signNote, verifierOf, writeCheckpoint, writeVkey } from '../../src/journal/note.ts';
import { isMet, openWitnessed, readPolicy } from '../../src/journal/policy.ts';
import { EMPTY_ROOT, leafHash, nodeHash } from '../../src/journal/tree.ts';
import { makePrivateKeyPem, publicKeyOf, randomBytes, readPrivateKey } from '../../src/kernel/crypto.ts';
import { assert, test } from '../support/check.ts';

/** C2SP tlog-policy. */

const ORIGIN = 'journal.example/0a1b2c3d';
const keyPair = (name: string, kind: 'note' | 'cosignature') => {
  const key = readPrivateKey(makePrivateKeyPem('ed25519'));
  const verifier = verifierOf(name, publicKeyOf(key), kind);
  return { key, name, verifier, vkey: writeVkey(verifier) };
};
const log = keyPair(ORIGIN, 'note');
const names = ['x1', 'x2', 'x3', 'y1', 'y2', 'y3'];
const witnesses = names.map((name) => keyPair(`${name}.example`, 'cosignature'));
const lineOf = (i: number, url = ''): string => `witness ${names[i]} ${witnesses[i]?.vkey} ${url}`;

/** The example of the specification: two of X and one of Y. */
const EXAMPLE = [
  `log ${log.vkey}`,
  '',
  ...[0, 1, 2].map((i) => lineOf(i)),
  'group X-witnesses 2 x1 x2 x3',
  '# another ministry',
  ...[3, 4, 5].map((i) => `\t ${lineOf(i, 'https://y.example/')}`),
  'group Y-witnesses any y1 y2 y3',
  'group X-and-Y all X-witnesses Y-witnesses',
  'quorum X-and-Y',
  '',
].join('\n');

test('a policy is read as the specification writes it, and counts the witnesses of its quorum', () => {
  const policy = readPolicy(EXAMPLE);
  assert.deepEqual(policy.logs, [{ verifier: log.verifier }]);
  assert.deepEqual(
    policy.witnesses.map(({ name, verifier, url }) => [name, verifier.name, url]),
    names.map((name) => [name, `${name}.example`, name.startsWith('y') ? 'https://y.example/' : undefined]),
  );
  const cases: [string[], boolean][] = [
    [['x1', 'x3', 'y2'], true],
    [names, true],
    [['x1', 'x2', 'x3'], false],
    [['x1', 'y1', 'y2', 'y3'], false],
    [[], false],
    [['X-and-Y'], false],
  ];
  for (const [who, met] of cases) assert.equal(isMet(policy, new Set(who)), met, who.join(' '));
  assert.equal(isMet(readPolicy('quorum none\n'), new Set()), true);
  assert.equal(isMet(readPolicy(`${lineOf(0)}\nquorum x1`), new Set(['x1'])), true);
  assert.deepEqual(readPolicy(`${lineOf(0)}\n${lineOf(1)}\ngroup group all x1 x2\nquorum group\n`).groups.get('group')?.threshold, 2);
});

test('each wrong line of a policy is named, all at once', () => {
  const wrong = (text: string): string => {
    try {
      readPolicy(text);
      return 'nothing';
    } catch (error) {
      return error instanceof Error ? error.message : '';
    }
  };
  const asLog = keyPair('x.example', 'note');
  const cases: [string, RegExp][] = [
    ['quorum none\r\n', /line 1: a control character/],
    ['quorum none\n\u0001', /line 2: a control character/],
    ['quibble x\nquorum none', /line 1: "quibble" is none of/],
    [`${lineOf(0, 'https://w.example/ # comment')}\nquorum x1`, /line 1: expected: witness/],
    ['log\nquorum none', /line 1: expected: log/],
    ['log garbage\nquorum none', /line 1: the vkey cannot be read/],
    [`log ${log.vkey}\nlog ${log.vkey}\nquorum none`, /line 2: this key is there already/],
    [`log ${witnesses[0]?.vkey}\nquorum none`, /line 1: a log needs a key of type 0x01/],
    [`witness a ${asLog.vkey}\nquorum a`, /line 1: a witness needs a key of type 0x04/],
    ['witness x1\nquorum none', /line 1: expected: witness/],
    [`witness none ${witnesses[0]?.vkey}\nquorum none`, /line 1: "none" is no name/],
    [`${lineOf(0)}\nwitness x1 ${witnesses[1]?.vkey}\nquorum x1`, /line 2: "x1" is the name of another/],
    [`${lineOf(0)}\nwitness other ${witnesses[0]?.vkey}\nquorum x1`, /line 2: this key is there already/],
    [`${lineOf(0)}\ngroup x1 any x1\nquorum x1`, /line 2: "x1" is the name of another/],
    [`${lineOf(0)}\ngroup g 1\nquorum x1`, /line 2: expected: group/],
    [`${lineOf(0)}\ngroup g 0 x1\nquorum g`, /line 2: "0" must be/],
    [`${lineOf(0)}\ngroup g -1 x1\nquorum g`, /line 2: "-1" must be/],
    [`${lineOf(0)}\ngroup g 2 x1\nquorum g`, /line 2: "2" must be any, all, or a number from 1 to 1/],
    [`group g any x1\n${lineOf(0)}\nquorum g`, /line 1: "x1" is not defined above/],
    [`${lineOf(0)}\ngroup g any none x1\nquorum g`, /line 2: "none" is not defined above/],
    [`${lineOf(0)}\ngroup g all x1 x1\nquorum g`, /line 2: "x1" is a member already/],
    [`${lineOf(0)}\n${lineOf(1)}\ngroup g any x1 x2\ngroup h any x1\nquorum g`, /line 4: "x1" is a member already/],
    [`${lineOf(0)}\n`, /there is no quorum line/],
    [`${lineOf(0)}\nquorum x1\nquorum x1`, /line 3: there is a quorum above already/],
    [`quorum x1\n${lineOf(0)}`, /line 1: "x1" is not defined above/],
    ['quorum', /line 1: expected: quorum/],
    [lineOf(0, 'ftp://w.example/'), /line 1: "ftp:\/\/w.example\/" is not an http or https address/],
    ['log x\nwitness y z\nquorum q', /line 1: .*; line 2: .*; line 3: /],
  ];
  for (const [text, expected] of cases) assert.match(wrong(text), expected);
});

const root = randomBytes(32);
const text = writeCheckpoint({ origin: ORIGIN, size: 42, root });
const at = (second: number): Date => new Date(Date.UTC(2026, 10, 22, 10, 0, second));
const signedBy = (...who: readonly [number, number][]): string =>
  signNote(text, ORIGIN, log.key) +
  who.map(([i, second]) => cosignNote(text, witnesses[i]?.name ?? '', witnesses[i]?.key ?? log.key, at(second))).join('');

test('a checkpoint is opened under a policy: its log, its witnesses, when the quorum had seen it', () => {
  const policy = readPolicy(EXAMPLE);
  const opened = openWitnessed(signedBy([0, 3], [1, 1], [2, 2], [3, 9]), ORIGIN, policy);
  assert.deepEqual([opened.checkpoint.size, opened.checkpoint.root], [42, root]);
  assert.deepEqual(
    opened.witnesses.map(({ name }) => name),
    ['x2', 'x3', 'x1', 'y1'],
  );
  assert.equal(opened.met, true);
  assert.deepEqual(opened.seenAt, at(2), 'x1 and x3 of the X, y1 of the Y, all at second 2 or after');
  const few = openWitnessed(signedBy([0, 1], [1, 2]), ORIGIN, policy);
  assert.deepEqual([few.met, few.seenAt], [false, undefined]);
  const alone = openWitnessed(signedBy(), ORIGIN, readPolicy(`log ${log.vkey}\nquorum none`));
  assert.deepEqual([alone.met, alone.seenAt], [true, undefined]);
});

test('K6 witnesses alone, a key that the policy does not know, or another log make no checkpoint', () => {
  const policy = readPolicy(EXAMPLE);
  const cosigned = `${text}\n${signedBy([0, 1], [1, 1], [3, 1]).split('\n').slice(5).join('\n')}`;
  assert.throws(() => openWitnessed(cosigned, ORIGIN, policy), { code: 'note_unsigned' });
  const stolen = keyPair(ORIGIN, 'note');
  const forged = signNote(text, ORIGIN, stolen.key) + signedBy([0, 1], [1, 1], [3, 1]).split('\n').slice(5).join('\n');
  assert.throws(() => openWitnessed(forged, ORIGIN, policy), { code: 'note_unsigned' }, 'signed with a key that is not pinned');
  assert.throws(() => openWitnessed(signedBy([0, 1]), 'journal.example/ffffffff', policy), { code: 'note_unsigned' });
  const elsewhere = writeCheckpoint({ origin: 'journal.example/ffffffff', size: 42, root });
  assert.throws(() => openWitnessed(signNote(elsewhere, ORIGIN, log.key), ORIGIN, policy), { code: 'checkpoint_of_other_log' });
});

test('J5 K6 two notes of one size and two roots are the proof, and the witnessed history is the one that counts (§6.27)', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-compare-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return name;
  };
  const compareFiles = async (...args: string[]): Promise<{ code: number; text: string }> => {
    const said: string[] = [];
    const io = {
      out: (line: string) => void said.push(line),
      err: (line: string) => void said.push(line),
      ask: async () => undefined,
      read: async (path: string) => readFileSync(join(folder, path), 'utf8'),
    };
    const input = readInput(compare, args);
    return 'fault' in input ? { code: 2, text: input.fault } : { code: await compare.run(input, io), text: said.join('\n') };
  };
  const policy = write('policy', EXAMPLE);
  const other = writeCheckpoint({ origin: ORIGIN, size: 42, root: randomBytes(32) });
  const witnessed = write('witnessed', signedBy([0, 1], [1, 1], [3, 1]));
  const forged = write('forged', signNote(other, ORIGIN, log.key));
  const found = await compareFiles('--note', forged, '--note', witnessed, '--policy', policy);
  assert.equal(found.code, EXIT.continuity);
  assert.match(found.text, /CONTRADICTION: the log signed two different trees of one size/);
  assert.match(found.text, /Witnesses saw the history of witnessed: that one counts\./);
  const json = await compareFiles('--note', forged, '--note', witnessed, '--policy', policy, '--json');
  assert.deepEqual(JSON.parse(json.text), { verdict: 'contradiction', origin: ORIGIN, witnessed });
  assert.equal((await compareFiles('--note', forged, '--note', witnessed, '--vkey', log.vkey)).code, EXIT.continuity);
  assert.equal((await compareFiles('--note', witnessed, '--note', witnessed, '--policy', policy)).code, EXIT.done);
  const stolen = write('stolen', signNote(other, ORIGIN, keyPair(ORIGIN, 'note').key));
  assert.deepEqual(
    [(await compareFiles('--note', stolen, '--note', witnessed, '--policy', policy)).code],
    [EXIT.refused],
    'anybody can write a note',
  );
  const leaves = [1, 2, 3].map((i) => leafHash(`entry ${i}`));
  const [one = EMPTY_ROOT, two = EMPTY_ROOT, three = EMPTY_ROOT] = leaves;
  const small = write('small', signNote(writeCheckpoint({ origin: ORIGIN, size: 2, root: nodeHash(one, two) }), ORIGIN, log.key));
  const large = write('large', signNote(writeCheckpoint({ origin: ORIGIN, size: 3, root: nodeHash(nodeHash(one, two), three) }), ORIGIN, log.key));
  const proof = write('proof', `${three.toString('base64')}\n`);
  const wrong = write('wrong', `${one.toString('base64')}\n`);
  const sizes = ['--note', large, '--note', small, '--vkey', log.vkey];
  assert.equal((await compareFiles(...sizes)).code, EXIT.refused);
  assert.equal((await compareFiles(...sizes, '--proof', proof)).code, EXIT.done);
  assert.equal((await compareFiles(...sizes, '--proof', wrong)).code, EXIT.refused);
  assert.equal((await compareFiles('--note', small, '--vkey', log.vkey)).code, EXIT.usage);
});

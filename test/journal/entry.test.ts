import fc from 'fast-check';
import { encodeLeaf, isAuthentic, isPublic, type Leaf, oneLine, parseLeaf, prepare, publicParameters } from '../../src/journal/entry.ts';
import type { Entry } from '../../src/journal/event.ts';
import {
  commitmentOf,
  commitmentTo,
  detailOf,
  digestOf,
  fieldDigest,
  fieldsOf,
  openBox,
  openQueued,
  partiesIn,
  readPacked,
  sealBox,
  sealQueued,
  show,
  split,
} from '../../src/journal/payload.ts';
import { randomBytes, sha256 } from '../../src/kernel/crypto.ts';
import { assert, test } from '../support/check.ts';

const keys = { queueKey: { day: '2026-11-21', key: randomBytes(32) }, macKey: randomBytes(32) };
const at = new Date('2026-11-21T09:00:00.123Z');
const eventId = '8c0f5a52-6c0e-4d8a-9f0c-1c2d3e4f5a6b';
const refused: Entry = { type: 'session.refused', usager: 'usg_1', service: 'impots', outcome: 'refused', detail: { reason: 'mandate_ended' } };
const leaf: Leaf = { type: 'session.refused', class: 'access', at, eventId, writer: 'app', tags: [], commitment: sha256('c'), boxes: [sha256('b')] };
const code = (expected: string) => ({ name: 'Failure', code: expected });

test('a leaf is these bytes and no others', () => {
  const text = encodeLeaf(leaf);
  const [c, ch] = [sha256('c').toString('base64url'), sha256('b').toString('base64url')];
  assert.equal(
    text,
    `{"c":"${c}","ch":["${ch}"],"e":"session.refused","id":"${eventId}","k":"access","t":"2026-11-21T09:00:00.123Z","tg":[],"v":1,"w":"app"}`,
  );
  assert.deepEqual(parseLeaf(Buffer.from(text)), leaf);
  const late = { ...leaf, occurred: new Date('2026-11-21T08:59:00.000Z'), parameters: { late: 'waited' } };
  assert.deepEqual(parseLeaf(Buffer.from(encodeLeaf(late))), late);
  assert.ok(encodeLeaf(late).length < 420);
});

test('leaf bytes are refused unless they are in their only form', () => {
  const text = encodeLeaf(leaf);
  const bad = (changed: string, expected = 'leaf_malformed'): void => assert.throws(() => parseLeaf(Buffer.from(changed)), code(expected), changed);
  bad(text.replace('{', '{ '), 'not_canonical');
  bad(text.replace('"v":1', '"v":1,"v":1'), 'not_canonical');
  bad(text.replace('"v":1', '"v":1.0'), 'not_canonical');
  bad(text.replace('"w":"app"', '"w":"a\\u0070p"'), 'not_canonical');
  bad(text.replace('"v":1', '"v":9007199254740993'), 'not_canonical');
  bad(text.replace('}', ',"x":1}'));
  bad(text.replace('"v":1', '"v":2'));
  bad(text.replace('session.refused', 'session.unknown'));
  bad(text.replace('"tg":[]', '"tg":["x"]'));
  const [low, high] = [`${'A'.repeat(21)}A`, `${'B'.repeat(21)}A`];
  assert.equal(parseLeaf(Buffer.from(text.replace('"tg":[]', `"tg":["${low}","${high}"]`))).tags.length, 2);
  bad(text.replace('"tg":[]', `"tg":["${high}","${low}"]`));
  bad(text.replace('"tg":[]', `"tg":["${low}","${low}"]`));
  bad(text.replace('09:00:00.123Z', '09:00:00Z'));
  bad(text.replace('11-21T', '13-21T'));
  bad(text.replace('"access"', '"forever"'));
  bad(text.replace('app', 'àpp'));
  bad(text.replace(/"c":"[^"]+",/, ''));
  // The same bytes in another text: the bits that the last character has too many.
  const bits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const other = (value: string): string => value.slice(0, -1) + bits[bits.indexOf(value.at(-1) ?? '') + 1];
  const [c, ch] = [leaf.commitment.toString('base64url'), leaf.boxes[0]?.toString('base64url') ?? ''];
  bad(text.replace(c, other(c)));
  bad(text.replace(ch, other(ch)));
  bad(text.replace('"tg":[]', `"tg":["${other(low)}"]`));
  bad('[]');
  bad(`{${' '.repeat(2000)}}`);
});

test('what waits opens to what was written, each box covers the other, and the commitment both', () => {
  const acted: Entry = { ...refused, aidant: 'aid_1' };
  const queued = prepare(acted, { ...keys, writer: 'app', at, eventId });
  const packed = openQueued(keys.queueKey.key, eventId, queued.box);
  assert.ok(packed.actor);
  const [subject, actor] = [readPacked(packed.subject), readPacked(packed.actor)];
  assert.deepEqual(partiesIn({ ...subject.fields, ...actor.fields }), { usager: 'usg_1', service: 'impots', outcome: 'refused', aidant: 'aid_1' });
  assert.deepEqual(detailOf(subject.fields), { reason: 'mandate_ended' });
  assert.deepEqual(actor.fields, { aidant: 'aid_1' });
  assert.deepEqual([commitmentOf('subject', subject), commitmentOf('actor', actor)], [queued.commitment, queued.commitment]);
  for (const changed of [
    { ...subject, fields: { ...subject.fields, usager: 'usg_2' } },
    { ...subject, salt: sha256('x') },
    { ...subject, other: sha256('x') },
  ])
    assert.ok(!commitmentOf('subject', changed).equals(queued.commitment));
  assert.ok(!commitmentOf('actor', { ...actor, fields: { aidant: 'aid_2' } }).equals(queued.commitment));
  const again = prepare(acted, { ...keys, writer: 'app', at, eventId });
  assert.ok(!again.commitment.equals(queued.commitment), 'the salt is fresh, so that the same text twice is two commitments');
  assert.throws(() => openQueued(keys.queueKey.key, '8c0f5a52-6c0e-4d8a-9f0c-1c2d3e4f5a6c', queued.box), code('box_does_not_open'));
  assert.throws(() => openQueued(randomBytes(32), eventId, queued.box), code('box_does_not_open'));
  assert.ok(!queued.box.includes('usg_1') && !queued.box.includes('mandate_ended'));
});

test('a sealed box opens with its key, as itself, for its own entry only', () => {
  const key = randomBytes(32);
  const waiting = split(fieldsOf({ usager: 'usg_1' }, { reason: 'é' }));
  const subject = readPacked(waiting.subject);
  const packed = openQueued(key, eventId, sealQueued(key, eventId, waiting)).subject;
  const box = sealBox(key, eventId, 'subject', packed);
  assert.deepEqual(openBox(key, eventId, 'subject', box), subject);
  for (const open of [
    () => openBox(key, eventId, 'actor', box),
    () => openBox(randomBytes(32), eventId, 'subject', box),
    () => openBox(key, '8c0f5a52-6c0e-4d8a-9f0c-1c2d3e4f5a6c', 'subject', box),
  ])
    assert.throws(open, code('box_does_not_open'));
  const malformed = code('payload_malformed');
  const boxOf = (...fields: readonly (Buffer | number)[]): Buffer =>
    Buffer.concat([Buffer.of(1), randomBytes(48), ...fields.map((one) => (typeof one === 'number' ? Buffer.of(one) : one))]);
  const text = (value: string): Buffer => Buffer.concat([Buffer.of(Buffer.byteLength(value)), Buffer.from(value)]);
  assert.deepEqual(readPacked(boxOf(11, text('"usg_1"'), 0, text('zone'), text('[1]'))).fields, { usager: 'usg_1', zone: [1] });
  for (const wrong of [
    Buffer.of(),
    Buffer.of(2),
    Buffer.of(1, 255, 255),
    boxOf(11),
    boxOf(11, Buffer.of(200), 34, 34), // longer than the box
    boxOf(255, text('1')), // a name that this format has not
    boxOf(11, text('1'), 11, text('1')), // twice
    boxOf(11, text('1'), 1, text('1')), // not in order
    boxOf(11, Buffer.of(0xf3, 250)), // a word that it has not
    boxOf(11, Buffer.of(0xf4)),
    boxOf(11, text('[1, 2]')), // not canonical
    boxOf(11, text('{"a":1')),
  ])
    assert.throws(() => readPacked(wrong), malformed);
  assert.ok(packed.length < 100, 'what every entry repeats costs little');
});

test('whatever a field holds, a box gives it back', () => {
  const values = [
    ...['usg_01m83t4cm0krrzfecmg6a9kd2k', 'usg_91m83t4cm0krrzfecmg6a9kd2k', 'usg_01m83t4cm0krrzfecmg6a9kd2u', 'usager_01m83t4cm0krrzfecmg6a9k'],
    ...['2026-11-22T10:00:00.000Z', '2026-11-31T10:00:00.000Z', '2026-11-22T10:00:00.0000', '1999-11-22T10:00:00.000Z', '2099-12-31T23:59:59.999Z'],
    ...['', 'é', 'x'.repeat(237), 'x'.repeat(238), 'é'.repeat(2000), '"', 'accepted', '😀'.repeat(13)],
    ...[true, false, null, 0, -1.5, 12.25, ['read'], ['read', 'declare'], [], {}, { a: [{ b: null }] }],
  ];
  const fields = Object.fromEntries(values.map((value, i) => [`detail.n${String(i).padStart(2, '0')}`, value]));
  assert.deepEqual(readPacked(split(fields).subject).fields, fields);
});

test('two texts cannot be shown for one entry: whoever holds one of them finds the other does not give the commitment (§6.26)', () => {
  // AES-GCM commits to no key: one ciphertext may open to two texts under two keys. What cannot be had twice is the salted hash of the plaintext.
  const one = split(fieldsOf({ usager: 'usg_1' }, { reason: 'a' }));
  const [shown, other] = [one, split(fieldsOf({ usager: 'usg_1' }, { reason: 'b' }))].map(({ subject }) => readPacked(subject));
  assert.ok(shown && other);
  assert.ok(commitmentOf('subject', shown).equals(one.commitment));
  assert.ok(!commitmentOf('subject', { ...other, salt: shown.salt, other: shown.other }).equals(one.commitment));
});

test('a party is shown some fields, checks them against the leaf, and learns nothing of the others', () => {
  const { commitment, ...boxes } = split(
    fieldsOf({ usager: 'usg_1', service: 'impots', aidant: 'aid_1' }, { aidantName: 'Karim', demarcheLabel: 'une demande', reference: 'R-1' }),
  );
  const subject = readPacked(boxes.subject);
  const actor = boxes.actor && readPacked(boxes.actor);
  const shown = show(subject, (name) => name === 'service' || name === 'detail.reference');
  assert.deepEqual(
    shown.map((one) => ('name' in one ? one.name : 'hidden')),
    ['hidden', 'detail.reference', 'service', 'hidden'],
  );
  const check = (fields: typeof shown): boolean =>
    commitmentTo(
      digestOf(
        fields.map((one) =>
          'name' in one ? fieldDigest(Buffer.from(one.salt, 'base64url'), one.name, one.value) : Buffer.from(one.digest, 'base64url'),
        ),
      ),
      subject.other,
    ).equals(commitment);
  assert.ok(check(shown));
  assert.ok(!check(shown.map((one) => ('name' in one && one.name === 'service' ? { ...one, value: 'allocations' } : one))));
  assert.ok(!check(shown.slice(1)));
  assert.ok(!JSON.stringify(shown).includes('usg_1') && !JSON.stringify(shown).includes(subject.salt.toString('base64url')));
  assert.deepEqual(Object.keys(actor?.fields ?? {}), ['aidant', 'detail.aidantName']);
});

test('only kinds that concern the log put their detail in the leaf, as short ASCII', () => {
  const fields = fieldsOf({ actor: 'cli' }, { size: 3, reason: 'restored', root: 'r' });
  assert.deepEqual(publicParameters(fields), { size: '3', root: 'r' });
  assert.deepEqual([isPublic('checkpoint.trusted'), isPublic('session.refused')], [true, false]);
});

test('the MAC of the writer covers every column that waits', () => {
  const queued = prepare(refused, { ...keys, writer: 'app', at, eventId });
  assert.ok(isAuthentic(keys.macKey, queued));
  assert.ok(!isAuthentic(keys.queueKey.key, queued));
  const changes = {
    eventId: '8c0f5a52-6c0e-4d8a-9f0c-1c2d3e4f5a6c',
    type: 'session.opened',
    class: 'mandate',
    writer: 'cli',
    at: new Date(0),
    parties: { ...queued.parties, usager: 'usg_2' },
    box: Buffer.concat([queued.box, Buffer.of(0)]),
    sealedWith: '2026-11-20',
    commitment: sha256('other'),
    mac: sha256('mac'),
  } as const;
  for (const [column, value] of Object.entries(changes)) assert.ok(!isAuthentic(keys.macKey, { ...queued, [column]: value }), column);
});

test('J13 text of users stays one encoded line in leaf and payload, whatever it holds', () => {
  const nasty = 'a\r\nb\u001b[31mc\u0000d\u202ee\u2028f\u0085g\ud800h\u2066i\ufeff';
  assert.equal(oneLine(nasty), 'a\\u{d}\\u{a}b\\u{1b}[31mc\\u{0}d\\u{202e}e\\u{2028}f\\u{85}g\ufffdh\\u{2066}i\\u{feff}');
  const safe = /^[^\p{Cc}\u2028-\u202e\u2066-\u2069\ufeff]*$/u;
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.constantFrom(nasty, '', '\n'.repeat(50)), (text, more) => {
      const given = text + more;
      const queued = prepare(
        { type: 'journal.read', usager: given, outcome: given, detail: { reason: given, entries: 3 } },
        { ...keys, writer: 'app', at },
      );
      const subject = readPacked(openQueued(keys.queueKey.key, queued.eventId, queued.box).subject);
      assert.match(JSON.stringify(subject.fields), safe);
      for (const party of Object.values(queued.parties)) assert.match(String(party), safe);
      assert.deepEqual(partiesIn(subject.fields), queued.parties);
      const bytes = encodeLeaf({
        ...leaf,
        type: queued.type,
        class: queued.class,
        eventId: queued.eventId,
        commitment: queued.commitment,
        boxes: [sha256(queued.box)],
      });
      assert.match(bytes, /^[\x20-\x7e]+$/);
    }),
    { numRuns: 200 },
  );
  const long = prepare(
    { type: 'journal.read', usager: 'u'.repeat(1_000_000), detail: { reason: 'é\n'.repeat(500_000), entries: 1 } },
    { ...keys, writer: 'app', at },
  );
  assert.ok(long.box.length < 12_000);
  assert.match(String(long.parties.usager), /^u{200}… \(1000000 characters\)$/);
});

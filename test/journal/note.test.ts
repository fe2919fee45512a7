import { openCheckpoint, openNote, readCheckpoint, readVkey, signNote, verifierOf, writeCheckpoint, writeVkey } from '../../src/journal/note.ts';
import { makePrivateKeyPem, publicKeyOf, readPrivateKey } from '../../src/kernel/crypto.ts';
import { assert, test } from '../support/check.ts';

// The example of the Go implementation (golang.org/x/mod/sumdb/note), from which C2SP signed-note was written.
const VKEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const NOTE = `${TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;

const key = readPrivateKey(makePrivateKeyPem('ed25519'));
const ours = verifierOf('journal.example/0a1b2c3d', publicKeyOf(key));
const code = (expected: string) => ({ name: 'Failure', code: expected });

test('the example note verifies with the example vkey, and a vkey is read and written the same (§6.4)', () => {
  const neumann = readVkey(VKEY);
  const opened = openNote(NOTE, [neumann]);
  assert.equal(opened.text, TEXT);
  assert.deepEqual(opened.by, [neumann]);
  assert.equal(writeVkey(neumann), VKEY);
  assert.equal(writeVkey(readVkey(writeVkey(ours))), writeVkey(ours));
});

test('a note is refused as the specification says: key, name, type, newline, control character, base 64 (§6.4)', () => {
  const note = signNote(TEXT, ours.name, key);
  assert.deepEqual(openNote(note, [ours]).by, [ours]);
  const line = note.slice(note.lastIndexOf('—'));
  assert.throws(() => openNote(note, [readVkey(VKEY)]), code('note_unsigned'));
  assert.throws(() => openNote(note.replace(ours.name, 'journal.example/other'), [ours]), code('note_unsigned'));
  assert.throws(() => openNote(note.replace('cryptography', 'cryptographie'), [ours]), code('note_signature_wrong'));
  assert.throws(() => openNote(note.slice(0, -1), [ours]), code('note_malformed'));
  assert.throws(() => openNote(note.replace('cryptography', 'crypto\tgraphy'), [ours]), code('note_malformed'));
  assert.throws(() => openNote(note.replace(/=?\n$/, '!\n'), [ours]), code('note_malformed'));
  assert.throws(() => openNote(`${TEXT}${line}`, [ours]), code('note_malformed'));
  assert.throws(() => openNote(note + line.repeat(80), [ours]), code('note_malformed'));
  assert.deepEqual(
    openNote(note + NOTE.slice(NOTE.lastIndexOf('—')).repeat(15), [ours]).by,
    [ours],
    'sixteen signatures are accepted, unknown ones ignored',
  );
  assert.throws(() => readVkey(VKEY.replace('c74f20a3', 'c74f20a4')), code('vkey_malformed'));
  assert.throws(() => readVkey(VKEY.replace('+AR', '+BB')), code('vkey_malformed'));
  assert.throws(() => signNote('no newline', ours.name, key), code('note_malformed'));
  assert.throws(() => verifierOf('two words', publicKeyOf(key)), code('note_malformed'));
});

test('a checkpoint is three lines, and only the log it names', () => {
  const text = 'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n';
  const read = readCheckpoint(text);
  assert.deepEqual([read.origin, read.size], ['example.com/behind-the-sofa', 20_852_163]);
  assert.equal(writeCheckpoint(read), text);
  for (const bad of [
    text.replace('2085', '02085'),
    `${text}extension\n`,
    text.replace('=', ''),
    text.slice(0, -1),
    text.replace('20852163', '-1'),
    text.replace('2I=', '2J='),
  ])
    assert.throws(() => readCheckpoint(bad), code('checkpoint_malformed'));
  const note = signNote(writeCheckpoint({ ...read, origin: ours.name }), ours.name, key);
  assert.equal(openCheckpoint(note, ours.name, [ours]).size, 20_852_163);
  assert.throws(() => openCheckpoint(note, 'journal.example/ffffffff', [ours]), code('checkpoint_of_other_log'));
});

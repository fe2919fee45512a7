import { cosignNote, openCheckpoint, openNote, readVkey, signNote, verifierOf, writeCheckpoint, writeVkey } from '../../src/journal/note.ts';
import { makePrivateKeyPem, publicKeyOf, randomBytes, readPrivateKey } from '../../src/kernel/crypto.ts';
import { assert, test } from '../support/check.ts';

/** C2SP tlog-cosignature, cosignature/v1. */

/** A checkpoint of a public log as it was served, and the public keys of that log and of the four witnesses who cosigned it. */
const PUBLIC = `arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
— witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
— witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==
`;
const LOG = readVkey('arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f');
const WITNESSES = [
  'transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM',
  'witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO',
  'remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2',
  'witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv',
];

const code = (expected: string) => ({ name: 'Failure', code: expected });
const key = readPrivateKey(makePrivateKeyPem('ed25519'));
const logKey = readPrivateKey(makePrivateKeyPem('ed25519'));
const ours = verifierOf('witness.example/w1', publicKeyOf(key), 'cosignature');
const log = verifierOf('journal.example/0a1b2c3d', publicKeyOf(logKey));
const text = writeCheckpoint({ origin: log.name, size: 7, root: randomBytes(32) });
const at = new Date('2026-11-22T10:00:00Z');

test('a checkpoint of a public log opens, with the four witnesses who cosigned it and when', () => {
  const witnesses = WITNESSES.map(readVkey);
  assert.deepEqual(witnesses.map(writeVkey), WITNESSES, 'keys of type 0x04 are read and written the same');
  const opened = openNote(PUBLIC, [LOG, ...witnesses]);
  assert.deepEqual(opened.by, [LOG, ...witnesses]);
  for (const witness of witnesses) assert.equal(opened.times.get(witness)?.toISOString(), '2026-05-23T21:50:24.000Z');
  assert.equal(opened.lines.length, 5, 'the line in another signature type is left out');
  for (const changed of [PUBLIC.replace('1432088532', '1432088533'), PUBLIC.replace('2net5wAAAABqEiEg', '2net5wAAAABqEiEh')])
    assert.throws(() => openNote(changed, witnesses), code('note_signature_wrong'));
});

test('a cosignature covers the text and its time, and says both', () => {
  const note = signNote(text, log.name, logKey) + cosignNote(text, ours.name, key, at);
  const { by, times } = openNote(note, [log, ours]);
  assert.deepEqual(by, [log, ours]);
  assert.deepEqual(times.get(ours), at);
  const later = note + cosignNote(text, ours.name, key, new Date(at.getTime() + 60_000));
  assert.deepEqual(openNote(later, [log, ours]).times.get(ours), new Date(at.getTime() + 60_000), 'of two, the later time counts');
  assert.throws(() => openNote(note.replace('\n7\n', '\n8\n'), [ours]), code('note_signature_wrong'));
  const line = cosignNote(text, ours.name, key, at);
  const bytes = Buffer.from(line.split(' ')[2] ?? '', 'base64');
  for (const i of [4, 11, 12, 75]) {
    const flipped = Buffer.from(bytes);
    flipped[i] = (flipped[i] ?? 0) ^ 1;
    assert.throws(() => openNote(`${text}\n— ${ours.name} ${flipped.toString('base64')}\n`, [ours]), code('note_signature_wrong'));
  }
  assert.throws(() => openNote(`${text}\n— ${ours.name} ${bytes.subarray(0, 70).toString('base64')}\n`, [ours]), code('note_signature_wrong'));
  assert.throws(() => cosignNote('no newline', ours.name, key, at), code('note_malformed'));
});

test('the same key under the other type is another key, and a cosignature is no signature of the log', () => {
  const asLog = verifierOf(ours.name, publicKeyOf(key));
  assert.notDeepEqual(asLog.id, ours.id);
  assert.throws(() => openNote(`${text}\n${cosignNote(text, ours.name, key, at)}`, [asLog]), code('note_unsigned'));
  const alone = `${text}\n${cosignNote(text, ours.name, key, at)}`;
  assert.deepEqual(openNote(alone, [log, ours]).by, [ours]);
  assert.throws(() => openCheckpoint(alone, log.name, [log, ours]), code('note_unsigned'));
  assert.throws(() => readVkey(writeVkey(ours).replace('+B', '+C')), code('vkey_malformed'));
});

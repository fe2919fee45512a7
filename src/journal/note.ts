import { ed25519FromRaw, type PrivateKey, type PublicKey, publicKeyOf, rawEd25519, sha256, signEd25519, verifyEd25519 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';

/** C2SP signed notes (Ed25519, type 0x01), tlog checkpoints, and cosignatures of witnesses (cosignature/v1, type 0x04). */

const ED25519 = 1;
const COSIGNATURE = 4;
/** C2SP: at least 16 must be accepted, and there should be a limit. */
const MOST_SIGNATURES = 64;
const NAME = /^[^\s+\u0085]+$/u;

/** `note`: a log signs the text itself. `cosignature`: a witness signs the text and the time. */
export type KeyKind = 'note' | 'cosignature';
const TYPE: Readonly<Record<KeyKind, number>> = { note: ED25519, cosignature: COSIGNATURE };

/** A key that is trusted for one name. `id` is four bytes, not a hash to rely on: the signature is. */
export interface Verifier {
  readonly name: string;
  readonly kind: KeyKind;
  readonly id: Buffer;
  readonly key: PublicKey;
}

const keyId = (name: string, kind: KeyKind, raw: Buffer): Buffer => sha256(name, '\n', Buffer.of(TYPE[kind]), raw).subarray(0, 4);

/** Decodes standard base 64, refusing what would not be written the same way. */
const base64 = (text: string): Buffer | undefined => {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
};

/** Makes the verifier of a public key under `name`. */
export const verifierOf = (name: string, key: PublicKey, kind: KeyKind = 'note'): Verifier => {
  if (!NAME.test(name)) throw new Failure('note_malformed', `"${name}" cannot name a key`);
  return { name, kind, id: keyId(name, kind, rawEd25519(key)), key };
};

/** Writes a verifier as a vkey: `name+id+base64(type ‖ key)`, type 0x01 for a log, 0x04 for a witness. */
export const writeVkey = (verifier: Verifier): string =>
  `${verifier.name}+${verifier.id.toString('hex')}+${Buffer.concat([Buffer.of(TYPE[verifier.kind]), rawEd25519(verifier.key)]).toString('base64')}`;

/** Reads a vkey, of a log or of a witness. Fails as `vkey_malformed`. */
export const readVkey = (text: string): Verifier => {
  const [, name = '', id = '', encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text) ?? [];
  const bytes = base64(encoded);
  const kind = bytes?.[0] === ED25519 ? 'note' : bytes?.[0] === COSIGNATURE ? 'cosignature' : undefined;
  if (!NAME.test(name) || bytes?.length !== 33 || !kind) throw new Failure('vkey_malformed', 'expected name+id+base64 of an Ed25519 key');
  const raw = bytes.subarray(1);
  if (keyId(name, kind, raw).toString('hex') !== id) throw new Failure('vkey_malformed', 'the identifier is not that of the key');
  return { name, kind, id: keyId(name, kind, raw), key: ed25519FromRaw(raw) };
};

/** C2SP: no ASCII control character (below U+0020) but the newline. */
const isText = (text: string): boolean => text.isWellFormed() && !/[^\P{Cc}\n\u007f-\u009f]/u.test(text);

/** Signs `text`, which ends in a newline, with the key named `name`. */
export const signNote = (text: string, name: string, key: PrivateKey): string => {
  if (!text.endsWith('\n') || !isText(text)) throw new Failure('note_malformed', 'the text must be lines');
  const { id } = verifierOf(name, publicKeyOf(key));
  return `${text}\n— ${name} ${Buffer.concat([id, signEd25519(key, text)]).toString('base64')}\n`;
};

/** What a witness signs: at `seconds` (POSIX), this is the largest tree of the log that it has seen (C2SP tlog-cosignature). */
const cosigned = (text: string, seconds: bigint): string => `cosignature/v1\ntime ${seconds}\n${text}`;

/** Cosigns the text of a checkpoint at `at` (whole seconds count) as the witness named `name`: one signature line, to add to the note. */
export const cosignNote = (text: string, name: string, key: PrivateKey, at: Date): string => {
  if (!text.endsWith('\n') || !isText(text)) throw new Failure('note_malformed', 'the text must be lines');
  const { id } = verifierOf(name, publicKeyOf(key), 'cosignature');
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(Math.floor(at.getTime() / 1000)));
  return `— ${name} ${Buffer.concat([id, time, signEd25519(key, cosigned(text, time.readBigUInt64BE()))]).toString('base64')}\n`;
};

/** When a cosignature was made, if it verifies; a time that no calendar holds does not. */
const cosignedAt = (verifier: Verifier, text: string, signature: Buffer): Date | undefined => {
  if (signature.length !== 72) return undefined;
  const seconds = signature.readBigUInt64BE();
  if (seconds > 8_640_000_000_000n || !verifyEd25519(verifier.key, cosigned(text, seconds), signature.subarray(8))) return undefined;
  return new Date(Number(seconds) * 1000);
};

export interface OpenedNote {
  readonly text: string;
  /** Who signed among those trusted, witnesses included. */
  readonly by: readonly Verifier[];
  /** When each witness says that it saw this. */
  readonly times: ReadonlyMap<Verifier, Date>;
  /** The signature lines of those, each with its newline: a note without what others may have added. */
  readonly lines: readonly string[];
}

/** The text of a note that was opened before. */
export const textOf = (note: string): string => note.slice(0, note.lastIndexOf('\n\n') + 1);

/**
 * Opens a note: returns its text and who signed it among `trusted`. Unknown keys are ignored; of two lines of one witness the later time
 * counts. Fails as `note_malformed`, `note_signature_wrong` (a trusted key's signature does not verify) or `note_unsigned` (no trusted key
 * signed).
 */
export const openNote = (note: string, trusted: readonly Verifier[]): OpenedNote => {
  const cut = note.lastIndexOf('\n\n');
  if (cut < 0 || !note.endsWith('\n') || !isText(note)) throw new Failure('note_malformed', 'expected text, a blank line, signature lines');
  const text = note.slice(0, cut + 1);
  const lines = note.slice(cut + 2, -1).split('\n');
  if (lines.length > MOST_SIGNATURES) throw new Failure('note_malformed', `more than ${MOST_SIGNATURES} signatures`);
  const by = new Set<Verifier>();
  const good: string[] = [];
  const times = new Map<Verifier, Date>();
  for (const line of lines) {
    const [, name = '', encoded = ''] = /^— (\S+) (\S+)$/u.exec(line) ?? [];
    const bytes = base64(encoded);
    if (!NAME.test(name) || !bytes || bytes.length < 5) throw new Failure('note_malformed', 'a signature line is not one');
    const verifier = trusted.find((one) => one.name === name && one.id.equals(bytes.subarray(0, 4)));
    if (!verifier || (verifier.kind === 'note' && by.has(verifier))) continue;
    const at = verifier.kind === 'cosignature' ? cosignedAt(verifier, text, bytes.subarray(4)) : undefined;
    if (verifier.kind === 'cosignature' ? !at : !verifyEd25519(verifier.key, text, bytes.subarray(4)))
      throw new Failure('note_signature_wrong', `the signature of ${name} does not verify`);
    by.add(verifier);
    good.push(`${line}\n`);
    if (at && at > (times.get(verifier) ?? new Date(0))) times.set(verifier, at);
  }
  if (!by.size) throw new Failure('note_unsigned', 'no trusted key signed this note');
  return { text, by: [...by], times, lines: good };
};

/** A tree head: which log, how many leaves, what root. */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

/** Writes the text of a checkpoint: three lines, no extension. */
export const writeCheckpoint = ({ origin, size, root }: Checkpoint): string => `${origin}\n${size}\n${root.toString('base64')}\n`;

/** Reads the text of a checkpoint. Fails as `checkpoint_malformed`; extension lines, which nobody could audit, are refused. */
export const readCheckpoint = (text: string): Checkpoint => {
  const [, origin = '', digits = '', encoded = ''] = /^([^\n]+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n$/.exec(text) ?? [];
  const root = base64(encoded);
  const size = Number(digits);
  if (!origin || root?.length !== 32 || !Number.isSafeInteger(size)) throw new Failure('checkpoint_malformed', 'expected origin, size and root');
  return { origin, size, root };
};

/**
 * Opens a checkpoint that the log `origin` signed: a witness's cosignature alone is no signature of the log. Fails as `openNote` does, as
 * `checkpoint_malformed`, or as `checkpoint_of_other_log`.
 */
export const openCheckpoint = (note: string, origin: string, trusted: readonly Verifier[]): Checkpoint => {
  const logs = trusted.filter((verifier) => verifier.kind === 'note');
  const checkpoint = readCheckpoint(openNote(note, logs).text);
  if (checkpoint.origin !== origin) throw new Failure('checkpoint_of_other_log', `${checkpoint.origin} is not ${origin}`);
  return checkpoint;
};

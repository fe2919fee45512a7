import { type PrivateKey, type PublicKey, publicKeyOf, sha256, signEd25519, toJwk, verifyEd25519 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { parseLeaf } from './entry.ts';
import { type Checkpoint, openCheckpoint, readCheckpoint, readVkey, textOf, type Verifier, verifierOf, writeVkey } from './note.ts';

/**
 * Which key of a log counts at which size (journal.md §3.6, §4 rows 14 and 17). A key is followed by another through an entry `key.rotated` that
 * both signed: anybody checks it from the leaf's bytes. Checkpoints up to that entry are the former key's, those beyond it the next one's.
 */

/** By what people know a public key, and the database remembers it: SHA-256 of its JWK, in hexadecimal. */
export const fingerprintOf = (key: PublicKey): string => sha256(JSON.stringify(toJwk(key))).toString('hex');

/** What the entry holds beside its name: two vkeys, and what each key signed over both, in base 64. */
export interface SignedRotation {
  readonly former: string;
  readonly vkey: string;
  readonly byFormer: string;
  readonly byNext: string;
}

const statement = (former: string, vkey: string): string => `relais/journal/key-rotation/v1\n${former}\n${vkey}\n`;

/** Says, by both keys, that one follows the other under the name `origin`. */
export const signRotation = (origin: string, former: PrivateKey, next: PrivateKey): SignedRotation => {
  const [from, to] = [former, next].map((key) => writeVkey(verifierOf(origin, publicKeyOf(key))));
  if (from === undefined || to === undefined || from === to) throw new Failure('rotation_wrong', 'a key does not follow itself');
  const by = (key: PrivateKey): string => signEd25519(key, statement(from, to)).toString('base64');
  return { former: from, vkey: to, byFormer: by(former), byNext: by(next) };
};

/** One change of key: `next` counts for checkpoints of more than `index` entries. */
export interface Rotation {
  readonly index: number;
  readonly former: Verifier;
  readonly next: Verifier;
}

/** Reads the change of key that the leaf at `index` says, from its bytes alone. Fails as `rotation_wrong` unless both keys signed it. */
export const readRotation = (index: number, leaf: Buffer): Rotation => {
  const { type, parameters = {} } = parseLeaf(leaf);
  const { former: from = '', vkey: to = '', byFormer = '', byNext = '' } = parameters;
  if (type !== 'key.rotated') throw new Failure('rotation_wrong', 'the entry changes no key');
  const [former, next] = [readVkey(from), readVkey(to)];
  if (former.kind !== 'note' || next.kind !== 'note' || former.name !== next.name || from === to)
    throw new Failure('rotation_wrong', 'the keys are not two keys of one log');
  const signed = (key: Verifier, signature: string): boolean => verifyEd25519(key.key, statement(from, to), Buffer.from(signature, 'base64'));
  if (!signed(former, byFormer)) throw new Failure('rotation_wrong', 'the former key did not sign it');
  if (!signed(next, byNext)) throw new Failure('rotation_wrong', 'the new key did not sign it');
  return { index, former, next };
};

/** The keys of one log, by size. */
export interface LogKeys {
  /** Who may sign a checkpoint of this size. */
  at(size: number): readonly Verifier[];
  /** Rotations that follow from no key that is trusted: planted, or repeated. */
  readonly strange: readonly Rotation[];
}

const same = (a: Verifier, b: Verifier): boolean => writeVkey(a) === writeVkey(b);

/**
 * Follows keys that are known from elsewhere, forwards and backwards, along the rotations of the log. A key that was left never comes back, so
 * that a rotation cannot be repeated further on.
 */
export const createLogKeys = (pinned: readonly Verifier[], rotations: readonly Rotation[]): LogKeys => {
  const inOrder = [...rotations].sort((a, b) => a.index - b.index);
  const used = new Set<Rotation>();
  const spans: { key: Verifier; from: number; to: number }[] = [];
  for (const pin of pinned) {
    const keys = [pin];
    const changes: Rotation[] = [];
    for (const one of inOrder) {
      const last = keys.at(-1) ?? pin;
      if (!same(one.former, last) || keys.some((key) => same(key, one.next)) || one.index <= (changes.at(-1)?.index ?? -1)) continue;
      keys.push(one.next);
      changes.push(one);
    }
    // Backwards only before what was followed forwards: a key that comes back has not begun anew.
    for (;;) {
      const before = inOrder.find(
        (one) => same(one.next, keys[0] ?? pin) && !keys.some((key) => same(key, one.former)) && one.index < (changes[0]?.index ?? Infinity),
      );
      if (!before) break;
      keys.unshift(before.former);
      changes.unshift(before);
    }
    for (const one of changes) used.add(one);
    spans.push(...keys.map((key, i) => ({ key, from: (changes[i - 1]?.index ?? -1) + 1, to: changes[i]?.index ?? Infinity })));
  }
  return {
    // A checkpoint of `index` entries does not hold the entry at `index` yet.
    at: (size) => spans.filter(({ from, to }) => size >= from && size <= to).map(({ key }) => key),
    strange: inOrder.filter((one) => !used.has(one)),
  };
};

/** Opens a checkpoint with the key that counts at the size it says. Fails as `openCheckpoint` does. */
export const openSized = (note: string, origin: string, keys: LogKeys): Checkpoint =>
  openCheckpoint(note, origin, keys.at(readCheckpoint(textOf(note)).size));

import { type Copied, copyLog } from '../../src/journal/log-folder.ts';
import { signRotation } from '../../src/journal/log-keys.ts';
import { readCheckpoint, signNote, type Verifier, verifierOf, writeCheckpoint } from '../../src/journal/note.ts';
import type { LogStore } from '../../src/journal/published.ts';
import { append, type Edge, EMPTY_EDGE, leafHash, rootOf, TILE_WIDTH } from '../../src/journal/tree.ts';
import { makePrivateKeyPem, publicKeyOf, randomToken, readPrivateKey } from '../../src/kernel/crypto.ts';
import { leafOf } from './big-log.ts';

/** A log without a house: leaves, a key, checkpoints. For what is read from outside. */
export interface OutsideLog {
  readonly origin: string;
  readonly verifier: Verifier;
  leaves: Buffer[];
  /** Adds leaves and signs. */
  grow(count: number, tags?: (index: number) => readonly string[]): string;
  /** Signs what `leaves` holds now, whatever was signed before. */
  seal(): string;
  /** Adds the entry by which another key follows, and signs with it from then on. */
  rotate(): Verifier;
  /** Signs with the key that was left, as whoever stole it would. */
  sealAsBefore(): string;
  readonly store: LogStore;
  copyTo(folder: string, entries?: boolean): Promise<Copied>;
}

export const startLog = (): OutsideLog => {
  let key = readPrivateKey(makePrivateKeyPem('ed25519'));
  const origin = `journal.example/${randomToken(4)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '0')}`;
  const notes = new Map<number, string>();
  let newest = 0;
  let left = key;
  const edgeOf = (leaves: readonly Buffer[]): Edge => append(EMPTY_EDGE, leaves.map(leafHash)).edge;
  const log: OutsideLog = {
    origin,
    verifier: verifierOf(origin, publicKeyOf(key)),
    leaves: [],
    grow(count, tags = () => []) {
      const from = log.leaves.length;
      for (let i = from; i < from + count; i++) log.leaves.push(leafOf(i, tags(i)));
      return log.seal();
    },
    seal() {
      newest = log.leaves.length;
      const note = signNote(writeCheckpoint({ origin, size: newest, root: rootOf(edgeOf(log.leaves)) }), origin, key);
      notes.set(newest, note);
      return note;
    },
    rotate() {
      const next = readPrivateKey(makePrivateKeyPem('ed25519'));
      log.leaves.push(leafOf(log.leaves.length, [], { e: 'key.rotated', k: 'log', p: { ...signRotation(origin, key, next) } }));
      [left, key] = [key, next];
      log.seal();
      return verifierOf(origin, publicKeyOf(next));
    },
    sealAsBefore() {
      const next = key;
      key = left;
      const note = log.seal();
      key = next;
      return note;
    },
    store: {
      async checkpoint(size = newest) {
        const note = notes.get(size);
        return note === undefined ? undefined : { size, note };
      },
      async hashes(level, from, count) {
        const width = TILE_WIDTH ** level;
        return Array.from({ length: count }, (_, i) => rootOf(edgeOf(log.leaves.slice((from + i) * width, (from + i + 1) * width))));
      },
      leaves: async (from, to) => log.leaves.slice(from, to),
    },
    async copyTo(folder, entries = true) {
      const note = notes.get(newest) ?? '';
      const checkpoint = readCheckpoint(note.slice(0, note.lastIndexOf('\n\n') + 1));
      return copyLog({ folder, note, checkpoint, leaves: log.store.leaves, entries });
    },
  };
  return log;
};

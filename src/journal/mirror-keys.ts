import { writeInFolder } from './log-folder.ts';
import { isRotation, readRotationLeaves } from './log-keys-read.ts';
import { folderReader } from './log-reader.ts';
import type { Policy, Witnessed } from './policy.ts';
import { followRotations, logKeysOf, openWitnessedAt, type RotationLeaf, readRotations, writeRotations } from './rotations.ts';

/**
 * Which key of the log counts for a mirror: those of its policy, followed along the changes that its own copy holds. What is shown beside the log
 * opens a checkpoint, and does not keep it: the leaves below must hold the same change.
 */
export interface Changes {
  /** Opens a note with the key that counts at its size. Fails as `openWitnessed` does. */
  open(note: string, shown?: readonly RotationLeaf[]): Witnessed;
  /** What a copy up to `note` is to do: note each change of key on the way, and refuse the note unless its key follows from them. */
  collect(note: string): { onLeaf(index: number, leaf: Buffer): void; accept(): void };
}

const FILE = 'rotations';

/** Reads the changes that the copy of `size` entries in `folder` holds: from its file, or from its leaves when that is lost. */
export const openChanges = async (folder: string, policy: Policy, origin: string, size: number): Promise<Changes> => {
  const reader = folderReader(folder);
  const kept = (await reader.read(FILE))?.toString('utf8');
  let known = kept === undefined ? await readRotationLeaves(reader, size) : readRotations(kept);
  const openWith = (note: string, rotations: readonly RotationLeaf[]): Witnessed =>
    openWitnessedAt(note, origin, policy, followRotations(logKeysOf(policy, origin), rotations).keys);
  return {
    open: (note, shown = []) => openWith(note, [...known, ...shown.filter(({ index }) => known.every((one) => one.index !== index))]),
    collect(note) {
      const found = new Map(known.map((one) => [one.index, one]));
      return {
        onLeaf(index, leaf) {
          if (isRotation(index, leaf)) found.set(index, { index, leaf });
        },
        accept() {
          const all = [...found.values()].sort((a, b) => a.index - b.index);
          openWith(note, all);
          writeInFolder(folder, FILE, writeRotations(all));
          known = all;
        },
      };
    },
  };
};

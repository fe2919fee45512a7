import { Failure } from '../kernel/failure.ts';
import { createLogKeys, type Rotation, readRotation } from './log-keys.ts';
import { inOrder, type LogReader, readerHashes, readLeaves } from './log-reader.ts';
import { readCheckpoint, textOf, type Verifier } from './note.ts';
import { openWitnessed, type Policy, type Witnessed } from './policy.ts';
import { type RotationLeaf, readRotations } from './rotations.ts';
import { tileWidth, writeTilePath } from './tile-path.ts';
import { leafHash, TILE_WIDTH } from './tree.ts';

/** The keys of a log that is read from outside: those of the policy, and those that follow from them by entries of the log itself. */
export interface KeySource {
  readonly reader: LogReader;
  readonly policy: Policy;
  readonly origin: string;
}

/** The keys of the policy for this log. */
export const pinnedKeys = ({ policy, origin }: Pick<KeySource, 'policy' | 'origin'>): Verifier[] =>
  policy.logs.map(({ verifier }) => verifier).filter(({ name }) => name === origin);

/** Says whether leaves may be read. A log that gives them to mirrors alone is checked by its hashes. */
export const hasLeaves = async (reader: LogReader, size: number): Promise<boolean> => {
  try {
    return (await reader.read(`tile/${writeTilePath({ level: 'entries', n: 0, width: tileWidth(size, 'entries', 0) })}`)) !== undefined;
  } catch (error) {
    if (error instanceof Failure && error.code === 'log_forbidden') return false;
    throw error;
  }
};

const ROTATED = Buffer.from('"e":"key.rotated"');

/** Says whether the leaf at `index` changes the key of its log: both keys signed it. */
export const isRotation = (index: number, leaf: Buffer): boolean => {
  if (!leaf.includes(ROTATED)) return false;
  try {
    return readRotation(index, leaf).index === index;
  } catch {
    return false; // told when its leaf is checked
  }
};

/** Reads the changes of key that a log holds, before anything of it is believed: each is signed by the key that it leaves. Others are passed over. */
export const readRotationLeaves = async (reader: LogReader, size: number): Promise<RotationLeaf[]> => {
  const rotations: RotationLeaf[] = [];
  for await (const [n, leaves] of inOrder(0, Math.ceil(size / TILE_WIDTH), (each) => readLeaves(reader, size, each)))
    for (const [i, leaf] of (leaves ?? []).entries()) if (isRotation(n * TILE_WIDTH + i, leaf)) rotations.push({ index: n * TILE_WIDTH + i, leaf });
  return rotations;
};

/** Reads the changes of key that a log shows beside its hashes, for whoever may not read its leaves. Each must be the entry at its place. */
const shownRotations = async (reader: LogReader, size: number): Promise<Rotation[]> => {
  const hashes = readerHashes(reader, size);
  const shown = readRotations((await reader.read('rotations'))?.toString('utf8') ?? '').filter(({ index }) => index < size);
  for (const { index, leaf } of shown) {
    const [hash] = await hashes.hashes(0, index, 1);
    if (!hash?.equals(leafHash(leaf))) throw new Failure('rotation_wrong', `the change of key that is shown for entry ${index} is not that entry`);
  }
  return shown.map(({ index, leaf }) => readRotation(index, leaf));
};

/** Opens a checkpoint with the keys of the policy; when none of them signed it, with the one that follows from them at its size. */
export const openFollowed = async (source: KeySource, note: string): Promise<Witnessed> => {
  const { reader, origin, policy } = source;
  try {
    return openWitnessed(note, origin, policy);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'note_unsigned') throw error;
    const { size } = readCheckpoint(textOf(note));
    if (size === 0) throw error;
    const rotations = (await hasLeaves(reader, size))
      ? (await readRotationLeaves(reader, size)).map(({ index, leaf }) => readRotation(index, leaf))
      : await shownRotations(reader, size);
    const keys = createLogKeys(pinnedKeys(source), rotations).at(size);
    return openWitnessed(note, origin, { ...policy, logs: keys.map((verifier) => ({ verifier })) });
  }
};

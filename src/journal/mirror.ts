import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { copyLog, folderCheckpoint, writeInFolder } from './log-folder.ts';
import { openSized } from './log-keys.ts';
import { folderReader, type LogReader, readerHashes, readLeaves } from './log-reader.ts';
import { type Checkpoint, type Verifier, writeVkey } from './note.ts';
import { proveConsistency, verifyConsistency } from './proof.ts';
import { followRotations, readRotations } from './rotations.ts';
import { openTagIndex, type TagIndex } from './tag-index.ts';
import { loadEdge, rootOf, TILE_WIDTH } from './tree.ts';

/** A copy of a log in other hands: it takes only what continues what it has, and keeps what shows that it does not (journal.md §3.4, §3.6). */

export type Updated =
  /** `copied`: so many entries are new. */
  | { readonly kind: 'current' | 'copied'; readonly size: number; readonly new: number }
  /** The log has no checkpoint yet. */
  | { readonly kind: 'nothing_yet' }
  /** An older checkpoint than the one that is held, of the same past: whoever asked is being shown a frozen log, or a cache. */
  | { readonly kind: 'older_shown'; readonly size: number; readonly shown: number }
  /** The leaves that were given are not those that were signed: nothing of them was kept. */
  | { readonly kind: 'leaves_differ'; readonly size: number; readonly shown: number }
  /** What was signed is not what continues this copy. `evidence` holds both checkpoints. */
  | { readonly kind: 'rewritten'; readonly size: number; readonly shown: number; readonly evidence: string };

export interface Mirror {
  readonly origin: string;
  readonly folder: string;
  /** The checkpoint that is held. */
  held(): Promise<Checkpoint | undefined>;
  /** Looks at the log once. Fails as `log_unreachable`, `log_forbidden`, or as `openNote` does when no known key signed. */
  update(): Promise<Updated>;
  readonly tags: Pick<TagIndex, 'size' | 'find'>;
}

export interface MirrorOptions {
  readonly folder: string;
  readonly reader: LogReader;
  /** Keys of the log, known from elsewhere; all of one name. */
  readonly trusted: readonly Verifier[];
  readonly onProgress?: (done: number, size: number) => void;
}

/** The root that the copy had when it held `size` entries. */
const rootAt = async (folder: string, held: Checkpoint, size: number): Promise<Buffer> =>
  rootOf(await loadEdge(readerHashes(folderReader(folder), held.size), size));

/** Says whether the tiles of the log show that what it signed now begins with what is held. What cannot be shown does not. */
const isShown = async (reader: LogReader, held: Checkpoint, shown: Checkpoint): Promise<Buffer[] | undefined> => {
  try {
    const proof = await proveConsistency(readerHashes(reader, shown.size), held.size, shown.size);
    return verifyConsistency(held.size, held.root, shown.size, shown.root, proof) ? proof : undefined;
  } catch (error) {
    if (error instanceof Failure && error.code === 'log_tile_missing') return undefined;
    throw error;
  }
};

/** Keeps two checkpoints that contradict each other: signed by the same key, they need no other witness. */
const keepEvidence = async (folder: string, shown: Checkpoint, note: string): Promise<string> => {
  const evidence = join(folder, 'evidence', `${shown.size}-${sha256(note).toString('hex').slice(0, 16)}`);
  if (existsSync(join(evidence, 'shown'))) return evidence;
  mkdirSync(evidence, { recursive: true });
  writeInFolder(evidence, 'held', String(await folderReader(folder).read('checkpoint')));
  writeInFolder(evidence, 'shown', note);
  return evidence;
};

/** Opens the mirror of one log in `folder`. */
export const openMirror = async (options: MirrorOptions): Promise<Mirror> => {
  const { folder, reader, trusted, onProgress } = options;
  const origin = trusted[0]?.name;
  if (origin === undefined || trusted.some(({ name }) => name !== origin)) throw new Failure('log_unknown', 'the keys are not those of one log');
  mkdirSync(join(folder, 'tile'), { recursive: true });
  const own = folderReader(folder);
  const held = () => folderCheckpoint(own);
  const before = await held();
  if (before && before.origin !== origin) throw new Failure('log_unknown', `${folder} holds ${before.origin}, not ${origin}`);
  if (before && !(await rootAt(folder, before, before.size)).equals(before.root))
    throw new Failure('mirror_damaged', `the tiles of ${folder} do not give its checkpoint: keep the folder, and begin another`);
  writeInFolder(folder, 'vkey', trusted.map((key) => `${writeVkey(key)}\n`).join(''));
  const tags = openTagIndex(folder);
  if (before) await tags.catchUp(before.size);

  /** Bundles as the log has them for the size that is copied. */
  const leavesOf =
    (shown: Checkpoint) =>
    async (from: number): Promise<Buffer[]> => {
      const leaves = await readLeaves(reader, shown.size, from / TILE_WIDTH);
      if (!leaves) throw new Failure('log_unreachable', `the leaves from ${from} are missing, or are not a bundle`);
      return leaves;
    };

  const copy = async (mine: Checkpoint | undefined, shown: Checkpoint, note: string): Promise<Updated> => {
    const size = mine?.size ?? 0;
    const copied = await copyLog({ folder, checkpoint: shown, note, leaves: leavesOf(shown), entries: true, ...(onProgress ? { onProgress } : {}) });
    if (!('refused' in copied)) {
      await tags.catchUp(shown.size);
      return { kind: 'copied', size: shown.size, new: shown.size - size };
    }
    if (!mine || size === 0 || (await isShown(reader, mine, shown))) return { kind: 'leaves_differ', size, shown: shown.size };
    return { kind: 'rewritten', size, shown: shown.size, evidence: await keepEvidence(folder, shown, note) };
  };

  return {
    origin,
    folder,
    held,
    tags,
    async update() {
      const note = (await reader.read('checkpoint'))?.toString('utf8');
      if (note === undefined) return { kind: 'nothing_yet' };
      const changes = (await reader.read('rotations'))?.toString('utf8') ?? '';
      const shown = openSized(note, origin, followRotations(trusted, readRotations(changes)).keys);
      if (changes) writeInFolder(folder, 'rotations', changes);
      const mine = await held();
      if (!mine || shown.size > mine.size) return copy(mine, shown, note);
      const { size } = mine;
      if (!(await rootAt(folder, mine, shown.size)).equals(shown.root))
        return { kind: 'rewritten', size, shown: shown.size, evidence: await keepEvidence(folder, shown, note) };
      return shown.size < size ? { kind: 'older_shown', size, shown: shown.size } : { kind: 'current', size, new: 0 };
    },
  };
};

import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure } from '../kernel/failure.ts';
import { folderReader, inOrder, type LogReader, readerHashes, readLeaves } from './log-reader.ts';
import { type Checkpoint, readCheckpoint } from './note.ts';
import { tileWidth, writeBundle, writeTilePath } from './tile-path.ts';
import { append, type Edge, EMPTY_EDGE, EMPTY_ROOT, leafHash, loadEdge, rootOf, TILE_WIDTH, type Tile } from './tree.ts';

/** Copies a log into a folder laid out as C2SP tlog-tiles: what `relais journal export` and `relais mirror` write. */

export interface CopyOptions {
  readonly folder: string;
  /** What is copied: a checkpoint whose signature the caller has checked, and its note. */
  readonly checkpoint: Checkpoint;
  readonly note: string;
  /** Exactly the leaves from `from` to `to` - 1, which are those of one bundle. */
  leaves(from: number, to: number): Promise<readonly Buffer[]>;
  /** Without entries, only hashes are written: for whoever may not have the leaves. */
  readonly entries: boolean;
  readonly onProgress?: (done: number, size: number) => void;
  /** Told of each leaf in order; of those of the bundle where the copy goes on, again. */
  readonly onLeaf?: (index: number, leaf: Buffer) => void;
  /** Asked once everything is there and has the signed root, before it gets its name. What it fails with, the copy fails with. */
  readonly accept?: () => void;
}

export type Copied =
  | { readonly from: number; readonly size: number }
  /**
   * `other_log`, `older`: the folder holds another log, or more of this one. `not_continued`: the new checkpoint does not begin with what the folder
   * holds. `leaves_differ`: the leaves given are not those that were signed.
   */
  | { readonly refused: 'other_log' | 'older' | 'not_continued' | 'leaves_differ'; readonly size: number };

/** Commit point of each file: it is on the disk, whole, before it has its name. */
const writeWhole = (file: string, content: Buffer | string): void => {
  mkdirSync(dirname(file), { recursive: true });
  const descriptor = openSync(`${file}.new`, 'w', 0o644);
  try {
    writeSync(descriptor, Buffer.from(content));
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(`${file}.new`, file);
};

/** Writes `content` as `name`, and its name on the disk with it. */
export const writeInFolder = (folder: string, name: string, content: string): void => {
  writeWhole(join(folder, name), content);
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
};

/** Reads the checkpoint that a folder holds. It is not checked against any key: its root is compared with the tiles. */
export const folderCheckpoint = async (reader: LogReader): Promise<Checkpoint | undefined> => {
  const note = (await reader.read('checkpoint'))?.toString('utf8');
  return note === undefined ? undefined : readCheckpoint(note.slice(0, note.lastIndexOf('\n\n') + 1));
};

interface Copy {
  readonly options: CopyOptions;
  readonly reader: LogReader;
  readonly before: Checkpoint | undefined;
  /** What this run wrote that was not there: taken away if it does not hold. */
  readonly written: string[];
  edge: Edge;
}

const put = (copy: Copy, path: string, content: Buffer): void => {
  const file = join(copy.options.folder, path);
  if (!existsSync(file)) copy.written.push(file);
  writeWhole(file, content);
};

const putTiles = (copy: Copy, tiles: readonly Tile[]): void => {
  for (const { level, n, hashes } of tiles) put(copy, `tile/${writeTilePath({ level, n, width: hashes.length })}`, Buffer.concat(hashes));
};

/** Where to begin: the last full bundle of what the folder holds already. */
const begin = async (options: CopyOptions, reader: LogReader, before: Checkpoint | undefined): Promise<Edge> => {
  if (!before) return EMPTY_EDGE;
  const whole = await loadEdge(readerHashes(reader, before.size), before.size);
  if (!rootOf(whole).equals(before.root)) throw new Failure('log_tile_missing', `the tiles of ${options.folder} do not give its checkpoint`);
  return loadEdge(readerHashes(reader, before.size), Math.floor(before.size / TILE_WIDTH) * TILE_WIDTH);
};

/** Takes the leaves of bundle `n`: what an interrupted copy left, or those that are given. */
const take = async (copy: Copy, n: number): Promise<readonly Buffer[]> => {
  const { options, reader, before } = copy;
  const from = n * TILE_WIDTH;
  const width = tileWidth(options.checkpoint.size, 'entries', n);
  const kept = !before && options.entries && width === TILE_WIDTH ? await readLeaves(reader, options.checkpoint.size, n) : undefined;
  if (kept) return kept;
  const leaves = await options.leaves(from, from + width);
  if (leaves.length !== width) throw new Failure('journal_leaf_missing', `entries ${from} to ${from + width - 1}: ${leaves.length} leaves`);
  if (options.entries) put(copy, `tile/${writeTilePath({ level: 'entries', n, width })}`, writeBundle(leaves));
  return leaves;
};

/** Adds the leaves of one bundle; false when they do not pass through what the folder held. */
const grow = (copy: Copy, leaves: readonly Buffer[]): boolean => {
  const { before } = copy;
  const hashes = leaves.map(leafHash);
  for (const [i, leaf] of leaves.entries()) copy.options.onLeaf?.(copy.edge.size + i, leaf);
  const known = (before?.size ?? 0) - copy.edge.size;
  if (before && known > 0 && !rootOf(append(copy.edge, hashes.slice(0, known)).edge).equals(before.root)) return false;
  const { edge, tiles } = append(copy.edge, hashes);
  copy.edge = edge;
  putTiles(copy, tiles);
  return true;
};

/** Takes every bundle in order; false when they do not continue what the folder held. */
const takeAll = async (copy: Copy): Promise<boolean> => {
  const { size } = copy.options.checkpoint;
  for await (const [, leaves] of inOrder(copy.edge.size / TILE_WIDTH, Math.ceil(size / TILE_WIDTH), (n) => take(copy, n))) {
    if (!grow(copy, leaves)) return false;
    copy.options.onProgress?.(copy.edge.size, size);
  }
  return true;
};

/** What does not hold does not stay: neither as a file that a later run would take for good, nor under a name that is published. */
const takeAway = ({ options, before, written }: Copy): void => {
  for (const file of written) rmSync(file, { force: true });
  if (!before) rmSync(join(options.folder, 'tile'), { recursive: true, force: true });
};

/**
 * Copies the log up to `checkpoint`: bundles, full tiles, partial ones, then `checkpoint`, which names only what is there and gives its root. A copy
 * that was interrupted goes on where it was; tiles that older checkpoints need stay.
 */
export const copyLog = async (options: CopyOptions): Promise<Copied> => {
  const { folder, checkpoint, note } = options;
  const reader = folderReader(folder);
  const before = await folderCheckpoint(reader);
  const size = before?.size ?? 0;
  if (before && before.origin !== checkpoint.origin) return { refused: 'other_log', size };
  if (size > checkpoint.size) return { refused: 'older', size };
  const copy: Copy = { options, reader, before, written: [], edge: await begin(options, reader, before) };
  if (!(await takeAll(copy))) {
    takeAway(copy);
    return { refused: 'not_continued', size };
  }
  if (!rootOf(copy.edge).equals(checkpoint.root)) {
    takeAway(copy);
    return { refused: size === checkpoint.size ? 'not_continued' : 'leaves_differ', size };
  }
  try {
    options.accept?.();
  } catch (error) {
    takeAway(copy);
    throw error;
  }
  putTiles(
    copy,
    copy.edge.pending.flatMap((hashes, level): Tile[] =>
      hashes.length ? [{ level, n: Math.floor(checkpoint.size / TILE_WIDTH ** (level + 1)), hashes, root: EMPTY_ROOT }] : [],
    ),
  );
  writeInFolder(folder, 'checkpoint', note);
  return { from: size, size: checkpoint.size };
};

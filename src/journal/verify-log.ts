import { existsSync, readFileSync } from 'node:fs';
import { Failure } from '../kernel/failure.ts';
import { parseLeaf } from './entry.ts';
import type { Role } from './keys.ts';
import { createLogKeys, openSized, type Rotation, readRotation } from './log-keys.ts';
import { hasLeaves, openFollowed, pinnedKeys } from './log-keys-read.ts';
import { inOrder, type LogReader, readerHashes, readLeaves, readTileHashes } from './log-reader.ts';
import type { Checkpoint } from './note.ts';
import type { Policy, Witnessed } from './policy.ts';
import { proveConsistency, verifyConsistency } from './proof.ts';
import { writeDurably } from './signer.ts';
import { createTagWalk, type TagWalk } from './tag-walk.ts';
import { tileWidth } from './tile-path.ts';
import { append, type Edge, EMPTY_EDGE, fold, leafHash, loadEdge, rootOf, TILE_WIDTH, type Tile } from './tree.ts';
import type { Fault } from './verify-entry.ts';
import { checkShown, timeOfShown } from './verify-window.ts';

/** Verifies a log from outside, with nothing of its house: an export, a mirror, or what is published (journal.md §3.9). */

export interface LogReport {
  readonly ok: boolean;
  readonly origin: string;
  readonly size: number;
  /** How many entries were hashed. */
  readonly checked: number;
  /** Without leaves, only the tree was checked: hashes say nothing of what was written. */
  readonly leaves: boolean;
  /** Names, in the policy, of the witnesses who cosigned. */
  readonly witnesses: readonly string[];
  /** When the newest checkpoint was, by its witnesses, else by its last entry; left out where neither tells. */
  readonly at?: Date;
  /** Entries of the party whose key was given, in order. */
  readonly party?: { readonly role: Role; readonly entries: readonly number[] };
  /** By index; the first is the one to look at. At most a hundred. */
  readonly faults: readonly Fault[];
}

export interface LogVerifyOptions {
  readonly reader: LogReader;
  /** The keys that count, known from elsewhere than the log, and whose cosignatures are asked. */
  readonly policy: Policy;
  /** Which log of the policy. */
  readonly origin: string;
  /** Remembers the last checkpoint seen, as `VerifyOptions` says. */
  readonly stateFile?: string;
  /** Leaves before this one are taken from the tiles, which the signed root covers. */
  readonly from?: number;
  readonly party?: { readonly key: Buffer; readonly role: Role };
  /** The newest checkpoint must be of within so long of now. */
  readonly fresh?: { readonly now: Date; readonly withinMs: number };
  readonly onProgress?: (done: number, size: number) => void;
}

const MOST_FAULTS = 100;

interface Walk {
  readonly reader: LogReader;
  readonly size: number;
  readonly root: Buffer;
  readonly remembered: Checkpoint | undefined;
  readonly tags: TagWalk | undefined;
  readonly rotations: Rotation[];
  readonly add: (kind: Fault['kind'], index: number, message: string) => void;
  edge: Edge;
  previous: Date;
  /** Entries of which something was told: what lies above them is not told again. */
  readonly suspects: Set<number>;
}

const codeOf = (error: unknown): string => (error instanceof Failure ? error.code : 'unreadable');

/** Opens the newest checkpoint: the one that witnesses cosigned, where the policy asks for them and the plain one does not do. */
const openNewest = async (options: LogVerifyOptions): Promise<Witnessed & { note: string }> => {
  const open = async (path: string): Promise<(Witnessed & { note: string }) | undefined> => {
    const note = (await options.reader.read(path))?.toString('utf8');
    return note === undefined ? undefined : { ...(await openFollowed(options, note)), note };
  };
  const plain = await open('checkpoint');
  // A log that no quorum has seen says so by another answer than 404.
  const witnessed = plain?.met ? undefined : await open('checkpoint/witnessed').catch(() => undefined);
  const newest = witnessed?.met ? witnessed : plain;
  if (!newest) throw new Failure('checkpoint_missing', 'there is no checkpoint');
  return newest;
};

/** Reads the last checkpoint seen. It is a signed note: altered, it is refused like any other. */
const remember = async (options: LogVerifyOptions, add: Walk['add']): Promise<Checkpoint | undefined> => {
  const { stateFile } = options;
  if (!stateFile || !existsSync(stateFile)) return undefined;
  try {
    return (await openFollowed(options, readFileSync(stateFile, 'utf8'))).checkpoint;
  } catch (error) {
    const other = /^(?:checkpoint_of_other_log|note_unsigned)$/.test(codeOf(error));
    add(other ? 'other_log' : 'state_damaged', 0, `the checkpoint remembered in ${stateFile}: ${codeOf(error)}`);
    return undefined;
  }
};

/** What one bundle and its tile say. */
interface Stretch {
  readonly leaves: readonly Buffer[] | undefined;
  readonly tile: readonly Buffer[] | undefined;
  /** What the tile above says of a full one. */
  readonly above: Buffer | undefined;
}

const load = async (walk: Walk, n: number, withLeaves: boolean): Promise<Stretch> => {
  const { reader, size } = walk;
  const above = tileWidth(size, 1, Math.floor(n / TILE_WIDTH)) > n % TILE_WIDTH;
  const [leaves, tile, parent] = await Promise.all([
    withLeaves ? readLeaves(reader, size, n) : undefined,
    readTileHashes(reader, size, 0, n),
    above ? readTileHashes(reader, size, 1, Math.floor(n / TILE_WIDTH)) : undefined,
  ]);
  return { leaves, tile, above: parent?.[n % TILE_WIDTH] };
};

/** Checks one leaf by itself: its only form, its time, its tags. */
const checkLeaf = (walk: Walk, index: number, bytes: Buffer): void => {
  try {
    const leaf = parseLeaf(bytes);
    if (leaf.at < walk.previous) walk.add('time_backwards', index, `entry ${index}: it is older than the entry before it`);
    else walk.previous = leaf.at;
    if (leaf.type === 'key.rotated') walk.rotations.push(readRotation(index, bytes));
    for (const told of walk.tags?.take(index, leaf.tags) ?? []) walk.add(told.kind, index, told.message);
  } catch (error) {
    if (codeOf(error) === 'rotation_wrong') walk.add('rotation_wrong', index, `entry ${index} changes no key: both keys did not sign it`);
    else
      walk.add(
        'leaf_malformed',
        index,
        `entry ${index}: its leaf is not in its only form (${error instanceof Failure ? error.message : codeOf(error)})`,
      );
  }
};

/** The hashes with which the tree goes on: where leaves and tile differ, those that the tile above agrees with. */
const settle = (walk: Walk, from: number, { leaves, tile, above }: Stretch): readonly Buffer[] | undefined => {
  const hashes = leaves?.map(leafHash);
  if (!tile) walk.add('tile_missing', from, `the tile of the entries from ${from} is missing, or is not one`);
  if (!hashes || !tile) return hashes ?? tile;
  const differing = hashes.flatMap((hash, i) => (tile[i]?.equals(hash) ? [] : [from + i]));
  if (!differing.length) return hashes;
  const holds = (given: readonly Buffer[]): boolean =>
    above ? fold(given).equals(above) : from + given.length === walk.size && rootOf(append(walk.edge, given).edge).equals(walk.root);
  const [leavesHold, tileHolds] = [holds(hashes), holds(tile)];
  for (const index of differing) {
    walk.suspects.add(index);
    if (leavesHold) walk.add('tile_altered', index, `the tile does not hold the hash of entry ${index}`);
    else walk.add('leaf_altered', index, `entry ${index}: its leaf does not have the hash that stands in its tile`);
  }
  return tileHolds ? tile : hashes;
};

const checkTile = async (walk: Walk, { level, n, hashes }: Omit<Tile, 'root'>): Promise<void> => {
  if (level === 0) return; // compared with its leaves
  const width = TILE_WIDTH ** level;
  const start = n * TILE_WIDTH * width;
  const found = await readTileHashes(walk.reader, walk.size, level, n);
  if (!found) return walk.add('tile_missing', start, `tile ${n} of level ${level} is missing, or is not one`);
  for (const [slot, hash] of hashes.entries()) {
    const at = start + slot * width;
    // An entry that differs changes every tile above its own: only the lowest says which one it is.
    if (found[slot]?.equals(hash) || [...walk.suspects].some((index) => index >= at && index < at + width)) continue;
    walk.suspects.add(at);
    walk.add('tile_altered', at, `tile ${n} of level ${level} does not hold the hash of the ${width} entries from ${at}`);
  }
};

/** Adds one stretch to the tree; false when there is nothing to go on with. */
const grow = async (walk: Walk, n: number, stretch: Stretch, withLeaves: boolean): Promise<boolean> => {
  const from = n * TILE_WIDTH;
  if (withLeaves && !stretch.leaves) walk.add('leaf_missing', from, `the leaves from ${from} are missing, or are not a bundle`);
  for (const [i, leaf] of (stretch.leaves ?? []).entries()) checkLeaf(walk, from + i, leaf);
  const hashes = settle(walk, from, stretch);
  if (!hashes) return false;
  const { remembered } = walk;
  const known = (remembered?.size ?? 0) - from;
  if (remembered && known > 0 && known <= hashes.length && !rootOf(append(walk.edge, hashes.slice(0, known)).edge).equals(remembered.root))
    walk.add(
      'fork',
      Math.min(from, ...walk.suspects),
      `the first ${remembered.size} entries are not those that were seen signed: history was rewritten`,
    );
  const grown = append(walk.edge, hashes);
  walk.edge = grown.edge;
  for (const tile of grown.tiles) await checkTile(walk, tile);
  return true;
};

/** Goes to where the walk begins: everything before is what the tiles say, which must continue what was remembered. */
const skipTo = async (walk: Walk, from: number): Promise<void> => {
  const { reader, size, root, remembered } = walk;
  const source = readerHashes(reader, size);
  walk.edge = await loadEdge(source, Math.floor(from / TILE_WIDTH) * TILE_WIDTH);
  if (!remembered || remembered.size > walk.edge.size) return;
  const proof = await proveConsistency(source, remembered.size, size);
  if (!verifyConsistency(remembered.size, remembered.root, size, root, proof))
    walk.add('fork', 0, `the first ${remembered.size} entries are not shown to be those that were seen signed`);
};

const walkLog = async (walk: Walk, withLeaves: boolean, onProgress: LogVerifyOptions['onProgress'], full: () => boolean): Promise<void> => {
  const last = Math.ceil(walk.size / TILE_WIDTH);
  for await (const [n, stretch] of inOrder(walk.edge.size / TILE_WIDTH, last, (each) => load(walk, each, withLeaves))) {
    if (full() || !(await grow(walk, n, stretch, withLeaves))) return;
    onProgress?.(walk.edge.size, walk.size);
  }
  for (const [level, hashes] of walk.edge.pending.entries())
    if (hashes.length) await checkTile(walk, { level, n: Math.floor(walk.size / TILE_WIDTH ** (level + 1)), hashes });
  if (!rootOf(walk.edge).equals(walk.root) && !walk.suspects.size)
    walk.add('checkpoint_mismatch', walk.remembered?.size ?? 0, `the ${walk.size} entries are not those that were signed`);
};

/** Each size has one key: the newest checkpoint must be of the one that counted then. */
const checkKeys = (options: LogVerifyOptions, walk: Walk, note: string): void => {
  const keys = createLogKeys(pinnedKeys(options), walk.rotations);
  for (const { index } of keys.strange) walk.add('rotation_wrong', index, `entry ${index} changes no key: it follows from no key that is trusted`);
  try {
    openSized(note, options.origin, keys);
  } catch (error) {
    if (codeOf(error) !== 'note_unsigned') throw error;
    walk.add('checkpoint_altered', walk.size, 'the checkpoint is signed by a key that does not count at its size');
  }
};

/** Verifies a log: see `LogReport`. Fails as the reader does when it cannot be read at all. */
export const verifyLog = async (options: LogVerifyOptions): Promise<LogReport> => {
  const { reader, origin, policy, from = 0, party } = options;
  const faults: Fault[] = [];
  const add: Walk['add'] = (kind, index, message) => void faults.push({ kind, index, message });
  const report = (more: Partial<LogReport>): LogReport => {
    faults.sort((a, b) => a.index - b.index);
    return { ok: !faults.length, origin, size: 0, checked: 0, leaves: false, witnesses: [], ...more, faults: faults.slice(0, MOST_FAULTS) };
  };
  let newest: Witnessed & { note: string };
  try {
    newest = await openNewest(options);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'log_unreachable' || code === 'log_forbidden') throw error;
    add(
      code === 'checkpoint_of_other_log' ? 'other_log' : code === 'checkpoint_missing' ? 'checkpoint_missing' : 'checkpoint_altered',
      0,
      `the checkpoint: ${error instanceof Failure ? error.message : code}`,
    );
    return report({});
  }
  const { size, root } = newest.checkpoint;
  const witnesses = newest.witnesses.map(({ name }) => name);
  if (!newest.met) add('checkpoint_missing', size, `no checkpoint is cosigned as the policy asks: by "${policy.quorum}"`);
  const remembered = await remember(options, add);
  if (remembered && remembered.size > size) {
    add('rolled_back', size, `${remembered.size} entries were seen signed and ${size} are shown: an older copy was put back, or the end was cut`);
    return report({ size, witnesses });
  }
  const tags = party && createTagWalk(party.key, party.role);
  const walk: Walk = { reader, size, root, remembered, tags, add, rotations: [], edge: EMPTY_EDGE, previous: new Date(0), suspects: new Set() };
  const leaves = size === 0 || (await hasLeaves(reader, size));
  if (party && !leaves) add('leaf_missing', 0, 'the leaves are needed to look for tags: give the token of a mirror');
  const begun = Math.floor(Math.min(from, size) / TILE_WIDTH) * TILE_WIDTH;
  try {
    if (begun > 0) await skipTo(walk, begun);
    await walkLog(walk, leaves, options.onProgress, () => faults.length >= MOST_FAULTS);
    if (leaves && begun === 0) checkKeys(options, walk, newest.note);
  } catch (error) {
    if (codeOf(error) !== 'log_tile_missing') throw error;
    add('tile_missing', walk.edge.size, error instanceof Failure ? (error.detail ?? error.code) : 'a tile is missing');
  }
  const shown = { size, seenAt: newest.seenAt, last: walk.previous.getTime() > 0 ? walk.previous : undefined };
  if (newest.met) for (const { kind, index, message } of checkShown(shown, options.fresh)) add(kind, index, message);
  if (!faults.length && options.stateFile) writeDurably(options.stateFile, newest.note);
  const own = party && tags ? { party: { role: party.role, entries: tags.found } } : {};
  const at = timeOfShown(shown);
  return report({ size, checked: walk.edge.size - begun, leaves, witnesses, ...(at ? { at } : {}), ...own });
};

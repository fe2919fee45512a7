import { existsSync, readFileSync } from 'node:fs';
import { Failure } from '../kernel/failure.ts';
import { type AskedKeys, type BoxClass, type LoadedKeys, ROLES } from './keys.ts';
import { type LogKeys, openSized } from './log-keys.ts';
import type { Checkpoint, Verifier } from './note.ts';
import { proveConsistency, verifyConsistency } from './proof.ts';
import { followRotations } from './rotations.ts';
import { writeDurably } from './signer.ts';
import { append, type Edge, EMPTY_EDGE, type HashSource, loadEdge, rootOf, TILE_WIDTH, type Tile } from './tree.ts';
import { type Before, checkEntry, type Fault, TREE_FAULTS } from './verify-entry.ts';
import { type Accounts, createAccounts } from './verify-erasure.ts';
import type { Entries, Overview, VerifySource } from './verify-source.ts';

/** Walks a journal from its first leaf and says what does not hold, first things first (journal.md §3.9). */

export interface Report {
  readonly ok: boolean;
  readonly origin: string;
  readonly size: number;
  /** How many entries the newest valid checkpoint covers. */
  readonly sealed: number;
  readonly checked: number;
  /** By index; the first is the one to look at. At most a hundred. */
  readonly faults: readonly Fault[];
}

export interface VerifyOptions {
  readonly source: VerifySource;
  readonly origin: string;
  /** The log's own key, known from elsewhere than the database. */
  readonly trusted: readonly Verifier[];
  /** Loads keys of sealed parts: without them these are only compared with their hash, and tags not at all. */
  readonly keys?: (asked: AskedKeys) => Promise<LoadedKeys>;
  /** Remembers the last checkpoint seen: what shows that the end was cut, or history rewritten, since then. Written when all is well. */
  readonly stateFile?: string;
  /** Begins near this index (at the start of its tile) and trusts the tiles before it: their entries are looked at by nobody. */
  readonly from?: number;
  /** Awaited between pieces, so that others work. */
  readonly between?: () => Promise<unknown>;
}

const CHUNK = 8 * TILE_WIDTH;
const MOST_FAULTS = 100;

interface Walk {
  readonly options: VerifyOptions;
  readonly overview: Overview;
  readonly logKeys: LogKeys;
  readonly remembered: Checkpoint | undefined;
  readonly add: (fault: Fault) => void;
  readonly counts: Before['counts'];
  readonly accounts: Accounts;
  readonly partial: boolean;
  edge: Edge;
  previous: Date;
  /** What is sealed and was found to hold, so far. */
  good: number;
  newest: { size: number; note: string } | undefined;
  /** Entries that may be why a root differs, in order: then that root's fault is told of the first, not of the whole range. */
  suspects: number[];
  /** A root was told to differ: every later one does too, and saying it again would only hide the first. */
  broken: boolean;
}

/** Verifies the journal: see `Report`. */
export const verify = async (options: VerifyOptions): Promise<Report> => {
  const faults: Fault[] = [];
  const add = (fault: Fault): void => void faults.push(fault);
  const overview = await options.source.overview();
  const { keys: logKeys, wrong } = followRotations(options.trusted, await options.source.rotations());
  const start = Math.floor(Math.min(options.from ?? 0, overview.size) / TILE_WIDTH) * TILE_WIDTH;
  const walk: Walk = {
    options,
    overview,
    logKeys,
    remembered: remember(options, logKeys, add),
    add,
    counts: { usager: new Map(), organisation: new Map(), administration: new Map(), aidant: new Map() },
    accounts: createAccounts(start > 0),
    partial: start > 0,
    edge: start > 0 ? await loadEdge(tileRoots(options.source), start) : EMPTY_EDGE,
    previous: new Date(0),
    good: start,
    newest: start > 0 ? lastSeal(overview, options.origin, logKeys) : undefined,
    suspects: [],
    broken: false,
  };
  if (!options.origin.endsWith(`/${overview.logId}`))
    add({ kind: 'other_log', index: 0, message: `the database holds log ${overview.logId}, not ${options.origin}` });
  checkEnds(walk);
  if (start > 0) await checkPassed(walk);
  const read = (from: number): Promise<Entries> | undefined => {
    const entries = from < overview.size ? options.source.entries(from, Math.min(from + CHUNK, overview.size)) : undefined;
    entries?.catch(() => undefined); // told when it is awaited
    return entries;
  };
  let ahead = read(start);
  for (let from = start; from < overview.size && faults.length < MOST_FAULTS; from += CHUNK) {
    const entries = await ahead;
    ahead = read(from + CHUNK); // comes while these are looked at
    if (entries) await walkChunk(walk, entries, from, Math.min(from + CHUNK, overview.size));
    await options.between?.();
  }
  // What was erased is compared once every leaf has been read.
  if (faults.length < MOST_FAULTS)
    for (const fault of walk.accounts.faults(await options.keys?.({ persons: [], periods: walk.accounts.periods() }))) add(fault);
  if (!walk.broken && faults.length < MOST_FAULTS && !rootOf(walk.edge).equals(overview.root))
    add({
      kind: 'head_altered',
      index: suspectIn(walk, walk.good, overview.size) ?? walk.good,
      message: `the leaves do not give the root of the head (${overview.size} entries)`,
    });
  if (overview.size > 0 && !walk.newest && !faults.length)
    add({ kind: 'checkpoint_missing', index: 0, message: 'no valid checkpoint: nothing outside the database vouches for these entries' });
  faults.push(...wrong); // after what is told of their leaves
  const ok = faults.length === 0;
  if (ok && options.stateFile && walk.newest) writeDurably(options.stateFile, walk.newest.note);
  faults.sort((a, b) => a.index - b.index);
  return {
    ok,
    origin: options.origin,
    size: overview.size,
    sealed: walk.newest?.size ?? 0,
    checked: walk.edge.size - start,
    faults: faults.slice(0, MOST_FAULTS),
  };
};

/** Reads the last checkpoint seen. It is a signed note: altered, it is refused like any other. */
const remember = ({ stateFile, origin }: VerifyOptions, keys: LogKeys, add: (fault: Fault) => void): Checkpoint | undefined => {
  if (!stateFile || !existsSync(stateFile)) return undefined;
  try {
    return openSized(readFileSync(stateFile, 'utf8'), origin, keys);
  } catch (error) {
    const code = error instanceof Failure ? error.code : 'unreadable';
    add({
      kind: code === 'checkpoint_of_other_log' || code === 'note_unsigned' ? 'other_log' : 'state_damaged',
      index: 0,
      message: `the checkpoint remembered in ${stateFile}: ${code}`,
    });
    return undefined;
  }
};

/** Looks at both ends: what lies beyond the head, and what was sealed beyond it. */
const checkEnds = ({ overview, options, logKeys, remembered, add }: Walk): void => {
  const { size, highest, lowest, tiles } = overview;
  for (const [table, index] of Object.entries(highest))
    if (index >= size) add({ kind: 'extra_row', index: size, message: `journal.${table} has a row ${index} beyond the head (${size} entries)` });
  if (lowest < 0) add({ kind: 'extra_row', index: 0, message: `a row has the index ${lowest}` });
  let expected = 0;
  for (let wide = Math.floor(size / TILE_WIDTH); wide > 0; wide = Math.floor(wide / TILE_WIDTH)) expected += wide;
  if (tiles > expected) add({ kind: 'extra_row', index: size, message: `journal.tile has ${tiles} tiles where ${size} entries fill ${expected}` });
  if (overview.sealed > size) {
    const valid = overview.lastNote !== undefined && sizeOf(overview.lastNote, options.origin, logKeys) === overview.sealed;
    if (valid) add({ kind: 'truncated', index: size, message: `${overview.sealed} entries were signed and ${size} are left: the end was cut` });
    else add({ kind: 'checkpoint_altered', index: size, message: `the checkpoint of size ${overview.sealed} is not one that was signed` });
  }
  if (remembered && remembered.size > size && overview.sealed <= size)
    add({
      kind: 'rolled_back',
      index: size,
      message: `${remembered.size} entries were seen signed and the database knows ${size}: an older copy was put back, or the end was cut with its checkpoints`,
    });
  else if (remembered && remembered.size > size)
    add({ kind: 'truncated', index: size, message: `${remembered.size} entries were seen signed and ${size} are left` });
};

/** The hashes that a tree of whole tiles is made of: roots of full tiles, and what is in them. */
const tileRoots = (source: VerifySource): HashSource => ({
  async hashes(level, from, count) {
    const n = Math.floor(from / TILE_WIDTH);
    const within = level === 0 ? (await source.tiles(0, n, n + 1)).get(n)?.hashes : undefined;
    if (within)
      return Array.from({ length: count }, (_, i) => within.subarray(32 * (from + i - n * TILE_WIDTH), 32 * (from + i + 1 - n * TILE_WIDTH)));
    const tiles = await source.tiles(level - 1, from, from + count);
    return Array.from({ length: count }, (_, i) => tiles.get(from + i)?.root ?? Buffer.alloc(32)); // a missing one shows in the root
  },
});

/** What is passed over must continue what was remembered: the tiles show it, or nothing does. */
const checkPassed = async ({ options, remembered, edge, add }: Walk): Promise<void> => {
  if (!remembered || remembered.size > edge.size) return;
  const proof = await proveConsistency(tileRoots(options.source), remembered.size, edge.size);
  if (!verifyConsistency(remembered.size, remembered.root, edge.size, rootOf(edge), proof))
    add({ kind: 'fork', index: 0, message: `the first ${remembered.size} entries are not shown to be those that were seen signed` });
};

const lastSeal = ({ lastNote, sealed }: Overview, origin: string, keys: LogKeys): Walk['newest'] =>
  lastNote !== undefined && sizeOf(lastNote, origin, keys) === sealed ? { size: sealed, note: lastNote } : undefined;

const sizeOf = (note: string, origin: string, keys: LogKeys): number | undefined => {
  try {
    return openSized(note, origin, keys).size;
  } catch {
    return undefined;
  }
};

/** One size at which the root is known from outside. */
interface Anchor {
  readonly size: number;
  readonly root: Buffer;
  readonly note?: string;
}

const anchorsOf = async (walk: Walk, from: number, to: number): Promise<Anchor[]> => {
  const { options, remembered, add } = walk;
  const anchors: Anchor[] = [];
  for (const stored of await options.source.checkpoints(from, to)) {
    try {
      const signed = openSized(stored.note, options.origin, walk.logKeys);
      if (signed.size !== stored.size || !signed.root.equals(stored.root)) throw new Failure('row_differs_from_note');
      anchors.push({ size: signed.size, root: signed.root, note: stored.note });
    } catch (error) {
      add({
        kind: 'checkpoint_altered',
        index: Math.max(stored.size - 1, 0),
        message: `the checkpoint of size ${stored.size}: ${error instanceof Failure ? error.code : 'unreadable'}`,
      });
    }
  }
  if (remembered && remembered.size > from && remembered.size <= to) anchors.push(remembered);
  return anchors.sort((a, b) => a.size - b.size);
};

/** Everybody and every month that a range of entries speaks of. */
const askedFor = (entries: Entries): AskedKeys => {
  const persons = new Set<string>();
  for (const { parties } of entries.projections.values()) for (const role of ROLES) if (parties[role] !== undefined) persons.add(parties[role]);
  const periods = [...entries.payloads.values()].flatMap((one) => [
    { class: one.class as BoxClass, period: one.month },
    { class: 'actor' as const, period: one.month },
  ]);
  return { persons: [...persons], periods };
};

const walkChunk = async (walk: Walk, entries: Entries, from: number, to: number): Promise<void> => {
  const { options, add } = walk;
  const keys = await options.keys?.(askedFor(entries));
  const hashes: Buffer[] = [];
  for (let index = from; index < to; index++) {
    const checked = checkEntry(index, entries, {
      previous: walk.previous,
      counts: walk.counts,
      partial: walk.partial,
      keys,
      accounts: walk.accounts,
    });
    for (const fault of checked.faults) {
      add(fault);
      if (TREE_FAULTS.has(fault.kind)) walk.suspects.push(index);
    }
    if (checked.at && checked.at > walk.previous) walk.previous = checked.at;
    if (!checked.hash) walk.broken = true;
    hashes.push(checked.hash ?? Buffer.alloc(32));
  }
  const stored = await options.source.tiles(0, Math.floor(from / TILE_WIDTH), Math.floor(to / TILE_WIDTH));
  let done = from;
  const grow = async (size: number): Promise<void> => {
    const grown = append(walk.edge, hashes.slice(done - from, size - from));
    walk.edge = grown.edge;
    done = size;
    for (const tile of grown.tiles) checkTile(walk, tile, tile.level === 0 ? stored : await options.source.tiles(tile.level, tile.n, tile.n + 1));
  };
  for (const anchor of await anchorsOf(walk, from, to)) {
    await grow(anchor.size);
    checkAnchor(walk, anchor);
  }
  await grow(to);
};

const suspectIn = (walk: Walk, from: number, to: number): number | undefined => walk.suspects.find((index) => index >= from && index < to);

const checkTile = (walk: Walk, tile: Tile, stored: ReadonlyMap<number, { hashes: Buffer; root: Buffer }>): void => {
  const found = stored.get(tile.n);
  const width = TILE_WIDTH ** tile.level;
  const name = `tile ${tile.n} of level ${tile.level}`;
  if (!found) {
    walk.add({ kind: 'tile_missing', index: tile.n * width * TILE_WIDTH, message: `${name} is missing` });
    return;
  }
  const slot = tile.hashes.findIndex((hash, i) => !hash.equals(found.hashes.subarray(32 * i, 32 * i + 32)));
  if (walk.broken || (slot < 0 && found.root.equals(tile.root))) return;
  // An entry that differs changes every tile above its own: only the lowest says which one it is.
  const start = tile.n * TILE_WIDTH * width;
  if (tile.level > 0 && suspectIn(walk, start, start + TILE_WIDTH * width) !== undefined) return;
  const index = start + Math.max(slot, 0) * width;
  walk.suspects = [...walk.suspects, index].sort((a, b) => a - b);
  walk.add({
    kind: 'tile_altered',
    index,
    message: slot < 0 ? `${name} has another root than its hashes` : `${name} does not hold the hash of entry ${index}`,
  });
};

const checkAnchor = (walk: Walk, anchor: Anchor): void => {
  const { good } = walk;
  const index = suspectIn(walk, good, anchor.size) ?? good;
  const holds = rootOf(walk.edge).equals(anchor.root);
  if (anchor.note) walk.newest = { size: anchor.size, note: anchor.note };
  if (holds) {
    walk.good = anchor.size;
    walk.broken = false;
    return;
  }
  const between = `the entries ${good} to ${anchor.size - 1}`;
  if (!anchor.note) walk.add({ kind: 'fork', index, message: `${between} are not those that were seen signed: history was rewritten` });
  else if (!walk.broken) {
    walk.add({ kind: 'checkpoint_mismatch', index, message: `${between} are not those that were signed` });
    walk.broken = true;
  }
};

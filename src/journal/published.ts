import { Failure } from '../kernel/failure.ts';
import type { LogReader } from './log-reader.ts';
import { proveConsistency, proveInclusion } from './proof.ts';
import { readTilePath, type TileAddress, tileWidth, writeBundle } from './tile-path.ts';
import { EMPTY_ROOT, type HashSource, nodeHash, TILE_WIDTH } from './tree.ts';

/** The log as anybody may read it: what a signed checkpoint covers and nothing beyond, through a cache (journal.md §3.7). */

/** Where the log is kept. What it returns for a size that was sealed never changes. */
export interface LogStore {
  /** The newest checkpoint, as it was signed; or that of exactly `size` entries, with what witnesses have said of it. */
  checkpoint(size?: number): Promise<{ readonly size: number; readonly note: string } | undefined>;
  /** Exactly `count` hashes, as `HashSource` says. */
  hashes(level: number, from: number, count: number): Promise<Buffer[]>;
  /** Exactly the leaves from `from` to `to` - 1. */
  leaves(from: number, to: number): Promise<Buffer[]>;
}

type NotThere = { readonly refused: 'not_published' | 'no_such_checkpoint' };

export interface PublishedLog {
  /** The bytes of a tile of hashes or a bundle; undefined for what no published checkpoint covers. Fails as `log_busy` when too many wait. */
  tile(address: TileAddress): Promise<Buffer | undefined>;
  /** The path from leaf `index` to the root of the checkpoint of `size` entries, by default the newest. */
  inclusion(index: number, size?: number): Promise<{ readonly hashes: Buffer[]; readonly note: string } | NotThere>;
  /** Proves that the tree of `from` leaves begins that of `to`: any two sizes up to the newest checkpoint. */
  consistency(from: number, to: number): Promise<Buffer[] | NotThere>;
}

/** A tile with every complete subtree inside it: row 0 holds its hashes, row h the roots of 2^h of them. */
type Nodes = readonly (readonly Buffer[])[];

const nodesOf = (hashes: readonly Buffer[]): Nodes => {
  const rows: Buffer[][] = [[...hashes]];
  for (let row = rows[0] ?? []; row.length > 1; row = rows.at(-1) ?? [])
    rows.push(Array.from({ length: Math.floor(row.length / 2) }, (_, i) => nodeHash(row[2 * i] ?? EMPTY_ROOT, row[2 * i + 1] ?? EMPTY_ROOT)));
  return rows;
};

/** 16 KB each. */
const MOST_TILES = 2048;
const MOST_CHECKPOINTS = 256;
/** A newer checkpoint comes at most each second. */
const FRESH_MS = 200;
/** Anonymous readers never hold more connections than this; what is waited for beyond is refused. */
const AT_ONCE = 3;
const MOST_WAITING = 256;

/** Lets few through at once, the others in order. */
const createGate = () => {
  const waiting: (() => void)[] = [];
  let inside = 0;
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (inside >= AT_ONCE) {
      if (waiting.length >= MOST_WAITING) throw new Failure('log_busy', 'too many readers of the log wait');
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else inside++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else inside--;
    }
  };
};

/** Keeps the `most` values that were used last. */
const createCache = <V>(most: number) => {
  const kept = new Map<string, V>();
  return {
    get(key: string): V | undefined {
      const found = kept.get(key);
      if (found !== undefined) {
        kept.delete(key);
        kept.set(key, found);
      }
      return found;
    },
    set(key: string, value: V): void {
      kept.delete(key);
      kept.set(key, value);
      for (const oldest of kept.keys()) {
        if (kept.size <= most) break;
        kept.delete(oldest);
      }
    },
  };
};

/** Reads tiles through a cache. A tile that is not full is kept as wide as it was last asked for. */
const createTiles = (store: LogStore, through: ReturnType<typeof createGate>) => {
  const cache = createCache<Nodes>(MOST_TILES);
  const loading = new Map<string, Promise<Nodes>>();
  const load = async (level: number, n: number, width: number): Promise<Nodes> => {
    const found = nodesOf(await through(() => store.hashes(level, n * TILE_WIDTH, width)));
    const key = `${level}/${n}`;
    if ((cache.get(key)?.[0]?.length ?? 0) < width) cache.set(key, found);
    return found;
  };
  return async (level: number, n: number, width: number): Promise<Nodes> => {
    const known = cache.get(`${level}/${n}`);
    if (known && (known[0]?.length ?? 0) >= width) return known;
    const key = `${level}/${n}/${width}`;
    const underway = loading.get(key) ?? load(level, n, width).finally(() => loading.delete(key));
    loading.set(key, underway);
    return underway;
  };
};

/** Reads a log where it is published. */
export const createPublishedLog = (store: LogStore): PublishedLog => {
  const through = createGate();
  const tiles = createTiles(store, through);
  const notes = createCache<{ readonly note: string; readonly readAt: number }>(MOST_CHECKPOINTS);
  let newest = 0;
  let newestNote: string | undefined;
  let refreshedAt = Number.NEGATIVE_INFINITY;
  let refreshing: Promise<void> | undefined;
  const readNewest = async (): Promise<void> => {
    const found = await through(() => store.checkpoint());
    refreshedAt = performance.now();
    if (!found) return;
    if (found.size >= newest) [newest, newestNote] = [found.size, found.note];
  };
  const refresh = (): Promise<void> => {
    refreshing ??= readNewest().finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  };
  /** Says whether `size` entries are published; asks only when it was not known. */
  const covers = async (size: number): Promise<boolean> => {
    if (size > newest) await refresh();
    return size <= newest;
  };
  const noteOf = async (size: number): Promise<string | undefined> => {
    const known = notes.get(String(size));
    // Of the newest, witnesses may still speak.
    if (known && performance.now() - known.readAt < FRESH_MS) return known.note;
    const readAt = performance.now();
    const found = await through(() => store.checkpoint(size));
    if (found) notes.set(String(size), { note: found.note, readAt: size < newest ? Number.POSITIVE_INFINITY : readAt });
    return found?.note;
  };
  /** The tree of `size` leaves, for proofs: every complete subtree is inside one tile. */
  const source = (size: number): HashSource => ({
    hashes: store.hashes,
    async root(level, from, count) {
      const n = Math.floor(from / TILE_WIDTH);
      const nodes = await tiles(level, n, tileWidth(size, level, n));
      const root = nodes[Math.log2(count)]?.[(from - n * TILE_WIDTH) / count];
      if (!root) throw new Failure('journal_node_missing', `level ${level}, from ${from}`);
      return root;
    },
  });
  return {
    async tile({ level, n, width }) {
      if (!(await covers((n * TILE_WIDTH + width) * TILE_WIDTH ** (level === 'entries' ? 0 : level)))) return undefined;
      if (level === 'entries') return writeBundle(await through(() => store.leaves(n * TILE_WIDTH, n * TILE_WIDTH + width)));
      const nodes = await tiles(level, n, tileWidth(newest, level, n));
      return Buffer.concat((nodes[0] ?? []).slice(0, width));
    },
    async inclusion(index, size) {
      if (size === undefined && performance.now() - refreshedAt > FRESH_MS) await refresh();
      const of = size ?? newest;
      if (index >= of || !(await covers(of))) return { refused: 'not_published' };
      const note = size === undefined ? newestNote : await noteOf(of);
      if (note === undefined) return { refused: 'no_such_checkpoint' };
      return { hashes: await proveInclusion(source(of), index, of), note };
    },
    async consistency(from, to) {
      if (!(await covers(to))) return { refused: 'not_published' };
      return proveConsistency(source(to), from, to);
    },
  };
};

/** The published log as a reader from outside has it, without going out. */
export const publishedReader = (store: LogStore): LogReader => {
  const log = createPublishedLog(store);
  return {
    async read(path) {
      if (path === 'checkpoint') return store.checkpoint().then((found) => found && Buffer.from(found.note));
      const address = path.startsWith('tile/') ? readTilePath(path.slice('tile/'.length)) : undefined;
      return address && log.tile(address);
    },
  };
};

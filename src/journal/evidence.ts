import type { Transaction } from '../kernel/transaction.ts';
import type { Role } from './keys.ts';
import { proveConsistency, proveInclusion } from './proof.ts';
import { EMPTY_ROOT, fold, type HashSource, TILE_WIDTH } from './tree.ts';

/** What lets a page be checked by whoever reads it: a party's leaves without a hole, and proofs for all of them at once. */

/** One leaf of a party: nothing of what is sealed. */
export interface PartyLeaf {
  readonly index: number;
  /** Its number in the party's own count, from 1. */
  readonly number: number;
  /** The bytes that were hashed; undefined when the row is gone. */
  readonly text: string | undefined;
  /** SHA-256 of the sealed parts as they are stored, in the order of the leaf's `ch`, base64url. */
  readonly boxes: readonly string[];
}

export interface PartyRange {
  /** Newest first. */
  readonly leaves: readonly PartyLeaf[];
  /** The party's newest number; 0 when it has no entry. */
  readonly last: number;
}

/** Each reads a number of statements that does not depend on how much is asked: `leaves` one, `hashes` two. */
export interface EvidenceStore {
  /** The leaves of a party from index `from` up to and with `to`, or of these indices alone; at most `limit`. */
  leaves(tx: Transaction, role: Role, party: string, range: PartySpan, limit: number): Promise<PartyRange>;
  /** Full tiles (`level`, `n`), and runs of the hashes of a level. Fails as `journal_node_missing`. */
  hashes(tx: Transaction, tiles: readonly TileAt[], runs: readonly Run[]): Promise<(level: number, from: number, count: number) => Buffer[]>;
}

export type PartySpan = { readonly from: number; readonly to?: number } | { readonly indices: readonly number[] };
export interface TileAt {
  readonly level: number;
  readonly n: number;
}
/** Hashes of `level` from position `from`, `count` of them: fewer than a tile. */
export interface Run extends TileAt {
  readonly from: number;
  readonly count: number;
}

/** Proofs in the tree of `size` leaves: each path, and how the tree of `grown` leaves begins it. */
export interface Proofs {
  readonly paths: ReadonlyMap<number, readonly Buffer[]>;
  readonly consistency: readonly Buffer[];
}

interface Asked {
  readonly size: number;
  readonly indices: readonly number[];
  /** A size that is not larger. */
  readonly grown?: number | undefined;
}

const prove = async (source: HashSource, { size, indices, grown }: Asked): Promise<Proofs> => {
  const paths = new Map<number, Buffer[]>();
  for (const index of indices) paths.set(index, await proveInclusion(source, index, size));
  return { paths, consistency: grown === undefined ? [] : await proveConsistency(source, grown, size) };
};

/** Proves many leaves in two statements: what the proofs need is known before anything is read. */
export const proveAll = async (tx: Transaction, store: EvidenceStore, asked: Asked): Promise<Proofs> => {
  const tiles = new Map<string, TileAt>();
  const runs = new Map<number, Run>();
  await prove(
    {
      hashes: () => [],
      root(level, from) {
        const n = Math.floor(from / TILE_WIDTH);
        const count = Math.min(TILE_WIDTH, Math.floor(asked.size / TILE_WIDTH ** level) - n * TILE_WIDTH);
        // Only the tile at the right edge of a level is not full.
        if (count === TILE_WIDTH) tiles.set(`${level}/${n}`, { level, n });
        else runs.set(level, { level, n, from: n * TILE_WIDTH, count });
        return EMPTY_ROOT;
      },
    },
    asked,
  );
  const hashes = await store.hashes(tx, [...tiles.values()], [...runs.values()]);
  const roots = new Map<string, Buffer>(); // paths of neighbours share most of their nodes
  const root = (level: number, from: number, count: number): Buffer => {
    const place = `${level}/${from}/${count}`;
    const found = roots.get(place) ?? fold(hashes(level, from, count));
    roots.set(place, found);
    return found;
  };
  return prove({ hashes, root }, asked);
};

import { sha256 } from '../kernel/crypto.ts';

/** The Merkle tree of RFC 6962 §2.1, grown at its right edge, with the full tiles of C2SP tlog-tiles (256 hashes, 8 levels of the tree). */

const LEAF = Buffer.of(0);
const NODE = Buffer.of(1);
export const TILE_WIDTH = 256;

/** The root of the empty tree: SHA-256 of nothing. */
export const EMPTY_ROOT = sha256();
export const leafHash = (leaf: Uint8Array | string): Buffer => sha256(LEAF, leaf);
export const nodeHash = (left: Buffer, right: Buffer): Buffer => sha256(NODE, left, right);

/** A tile that will never change: 256 consecutive hashes of its level, and the hash they fold to. */
export interface Tile {
  readonly level: number;
  readonly n: number;
  readonly hashes: readonly Buffer[];
  readonly root: Buffer;
}

/**
 * All that must be known of a tree to make it grow. `range` holds the roots of the complete subtrees, widest first (one for each bit of
 * `size`); `pending[level]` the hashes of the tile that is being filled at each level.
 */
export interface Edge {
  readonly size: number;
  readonly range: readonly Buffer[];
  readonly pending: readonly (readonly Buffer[])[];
}

export const EMPTY_EDGE: Edge = { size: 0, range: [], pending: [] };

/** Adds leaf hashes at the end: returns the new edge and the tiles that became full. The edge given is left as it was. */
export const append = (edge: Edge, leaves: readonly Buffer[]): { edge: Edge; tiles: Tile[] } => {
  const range = [...edge.range];
  const pending = edge.pending.map((hashes) => [...hashes]);
  const tiles: Tile[] = [];
  let size = edge.size;
  const push = (level: number, hash: Buffer): void => {
    const filling = pending[level];
    if (filling) filling.push(hash);
    else pending[level] = [hash];
  };
  for (const leaf of leaves) {
    push(0, leaf);
    let hash = leaf;
    let height = 0;
    // Each trailing 1 of `size` is a complete subtree as wide as the one just made: both become one.
    for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) {
      hash = nodeHash(range.pop() ?? EMPTY_ROOT, hash);
      height++;
      if (height % 8 !== 0) continue;
      const level = height / 8 - 1;
      tiles.push({ level, n: (size + 1) / TILE_WIDTH ** (level + 1) - 1, hashes: pending[level] ?? [], root: hash });
      pending[level] = [];
      push(level + 1, hash);
    }
    range.push(hash);
    size++;
  }
  return { edge: { size, range, pending }, tiles };
};

/** The root of the tree whose edge this is. */
export const rootOf = (edge: Edge): Buffer =>
  edge.range.reduceRight<Buffer | undefined>((right, left) => (right ? nodeHash(left, right) : left), undefined) ?? EMPTY_ROOT;

/** Folds 2^k hashes into the root of the complete subtree above them. */
export const fold = (hashes: readonly Buffer[]): Buffer => {
  let row = hashes;
  while (row.length > 1) row = Array.from({ length: row.length / 2 }, (_, i) => nodeHash(row[2 * i] ?? EMPTY_ROOT, row[2 * i + 1] ?? EMPTY_ROOT));
  return row[0] ?? EMPTY_ROOT;
};

/**
 * Where stored hashes are read: at `level` 0 the leaf hashes, at `level` L the roots of the full tiles of level L - 1. Returns exactly
 * `count` of them from position `from`, or fails.
 */
export interface HashSource {
  hashes(level: number, from: number, count: number): Promise<Buffer[]> | Buffer[];
  /** What `hashes` folds to, where it is known: `count` is a power of two below 256 and `from` a multiple of it. */
  root?(level: number, from: number, count: number): Promise<Buffer> | Buffer;
}

/** Rebuilds the edge of a tree of `size` leaves: at most 255 hashes a level are read. */
export const loadEdge = async (source: HashSource, size: number): Promise<Edge> => {
  const pending: Buffer[][] = [];
  for (let level = 0; TILE_WIDTH ** level <= size; level++) {
    const total = Math.floor(size / TILE_WIDTH ** level);
    const count = total % TILE_WIDTH;
    pending.push(count ? await source.hashes(level, total - count, count) : []);
  }
  const range: Buffer[] = [];
  for (const hashes of [...pending].reverse()) {
    for (let from = 0, width = 128; width >= 1; width /= 2) {
      if (!(hashes.length & width)) continue;
      range.push(fold(hashes.slice(from, from + width)));
      from += width;
    }
  }
  return { size, range, pending };
};

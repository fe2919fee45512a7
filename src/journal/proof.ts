import { EMPTY_ROOT, fold, type HashSource, nodeHash, TILE_WIDTH } from './tree.ts';

/** Inclusion and consistency proofs (RFC 6962 §2.1.1, §2.1.2), and their verification as RFC 9162 §2.1.3.2 and §2.1.4.2 write it. */

/** The largest power of two below `n` (`n` > 1). */
const split = (n: number): number => {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
};

/** The root of the subtree over leaves `start` to `end` - 1, a range that the RFC's recursion can meet: `start` is a multiple of its width. */
export const subtreeRoot = async (source: HashSource, start: number, end: number): Promise<Buffer> => {
  const width = end - start;
  if (width === 0) return EMPTY_ROOT;
  const height = Math.log2(width);
  if (Number.isInteger(height) && 2 ** height === width) {
    const level = Math.floor(height / 8);
    const step = TILE_WIDTH ** level;
    if (source.root) return source.root(level, start / step, width / step);
    return fold(await source.hashes(level, start / step, width / step));
  }
  const middle = start + split(width);
  return nodeHash(await subtreeRoot(source, start, middle), await subtreeRoot(source, middle, end));
};

/** Proves that leaf `index` is in the tree of the first `size` leaves. */
export const proveInclusion = async (source: HashSource, index: number, size: number): Promise<Buffer[]> => {
  const path: Buffer[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + split(end - start);
    if (index < middle) {
      path.push(await subtreeRoot(source, middle, end));
      end = middle;
    } else {
      path.push(await subtreeRoot(source, start, middle));
      start = middle;
    }
  }
  return path.reverse();
};

/** Proves that the first `oldSize` leaves are the same in the tree of `newSize`. Empty when either is the whole or nothing. */
export const proveConsistency = async (source: HashSource, oldSize: number, newSize: number): Promise<Buffer[]> => {
  if (oldSize === 0 || oldSize === newSize) return [];
  const path: Buffer[] = [];
  let [start, end, whole] = [0, newSize, true];
  while (oldSize !== end) {
    const middle = start + split(end - start);
    if (oldSize <= middle) {
      path.push(await subtreeRoot(source, middle, end));
      end = middle;
    } else {
      path.push(await subtreeRoot(source, start, middle));
      start = middle;
      whole = false;
    }
  }
  if (!whole) path.push(await subtreeRoot(source, start, end));
  return path.reverse();
};

const isSize = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

/** Says whether `proof` shows `leaf` at `index` of the tree of `size` leaves whose root is `root`. */
export const verifyInclusion = (leaf: Buffer, index: number, size: number, proof: readonly Buffer[], root: Buffer): boolean => {
  if (!isSize(index) || !isSize(size) || index >= size) return false;
  let [fn, sn, hash] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (sn === 0 || sibling.length !== 32) return false;
    if (fn % 2 === 1 || fn === sn) {
      hash = nodeHash(sibling, hash);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn / 2, Math.floor(sn / 2)];
    } else hash = nodeHash(hash, sibling);
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 && hash.equals(root);
};

/** Says whether `proof` shows the tree (`oldSize`, `oldRoot`) to be the beginning of (`newSize`, `newRoot`). */
export const verifyConsistency = (oldSize: number, oldRoot: Buffer, newSize: number, newRoot: Buffer, proof: readonly Buffer[]): boolean => {
  if (!isSize(oldSize) || !isSize(newSize) || oldSize > newSize || proof.some((hash) => hash.length !== 32)) return false;
  if (oldSize === newSize) return proof.length === 0 && oldRoot.equals(newRoot);
  if (oldSize === 0) return proof.length === 0 && oldRoot.equals(EMPTY_ROOT);
  // When the old tree is one complete subtree, its root is the first node and is left out of the proof.
  const nodes = Number.isInteger(Math.log2(oldSize)) ? [oldRoot, ...proof] : [...proof];
  const first = nodes.shift();
  if (!first) return false;
  let [fn, sn] = [oldSize - 1, newSize - 1];
  while (fn % 2 === 1) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  let [before, after] = [first, first];
  for (const node of nodes) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      before = nodeHash(node, before);
      after = nodeHash(node, after);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn / 2, Math.floor(sn / 2)];
    } else after = nodeHash(after, node);
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 && before.equals(oldRoot) && after.equals(newRoot);
};

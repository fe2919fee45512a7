import fc from 'fast-check';
import { proveConsistency, proveInclusion, subtreeRoot, verifyConsistency, verifyInclusion } from '../../src/journal/proof.ts';
import { append, EMPTY_EDGE, EMPTY_ROOT, fold, type HashSource, leafHash, loadEdge, nodeHash, rootOf, type Tile } from '../../src/journal/tree.ts';
import { randomBytes, sha256 } from '../../src/kernel/crypto.ts';
import { assert, test } from '../support/check.ts';

const VECTORS = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map((hex) =>
  Buffer.from(hex, 'hex'),
);
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

/** RFC 6962 §2.1, word for word. */
const mth = (leaves: readonly Buffer[]): Buffer => {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return leaves[0] ?? EMPTY_ROOT;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return nodeHash(mth(leaves.slice(0, k)), mth(leaves.slice(k)));
};

const memory = (leaves: readonly Buffer[]): HashSource => ({
  hashes: (level, from, count) =>
    Array.from({ length: count }, (_, i) => {
      const width = 256 ** level;
      const part = leaves.slice((from + i) * width, (from + i + 1) * width);
      assert.equal(part.length, width);
      return fold(part);
    }),
});

const leavesOf = (size: number): Buffer[] => Array.from({ length: size }, (_, i) => leafHash(`leaf ${i}`));
const flip = (bytes: Buffer, bit: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
};

test('the roots of sizes 0 to 8 are those published for RFC 6962 (§6.1)', () => {
  for (let size = 0; size <= 8; size++) {
    const { edge } = append(
      EMPTY_EDGE,
      VECTORS.slice(0, size).map((bytes) => leafHash(bytes)),
    );
    assert.equal(rootOf(edge).toString('hex'), ROOTS[size]);
  }
});

test('inclusion and consistency are those published for RFC 6962, sizes 0 to 8, and every pair verifies (§6.1)', async () => {
  const leaves = VECTORS.map((bytes) => leafHash(bytes));
  const source = memory(leaves);
  const path = (await proveInclusion(source, 0, 8)).map((hash) => hash.toString('hex'));
  assert.deepEqual(path, [
    '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
    '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
    '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
  ]);
  assert.deepEqual(
    (await proveConsistency(source, 6, 8)).map((hash) => hash.toString('hex')),
    [
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  );
  for (let size = 1; size <= 8; size++) {
    const root = mth(leaves.slice(0, size));
    for (let index = 0; index < size; index++)
      assert.ok(verifyInclusion(leaves[index] ?? EMPTY_ROOT, index, size, await proveInclusion(source, index, size), root));
    for (let old = 0; old <= size; old++)
      assert.ok(verifyConsistency(old, mth(leaves.slice(0, old)), size, root, await proveConsistency(source, old, size)));
  }
});

test('the incremental root, however the leaves come, is the recursive one, and the edge is found again from what is stored (§6.2)', async () => {
  const edges = [255, 256, 257, 511, 513, 65_535, 65_536, 65_537, 70_001];
  const all = leavesOf(70_001);
  for (const size of edges) {
    let edge = EMPTY_EDGE;
    const step = size > 1000 ? 977 : 13;
    const tiles: Tile[] = [];
    for (let from = 0; from < size; from += step) {
      const grown = append(edge, all.slice(from, Math.min(from + step, size)));
      edge = grown.edge;
      tiles.push(...grown.tiles);
    }
    const leaves = all.slice(0, size);
    assert.deepEqual(rootOf(edge), mth(leaves));
    // C2SP tlog-tiles: 70,000 entries fill 273 tiles of level 0 and 1 of level 1.
    assert.deepEqual(
      [0, 1].map((level) => tiles.filter((tile) => tile.level === level).length),
      [Math.floor(size / 256), Math.floor(size / 65_536)],
    );
    for (const tile of tiles) assert.deepEqual([tile.hashes.length, fold(tile.hashes).equals(tile.root)], [256, true]);
    const stored: HashSource = {
      hashes: (level, from, count) =>
        level === 0
          ? leaves.slice(from, from + count)
          : tiles.filter((tile) => tile.level === level - 1 && tile.n >= from && tile.n < from + count).map((tile) => tile.root),
    };
    assert.deepEqual(await loadEdge(stored, size), edge);
    assert.deepEqual(await subtreeRoot(stored, 0, size), mth(leaves));
  }
});

test('every proof verifies, and any bit flipped in leaf, proof, root, index or size makes it fail (§6.2)', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 600 }), fc.nat(), fc.nat(), fc.nat(), async (size, a, b, bit) => {
      const leaves = leavesOf(size);
      const source = memory(leaves);
      const root = mth(leaves);
      const index = a % size;
      const leaf = leaves[index] ?? EMPTY_ROOT;
      const proof = await proveInclusion(source, index, size);
      const one = bit % 256;
      assert.ok(verifyInclusion(leaf, index, size, proof, root));
      assert.ok(!verifyInclusion(flip(leaf, one), index, size, proof, root));
      assert.ok(!verifyInclusion(leaf, index, size, proof, flip(root, one)));
      for (let i = 0; i < 10; i++) assert.ok(!verifyInclusion(leaf, index ^ (1 << i), size, proof, root));
      for (let i = 0; i < proof.length; i++)
        assert.ok(
          !verifyInclusion(
            leaf,
            index,
            size,
            proof.map((hash, at) => (at === i ? flip(hash, one) : hash)),
            root,
          ),
        );
      assert.ok(!verifyInclusion(leaf, index, size, [...proof, leaf], root));
      assert.ok(!proof.length || !verifyInclusion(leaf, index, size, proof.slice(1), root));
      // A size comes with its root, in the checkpoint that is signed: another size is another root.
      const other = size ^ (1 << (b % 9));
      assert.ok(!verifyInclusion(leaf, index, other, proof, mth(leavesOf(other))));

      const old = b % (size + 1);
      const before = mth(leaves.slice(0, old));
      const path = await proveConsistency(source, old, size);
      assert.ok(verifyConsistency(old, before, size, root, path));
      assert.ok(!verifyConsistency(old, flip(before, one), size, root, path));
      if (old > 0) assert.ok(!verifyConsistency(old, before, size, flip(root, one), path));
      for (let i = 0; i < path.length; i++)
        assert.ok(
          !verifyConsistency(
            old,
            before,
            size,
            root,
            path.map((hash, at) => (at === i ? flip(hash, one) : hash)),
          ),
        );
      assert.ok(!verifyConsistency(old, before, size, root, [...path, randomBytes(32)]));
    }),
    { numRuns: 60 },
  );
});

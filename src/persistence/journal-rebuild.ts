import { append, type Edge, EMPTY_EDGE, leafHash, rootOf, TILE_WIDTH, type Tile } from '../journal/tree.ts';
import { Failure } from '../kernel/failure.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { type Database, row, rows } from './database.ts';
import { lastCheckpoint } from './journal-source.ts';
import { sql } from './sql.ts';

/** Makes lost tiles again out of the leaves (journal.md §4 row 24): nothing is written unless the leaves give what was signed. */

export type Rebuilt =
  | { readonly size: number; readonly tiles: number; readonly made: number }
  /** `leaf_altered`, `tile_altered`: what is there is not what the leaves give. `root_differs`: the leaves are not those that were signed. */
  | { readonly refused: 'leaf_missing' | 'leaf_altered' | 'tile_altered' | 'root_differs'; readonly index: number };

const CHUNK = 16 * TILE_WIDTH;

type Refused = Extract<Rebuilt, { refused: string }>;

/** Hashes the leaves from the first to `size`, through the size of the newest checkpoint, which must have its root. */
const walk = async (
  tx: Transaction,
  size: number,
  signed: { readonly size: number; readonly root: Buffer } | undefined,
  onTiles: (tiles: readonly Tile[]) => Promise<Refused | undefined>,
): Promise<Edge | Refused> => {
  let edge: Edge = EMPTY_EDGE;
  for (let from = 0; from < size; from = edge.size) {
    const to = Math.min(from + CHUNK, size, signed && signed.size > from ? signed.size : size);
    const found = await rows<{ idx: number; leaf_hash: Buffer; leaf: Buffer }>(
      tx,
      sql`select idx, leaf_hash, leaf from journal.leaf where idx >= ${from} and idx < ${to} order by idx`,
    );
    for (let i = 0; i < to - from; i++) {
      const one = found[i];
      if (one?.idx !== from + i) return { refused: 'leaf_missing', index: from + i };
      if (!leafHash(one.leaf).equals(one.leaf_hash)) return { refused: 'leaf_altered', index: from + i };
    }
    const grown = append(
      edge,
      found.map((one) => one.leaf_hash),
    );
    const refused = await onTiles(grown.tiles);
    if (refused) return refused;
    edge = grown.edge;
    if (edge.size === signed?.size && !rootOf(edge).equals(signed.root)) return { refused: 'root_differs', index: 0 };
  }
  return edge;
};

/** Says which of these tiles are missing; refuses one that holds anything else. */
const missingAmong = async (tx: Transaction, tiles: readonly Tile[]): Promise<Tile[] | Refused> => {
  const stored = await rows<{ level: number; n: number; hashes: Buffer; root: Buffer }>(
    tx,
    sql`select level, n, hashes, root from journal.tile
      where (level, n) in (select * from unnest(${tiles.map(({ level }) => level)}::int[], ${tiles.map(({ n }) => n)}::bigint[]))`,
  );
  const known = new Map(stored.map((one) => [`${one.level}/${one.n}`, one]));
  for (const { level, n, hashes, root } of tiles) {
    const found = known.get(`${level}/${n}`);
    if (found && !(found.root.equals(root) && found.hashes.equals(Buffer.concat(hashes))))
      return { refused: 'tile_altered', index: n * TILE_WIDTH ** (level + 1) };
  }
  return tiles.filter(({ level, n }) => !known.has(`${level}/${n}`));
};

const insert = (database: Database, tiles: readonly Tile[]): Promise<unknown> =>
  database.asOwner((query) =>
    query(
      `insert into journal.tile (level, n, hashes, root) select * from unnest($1::int[], $2::bigint[], $3::bytea[], $4::bytea[])
       on conflict (level, n) do nothing`,
      [tiles.map(({ level }) => level), tiles.map(({ n }) => n), tiles.map(({ hashes }) => Buffer.concat(hashes)), tiles.map(({ root }) => root)],
    ),
  );

/** Makes the missing tiles again. The leaves are read twice: before anything is written, they have given the signed root. For the owner of the tables. */
export const rebuildTiles = async (database: Database): Promise<Rebuilt> => {
  const tx = database.auto;
  const head = await row<{ size: number; root: Buffer }>(tx, sql`select size, root from journal.head`);
  if (!head) throw new Failure('journal_head_missing', 'journal.head has no row');
  const signed = await lastCheckpoint(tx);
  const counts = { tiles: 0, made: 0 };
  const first = await walk(tx, head.size, signed, async (tiles) => {
    const missing = tiles.length ? await missingAmong(tx, tiles) : [];
    if (!Array.isArray(missing)) return missing;
    counts.tiles += tiles.length;
    counts.made += missing.length;
    return undefined;
  });
  if ('refused' in first) return first;
  if (!rootOf(first).equals(head.root)) return { refused: 'root_differs', index: 0 };
  if (counts.made) {
    const second = await walk(tx, head.size, signed, async (tiles) => {
      if (tiles.length) await insert(database, tiles);
      return undefined;
    });
    if ('refused' in second) return second;
  }
  return { size: head.size, ...counts };
};

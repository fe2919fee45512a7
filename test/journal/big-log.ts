import { signNote, type Verifier, verifierOf, writeCheckpoint } from '../../src/journal/note.ts';
import { append, type Edge, EMPTY_EDGE, leafHash, rootOf, type Tile } from '../../src/journal/tree.ts';
import { canonical, type Json } from '../../src/kernel/canonical.ts';
import { makePrivateKeyPem, publicKeyOf, randomBytes, randomUuid, readPrivateKey, sha256 } from '../../src/kernel/crypto.ts';
import type { Database } from '../../src/persistence/database.ts';
import { readOrigin } from '../../src/persistence/journal.ts';

/** A log of many entries, put straight where the sequencer puts them: leaves, tiles, head, signed checkpoints. Nothing is sealed beside them. */
export interface BigLog {
  readonly origin: string;
  readonly verifier: Verifier;
  readonly size: () => number;
  /** Leaves written so far, verbatim. */
  readonly leaves: readonly Buffer[];
  /** Adds entries, then signs. `tags` gives those of an entry by its index. */
  grow(count: number, tags?: (index: number) => readonly string[]): Promise<string>;
  /** Signs what is given, as a signer without memory would. */
  sign(size: number, root: Buffer): string;
}

const CHUNK = 10_000;
const FROM = Date.UTC(2026, 0, 1);

export const leafOf = (index: number, tags: readonly string[] = [], more: Readonly<Record<string, Json>> = {}): Buffer =>
  Buffer.from(
    canonical({
      v: 1,
      e: 'session.refused',
      k: 'access',
      t: new Date(FROM + index * 10).toISOString(),
      id: randomUuid(),
      w: 'app',
      tg: [...tags].sort(),
      c: randomBytes(32).toString('base64url'),
      ch: [sha256(`box ${index}`).toString('base64url')],
      ...more,
    }),
  );

const insert = async (database: Database, from: number, leaves: readonly Buffer[], tiles: readonly Tile[]): Promise<void> => {
  await database.asOwner(async (query) => {
    await query(`select journal.ensure_partitions('2026-01-01')`);
    await query(
      `insert into journal.leaf (idx, at, leaf_hash, leaf)
       select $1::bigint + u.n - 1, (u.leaf::json->>'t')::timestamptz, sha256('\\x00'::bytea || convert_to(u.leaf, 'UTF8')), convert_to(u.leaf, 'UTF8')
       from unnest($2::text[]) with ordinality as u (leaf, n)`,
      [from, leaves.map(String)],
    );
    await query(`insert into journal.tile (level, n, hashes, root) select * from unnest($1::int[], $2::bigint[], $3::bytea[], $4::bytea[])`, [
      tiles.map(({ level }) => level),
      tiles.map(({ n }) => n),
      tiles.map(({ hashes }) => Buffer.concat(hashes)),
      tiles.map(({ root }) => root),
    ]);
  });
};

export const startBigLog = async (database: Database): Promise<BigLog> => {
  const key = readPrivateKey(makePrivateKeyPem('ed25519'));
  const origin = await readOrigin(database, 'example');
  const leaves: Buffer[] = [];
  let edge: Edge = EMPTY_EDGE;
  const sign: BigLog['sign'] = (size, root) => signNote(writeCheckpoint({ origin, size, root }), origin, key);
  return {
    origin,
    verifier: verifierOf(origin, publicKeyOf(key)),
    size: () => edge.size,
    leaves,
    sign,
    async grow(count, tags = () => []) {
      for (let done = 0; done < count; done += CHUNK) {
        const from = edge.size;
        const added = Array.from({ length: Math.min(CHUNK, count - done) }, (_, i) => leafOf(from + i, tags(from + i)));
        const grown = append(edge, added.map(leafHash));
        await insert(database, from, added, grown.tiles);
        edge = grown.edge;
        for (const leaf of added) leaves.push(leaf);
      }
      const note = sign(edge.size, rootOf(edge));
      await database.asOwner(async (query) => {
        await query('update journal.head set size = $1, root = $2', [edge.size, rootOf(edge)]);
        await query('insert into journal.checkpoint (size, root, note, at) values ($1, $2, $3, now())', [edge.size, rootOf(edge), note]);
      });
      return note;
    },
  };
};

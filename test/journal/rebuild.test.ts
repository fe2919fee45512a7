import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copyLog } from '../../src/journal/log-folder.ts';
import { folderReader, readLeaves } from '../../src/journal/log-reader.ts';
import { openCheckpoint } from '../../src/journal/note.ts';
import { createPublishedLog } from '../../src/journal/published.ts';
import type { Database } from '../../src/persistence/database.ts';
import { logStore } from '../../src/persistence/journal-published.ts';
import { rebuildTiles } from '../../src/persistence/journal-rebuild.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { type BigLog, startBigLog } from './big-log.ts';

/** What is lost of the tree is made again out of the leaves, and leaves out of a mirror (acceptance test 42). */

const SIZE = 5_100; // a partial tile at each level

const tilesOf = (database: Database) =>
  database.asOwner((query) => query(`select level, n::int, encode(sha256(hashes || root), 'hex') as hash from journal.tile order by level, n`));

/** What a superuser does, the guards set aside. */
const asAttacker = (database: Database, ...statements: [string, unknown[]?][]): Promise<void> =>
  database.asOwner(async (query) => {
    for (const table of ['tile', 'leaf', 'head', 'checkpoint']) await query(`alter table journal.${table} disable trigger all`);
    for (const [text, values] of statements) await query(text, values);
    for (const table of ['tile', 'leaf', 'checkpoint']) await query(`alter table journal.${table} enable always trigger append_only`);
  });

for (const kind of databases()) {
  test(`J4 tiles that are lost are made again from the leaves, byte for byte; altered ones are not touched (§6.42) (${kind.kind})`, {
    database: kind.kind,
  }, async (t) => {
    const { database, drop } = await kind.fresh();
    t.after(drop);
    const log: BigLog = await startBigLog(database);
    await log.grow(SIZE - 60);
    await log.grow(60);
    const before = await tilesOf(database);
    assert.equal(before.length, 19);
    const whole = await rebuildTiles(database);
    assert.deepEqual(whole, { size: SIZE, tiles: 19, made: 0 });
    await asAttacker(database, ['delete from journal.tile where n in (3, 12)']);
    assert.deepEqual(await rebuildTiles(database), { size: SIZE, tiles: 19, made: 2 });
    await asAttacker(database, ['delete from journal.tile']);
    assert.deepEqual(await rebuildTiles(database), { size: SIZE, tiles: 19, made: 19 });
    assert.deepEqual(await tilesOf(database), before);
    assert.equal((await createPublishedLog(logStore(database.auto)).tile({ level: 0, n: 12, width: 256 }))?.length, 32 * 256);

    const refused = async (what: string, expected: object, ...statements: [string, unknown[]?][]): Promise<void> => {
      await asAttacker(database, ['delete from journal.tile where level = 0 and n = 9'], ...statements);
      const left = await tilesOf(database);
      assert.deepEqual(await rebuildTiles(database), expected, what);
      assert.deepEqual(await tilesOf(database), left, `${what}: nothing was written`);
    };
    await refused('another tile', { refused: 'tile_altered', index: 7 * 256 }, [
      'update journal.tile set hashes = root || substr(hashes, 33) where level = 0 and n = 7',
    ]);
    await asAttacker(database, ['delete from journal.tile where level = 0 and n = 7']);
    await refused('a leaf', { refused: 'leaf_altered', index: 4000 }, [`update journal.leaf set leaf = leaf || ' ' where idx = 4000`]);
    await refused('a leaf with its hash', { refused: 'tile_altered', index: 15 * 256 }, [
      `update journal.leaf set leaf_hash = sha256('\\x00'::bytea || leaf) where idx = 4000`,
    ]);
    await refused('and without the tiles', { refused: 'root_differs', index: 0 }, ['delete from journal.tile']);
    await refused('a leaf gone', { refused: 'leaf_missing', index: 3900 }, ['delete from journal.leaf where idx = 3900']);
  });

  test(`J4 the leaves of a mirror give the same root in a database of their own (§6.42) (${kind.kind})`, { database: kind.kind }, async (t) => {
    const [first, second] = [await kind.fresh(), await kind.fresh()];
    const folder = mkdtempSync(join(tmpdir(), 'relais-rebuild-'));
    t.after(async () => {
      await second.drop();
      rmSync(folder, { recursive: true, force: true });
    });
    const log = await startBigLog(first.database);
    await log.grow(1000);
    const store = logStore(first.database.auto);
    const { note = '' } = (await store.checkpoint()) ?? {};
    const checkpoint = openCheckpoint(note, log.origin, [log.verifier]);
    await copyLog({ folder, note, checkpoint, leaves: store.leaves, entries: true });
    const before = await tilesOf(first.database);
    await first.drop(); // the log's own database is gone

    const reader = folderReader(folder);
    const leaves = (await Promise.all([0, 1, 2, 3].map((n) => readLeaves(reader, 1000, n)))).flatMap((bundle) => bundle ?? []);
    await second.database.asOwner(async (query) => {
      await query(`select journal.ensure_partitions('2026-01-01')`);
      await query(
        `insert into journal.leaf (idx, at, leaf_hash, leaf)
         select u.n - 1, (convert_from(u.leaf, 'UTF8')::json->>'t')::timestamptz, sha256('\\x00'::bytea || u.leaf), u.leaf
         from unnest($1::bytea[]) with ordinality as u (leaf, n)`,
        [leaves],
      );
      await query('update journal.head set size = $1, root = $2', [1000, checkpoint.root]);
      await query('insert into journal.checkpoint (size, root, note, at) values ($1, $2, $3, now())', [1000, checkpoint.root, note]);
    });
    assert.deepEqual(await rebuildTiles(second.database), { size: 1000, tiles: 3, made: 3 });
    assert.deepEqual(await tilesOf(second.database), before);
  });
}

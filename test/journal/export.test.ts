import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Copied, copyLog } from '../../src/journal/log-folder.ts';
import { folderReader, readerHashes, readLeaves } from '../../src/journal/log-reader.ts';
import { openCheckpoint } from '../../src/journal/note.ts';
import { leafHash, loadEdge, rootOf } from '../../src/journal/tree.ts';
import { Failure } from '../../src/kernel/failure.ts';
import { logStore } from '../../src/persistence/journal-published.ts';
import { assert, test } from '../support/check.ts';
import { type DatabaseKind, databases } from '../support/database.ts';
import { type BigLog, startBigLog } from './big-log.ts';

/** The export: static files that anybody can verify, written so that what is named is there. */

const start = async (t: { after(undo: () => unknown): void }, kind: DatabaseKind) => {
  const { database, drop } = await kind.fresh();
  const folder = mkdtempSync(join(tmpdir(), 'relais-export-'));
  t.after(async () => {
    await drop();
    rmSync(folder, { recursive: true, force: true });
  });
  const log = await startBigLog(database);
  const store = logStore(database.auto);
  const copy = async (more: Partial<Parameters<typeof copyLog>[0]> = {}): Promise<Copied> => {
    const { note = '' } = (await store.checkpoint()) ?? {};
    return copyLog({ folder, note, checkpoint: openCheckpoint(note, log.origin, [log.verifier]), leaves: store.leaves, entries: true, ...more });
  };
  return { database, folder, log, store, copy };
};

const filesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort();

/** The folder by itself gives the signed root, and its bundles the leaves that were written. */
const holds = async (folder: string, log: BigLog): Promise<void> => {
  const reader = folderReader(folder);
  const { size, root } = openCheckpoint(readFileSync(join(folder, 'checkpoint'), 'utf8'), log.origin, [log.verifier]);
  assert.deepEqual(rootOf(await loadEdge(readerHashes(reader, size), size)), root);
  for (let n = 0; n * 256 < size; n++) {
    const leaves = await readLeaves(reader, size, n);
    const tile = await readerHashes(reader, size).hashes(0, n * 256, Math.min(256, size - n * 256));
    assert.ok(
      leaves?.every((leaf, i) => leaf.equals(log.leaves[n * 256 + i] ?? Buffer.of()) && leafHash(leaf).equals(tile[i] ?? Buffer.of())),
      `bundle ${n}`,
    );
  }
};

for (const kind of databases()) {
  test(`J4 an export is whole, and goes on from one size to the next (${kind.kind})`, { database: kind.kind }, async (t) => {
    const { folder, log, copy } = await start(t, kind);
    let before = 0;
    for (const count of [1, 99, 156, 256, 1, 700, 35]) {
      await log.grow(count);
      assert.deepEqual(await copy(), { from: before, size: log.size() });
      await holds(folder, log);
      before = log.size();
    }
    assert.deepEqual(await copy(), { from: before, size: before }, 'nothing new');
    await holds(folder, log);
    // What older checkpoints need stays.
    for (const old of ['0/000.p/1', '0/000.p/100', 'entries/000.p/100', '1/000.p/1', '1/000.p/2', '0/000', 'entries/003'])
      assert.ok(existsSync(join(folder, 'tile', old)), old);
    assert.deepEqual(
      filesOf(folder).filter((name) => name.endsWith('.new')),
      [],
    );
  });

  test(`J4 an export that is interrupted names nothing that is not there, and goes on where it was (${kind.kind})`, {
    database: kind.kind,
  }, async (t) => {
    const { folder, log, store, copy } = await start(t, kind);
    await log.grow(2100);
    const asked: number[] = [];
    const failing = async (from: number, to: number): Promise<Buffer[]> => {
      if (from >= 1280) throw new Failure('cut');
      return store.leaves(from, to);
    };
    await assert.rejects(copy({ leaves: failing }), { code: 'cut' });
    assert.ok(!existsSync(join(folder, 'checkpoint')) && existsSync(join(folder, 'tile/entries/004')));
    const counting = (from: number, to: number): Promise<Buffer[]> => {
      asked.push(from);
      return store.leaves(from, to);
    };
    assert.deepEqual(await copy({ leaves: counting }), { from: 0, size: 2100 });
    assert.deepEqual(asked, [1280, 1536, 1792, 2048], 'the first five bundles were there');
    await holds(folder, log);
    await log.grow(500);
    await assert.rejects(copy({ leaves: async (from, to) => (from >= 2304 ? Promise.reject(new Failure('killed')) : store.leaves(from, to)) }), {
      code: 'killed',
    });
    assert.equal(openCheckpoint(readFileSync(join(folder, 'checkpoint'), 'utf8'), log.origin, [log.verifier]).size, 2100);
    await assert.doesNotReject(copy());
    await holds(folder, log);
  });

  test(`J4 an export never mixes two histories: it says which differs, and leaves the folder as it was (${kind.kind})`, {
    database: kind.kind,
  }, async (t) => {
    const { folder, log, store, copy } = await start(t, kind);
    await log.grow(700);
    await copy();
    const before = filesOf(folder).map((name) => [name, readFileSync(join(folder, name), 'base64')]);
    const unchanged = (what: string): void =>
      assert.deepEqual(
        filesOf(folder).map((name) => [name, readFileSync(join(folder, name), 'base64')]),
        before,
        what,
      );
    await log.grow(400);
    const altered = (at: number) => async (from: number, to: number) =>
      (await store.leaves(from, to)).map((leaf, i) => (from + i === at ? Buffer.from(`${leaf}`.replace('app', 'apq')) : leaf));
    assert.deepEqual(await copy({ leaves: altered(900) }), { refused: 'leaves_differ', size: 700 });
    unchanged('a new leaf differs');
    assert.deepEqual(await copy({ leaves: altered(690) }), { refused: 'not_continued', size: 700 });
    unchanged('a leaf that was there differs');
    const other = { origin: 'journal.example/other', size: 1100, root: Buffer.alloc(32) };
    assert.deepEqual(await copy({ checkpoint: other }), { refused: 'other_log', size: 700 });
    assert.deepEqual(await copy({ checkpoint: { ...other, origin: log.origin, size: 10 } }), { refused: 'older', size: 700 });
    assert.deepEqual(await copy({ checkpoint: { ...other, origin: log.origin, size: 700 } }), { refused: 'not_continued', size: 700 });
    unchanged('another log, an older one, another root');
    // A first copy whose leaves are wrong leaves nothing that a second one would take for good.
    const second = join(folder, 'second');
    mkdirSync(second);
    assert.deepEqual(await copy({ folder: second, leaves: altered(3) }), { refused: 'leaves_differ', size: 0 });
    assert.deepEqual(filesOf(second), []);
    assert.deepEqual(await copy({ folder: second }), { from: 0, size: 1100 });
    await holds(second, log);
    // A folder whose tiles were changed is not built upon.
    const third = join(folder, 'third');
    cpSync(second, third, { recursive: true });
    const [tile] = filesOf(join(third, 'tile/0')).filter((name) => name.startsWith('004.p'));
    const path = join(third, 'tile/0', tile ?? '');
    writeFileSync(path, readFileSync(path).fill(1, 0, 32));
    await log.grow(10);
    await assert.rejects(copy({ folder: third }), { code: 'log_tile_missing' });
  });

  test(`J4 an export without entries holds hashes alone, and they give the signed root (${kind.kind})`, { database: kind.kind }, async (t) => {
    const { folder, log, copy } = await start(t, kind);
    await log.grow(600);
    await copy({ entries: false });
    await log.grow(3);
    await copy({ entries: false });
    assert.deepEqual(
      filesOf(folder).filter((name) => !/^(?:checkpoint|tile[/]\d)/.test(name)),
      [],
    );
    const { size, root } = openCheckpoint(readFileSync(join(folder, 'checkpoint'), 'utf8'), log.origin, [log.verifier]);
    assert.deepEqual([size, rootOf(await loadEdge(readerHashes(folderReader(folder), size), size))], [603, root]);
    const all = Buffer.concat(filesOf(folder).map((name) => readFileSync(join(folder, name))));
    assert.ok(!all.includes('session.refused') && !all.includes('2026-01-01'));
  });
}

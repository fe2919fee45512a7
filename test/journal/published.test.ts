import Fastify, { type FastifyInstance } from 'fastify';
import { openCheckpoint, writeVkey } from '../../src/journal/note.ts';
import { readPolicy } from '../../src/journal/policy.ts';
import { verifyConsistency } from '../../src/journal/proof.ts';
import { checkProofText } from '../../src/journal/proof-text.ts';
import { createPublishedLog, publishedReader } from '../../src/journal/published.ts';
import { partialTiles, readBundle, readTilePath, tileWidth, writeTilePath } from '../../src/journal/tile-path.ts';
import { leafHash, TILE_WIDTH } from '../../src/journal/tree.ts';
import { verifyLog } from '../../src/journal/verify-log.ts';
import { randomToken, sha256 } from '../../src/kernel/crypto.ts';
import { logStore } from '../../src/persistence/journal-published.ts';
import { logApi } from '../../src/web/api/log.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { entryOf, type Kit, startKit } from './kit.ts';

/** The log as those outside read it: tiles, bundles, proofs (journal.md §3.7, acceptance tests 5 and 6). */

test('J5 the address of a tile has one form: that of C2SP tlog-tiles (§6.5)', () => {
  assert.equal(writeTilePath({ level: 0, n: 1_234_067, width: 256 }), '0/x001/x234/067');
  assert.deepEqual(readTilePath('0/x001/x234/067'), { level: 0, n: 1_234_067, width: 256 });
  assert.deepEqual(readTilePath('entries/273.p/112'), { level: 'entries', n: 273, width: 112 });
  assert.equal(writeTilePath({ level: 1, n: 0, width: 17 }), '1/000.p/17');
  for (const n of [0, 1, 999, 1000, 255_999, 1_000_000, 2 ** 40])
    assert.deepEqual(readTilePath(writeTilePath({ level: 2, n, width: 5 })), { level: 2, n, width: 5 });
  const wrong = [
    ...['', '0', '0/', '0/1', '0/0001', '0/x000/001', '64/000', '00/000', '-1/000', '0/000.p/0', '0/000.p/256', '0/000.p/01', '0/000.p/'],
    ...['entries', 'Entries/000', '0/000/', '0/x00a/000', '0/../000', '0/000\n', '0/x999/x999/x999/x999/x999/x999/999', '0/001/002'],
  ];
  for (const path of wrong) assert.equal(readTilePath(path), undefined, path);
});

test('J5 a tree of 70,000 entries has the tiles that the specification says: 273 full and 112, 1 full and 17, 1 (§6.5)', () => {
  assert.deepEqual(partialTiles(70_000), [
    { level: 0, n: 273, width: 112 },
    { level: 1, n: 1, width: 17 },
    { level: 2, n: 0, width: 1 },
  ]);
  assert.deepEqual([tileWidth(70_000, 0, 272), tileWidth(70_000, 1, 0), tileWidth(70_000, 0, 274), tileWidth(70_000, 3, 0)], [256, 256, 0, 0]);
  assert.deepEqual(partialTiles(256), [{ level: 1, n: 0, width: 1 }]);
  assert.equal(tileWidth(256, 0, 0), 256);
});

/** The API over a journal, with a mirror's token. */
const serve = async (
  t: { after(undo: () => Promise<void>): void },
  kit: Kit,
): Promise<{ app: FastifyInstance; token: string; noticed: string[] }> => {
  const app = Fastify();
  const token = randomToken();
  const noticed: string[] = [];
  await app.register(
    logApi({
      published: createPublishedLog(logStore(kit.database.auto)),
      mirrors: [sha256('another'), sha256(token)],
      notice: ({ code }) => void noticed.push(code),
    }),
  );
  t.after(async () => void (await app.close()));
  return { app, token, noticed };
};

const sizeOf = async (kit: Kit): Promise<number> => {
  const newest = await logStore(kit.database.auto).checkpoint();
  return newest?.size ?? 0;
};

for (const kind of databases()) {
  test(`J5 every tile of every checkpoint ever published is served, and is the beginning of the full one (§6.6) (${kind.kind})`, {
    database: kind.kind,
    atLeast: 500,
  }, async (t) => {
    const kit = await startKit(t, kind);
    const { app } = await serve(t, kit);
    const get = (path: string) => app.inject(`/log/tile/${path}`);
    const sizes: number[] = [];
    const early = new Map<string, Buffer>();
    for (const step of [1, 1, 5, 120, 129, 1, 40, 300, 3]) {
      await kit.write(step, sizes.at(-1) ?? 0);
      const size = await sizeOf(kit);
      sizes.push(size);
      for (const address of partialTiles(size)) {
        const path = writeTilePath(address);
        const answer = await get(path);
        assert.deepEqual([answer.statusCode, answer.rawPayload.length], [200, 32 * address.width], path);
        early.set(path, answer.rawPayload);
      }
    }
    const size = sizes.at(-1) ?? 0;
    assert.ok(size >= 600 && early.size >= 9);
    const full = new Map<string, Buffer>();
    for (const level of [0, 1])
      for (let n = 0; tileWidth(size, level, n) > 0; n++) {
        const widest = await get(writeTilePath({ level, n, width: tileWidth(size, level, n) }));
        assert.equal(widest.statusCode, 200);
        full.set(`${level}/${n}`, widest.rawPayload);
        for (let width = 1; width < tileWidth(size, level, n); width++) {
          const answer = await get(writeTilePath({ level, n, width }));
          assert.ok(answer.statusCode === 200 && answer.rawPayload.equals(widest.rawPayload.subarray(0, 32 * width)), `${level}/${n} of ${width}`);
        }
      }
    for (const [path, bytes] of early) {
      const address = readTilePath(path);
      assert.ok(address && full.get(`${address.level}/${address.n}`)?.subarray(0, bytes.length).equals(bytes), path);
      assert.ok((await get(path)).rawPayload.equals(bytes), `${path} is still there`);
    }
    // What is full may be kept for ever; what is not, a minute.
    assert.match(String((await get('0/000')).headers['cache-control']), /^public, max-age=31536000, immutable$/);
    assert.match(String((await get('0/000.p/7')).headers['cache-control']), /^public, max-age=60$/);
  });

  test(`J5 what no signed checkpoint covers is not served: neither tile, nor leaf, nor proof (${kind.kind})`, { database: kind.kind }, async (t) => {
    const kit = await startKit(t, kind);
    const { app, token } = await serve(t, kit);
    const mirror = { authorization: `Bearer ${token}` };
    const ask = async (url: string): Promise<number> => (await app.inject({ url, headers: mirror })).statusCode;
    const sealed = async (): Promise<void> => void (await kit.write(3));
    assert.deepEqual([await ask('/log/tile/0/000.p/1'), await ask('/api/v1/journal/proof/0')], [404, 404]);
    await sealed();
    const size = await sizeOf(kit);
    await kit.database.run((tx) => kit.journal.record(tx, entryOf(99)));
    await kit.sequencer.flush();
    const [head] = await kit.database.asOwner((query) => query('select size::int from journal.head'));
    assert.equal(head?.['size'], size + 1, 'one entry more is sequenced, and not signed');
    const statuses = async (): Promise<number[]> => [
      await ask(`/log/tile/0/000.p/${size + 1}`),
      await ask(`/log/tile/entries/000.p/${size + 1}`),
      await ask(`/api/v1/journal/proof/${size}`),
      await ask(`/api/v1/journal/proof/0?size=${size + 1}`),
      await ask(`/api/v1/journal/consistency?from=1&to=${size + 1}`),
    ];
    assert.deepEqual(await statuses(), [404, 404, 404, 404, 404]);
    assert.deepEqual([await ask(`/log/tile/0/000.p/${size}`), await ask(`/log/tile/entries/000.p/${size}`)], [200, 200]);
    await kit.sealing.seal();
    assert.deepEqual(await statuses(), [200, 200, 200, 200, 200]);
  });

  test(`J4 leaves are given to mirrors alone, and hash to the tiles that everybody reads (${kind.kind})`, { database: kind.kind }, async (t) => {
    const kit = await startKit(t, kind);
    const { app, token, noticed } = await serve(t, kit);
    await kit.write(300);
    const size = await sizeOf(kit);
    for (const authorization of [undefined, 'Bearer', 'Bearer x', `Bearer ${randomToken()}`, `Basic ${token}`, `Bearer ${token}x`, token]) {
      const answer = await app.inject({ url: '/log/tile/entries/000', headers: authorization ? { authorization } : {} });
      assert.deepEqual([answer.statusCode, answer.json<{ code: string }>().code], [401, 'token_refused'], authorization);
    }
    assert.equal(noticed.filter((code) => code === 'log_token_refused').length, 7);
    for (let n = 0; n * TILE_WIDTH < size; n++) {
      const width = tileWidth(size, 'entries', n);
      const bundle = await app.inject({
        url: `/log/tile/${writeTilePath({ level: 'entries', n, width })}`,
        headers: { authorization: `Bearer ${token}` },
      });
      const tile = await app.inject(`/log/tile/${writeTilePath({ level: 0, n, width })}`);
      const leaves = readBundle(bundle.rawPayload, width);
      assert.match(String(bundle.headers['cache-control']), /^private, /);
      assert.ok(leaves && Buffer.concat(leaves.map(leafHash)).equals(tile.rawPayload), `bundle ${n}`);
      assert.equal(readBundle(bundle.rawPayload, width - 1), undefined);
      assert.equal(readBundle(bundle.rawPayload.subarray(0, -1), width), undefined);
    }
  });

  test(`J5 anybody takes a proof of an entry, and of one size beginning another; each verifies (${kind.kind})`, {
    database: kind.kind,
  }, async (t) => {
    const kit = await startKit(t, kind);
    const { app } = await serve(t, kit);
    const open = (note: string) => openCheckpoint(note, kit.origin, kit.trusted);
    const seen: { size: number; root: Buffer }[] = [];
    for (const step of [3, 200, 70, 400]) {
      await kit.write(step, seen.at(-1)?.size ?? 0);
      const newest = await logStore(kit.database.auto).checkpoint();
      if (newest) seen.push(open(newest.note));
    }
    const size = seen.at(-1)?.size ?? 0;
    const hashes = await logStore(kit.database.auto).hashes(0, 0, size);
    for (const index of [0, 1, 2, 199, 202, 255, 256, 257, 511, size - 1]) {
      const answer = await app.inject(`/api/v1/journal/proof/${index}`);
      assert.match(String(answer.headers['content-type']), /^text\/plain/);
      const proved = checkProofText(answer.payload, open, { hash: hashes[index] ?? Buffer.alloc(32) });
      assert.deepEqual([proved.index, proved.checkpoint.size], [index, size]);
    }
    for (const { size: older } of seen) {
      const answer = await app.inject(`/api/v1/journal/proof/2?size=${older}`);
      assert.equal(checkProofText(answer.payload, open, { hash: hashes[2] ?? Buffer.alloc(32) }).checkpoint.size, older);
    }
    for (const before of seen)
      for (const after of seen.filter((one) => one.size >= before.size)) {
        const { payload } = await app.inject(`/api/v1/journal/consistency?from=${before.size}&to=${after.size}`);
        const proof = payload
          .split('\n')
          .slice(0, -1)
          .map((line) => Buffer.from(line, 'base64'));
        assert.ok(verifyConsistency(before.size, before.root, after.size, after.root, proof), `${before.size} to ${after.size}`);
      }
    const [first, second] = seen;
    const between = (first?.size ?? 0) + 1;
    assert.ok(second && between < second.size);
    const refused = async (url: string): Promise<[number, string]> => {
      const answer = await app.inject(url);
      return [answer.statusCode, answer.json<{ detail: string }>().detail];
    };
    assert.deepEqual(await refused(`/api/v1/journal/proof/0?size=${between}`), [
      404,
      `No checkpoint of ${between} entries was published: leave size out to have the newest.`,
    ]);
    for (const url of ['proof/x', 'proof/-1', 'proof/01', 'proof/0?size=', 'proof/0?size=1e3', 'proof/9999999999999999', 'proof/0?size=1&size=2'])
      assert.equal((await refused(`/api/v1/journal/${url}`))[0], 400, url);
    for (const url of ['consistency', 'consistency?from=2&to=1', 'consistency?from=a&to=3', 'consistency?from=1', 'consistency?from=1&from=2&to=3'])
      assert.equal((await refused(`/api/v1/journal/${url}`))[0], 400, url);
    assert.equal((await refused(`/api/v1/journal/proof/${size}`))[0], 404);
    assert.equal((await refused(`/api/v1/journal/proof/999999999999999?size=999999999999999`))[0], 404);
  });

  test(`J4 a person who has the key of her tags finds all her entries in what is published, and which one is left out (${kind.kind})`, {
    database: kind.kind,
  }, async (t) => {
    const kit = await startKit(t, kind);
    await kit.write(12);
    const key = await kit.journal.tagKey(kit.database.auto, 'usg_1');
    assert.ok(key);
    const [vkey] = kit.trusted.map(writeVkey);
    const look = () =>
      verifyLog({
        reader: publishedReader(logStore(kit.database.auto)),
        origin: kit.origin,
        policy: readPolicy(`log ${vkey}\nquorum none\n`),
        party: { key, role: 'usager' },
      });
    const own = (await kit.database.asOwner((query) => query(`select idx::int from journal.projection where usager = 'usg_1' order by idx`))).map(
      (one) => one['idx'],
    );
    const whole = await look();
    assert.deepEqual([whole.ok, whole.party?.entries], [true, own]);
    assert.equal(own.length, 4);
    // Two leaves of hers change places: no leaf is foreign, and yet the tree and her numbers tell.
    const pair = [own[1], own[2]];
    await kit.tamper(
      [`create temporary table swap as select idx, leaf, leaf_hash from journal.leaf where idx = any($1::bigint[])`, [pair]],
      [`update journal.leaf l set leaf = s.leaf, leaf_hash = s.leaf_hash from swap s where s.idx <> l.idx and l.idx = any($1::bigint[])`, [pair]],
    );
    const kinds = new Set((await look()).faults.map((fault) => fault.kind));
    assert.ok(kinds.has('number_gap') && kinds.has('checkpoint_mismatch'), [...kinds].join());
  });
}

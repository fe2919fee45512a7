import { openCheckpoint, verifierOf } from '../../src/journal/note.ts';
import { checkProofText } from '../../src/journal/proof-text.ts';
import { leafHash } from '../../src/journal/tree.ts';
import { publicKeyOf, readPrivateKey } from '../../src/kernel/crypto.ts';
import { assert, test } from '../support/check.ts';
import { inEachWorld } from '../support/protocol.ts';

/** The log of the whole house, read over HTTP by somebody who holds nothing but its public key. */

inEachWorld(({ world, kind }) => {
  test('J5 anybody reads the tiles of the house and proves an entry of it; nobody reads its leaves', { database: kind }, async () => {
    const { app, places, demonstration } = world();
    await app.flushJournal();
    const ask = (path: string, headers: Record<string, string> = {}): Promise<Response> => fetch(`${places.relais}${path}`, { headers });
    const trusted = [verifierOf(app.origin, publicKeyOf(readPrivateKey(demonstration.config.keys.pem('journal-ed25519').reveal())))];
    const open = (note: string) => openCheckpoint(note, app.origin, trusted);
    const { size } = open(await (await ask('/log/checkpoint')).text());
    assert.ok(size > 10 && size < 256, String(size));
    const tile = Buffer.from(await (await ask(`/log/tile/0/000.p/${size}`)).arrayBuffer());
    assert.equal(tile.length, 32 * size);
    const [stored] = await world().sql('select leaf from journal.leaf where idx = 7');
    assert.ok(stored?.['leaf'] instanceof Uint8Array);
    const hash = leafHash(stored['leaf']);
    assert.deepEqual(tile.subarray(7 * 32, 8 * 32), hash);
    const proof = await ask(`/api/v1/journal/proof/7?size=${size}`);
    assert.equal(checkProofText(await proof.text(), open, { hash }).index, 7);
    const forbidden = await ask(`/log/tile/entries/000.p/${size}`, { authorization: 'Bearer aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' });
    assert.deepEqual(
      [forbidden.status, forbidden.headers.get('cache-control'), ((await forbidden.json()) as { code: string }).code],
      [401, 'no-store', 'token_refused'],
    );
    for (const path of ['/log/tile/0/001', '/log/tile/0/000.p/0', '/log/tile/9/000.p/1', '/log/tile/'])
      assert.equal((await ask(path)).status, 404, path);
  });
});

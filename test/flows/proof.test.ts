import { after, before, describe } from 'node:test';
import { openCheckpoint, readVkey, verifierOf, writeVkey } from '../../src/journal/note.ts';
import { checkProofText } from '../../src/journal/proof-text.ts';
import { publicKeyOf, readPrivateKey } from '../../src/kernel/crypto.ts';
import { signInStaff, signInUsager } from '../../src/practice/story.ts';
import { textOf, Walker } from '../../src/practice/walker.ts';
import { independentlyCheck } from '../journal/tlog-proof-reader.ts';
import { agreed, entriesSince, eventOf, mark, reportAt, sessionOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { delegatedTokens, openWorld, signedInAidant, type World } from '../support/world.ts';

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    let colette: Walker;
    let nora: Walker;
    let act: number;
    const on = { database: kind.kind };
    const ask = (walker: Walker, path: string): Promise<Response> => walker.ask(`${world.places.relais}${path}`);

    before(async () => {
      world = await openWorld(kind);
      const service = await world.service('j4-service');
      const karim = await signedInAidant(world);
      await agreed(world, 'colette', ['logement']);
      const { tokens, claims } = await delegatedTokens(world, karim, service, 'Colette Martin', 'openid dlg:logement');
      const answer = await reportAt(world, tokens.access_token, eventOf(service, sessionOf(claims), 'act-1'));
      act = answer.body.index ?? -1;
      await world.app.flushJournal();
      colette = new Walker();
      await signInUsager(colette, world.places, 'colette');
      nora = new Walker();
      await signInStaff(nora, world.places, 'nora', 'Nora Lefèvre', '/connexion/proconnect?vers=/administration', (places, name) =>
        world.code(places, name),
      );
    });
    after(() => world.close());

    /** The log's key, as somebody who was given it would have it. */
    const keyOf = (): string => {
      const key = publicKeyOf(readPrivateKey(world.demonstration.config.keys.pem('journal-ed25519').reveal()));
      return writeVkey(verifierOf(world.app.origin, key));
    };

    test(
      `J4 the proof that a person takes from her page holds offline, here and by an independent reader, and is in her journal (${kind.kind})`,
      on,
      async () => {
        const vkey = keyOf();
        const changes = await fetch(`${world.places.relais}/log/rotations`);
        assert.deepEqual([changes.status, await changes.text()], [200, ''], 'the key was never changed');
        const page = await colette.open(`${world.places.relais}/usager/entrees/${act}`);
        assert.match(page.html, new RegExp(`href="/usager/entrees/${act}/preuve"[^>]*>Télécharger la preuve`));
        const from = await mark(world);
        const answer = await ask(colette, `/usager/entrees/${act}/preuve`);
        assert.deepEqual(
          [answer.status, answer.headers.get('content-type'), answer.headers.get('content-disposition')],
          [200, 'text/plain; charset=utf-8', `attachment; filename="relais-${act}.tlog-proof"`],
        );
        const text = await answer.text();
        const proved = checkProofText(text, (note) => openCheckpoint(note, world.app.site.origin(), [readVkey(vkey)]));
        assert.equal(proved.index, act);
        const [row] = await world.sql('select leaf, leaf_hash from journal.leaf where idx = $1', [act]);
        assert.deepEqual([proved.leaf, proved.leafHash], [row?.['leaf'], row?.['leaf_hash']]);
        assert.ok(textOf(page).includes(proved.leafHash.toString('base64url')), 'the fingerprint that her page shows');
        assert.equal(independentlyCheck(text, proved.leaf ?? '', vkey).index, BigInt(act));
        assert.doesNotMatch(text, /Colette|Martin|Karim|usg_/);
        assert.deepEqual(
          (await entriesSince(world, from))
            .filter(({ type }) => type === 'proof.downloaded')
            .map(({ usager, detail }) => [usager !== undefined, detail]),
          [[true, { entry: act }]],
        );
        assert.match(textOf(await colette.open(`${world.places.relais}/usager`)), /preuve/);
      },
    );

    test(`J4 V11 an administration takes the proof of its own lines only, and the person sees that it did (${kind.kind})`, on, async () => {
      const from = await mark(world);
      const answer = await ask(nora, `/administration/entrees/${act}/preuve`);
      assert.equal(answer.status, 200);
      const vkey = keyOf();
      assert.equal(checkProofText(await answer.text(), (note) => openCheckpoint(note, world.app.site.origin(), [readVkey(vkey)])).index, act);
      const taken = (await entriesSince(world, from)).filter(({ type }) => type === 'proof.downloaded');
      assert.deepEqual(
        taken.map(({ usager, administration, detail }) => [usager !== undefined, administration !== undefined, detail]),
        [[true, true, { entry: act, administrationName: String(Object(taken[0]?.detail).administrationName) }]],
      );
      const own = await world.sql('select idx from journal.projection where administration is null order by idx desc limit 1');
      for (const id of [String(own[0]?.['idx']), '999999', '-1', '1e3', 'x', '9007199254740993']) {
        const refused = await ask(nora, `/administration/entrees/${id}/preuve`);
        assert.equal(refused.status, 404, id);
      }
      assert.equal((await entriesSince(world, from)).filter(({ type }) => type === 'proof.downloaded').length, 1);
    });

    test(`a line that is not sealed yet has no proof, and the page says to wait (${kind.kind})`, on, async () => {
      const { journal, transactions } = world.app.site;
      const [hers] = await world.sql('select usager from journal.projection where idx = $1', [act]);
      const asked = async (): Promise<{ index: number; answer: Response }> => {
        const id = await transactions.run((tx) =>
          journal.record(tx, { type: 'usager.signed-in', usager: String(hers?.['usager']), detail: { acr: 'eidas1' } }),
        );
        journal.nudge();
        const index = (await journal.receipt(id))?.index ?? -1;
        return { index, answer: await ask(colette, `/usager/entrees/${index}/preuve`) };
      };
      const from = await mark(world);
      let last = await asked();
      // The second at which the house seals may fall between the two: then another line.
      for (let tries = 0; tries < 5 && last.answer.status === 200; tries++) last = await asked();
      assert.equal(last.answer.status, 409);
      assert.match(await last.answer.text(), /La preuve n’est pas encore prête/);
      const taken = (await entriesSince(world, from)).filter(({ type }) => type === 'proof.downloaded');
      assert.ok(!taken.some(({ detail }) => (detail as { entry: number }).entry === last.index), 'nothing was taken');
      await world.app.flushJournal();
      assert.equal((await ask(colette, `/usager/entrees/${last.index}/preuve`)).status, 200);
    });
  });

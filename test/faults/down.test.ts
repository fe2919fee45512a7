import { signInUsager } from '../../src/practice/story.ts';
import { formOf, type Page, textOf, Walker } from '../../src/practice/walker.ts';
import { agreed, begin, confirm, confirmation, csrfOf, eventOf, inesAt, redeemAt, reportAt, resume, sessionOf, until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { postgresAt, postgresOnly } from '../support/database.ts';
import { startPostgres } from '../support/postgres.ts';
import { delegatedTokens, openWorld, signedInAidant } from '../support/world.ts';

if (postgresOnly())
  test('J2 the database is killed: stops, sessions, tokens and reports answer 503 and change nothing, and all of it is done once it is back (§6.14) (postgres)', {
    database: 'postgres',
  }, async () => {
    const cluster = await startPostgres({ durable: true });
    try {
      const world = await openWorld(postgresAt(cluster.url));
      try {
        const service = await world.service('down-service');
        const karim = await signedInAidant(world);
        const ines = await inesAt(world, 'Thénac');
        const csrf = await csrfOf(world, karim);
        const mandate = await agreed(world, 'colette', ['logement', 'social']);
        const { tokens, claims } = await delegatedTokens(world, ines, service, 'Colette Martin');
        const begun = await begin(karim, service);
        const callback = await resume(karim, await confirm(world, karim, begun, confirmation(mandate, 'logement', csrf)), service);
        assert.ok(callback);
        const next = await begin(karim, service);
        const colette = new Walker();
        await signInUsager(colette, world.places, 'colette');
        await colette.open(`${world.places.relais}/usager/mandats/${mandate.id}/arreter`);
        const stop = formOf(colette.page as Page, 'stop-mandate');
        await world.app.flushJournal();
        const state = () =>
          world.sql(`select to_jsonb(m) row from mandate m union all select to_jsonb(g) from mandate_grant g union all select to_jsonb(d) from delegated_session d
            union all select to_jsonb(a) from action a union all select to_jsonb(o.consumed_at) from oidc_artefact o where model = 'AuthorizationCode' order by 1`);
        const before = await state();
        const event = eventOf(service, sessionOf(claims), 'down-1');
        await cluster.killAndStart(async () => {
          const page = async (answer: Response): Promise<void> => {
            const html = await answer.text();
            assert.equal(answer.status, 503, textOf({ html } as Page).slice(0, 200));
            assert.match(textOf({ html } as Page), /Relais (?:ne répond pas|ne sait pas)/);
            assert.doesNotMatch(html, /ECONN|Connection terminated|57P/);
          };
          await page(await colette.ask(stop.action, stop.fields));
          await page(await confirm(world, karim, next, confirmation(mandate, 'logement', csrf)));
          const redeemed = await redeemAt(world, service, begun.request, callback);
          assert.deepEqual([redeemed.status, redeemed.body.error], [503, 'temporarily_unavailable']);
          const reported = await reportAt(world, tokens.access_token, event);
          assert.equal(reported.status, 503);
          assert.equal(reported.body.index, undefined);
          const health = await fetch(`${world.places.relais}/health/ready`);
          await health.body?.cancel();
          assert.equal(health.status, 503);
        });
        assert.deepEqual(await state(), before, 'nothing has changed');
        assert.equal((await redeemAt(world, service, begun.request, callback)).status, 200);
        assert.ok(await until(async () => (await reportAt(world, tokens.access_token, event)).status === 202, 15_000));
        assert.equal((await colette.ask(stop.action, stop.fields)).status, 303);
        assert.ok(await until(async () => (await world.sql('select 1 from journal.queue')).length === 0, 10_000));
        assert.deepEqual((await world.verifyJournal()).faults, []);
      } finally {
        await world.close();
      }
    } finally {
      await cluster.stop();
    }
  });

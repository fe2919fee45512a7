import { after, before, describe } from 'node:test';
import {
  agreed,
  begin,
  confirm,
  confirmation,
  csrfOf,
  entriesSince,
  eventOf,
  introspectAt,
  mark,
  ownToken,
  redeemAt,
  reportAt,
  resume,
} from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { openSecond, postgresOnly } from '../support/database.ts';
import { openWorld, signedInAidant, type World } from '../support/world.ts';
import { raceRevocations } from './race.ts';

const kind = postgresOnly();
const INTERLEAVINGS = 210;

if (kind) {
  describe('one stop, one use', () => {
    let world: World;
    before(async () => {
      world = await openWorld(kind);
    });
    after(() => world.close());

    test('M17 a use that begins while the stop has not committed waits for it, and is refused: confirmation, code, report (postgres)', {
      database: 'postgres',
    }, async () => {
      const { origin } = await world.secondInstance();
      const karim = await signedInAidant(world);
      const csrf = await csrfOf(world, karim);
      const services = await Promise.all(['confirm', 'code', 'act'].map((name) => world.service(`wait-${name}`)));
      const [forConfirm, forCode, forAct] = services as [(typeof services)[0], (typeof services)[0], (typeof services)[0]];
      const mandate = await agreed(world, 'colette', ['logement']);
      const fields = confirmation(mandate, 'logement', csrf);
      const acting = await begin(karim, forAct);
      const actCode = await resume(karim, await confirm(world, karim, acting, fields), forAct);
      const tokens = await redeemAt(world, forAct, acting.request, actCode as URL);
      const session = (await introspectAt(world, forAct, tokens.body.access_token ?? '')).session ?? '';
      const coding = await begin(karim, forCode);
      const code = await resume(karim, await confirm(world, karim, coding, fields), forCode);
      const confirming = await begin(karim, forConfirm);
      const own = await ownToken(forAct);
      const from = await mark(world);
      const sessions = await world.sql('select id from delegated_session where mandate_id = $1 order by id', [mandate.id]);

      const holder = await openSecond(world.fresh.url ?? '');
      let uses: Promise<[Response, Awaited<ReturnType<typeof redeemAt>>, Awaited<ReturnType<typeof reportAt>>]> | undefined;
      let answered = 0;
      const counted = <T>(work: Promise<T>): Promise<T> => work.finally(() => answered++);
      // The stop as the use case makes it, in a transaction that is kept open while three uses arrive at the other instance.
      await holder.run(async (tx) => {
        const { createMandateStore } = await import('../../src/persistence/mandates.ts');
        const store = createMandateStore();
        await store.hold(tx, mandate.id);
        const now = new Date();
        await store.end(tx, mandate.id, 'revoked', 'usager', now, undefined);
        await world.app.site.sessions.endIn(tx, { mandateId: mandate.id }, 'revoked', now);
        await new Promise((resolve) => setTimeout(resolve, 20));
        uses = Promise.all([
          counted(confirm(world, karim, confirming, fields, origin)),
          counted(redeemAt(world, forCode, coding.request, code as URL, origin)),
          counted(reportAt(world, own, eventOf(forAct, session, 'while-stopping'), origin)),
        ]);
        await new Promise((resolve) => setTimeout(resolve, 700));
        assert.equal(answered, 0, 'none is answered before the stop is decided');
      });
      const [confirmed, redeemed, reported] = (await uses) ?? [];
      assert.equal(confirmed?.status, 410);
      await confirmed?.body?.cancel();
      assert.deepEqual([redeemed?.status, redeemed?.body.error], [400, 'invalid_grant']);
      assert.deepEqual([reported?.status, reported?.body.code], [422, 'time_out_of_range']);
      assert.deepEqual(
        await world.sql('select id from delegated_session where mandate_id = $1 order by id', [mandate.id]),
        sessions,
        'no session was opened',
      );
      assert.deepEqual(await world.sql('select 1 from action where session_id = $1', [session]), [], 'no act was recorded');
      const types = (await entriesSince(world, from)).map((entry) => entry.type);
      assert.ok(!types.includes('token.issued') && !types.includes('action.reported') && !types.includes('session.opened'), types.join());
      await holder.close();
    });
  });

  test(`M17 a stop against uses at two instances: nothing commits after the stop (${INTERLEAVINGS} interleavings, postgres)`, {
    database: 'postgres',
    atLeast: 400,
  }, async (t) => {
    const seen = await raceRevocations(kind, INTERLEAVINGS);
    t.diagnostic(`uses that came before the stop: ${seen.before}, after: ${seen.after}`);
    assert.ok(seen.before > 10 && seen.after > 10, `both sides of the race were seen: ${JSON.stringify(seen)}`);
  });
}

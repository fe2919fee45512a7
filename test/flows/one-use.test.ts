import { before } from 'node:test';
import { signInUsager } from '../../src/practice/story.ts';
import { textOf, Walker } from '../../src/practice/walker.ts';
import { begin, csrfOf, eventOf, introspectAt, mandatesOf, reportAt } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { oneUse } from '../support/one-use.ts';
import { endOf, inEachWorld, sessionOf } from '../support/protocol.ts';
import { delegatedTokens, signedInAidant, type World } from '../support/world.ts';

/** A mandate for one use, and a service that asks for a fresher sign-in meanwhile: the same use goes on, and there is no second one. */
inEachWorld(({ world: of, kind }) => {
  let world: World;
  let house: Awaited<ReturnType<typeof oneUse>>;
  const on = { database: kind };

  before(async () => {
    world = of();
    house = await oneUse(world);
  });

  test(
    'M8 P24 an aidant who signs in anew at the service’s wish goes on with one use; it ends when it would have, and is not made twice',
    on,
    async () => {
      const { service, other, karim, once, signInAnew, refused, sessions } = house;
      const mandate = await once('jean');
      const { tokens, claims } = await delegatedTokens(world, karim, service, 'Jean Petit');
      const first = sessionOf(claims);
      await refused(mandate, /mandate_used/);
      await refused(mandate, /mandate_used/, other);
      world.advance(400_000);
      const act = (token: string, session: string, id: string) =>
        reportAt(world, token, eventOf(service, session, id, { demarche: `${service.id}.frais` }));
      assert.equal((await act(tokens.access_token, first, 'o-1')).status, 401, 'the démarche asks for a fresher sign-in');
      await signInAnew();
      assert.equal(await endOf(world, first), 'live', 'a sign-in ends nothing');
      const [before] = await world.sql('select count(*)::int n from delivery where session_id = $1', [first]);
      const again = await delegatedTokens(world, karim, service, 'Jean Petit');
      const next = sessionOf(again.claims);
      const [a, b] = await sessions(mandate);
      assert.deepEqual([a?.['id'], a?.['end_reason'], a?.['continued_by']], [first, 'superseded', next]);
      assert.deepEqual([b?.['id'], b?.['end_reason'], b?.['continued_by']], [next, null, null]);
      assert.deepEqual(b?.['expires_at'], a?.['expires_at'], 'the use ends when it would have');
      assert.equal((await introspectAt(world, service, tokens.access_token)).active, false);
      const [told] = await world.sql('select count(*)::int n from delivery where session_id = $1', [first]);
      assert.equal(Number(told?.['n']), Number(before?.['n']) + 1, 'the service is told of the end of the former');
      assert.equal((await act(again.tokens.access_token, next, 'o-2')).status, 202);

      await world.app.flushJournal();
      const jean = new Walker();
      const page = textOf(await signInUsager(jean, world.places, 'jean'));
      assert.equal(page.split('a ouvert le site').length - 1, 1, 'it was opened once');
      assert.equal(page.split('continue sur le site').length - 1, 1, page);
      await refused(mandate, /mandate_used/);
      await signInAnew();
      await refused(mandate, /mandate_used/, other);
      await world.app.site.sessions.end({ id: next as never }, 'signed_out');
      await refused(mandate, /mandate_used/);
      assert.equal((await sessions(mandate)).length, 2);
    },
  );

  test('M8 one use does not go on after its end, nor under a mandate that was stopped, nor for another aidant', on, async () => {
    const { service, karim, once, signInAnew, refused, sessions } = house;
    const timed = await once('revoquee');
    await delegatedTokens(world, karim, service, 'Rosa Révoquée');
    world.advance(14 * 60_000);
    await csrfOf(world, karim);
    world.advance(14 * 60_000);
    await csrfOf(world, karim);
    world.advance(2 * 60_000);
    await signInAnew();
    await refused(timed, /mandate_used/);
    assert.equal((await sessions(timed)).length, 1);

    const stopped = await once('colette');
    await delegatedTokens(world, karim, service, 'Colette Martin');
    await signInAnew();
    const ines = await signedInAidant(world, 'ines', 'Inès Moreau');
    const page = await ines.open((await begin(ines, service)).request.url);
    assert.ok(!textOf(page).includes('Colette Martin'), 'nobody else is offered it');
    await mandatesOf(world.app, world).revokeByUsager(stopped.usagerId, stopped.id);
    await refused(stopped, /mandate_revoked/);
    assert.deepEqual(
      (await sessions(stopped)).map((row) => row['end_reason']),
      ['revoked'],
    );
  });
});

import { after, before, describe } from 'node:test';
import type { Walker } from '../../src/practice/walker.ts';
import {
  agreed,
  begin,
  confirm,
  confirmation,
  csrfOf,
  eventOf,
  inTheMorning,
  introspectAt,
  mandatesOf,
  redeemAt,
  reportAt,
  resume,
  sessionOf,
  until,
  userinfoAt,
  whoIs,
} from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { postgresOnly } from '../support/database.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { endOf, fapiService, inEachWorld, proof, push } from '../support/protocol.ts';
import { delegatedTokens, openWorld, signedInAidant, type TestService, type World } from '../support/world.ts';

const SKEW_MS = 30_000;

/** A machine whose clock stands at `at`: an instance in a process of its own, loaded after this. */
const standing = (at: number): string =>
  `data:text/javascript,${encodeURIComponent(`const Real = Date; const at = ${at};
    globalThis.Date = class Date extends Real { constructor(...given) { if (given.length) super(...given); else super(at); } static now() { return at; } };`)}`;

const instanceAt = (world: World, at: number): Promise<Instance> => startInstance(world, { preload: standing(at) });

const postgres = postgresOnly();

if (postgres)
  describe('instances whose clocks are 30 seconds apart', () => {
    let world: World;
    let service: TestService;
    let karim: Walker;
    let fast = { origin: '', end: async (): Promise<void> => undefined };
    let slow = fast;
    const on = { database: 'postgres' } as const;

    before(async () => {
      world = await openWorld(postgres);
      inTheMorning(world);
      service = await world.service('skewed');
      karim = await signedInAidant(world);
      [fast, slow] = await Promise.all([instanceAt(world, Date.now() + SKEW_MS), instanceAt(world, Date.now() - SKEW_MS)]);
    });
    after(async () => {
      await Promise.all([fast.end(), slow.end()]);
      await world.close();
    });

    /** A code that one instance gave, at the time of its own clock. */
    const codeFrom = async (origin?: string) => {
      const mandate = await agreed(world, 'colette', ['logement']);
      const begun = await begin(karim, service, 'openid dlg:logement', origin);
      const confirmed = await confirm(world, karim, begun, confirmation(mandate, 'logement', await csrfOf(world, karim)), origin);
      const callback = await resume(karim, confirmed, service, origin);
      assert.ok(callback, `${confirmed.status}`);
      return { mandate, callback, redeem: (at?: string) => redeemAt(world, service, begun.request, callback, at) };
    };

    test(
      'T2 a code crosses to a clock that is ahead or behind, is used once, and what a clock ahead gives counts when its time has come, for its minute',
      on,
      async () => {
        for (const [from, at] of [
          [undefined, fast.origin],
          [undefined, slow.origin],
          [slow.origin, undefined],
        ] as const) {
          const { redeem } = await codeFrom(from);
          const first = await redeem(at);
          assert.equal(first.status, 200, `${from} ${at}`);
          assert.equal((await redeem(from)).status, 400, 'once');
          assert.equal((await introspectAt(world, service, first.body.access_token ?? '', from)).active, false, 'and what it gave is dead');
        }
        const early = await codeFrom(fast.origin);
        assert.deepEqual(
          [early.callback.searchParams.get('error'), early.callback.searchParams.has('code')],
          ['temporarily_unavailable', false],
          'the entry of a clock that is ahead waits, and nothing is given without it',
        );
        world.advance(SKEW_MS);
        const late = await codeFrom(fast.origin);
        world.advance(61_000);
        assert.equal((await late.redeem()).status, 400, 'its minute ended when the minute of its own clock did, not later');
        world.advance(-SKEW_MS - 61_000);
      },
    );

    test('T2 what is stopped at one clock is refused at every other at once, and what ends by itself within the difference', on, async () => {
      const { mandate, redeem } = await codeFrom();
      const token = (await redeem(slow.origin)).body.access_token ?? '';
      const everywhere = async (): Promise<boolean[]> =>
        Promise.all([undefined, fast.origin, slow.origin].map(async (origin) => (await introspectAt(world, service, token, origin)).active));
      assert.deepEqual(await everywhere(), [true, true, true]);
      const [found] = await world.sql('select id, expires_at from delegated_session where mandate_id = $1 and ended_at is null', [mandate.id]);
      const expires = async (ms: number): Promise<void> =>
        void (await world.sql('update delegated_session set expires_at = $2 where id = $1', [found?.['id'], new Date(Date.now() + ms)]));
      await expires(15_000);
      assert.deepEqual(await everywhere(), [true, false, true], 'fifteen seconds early where the clock is thirty ahead');
      await expires(-15_000);
      assert.deepEqual(await everywhere(), [false, false, true], 'fifteen seconds late where it is thirty behind');
      await expires(-SKEW_MS - 1);
      assert.deepEqual(await everywhere(), [false, false, false], 'never later than the difference');
      const another = await codeFrom();
      const living = (await another.redeem()).body.access_token ?? '';
      assert.equal(await userinfoAt(world, living, slow.origin), 200);
      await mandatesOf(world.app, world).revokeByUsager(another.mandate.usagerId, another.mandate.id);
      for (const origin of [slow.origin, fast.origin, undefined]) {
        assert.equal((await introspectAt(world, service, living, origin)).active, false);
        assert.equal(await userinfoAt(world, living, origin), 401);
        assert.equal((await reportAt(world, living, eventOf(service, 'dls_0', 'late'), origin)).status, 401);
      }
    });

    test('T2 acts reported at any clock have their receipt once their time has come, and the journal of them all verifies', on, async () => {
      await agreed(world, 'colette', ['logement']);
      const { tokens, claims } = await delegatedTokens(world, karim, service, 'Colette Martin');
      const events = Object.fromEntries(['here', 'slow', 'fast'].map((name) => [name, eventOf(service, sessionOf(claims), `skew-${name}`)]));
      const report = (name: string, origin?: string) => reportAt(world, tokens.access_token, events[name] ?? {}, origin);
      for (const [name, origin] of [
        ['here', undefined],
        ['slow', slow.origin],
      ] as const) {
        const answer = await report(name, origin);
        assert.deepEqual([answer.status, typeof answer.body.index], [202, 'number'], name);
        const again = await report(name);
        assert.equal(again.body.index ?? again.body.receipt?.index, answer.body.index, 'the same act, whoever is asked');
      }
      const waits = await report('fast', fast.origin);
      assert.deepEqual([waits.status, waits.body.code], [503, 'journal_unavailable'], 'kept, not yet certain: the service asks again');
      assert.ok(
        world.logged.some(({ line }) => line['kind'] === 'entry_ahead'),
        'the operator hears of the clock',
      );
      world.advance(SKEW_MS);
      assert.ok(await until(async () => (await report('fast')).body.index !== undefined, 8000));
      assert.equal((await world.sql("select 1 from action where event_key = 'skew-fast'")).length, 1, 'one act');
      world.advance(-SKEW_MS);
      assert.deepEqual((await world.verifyJournal()).faults, []);
    });

    test('T2 a service’s proof made now counts at clocks that are up to the tolerance away, once for all of them', on, async () => {
      const fapi = await fapiService(world, 'skewed-fapi');
      await agreed(world, 'colette', ['logement']);
      const request = await push(fapi, 'openid dlg:logement');
      assert.ok(request.url.searchParams.get('request_uri'));
      const about = { method: 'POST', url: `${world.places.relais}/api/v1/actions`, token: 'unknown' };
      const one = await proof(fapi.dpop, about);
      const at = async (origin: string): Promise<number> =>
        (
          await fetch(`${origin}/api/v1/actions`, {
            method: 'POST',
            headers: { authorization: 'DPoP unknown', dpop: one, 'content-type': 'application/cloudevents+json' },
            body: '{}',
          })
        ).status;
      assert.deepEqual([await at(fast.origin), await at(slow.origin)], [401, 401], 'refused in words, no fault');
    });
  });

inEachWorld(({ world: of, kind }) => {
  const on = { database: kind };
  const MINUTE = 60_000;

  test(
    `T3 the clock steps five minutes forward and back: what was used or stopped stays so, nobody is signed in longer, and work goes on (${kind})`,
    on,
    async () => {
      const world = of();
      inTheMorning(world);
      const service = await world.service('stepping');
      const karim = await signedInAidant(world);
      const mandate = await agreed(world, 'colette', ['logement', 'famille']);
      const { tokens, claims } = await delegatedTokens(world, karim, service, 'Colette Martin');
      const opened = Date.now();
      const signedIn = async (): Promise<boolean> => (await karim.ask(new URL('/aidant', world.places.relais))).status === 200;
      const active = async (token: string): Promise<boolean> => (await introspectAt(world, service, token)).active;
      const step = (minutes: number): void => world.advance(minutes * MINUTE);
      for (const [minutes, alive] of [
        [5, true],
        [-5, true],
        [-5, false],
        [5, true],
      ] as const) {
        step(minutes);
        assert.deepEqual(
          [await signedIn(), await active(tokens.access_token)],
          [true, alive],
          'only a mandate that has not begun by this clock is refused',
        );
      }
      const begun = await begin(karim, service);
      const callback = await resume(
        karim,
        await confirm(world, karim, begun, confirmation(mandate, 'logement', await csrfOf(world, karim))),
        service,
      );
      assert.ok(callback);
      const redeemed = await redeemAt(world, service, begun.request, callback);
      assert.equal(redeemed.status, 200);
      assert.equal(await endOf(world, sessionOf(claims)), 'superseded');
      step(-5);
      assert.equal((await redeemAt(world, service, begun.request, callback)).status, 400, 'a code that was used is not new again');
      assert.equal(await active(redeemed.body.access_token ?? ''), false);
      step(5);
      const { tokens: last } = await delegatedTokens(world, karim, service, 'Colette Martin');
      assert.equal(await active(last.access_token), true, 'work goes on');
      await mandatesOf(world.app, world).revokeByUsager(mandate.usagerId, mandate.id);
      for (const minutes of [-5, -5, 5, 10, -5]) {
        step(minutes);
        assert.equal(await active(last.access_token), false, 'what was stopped stays so');
        assert.equal((await world.sql('select 1 from mandate where id = $1 and ended_at is null', [mandate.id])).length, 0);
      }
      await agreed(world, 'colette', ['logement']);
      const { tokens: kept } = await delegatedTokens(world, karim, service, 'Colette Martin');
      step(-5);
      step(5);
      world.advance(30 * MINUTE + 1000);
      assert.equal(await active(kept.access_token), false, 'a session has its half hour, whatever the clock did meanwhile');
      assert.equal(await signedIn(), false, 'and a sign-in its quarter of an hour without a gesture');
      assert.ok(Date.now() - opened < 60 * MINUTE);
      assert.deepEqual((await world.verifyJournal()).faults, []);
    },
  );

  test(`T3 a one-time code that was used is refused after a step back, and a lock outlasts it (${kind})`, on, async () => {
    const world = of();
    inTheMorning(world);
    const { means } = world.app;
    const { aidantId } = await whoIs(world, 'ines');
    const verify = (code: string) => means.verifyCode(aidantId, code, 'sign-in');
    world.advance(31_000);
    const first = await world.code(world.places, 'Inès Moreau');
    assert.ok('accepted' in (await verify(first)));
    world.advance(5 * MINUTE);
    const second = await world.code(world.places, 'Inès Moreau');
    assert.ok('accepted' in (await verify(second)));
    world.advance(-5 * MINUTE);
    assert.ok('refused' in (await verify(first)), 'its time is now again, and it was used');
    world.advance(5 * MINUTE);
    assert.ok('refused' in (await verify(second)));
    const wrong = second === '000000' ? '000001' : '000000';
    for (let i = 0; i < 12; i++) await verify(wrong);
    const state = async () => (await verify(wrong)) as { refused?: string };
    const locked = (await state()).refused;
    assert.ok(locked && locked !== 'wrong_code', `${locked}`);
    world.advance(-5 * MINUTE);
    assert.equal((await state()).refused, locked, 'a step back does not give ten more tries');
    world.advance(5 * MINUTE);
    assert.equal((await state()).refused, locked);
    world.advance(16 * MINUTE);
    assert.ok('accepted' in (await verify(await world.code(world.places, 'Inès Moreau'))), 'and a quarter of an hour later it is over');
  });
});

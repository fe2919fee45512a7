import { signInUsager } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import {
  agreed,
  begin,
  confirm,
  confirmation,
  csrfOf,
  eventOf,
  introspectAt,
  ownToken,
  post,
  redeemAt,
  reportAt,
  resume,
  userinfoAt,
} from '../support/acting.ts';
import { assert } from '../support/check.ts';
import type { DatabaseKind } from '../support/database.ts';
import { openWorld, signedInAidant } from '../support/world.ts';

/**
 * Claim M17: a mandate is stopped while, at two instances, sessions are confirmed, resumed, redeemed, read and reported under it. What committed
 * before the stop stands; nothing commits after it. `interleavings` counts one use against one stop.
 */
export const raceRevocations = async (kind: DatabaseKind, interleavings: number): Promise<{ before: number; after: number }> => {
  const world = await openWorld(kind);
  const seen = { before: 0, after: 0 };
  try {
    const { origin } = await world.secondInstance();
    const at = [world.places.relais, origin];
    const services = await Promise.all(['one', 'two', 'three', 'four'].map((name) => world.service(`race-${name}`)));
    const [first, second, third, fourth] = services as [(typeof services)[0], (typeof services)[0], (typeof services)[0], (typeof services)[0]];
    let karim = await signedInAidant(world);
    const colette = new Walker();
    await signInUsager(colette, world.places, 'colette');
    let csrf = await csrfOf(world, karim);
    let hers = await csrfOf(world, colette, '/usager');
    const own = { token: '', until: 0 };
    const any = (): string => at[Math.random() < 0.5 ? 0 : 1] ?? origin;
    let done = 0;
    for (let round = 0; done < interleavings; round++) {
      if (round % 200 === 199) {
        karim = await signedInAidant(world); // before eight hours, or fifteen idle minutes
        csrf = await csrfOf(world, karim);
        await signInUsager(colette, world.places, 'colette');
        hers = await csrfOf(world, colette, '/usager');
      }
      if (Date.now() > own.until) Object.assign(own, { token: await ownToken(fourth), until: Date.now() + 200_000 });
      const mandate = await agreed(world, 'colette', ['logement']);
      const fields = confirmation(mandate, 'logement', csrf);
      const walkers = services.map(() => Object.assign(new Walker(), {}));
      for (const walker of walkers) for (const [key, cookie] of karim.cookies) walker.cookies.set(key, cookie);
      const [w1, w2, w3, w4] = walkers as [Walker, Walker, Walker, Walker];
      const toConfirm = await begin(w1, first);
      const toResume = await confirm(world, w2, await begin(w2, second), fields);
      const redeemed = await begin(w3, third);
      const code = await resume(w3, await confirm(world, w3, redeemed, fields), third);
      const last = await begin(w4, fourth);
      const back = await resume(w4, await confirm(world, w4, last, fields), fourth);
      assert.ok(code?.searchParams.get('code') && back?.searchParams.get('code'), 'two codes are ready');
      const { body } = await redeemAt(world, fourth, last.request, back as URL);
      const token = body.access_token ?? '';
      const [open] = await world.sql('select id from delegated_session where service_id = $1 and mandate_id = $2 and ended_at is null', [
        fourth.id,
        mandate.id,
      ]);
      const session = String(open?.['id']);

      const soon = <T>(work: () => Promise<T>): Promise<T> => new Promise((resolve) => setTimeout(resolve, Math.random() * 25)).then(work);
      const outcome = await Promise.all([
        soon(async () => (await post(world, colette, `/usager/mandats/${mandate.id}/arreter`, { _csrf: hers }, any())).status === 303),
        soon(async () => {
          const confirmed = await confirm(world, w1, toConfirm, fields, any());
          return (await resume(w1, confirmed, first, any()))?.searchParams.get('code') ?? undefined;
        }),
        soon(async () => (await resume(w2, toResume, second, any()))?.searchParams.get('code') ?? undefined),
        soon(async () => (await redeemAt(world, third, redeemed.request, code as URL, any())).body.access_token),
        soon(async () => ((await userinfoAt(world, token, any())) === 200 ? token : undefined)),
        soon(async () => ((await introspectAt(world, fourth, token, any())).active ? token : undefined)),
        soon(async () => ((await reportAt(world, token, eventOf(fourth, session, `race-a-${round}`), any())).status === 202 ? session : undefined)),
        soon(async () =>
          (await reportAt(world, own.token, eventOf(fourth, session, `race-b-${round}`), any())).status === 202 ? session : undefined,
        ),
      ]);
      const [stopped, ...uses] = outcome;
      assert.ok(stopped, 'the stop is always done');
      done += uses.length;
      for (const use of uses) seen[use ? 'before' : 'after']++;

      // From here on nothing holds, at either instance, whatever was got in time.
      const got = [uses[2], token].filter((each): each is string => Boolean(each));
      for (const [i, each] of got.entries())
        for (const where of at)
          assert.deepEqual(await introspectAt(world, got.length > 1 && i === 0 ? third : fourth, each, where), { active: false });
      for (const [i, late] of [uses[0], uses[1]].entries()) {
        if (!late) continue;
        const callback = new URL(`http://localhost:9/?code=${encodeURIComponent(late)}`);
        const answer = await redeemAt(world, i ? second : first, toConfirm.request, callback, any());
        assert.equal(answer.body.error, 'invalid_grant', 'a code got in time gives no token afterwards');
      }
      assert.equal(await userinfoAt(world, token, any()), 401);
      assert.equal((await reportAt(world, token, eventOf(fourth, session, `race-c-${round}`), any())).status, 401);

      // And the database says the same, by the times of its own commits.
      const [end = {}] = await world.sql('select ended_at, end_reason, pg_xact_commit_timestamp(xmin) committed from mandate where id = $1', [
        mandate.id,
      ]);
      const committed = (end['committed'] as Date).getTime();
      assert.equal(end['end_reason'], 'revoked');
      const sessions = await world.sql('select opened_at, ended_at, end_reason from delegated_session where mandate_id = $1', [mandate.id]);
      for (const each of sessions) {
        assert.notEqual(each['ended_at'], null, 'each session has ended');
        assert.ok((each['opened_at'] as Date).getTime() <= (end['ended_at'] as Date).getTime(), 'none opened after the end');
      }
      const actions = await world.sql(
        `select a.event_id, pg_xact_commit_timestamp(a.xmin) committed from action a join delegated_session d on d.id = a.session_id where d.mandate_id = $1`,
        [mandate.id],
      );
      assert.equal(actions.length, [uses[5], uses[6]].filter(Boolean).length, 'what was acknowledged is there, and nothing else');
      // An act may be told after the stop only if it was done before the end: its own time says so, held against the end that the lock showed.
      await world.app.flushJournal();
      const told = await world.app.journal.read(world.database.auto, { session, types: ['action.reported'], limit: 10 });
      assert.equal(told.length, actions.length);
      const endedAt = end['ended_at'] as Date;
      for (const each of actions) {
        const entry = told.find(({ eventId }) => eventId === each['event_id']);
        const done = Date.parse((entry?.detail as { at: string } | undefined)?.at ?? '');
        assert.ok((each['committed'] as Date).getTime() <= committed || done <= endedAt.getTime(), 'an act was recorded that was done after the end');
        assert.ok(done <= committed, 'no act has a time after the stop');
      }
      const artefacts = await world.sql(
        `select o.model, pg_xact_commit_timestamp(o.xmin) committed from oidc_artefact o join delegated_session d on d.grant_id = o.grant_id where d.mandate_id = $1`,
        [mandate.id],
      );
      for (const each of artefacts)
        assert.ok((each['committed'] as Date).getTime() <= committed, `${String(each['model'])}: written before the stop`);
    }
    const report = await world.verifyJournal();
    assert.deepEqual(report.faults, []);
    return seen;
  } finally {
    await world.close();
  }
};

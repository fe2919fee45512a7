import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { passFranceConnect } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import { agreed, backChannel, begin, confirm, confirmation, csrfOf, until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { desk } from '../support/desk.ts';
import { inEachWorld, sessionOf } from '../support/protocol.ts';
import { authorize, delegatedTokens, redeem, signedInAidant } from '../support/world.ts';

/** Takes connections, and never answers. */
const silence = async () => {
  let asked = 0;
  const server = createServer(() => void asked++);
  await new Promise<void>((done) => server.listen(0, 'localhost', done));
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    asked: () => asked,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
};

inEachWorld(({ world, kind }) => {
  const on = { database: kind };
  const deliveriesOf = (session: string) =>
    world().sql(
      'select id, reason, attempts, acknowledged_at is not null acknowledged, next_at, last_error from delivery where session_id = $1 order by seq',
      [session],
    );

  /** As `until`, while time passes. */
  const inTime = (holds: () => Promise<boolean>): Promise<boolean> =>
    until(async () => {
      world().advance(1000);
      await world().app.deliveries.work();
      return holds();
    }, 8000);

  test(`M6 services that never answer delay nobody else (${kind})`, on, async () => {
    const it = world();
    const [channel, deaf] = [await backChannel(), await silence()];
    try {
      const mandate = await agreed(it, 'colette', ['logement']);
      const karim = await signedInAidant(it);
      const csrf = await csrfOf(it, karim);
      for (let i = 0; i < 16; i++) {
        const service = await it.service(`pool-${i}`, { backchannelLogoutUri: `${(i % 2 ? channel : deaf).origin}/${i}` });
        const confirmed = await confirm(it, karim, await begin(karim, service), confirmation(mandate, 'logement', csrf));
        await confirmed.body?.cancel();
      }
      const from = performance.now();
      await it.app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id);
      it.app.site.nudgeDeliveries();
      assert.ok(await until(() => channel.received.length === 8, 3000), `${channel.received.length} of 8 were told`);
      assert.ok(performance.now() - from < 3000, 'before one time-out was over');
      await until(() => deaf.asked() === 8, 2000); // all are asked together: which of them first is the machine's affair
      assert.equal(deaf.asked(), 8, 'each of the others is asked once, at the same time');
      const [found] = await it.sql('select count(*)::int n from delivery where mandate_id = $1 and attempts = 1', [mandate.id]);
      assert.equal(found?.['n'], 16);
    } finally {
      await channel.close();
      deaf.close();
    }
  });

  test(`C6 each try has the same jti, and what belongs to one session goes in order (${kind})`, on, async () => {
    const it = world();
    const channel = await backChannel();
    try {
      const service = await it.service('order', { backchannelLogoutUri: `${channel.origin}/logout` });
      const mandate = await agreed(it, 'colette', ['logement']);
      const { claims } = await delegatedTokens(it, await signedInAidant(it), service, 'Colette Martin');
      const session = sessionOf(claims);
      channel.answer(503);
      await it.app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id);
      await it.sql(
        `insert into delivery (id, kind, target, session_id, mandate_id, reason, created_at, next_at)
        select 'dlv_after', kind, target, session_id, mandate_id, reason, created_at, created_at from delivery where session_id = $1`,
        [session],
      );
      it.app.site.nudgeDeliveries();
      assert.ok(await inTime(async () => Number((await deliveriesOf(session))[0]?.['attempts']) >= 2));
      const [first, second] = await deliveriesOf(session);
      assert.equal(second?.['attempts'], 0, 'the second waits for the first');
      channel.answer(200);
      assert.ok(await inTime(async () => (await deliveriesOf(session)).every((each) => each['acknowledged'] === true)));
      const jtis = channel.received.filter((one) => one.claims['sid'] === session).map(({ claims: { jti } }) => jti);
      assert.ok(jtis.length >= 3);
      assert.deepEqual(jtis, [...jtis.slice(1).map(() => first?.['id']), 'dlv_after']);
    } finally {
      await channel.close();
      await it.sql("delete from delivery where id = 'dlv_after'");
    }
  });

  test(
    `M6 a service whose session was over is told that the mandate was stopped, once, and the person reads when it knew (${kind})`,
    on,
    async () => {
      const it = world();
      const channel = await backChannel();
      try {
        const service = await it.service('late', { backchannelLogoutUri: `${channel.origin}/logout` });
        const never = await it.service('late-never', { backchannelLogoutUri: `${channel.origin}/never` });
        void never;
        const mandate = await agreed(it, 'colette', ['logement']);
        const karim = await signedInAidant(it);
        const sessions: string[] = [];
        for (let i = 0; i < 2; i++) {
          sessions.push(sessionOf((await delegatedTokens(it, karim, service, 'Colette Martin')).claims));
          await it.app.site.sessions.end({ id: sessions[i] as never }, 'time');
          it.advance(1000);
        }
        it.app.site.nudgeDeliveries();
        assert.ok(await until(() => channel.received.length === 2));
        const [, last = ''] = sessions;
        assert.deepEqual(await it.app.site.tellings(mandate.id), [], 'nothing was stopped yet');
        await it.app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id);
        await it.app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id);
        it.app.site.nudgeDeliveries();
        assert.ok(await until(async () => (await it.app.site.tellings(mandate.id))[0]?.acknowledgedAt instanceof Date));
        assert.deepEqual(
          channel.received.map(({ path }) => path),
          ['/logout', '/logout', '/logout'],
        );
        const heard = channel.received.map(({ claims }) => claims['sid']);
        assert.deepEqual([heard.slice(0, 2).sort(), heard[2]], [[...sessions].sort(), last], 'two sessions in any order, then the stop');
        assert.deepEqual(
          (await deliveriesOf(last)).map(({ reason }) => reason),
          ['time', 'revoked'],
        );
        assert.deepEqual(
          (await it.app.site.tellings(mandate.id)).map(({ serviceName }) => serviceName),
          ['Service late'],
        );
        await it.app.flushJournal();
        const told = await it.app.journal.read(it.database.auto, { session: last, types: ['revocation.delivered'], limit: 10 });
        assert.equal(told.length, 1);
      } finally {
        await channel.close();
      }
    },
  );

  test(
    `a person's own session at a service: its logout waits until it is acknowledged, with sub and sid, and keeps neither (${kind})`,
    on,
    async () => {
      const it = world();
      const channel = await backChannel();
      try {
        channel.answer(503);
        const service = await it.service('alone', { backchannelLogoutUri: `${channel.origin}/logout` });
        const request = await authorize(service, 'openid given_name');
        const walker = new Walker();
        const page = await passFranceConnect(walker, await walker.open(request.url, undefined, service.redirectUri), 'colette', service.redirectUri);
        const tokens = await redeem(service, request, page.url);
        const url = new URL(`${it.app.site.issuer}/session/end`);
        url.search = new URLSearchParams({ id_token_hint: tokens.id_token ?? '' }).toString();
        await walker.open(url);
        await walker.send('op.logoutForm', { logout: 'yes' });
        const rows = () => it.sql("select id, session_id, body_box, attempts, acknowledged_at, reason from delivery where target = 'alone'");
        assert.ok(await inTime(async () => Number((await rows())[0]?.['attempts']) >= 2));
        assert.ok(!JSON.stringify(await rows()).includes('usg_'), 'sealed until it leaves');
        channel.answer(200);
        assert.ok(await inTime(async () => (await rows())[0]?.['acknowledged_at'] instanceof Date));
        const heard = channel.received.map(({ claims: { sub, sid, jti, aud, events } }) => ({ sub, sid, jti, aud, events }));
        const [first] = heard;
        assert.deepEqual(
          heard,
          heard.map(() => first),
          'each try is the same logout',
        );
        assert.deepEqual(first, {
          sub: tokens.claims()?.sub,
          sid: tokens.claims()?.['sid'],
          jti: (await rows())[0]?.['id'],
          aud: 'alone',
          events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
        });
        assert.deepEqual(
          (await rows()).map(({ body_box, session_id, reason }) => ({ body_box, session_id, reason })),
          [{ body_box: null, session_id: null, reason: 'signed_out' }],
        );
      } finally {
        await channel.close();
      }
    },
  );

  test(`a service that is taken out of use is told at once of the sessions that it ends (${kind})`, on, async () => {
    const it = world();
    const channel = await backChannel();
    try {
      const service = await it.service('removed', { backchannelLogoutUri: `${channel.origin}/logout` });
      await agreed(it, 'colette', ['logement']);
      const { claims } = await delegatedTokens(it, await signedInAidant(it), service, 'Colette Martin');
      const session = sessionOf(claims);
      const done = await it.app.services.disable('removed', 'opr_test');
      assert.ok('service' in done);
      assert.deepEqual(await it.sql('select end_reason from delegated_session where id = $1', [session]), [{ end_reason: 'suspended' }]);
      it.app.site.nudgeDeliveries();
      assert.ok(await until(() => channel.received.some(({ claims: { sid, aud } }) => sid === session && aud === 'removed')));
    } finally {
      await channel.close();
    }
  });

  test(
    `one that refuses a logout holds nothing else back; one that is silent for minutes is said to be deaf; after a week nothing is tried any more (${kind})`,
    on,
    async () => {
      const it = world();
      const channel = await backChannel();
      try {
        const service = await it.service('refuses', { backchannelLogoutUri: `${channel.origin}/logout` });
        const mandates = [await agreed(it, 'colette', ['logement']), await agreed(it, 'colette', ['famille'])];
        const karim = await signedInAidant(it);
        const sessions = [
          sessionOf((await delegatedTokens(it, karim, service, 'Colette Martin', 'openid dlg:logement')).claims),
          sessionOf((await delegatedTokens(it, karim, service, 'Colette Martin', 'openid dlg:famille')).claims),
        ];
        // The second opening ended the first: its logout has left.
        assert.ok(await until(async () => (await deliveriesOf(sessions[0] ?? '')).every((each) => each['acknowledged'] === true)));
        channel.answer(400);
        await it.app.site.mandates.revokeByUsager(mandates[0]?.usagerId as never, mandates[0]?.id as never);
        it.app.site.nudgeDeliveries();
        assert.ok(await until(async () => (await deliveriesOf(sessions[0] ?? ''))[1]?.['last_error'] === 'delivery_refused'));
        channel.answer(200);
        await it.app.site.mandates.revokeByUsager(mandates[1]?.usagerId as never, mandates[1]?.id as never);
        it.app.site.nudgeDeliveries();
        assert.ok(
          await until(async () => (await deliveriesOf(sessions[1] ?? '')).at(-1)?.['acknowledged'] === true, 900),
          'before the refused one is tried again',
        );

        await it.sql('update delivery set done_at = now() where done_at is null'); // what this world still owed elsewhere
        const silent = await it.service('silent', { backchannelLogoutUri: 'http://localhost:9/logout' });
        const mandate = await agreed(it, 'colette', ['logement']);
        const session = sessionOf((await delegatedTokens(it, karim, silent, 'Colette Martin')).claims);
        await it.app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id);
        const attempts = async (): Promise<number> => Number((await deliveriesOf(session))[0]?.['attempts']);
        for (let i = 0; i < 40 && (await attempts()) < 8; i++) {
          it.advance(130_000);
          await it.app.deliveries.work();
        }
        assert.deepEqual(
          (await it.app.deliveries.deaf()).map(({ target, waiting }) => [target, waiting]),
          [['silent', 1]],
        );
        assert.ok(
          await until(() => it.logged.some(({ level, line }) => level === 'warn' && line['event'] === 'deaf' && line['service'] === 'silent'), 7000),
        );
        assert.match((await desk(it)('service', 'list')).text, /silent .*silent since 2\d{3}-/);
        assert.equal(it.logged.filter(({ line }) => line['event'] === 'deaf').length, 1, 'said once');
        it.advance(8 * 86_400_000);
        await until(async () => {
          await it.app.deliveries.work();
          return (await it.app.deliveries.deaf()).length === 0;
        });
        const [given] = await it.sql('select done_at is not null done, acknowledged_at from delivery where session_id = $1', [session]);
        assert.deepEqual(given, { done: true, acknowledged_at: null });
      } finally {
        await channel.close();
      }
    },
  );
});

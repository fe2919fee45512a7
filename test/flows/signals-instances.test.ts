import { decodeJwt } from 'jose';
import { agreed, begin, confirm, confirmation, csrfOf, entriesSince, introspectAt, mark, redeemAt, resume, until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { openSecond, postgresOnly } from '../support/database.ts';
import { askSsf, pushEndpoint, readSet, streamToken } from '../support/receiver.ts';
import { openWorld, signedInAidant } from '../support/world.ts';

const PEOPLE = ['colette', 'jean', 'etranger', 'mauvais-theme'];
const MANDATES = PEOPLE.length;
const kinds = (sets: readonly string[]) => sets.map((set) => Object.keys(decodeJwt(set)['events'] as object)[0]?.replace(/^.*[/:]/, '')).sort();
const twice = (kind: string): string[] => Array.from({ length: MANDATES }, () => kind);

const kind = postgresOnly();
if (kind)
  test('M17 streams at two instances: nothing is told before the stop commits, each end is told once by push and by poll, and who was told finds nothing that still works (postgres)', {
    database: 'postgres',
    atLeast: 40,
  }, async () => {
    const world = await openWorld(kind);
    const endpoint = await pushEndpoint();
    const holder = await openSecond(world.fresh.url ?? '');
    try {
      const second = await world.secondInstance();
      const origins = [world.places.relais, second.origin];
      const [pushed, polled] = [await world.service('told-by-push'), await world.service('told-by-poll')];
      const [pushToken, pollToken] = [await streamToken(pushed), await streamToken(polled)];
      const delivery = { method: 'urn:ietf:rfc:8935', endpoint_url: endpoint.url };
      assert.equal((await askSsf(world, 'POST', '/ssf/stream', pushToken, { delivery })).status, 201);
      const stream = (await askSsf(world, 'POST', '/ssf/stream', pollToken, {})).body.stream_id as string;
      const poll = async (origin: string, body: object): Promise<Record<string, string>> =>
        (await askSsf(world, 'POST', `${origin}/ssf/poll/${stream}`, pollToken, body)).body.sets;

      const mandates = [];
      const tokens = new Map<string, { service: typeof pushed; token: string }>();
      for (const person of PEOPLE) {
        const karim = await signedInAidant(world); // a browser acts for one person at a time
        const csrf = await csrfOf(world, karim);
        const mandate = await agreed(world, person, ['logement']);
        mandates.push(mandate);
        for (const service of [pushed, polled]) {
          const begun = await begin(karim, service);
          const back = await resume(karim, await confirm(world, karim, begun, confirmation(mandate, 'logement', csrf)), service);
          const token = (await redeemAt(world, service, begun.request, back as URL)).body.access_token ?? '';
          tokens.set((await introspectAt(world, service, token)).session ?? '', { service, token });
        }
      }
      assert.equal(tokens.size, 2 * MANDATES, 'a session of each mandate at each service');
      /** Whoever was told of an end finds at no instance a token that still works (the push and the poll themselves come after the commit). */
      const nothingWorks = async (sets: readonly string[]): Promise<void> => {
        for (const set of sets) {
          const session = String(Object.values(decodeJwt(set)['events'] as Record<string, Record<string, unknown>>)[0]?.['session']);
          const held = tokens.get(session);
          assert.ok(held, session);
          for (const origin of origins) assert.deepEqual(await introspectAt(world, held.service, held.token, origin), { active: false }, session);
        }
      };

      // One stop that has not committed: nothing leaves, and a poll that waits at the other instance hears of it as soon as it has.
      const from = await mark(world);
      const [first] = mandates;
      let waiting: Promise<Record<string, string>> | undefined;
      await holder.run(async (tx) => {
        const { createMandateStore } = await import('../../src/persistence/mandates.ts');
        const store = createMandateStore();
        await store.hold(tx, first?.id as never);
        await store.end(tx, first?.id as never, 'revoked', 'usager', new Date(), undefined);
        await world.app.site.sessions.endIn(tx, { mandateId: first?.id as never }, 'revoked', new Date());
        waiting = poll(second.origin, { maxEvents: 2 });
        const early = await Promise.race([waiting, new Promise((done) => setTimeout(() => done('nothing'), 600))]);
        await Promise.all([world.app.deliveries.work(), second.app.deliveries.work()]);
        assert.deepEqual([early, endpoint.received.length], ['nothing', 0], 'before the commit');
      });
      const committed = performance.now();
      const heard = Object.values((await waiting) ?? {});
      assert.ok(performance.now() - committed < 2500, 'as soon as it committed');
      await nothingWorks(heard);

      // The others, each stopped at both instances at once, while both deliver and both are polled.
      const seen = new Map<string, string>();
      let over = false;
      const follow = async (origin: string): Promise<void> => {
        while (!over)
          for (const [jti, set] of Object.entries(await poll(origin, { returnImmediately: true }))) {
            assert.ok([undefined, set].includes(seen.get(jti)), 'the same event is the same token at either instance');
            if (!seen.has(jti)) await nothingWorks([set]);
            seen.set(jti, set);
            // Acknowledged at both at once, and more than once.
            await Promise.all(origins.map((at) => poll(at, { ack: [jti], maxEvents: 0 })));
          }
      };
      const followers = origins.map(follow);
      const apps = [world.app, second.app];
      for (const { id, usagerId } of mandates.slice(1)) await Promise.all(apps.map((app) => app.site.mandates.revokeByUsager(usagerId, id)));
      await Promise.all(apps.map((app) => app.deliveries.work()));
      assert.ok(await until(() => seen.size >= 2 * MANDATES && endpoint.received.length >= 2 * MANDATES, 10_000));
      await Promise.all(apps.map((app) => app.deliveries.work()));
      over = true;
      await Promise.all(followers);

      const both = [...twice('mandate-ended'), ...twice('session-revoked')];
      assert.deepEqual(kinds([...seen.values()]), both, 'by poll');
      assert.deepEqual(kinds(endpoint.received.map(({ set }) => set)), both, 'by push: once each, though two instances deliver');
      await nothingWorks(endpoint.received.map(({ set }) => set));
      for (const set of seen.values()) await readSet(world, 'told-by-poll', set);
      for (const { set } of endpoint.received) await readSet(world, 'told-by-push', set);
      for (const origin of origins) assert.deepEqual(await poll(origin, { returnImmediately: true }), {}, 'nothing is left');
      const rows = "select count(*)::int n, count(acknowledged_at)::int told from delivery where kind = 'set'";
      assert.ok(await until(async () => Number((await world.sql(rows))[0]?.['told']) === 4 * MANDATES));
      assert.deepEqual(await world.sql(rows), [{ n: 4 * MANDATES, told: 4 * MANDATES }]);
      const told = (await entriesSince(world, from)).filter(({ type }) => type === 'revocation.delivered');
      assert.equal(told.length, 2 * MANDATES, 'the journal says once of each session when its service knew');
    } finally {
      await holder.close();
      endpoint.close();
      await world.close();
    }
  });

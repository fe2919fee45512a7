import { createServer } from 'node:http';
import { signInUsager } from '../../src/practice/story.ts';
import { textOf, Walker } from '../../src/practice/walker.ts';
import { agreed, begin, confirm, confirmation, csrfOf, inTheMorning, introspectAt, redeemAt, resume, until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { postgresOnly } from '../support/database.ts';
import { openWorld, signedInAidant } from '../support/world.ts';

const SERVICES = 50;
const DOWN = 10;
const DAY = 24 * 3_600_000;

/** The back channels of many services, some of which hang up. */
const manyChannels = async () => {
  const heard = new Map<string, string[]>();
  const down = new Set<string>();
  const server = createServer((request, response) => {
    const name = request.url ?? '';
    if (down.has(name)) return void request.socket.destroy();
    let body = '';
    request.on('data', (part: Buffer) => {
      body += part.toString();
    });
    request.on('end', () => {
      const token = new URLSearchParams(body).get('logout_token') ?? '';
      const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString() || '{}') as { sid?: string };
      heard.set(name, [...(heard.get(name) ?? []), claims.sid ?? '']);
      response.writeHead(200).end();
    });
  });
  await new Promise<void>((done) => server.listen(0, 'localhost', done));
  const address = server.address();
  return {
    origin: `http://localhost:${typeof address === 'object' && address ? address.port : 0}`,
    heard,
    down,
    close: () =>
      new Promise<void>((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
};

const kind = postgresOnly();
if (kind)
  test('M6 of 50 services, 10 are down for a day: all are told once, in the end; what each acknowledged is kept; the state is right at once (postgres)', {
    database: 'postgres',
    atLeast: 20,
  }, async () => {
    const world = await openWorld(kind);
    const channels = await manyChannels();
    try {
      inTheMorning(world);
      const { app } = await world.secondInstance();
      const names = Array.from({ length: SERVICES }, (_, i) => `many-${i}`);
      for (const name of names.slice(0, DOWN)) channels.down.add(`/${name}`);
      const mandate = await agreed(world, 'colette', ['logement']);
      const karim = await signedInAidant(world);
      const csrf = await csrfOf(world, karim);
      const tokens: { service: Awaited<ReturnType<typeof world.service>>; token: string }[] = [];
      for (const [i, name] of names.entries()) {
        const service = await world.service(name, { backchannelLogoutUri: `${channels.origin}/${name}` });
        const begun = await begin(karim, service);
        const confirmed = await confirm(world, karim, begun, confirmation(mandate, 'logement', csrf));
        assert.equal(confirmed.status, 303, name);
        if (i % 10) {
          await confirmed.body?.cancel();
          continue;
        }
        const back = await resume(karim, confirmed, service);
        assert.ok(back);
        tokens.push({ service, token: (await redeemAt(world, service, begun.request, back)).body.access_token ?? '' });
      }
      const live = 'delegated_session where mandate_id = $1 and ended_at is null';
      const count = async (query: string, values: unknown[] = [mandate.id]): Promise<number> =>
        Number((await world.sql(`select count(*)::int n from ${query}`, values))[0]?.['n']);
      assert.equal(await count(live), SERVICES);
      const stopped = Date.now();
      await world.app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id);
      // Whoever asks is told at once, at every instance, whatever the notices have become.
      for (const { service, token } of tokens)
        for (const origin of [world.places.relais, app.site.publicUrl])
          assert.deepEqual(await introspectAt(world, service, token, origin), { active: false }, service.id);
      assert.equal(await count(live), 0);
      const acknowledged = 'delivery where mandate_id = $1 and acknowledged_at is not null';
      const workAll = async (): Promise<void> => {
        await Promise.all([world.app.deliveries.work(), app.deliveries.work(), world.app.deliveries.work()]);
      };
      await workAll();
      assert.ok(await until(async () => (await count(acknowledged)) === SERVICES - DOWN), 'those that listen');
      const usager = new Walker();
      await signInUsager(usager, world.places, 'colette');
      const page = textOf(await usager.open(`${world.places.relais}/usager/mandats/${mandate.id}/arrete`));
      assert.match(page, /pas encore/);
      for (let hours = 0; hours < 24; hours += 2) {
        world.advance(2 * 3_600_000);
        await workAll();
      }
      assert.equal(await count(acknowledged), SERVICES - DOWN, 'a day later the others still do not know');
      assert.equal(await count('delivery where mandate_id = $1 and done_at is null'), DOWN, 'and nobody has given up');
      channels.down.clear();
      assert.ok(Date.now() - stopped >= DAY);
      world.advance(2 * 3_600_000);
      assert.ok(
        await until(async () => {
          await workAll();
          return (await count(acknowledged)) === SERVICES;
        }),
      );
      for (const name of names) assert.equal(channels.heard.get(`/${name}`)?.length, 1, `${name} is told once`);
      await world.app.flushJournal();
      const all = await world.app.journal.read(world.database.auto, { types: ['revocation.delivered'], limit: 100 });
      const entries = all.filter((entry) => entry.mandate === mandate.id);
      assert.equal(entries.length, SERVICES, 'an entry for each acknowledgement');
      const times = entries.map((entry) => Date.parse((entry.detail as { acknowledgedAt: string }).acknowledgedAt));
      assert.equal(times.filter((at) => at - stopped < 3_600_000).length, SERVICES - DOWN);
      assert.equal(times.filter((at) => at - stopped >= DAY).length, DOWN);
    } finally {
      await world.close();
      await channels.close();
    }
  });

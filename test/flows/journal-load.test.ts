import { after, before, describe } from 'node:test';
import { agreed, begin, confirm, confirmation, csrfOf, eventOf, inTheMorning, mandatesOf, reportAt, sessionOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { delegatedTokens, openWorld, signedInAidant, type World } from '../support/world.ts';

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    before(async () => {
      world = await openWorld(kind);
      inTheMorning(world);
    });
    after(() => world.close());

    test(`J1 decisions of every kind, taken in parallel, some of them refused or rolled back: one entry each, and no gap (${kind.kind})`, {
      database: kind.kind,
    }, async () => {
      const karim = await signedInAidant(world);
      const csrf = await csrfOf(world, karim);
      const service = await world.service('j1-service');
      const mandates = mandatesOf(world.app, world);
      const shared = await agreed(world, 'colette', ['logement']);
      const { tokens, claims } = await delegatedTokens(world, karim, service, 'Colette Martin');
      const other = await world.service('j1-other');
      const session = sessionOf(claims);
      const people = ['etranger', 'noms-longs', 'expiree', 'mauvais-theme'] as const;
      const work: (() => Promise<unknown>)[] = [
        // Mandates made, and stopped twice each.
        ...people.flatMap((person, i) =>
          Array.from({ length: 5 }, () => async () => {
            const mandate = await agreed(world, person, [(['papiers', 'justice', 'loisirs', 'travail'] as const)[i] ?? 'papiers']);
            await Promise.all([mandates.revokeByUsager(mandate.usagerId, mandate.id), mandates.revokeByUsager(mandate.usagerId, mandate.id)]);
          }),
        ),
        // Acts, each told three times.
        ...Array.from({ length: 40 }, (_, i) => () => {
          const event = eventOf(service, session, `load-${i}`);
          return Promise.all([0, 1, 2].map(() => reportAt(world, tokens.access_token, event)));
        }),
        // Sessions opened in one browser: each replaces the one before.
        ...Array.from({ length: 12 }, () => async () => {
          const answer = await confirm(world, karim, await begin(karim, other), confirmation(shared, 'logement', csrf));
          await answer.body?.cancel();
        }),
        // Decisions that do not come to an end: nothing of them stays.
        ...Array.from(
          { length: 10 },
          () => () =>
            world.database
              .run(async (tx) => {
                await world.app.journal.record(tx, { type: 'log.heartbeat', detail: {} });
                throw new Error('changed my mind');
              })
              .catch(() => undefined),
        ),
      ];
      await Promise.all(work.sort(() => Math.random() - 0.5).map((one) => one()));
      await world.app.flushJournal();
      const number = async (text: string, values: unknown[] = []): Promise<number> => Number((await world.sql(text, values))[0]?.['n']);
      const entries = (type: string): Promise<number> => number('select count(*)::int n from journal.projection where type = $1', [type]);
      assert.equal(await entries('log.heartbeat'), 0);
      assert.equal(await number('select count(*)::int n from action'), 40);
      assert.equal(await entries('action.reported'), 40);
      assert.equal(await entries('mandate.created'), await number('select count(*)::int n from mandate'));
      assert.equal(await entries('mandate.revoked'), await number("select count(*)::int n from mandate where end_reason = 'revoked'"));
      assert.equal(await entries('mandate.replaced'), await number("select count(*)::int n from mandate_grant where end_reason = 'replaced'"));
      assert.equal(await entries('session.opened'), await number('select count(*)::int n from delegated_session'));
      assert.equal(await entries('session.ended'), await number('select count(*)::int n from delegated_session where ended_at is not null'));
      assert.ok((await number('select count(*)::int n from delegated_session where service_id = $1', [other.id])) >= 2);
      const [span] = await world.sql('select count(*)::int n, min(idx)::int first, max(idx)::int last from journal.leaf');
      const size = await number('select size::int n from journal.head');
      assert.deepEqual(span, { n: size, first: 0, last: size - 1 });
      assert.equal(await number('select count(*)::int n from journal.queue'), 0);
      assert.deepEqual((await world.verifyJournal()).faults, []);
    });
  });

import { createEndingStore } from '../../src/persistence/mandate-endings.ts';
import { createMandateStore } from '../../src/persistence/mandates.ts';
import { agreed, begin, confirm, confirmation, csrfOf, inTheMorning } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { postgresOnly } from '../support/database.ts';
import { openWorld, signedInAidant } from '../support/world.ts';

const kind = postgresOnly();
const wait = (ms: number) => new Promise((resume) => setTimeout(resume, ms));

if (kind)
  for (const [what, end] of [
    ['stopped', 'end'],
    ['replaced', 'replace'],
  ] as const)
    test(`M17 M19 a session that waits while its theme alone is ${what} does not open, and says so once (postgres)`, {
      database: 'postgres',
    }, async () => {
      const world = await openWorld(kind);
      try {
        inTheMorning(world);
        const other = await world.secondInstance();
        const service = await world.service('theme-race');
        const karim = await signedInAidant(world);
        const csrf = await csrfOf(world, karim);
        const mandate = await agreed(world, 'colette', ['logement', 'famille']);
        const begun = await begin(karim, service);
        let answer: Promise<Response> | undefined;
        const now = world.app.site.clock.now();
        await other.app.site.transactions.run(async (tx) => {
          const store = createEndingStore();
          if (end === 'end') {
            await store.hold(tx, mandate.id);
            assert.deepEqual((await store.end(tx, mandate.id, 'revoked', 'usager', now, 'logement'))?.left, ['famille']);
          } else assert.equal((await createMandateStore().replaceGrants(tx, mandate.organisationId, mandate.usagerId, ['logement'], now)).length, 1);
          answer = confirm(world, karim, begun, confirmation(mandate, 'logement', csrf));
          await wait(400); // it has read what stood, and waits for us
        });
        const said = await answer;
        assert.deepEqual([said?.status, /theme_not_covered/.test((await said?.text()) ?? '')], [403, true]);
        assert.deepEqual(await world.sql('select 1 from delegated_session where mandate_id = $1', [mandate.id]), []);
        await world.app.flushJournal();
        const types = await world.sql("select type from journal.projection where type like 'session.%' and mandate is not distinct from $1", [
          mandate.id,
        ]);
        assert.deepEqual(types, [], 'nothing was opened');
        assert.equal((await world.sql("select 1 from journal.projection where type = 'session.refused'")).length, 1, 'one refusal, not one a try');
      } finally {
        await world.close();
      }
    });

import { serviceStore } from '../../src/persistence/services.ts';
import { agreed, begin, confirm, confirmation, csrfOf, inTheMorning } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { postgresOnly } from '../support/database.ts';
import { registrationOf, twoOperateurs } from '../support/services.ts';
import { granted } from '../support/staff.ts';
import { openWorld, signedInAidant } from '../support/world.ts';

const postgres = postgresOnly();
if (postgres)
  test('M17 a session that opens while its service is disabled on another instance does not stand, and says so (postgres)', {
    database: 'postgres',
  }, async () => {
    const world = await openWorld(postgres);
    try {
      inTheMorning(world);
      const other = await world.secondInstance();
      const service = await world.service('coupure');
      const karim = await signedInAidant(world);
      const csrf = await csrfOf(world, karim);
      const mandate = await agreed(world, 'colette', ['logement']);
      const [alice] = await twoOperateurs(world);
      // It has read a service in force, and waits for the one who takes it out of use.
      const late = await begin(karim, service);
      let answered: Promise<Response> | undefined;
      await other.app.site.transactions.run(async (tx) => {
        await serviceStore.lock(tx, service.id);
        await serviceStore.setStatus(tx, service.id, 'approved', 'disabled');
        answered = confirm(world, karim, late, confirmation(mandate, 'logement', csrf));
        await new Promise((resume) => setTimeout(resume, 400));
      });
      const said = await answered;
      assert.deepEqual([said?.status, /service_disabled/.test((await said?.text()) ?? '')], [403, true]);
      assert.deepEqual(await world.sql('select 1 from delegated_session where service_id = $1', [service.id]), []);
      await world.sql("update service set status = 'approved' where id = $1", [service.id]);
      for (let round = 0; round < 4; round++) {
        const begun = await begin(karim, service);
        const [answer, disabled] = await Promise.all([
          confirm(world, karim, begun, confirmation(mandate, 'logement', csrf)),
          new Promise((resume) => setTimeout(resume, round * 6)).then(() => other.app.services.disable(service.id, alice)),
        ]);
        await answer.body?.cancel();
        granted(disabled);
        assert.ok([303, 302, 403].includes(answer.status), String(answer.status));
        assert.deepEqual(
          await world.sql('select id from delegated_session where service_id = $1 and ended_at is null', [service.id]),
          [],
          'nothing lives at a service that is out of use',
        );
        const [marcsOwn] = (await twoOperateurs(world)).slice(1);
        granted(await world.app.services.change(await registrationOf(world.app, service.id), { askedBy: alice }));
        const both = await Promise.all([world.app, other.app].map((app) => app.services.approve(service.id, marcsOwn ?? '')));
        assert.equal(both.filter((each) => 'service' in each).length, 1, 'one of two approvals at once');
        world.advance(1500);
      }
    } finally {
      await world.close();
    }
  });

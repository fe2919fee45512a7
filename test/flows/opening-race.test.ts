import { run } from '../../src/persistence/database.ts';
import { sql } from '../../src/persistence/sql.ts';
import { agreed, begin, confirm, confirmation, csrfOf, inTheMorning, whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { openSecond, postgresOnly } from '../support/database.ts';
import { openWorld, signedInAidant } from '../support/world.ts';

const postgres = postgresOnly();

if (postgres)
  test('M13 M14 M17 a session that opens while its structure, its aidant or her membership is suspended waits, and does not open (postgres)', {
    database: 'postgres',
  }, async (t) => {
    const world = await openWorld(postgres);
    t.after(() => world.close());
    inTheMorning(world);
    const holder = await openSecond(world.fresh.url ?? '');
    t.after(() => holder.close());
    const service = await world.service('suspension');
    const karim = await signedInAidant(world);
    const csrf = await csrfOf(world, karim);
    const mandate = await agreed(world, 'colette', ['logement']);
    const { aidantId, organisationId } = await whoIs(world);
    for (const [what, suspend, reinstate] of [
      [
        'structure',
        sql`update organisation set status = 'suspended' where id = ${organisationId}`,
        sql`update organisation set status = 'active' where id = ${organisationId}`,
      ],
      ['aidant', sql`update staff set status = 'suspended' where id = ${aidantId}`, sql`update staff set status = 'active' where id = ${aidantId}`],
      [
        'membership',
        sql`update membership set status = 'suspended' where aidant_id = ${aidantId} and organisation_id = ${organisationId}`,
        sql`update membership set status = 'active' where aidant_id = ${aidantId}`,
      ],
    ] as const) {
      const late = await begin(karim, service);
      let hasAnswered = false;
      let answer: Promise<Response> | undefined;
      await holder.run(async (tx) => {
        assert.equal(await run(tx, suspend), 1, what);
        answer = confirm(world, karim, late, confirmation(mandate, 'logement', csrf)).finally(() => {
          hasAnswered = true;
        });
        await new Promise((resume) => setTimeout(resume, 400));
        assert.equal(hasAnswered, false, `${what}: not answered before it is decided`);
      });
      const said = await answer;
      assert.deepEqual([said?.status, /_suspended/.test((await said?.text()) ?? '')], [403, true], what);
      assert.deepEqual(await world.sql('select id from delegated_session where mandate_id = $1', [mandate.id]), [], `${what}: no session was opened`);
      await holder.run((tx) => run(tx, reinstate));
    }
  });

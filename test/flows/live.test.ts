import { after, before, describe } from 'node:test';
import { agreed, begin, confirm, confirmation, csrfOf, eventOf, introspectAt, redeemAt, reportAt, resume, userinfoAt } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { openWorld, signedInAidant, type TestService, type World } from '../support/world.ts';

/**
 * A stop ends the mandate's row and its sessions' rows together. Here only one row changes, by SQL, while the session's own still says that it
 * lives: each of them is enough, at every use. What ends sessions may forget one; what asks does not.
 */

interface Layer {
  readonly title: string;
  readonly sql: string;
  readonly back?: string;
}

const LAYERS: readonly Layer[] = [
  {
    title: 'M5 the row of the mandate says that it was stopped',
    sql: "update mandate set ended_at = now(), end_reason = 'revoked', ended_by = 'test' where id = $1",
  },
  {
    title: 'M5 the row of its grant says that the theme was stopped',
    sql: "update mandate_grant set ended_at = now(), end_reason = 'revoked' where mandate_id = $1",
  },
  {
    title: 'M3 the time of the mandate is over',
    sql: "update mandate set starts_at = now() - interval '2 hours', ends_at = now() - interval '1 second' where id = $1",
  },
  { title: 'M4 the mandate has not begun', sql: "update mandate set starts_at = now() + interval '1 hour' where id = $1" },
  {
    title: 'M13 the organisation is suspended',
    sql: "update organisation set status = 'suspended' where id = (select organisation_id from mandate where id = $1)",
    back: "update organisation set status = 'active' where id = (select organisation_id from mandate where id = $1)",
  },
  {
    title: 'M2 the organisation is no longer habilitated for the theme',
    sql: "update organisation set themes = array_remove(themes, 'logement') where id = (select organisation_id from mandate where id = $1)",
    back: "update organisation set themes = themes || array['logement'] where id = (select organisation_id from mandate where id = $1)",
  },
  {
    title: 'M14 the aidant is suspended',
    sql: "update staff set status = 'suspended' where id = (select accepted_by from mandate where id = $1)",
    back: "update staff set status = 'active' where id = (select accepted_by from mandate where id = $1)",
  },
  {
    title: 'M14 the aidant has left the organisation',
    sql: "update membership m set status = 'ended' from mandate x where x.id = $1 and m.aidant_id = x.accepted_by and m.organisation_id = x.organisation_id",
    back: "update membership m set status = 'active' from mandate x where x.id = $1 and m.aidant_id = x.accepted_by and m.organisation_id = x.organisation_id",
  },
];

for (const kind of databases()) {
  describe(kind.kind, () => {
    let world: World;
    let karim: Awaited<ReturnType<typeof signedInAidant>>;
    let csrf: string;
    let used: TestService;
    let waiting: TestService;
    before(async () => {
      world = await openWorld(kind);
      karim = await signedInAidant(world);
      csrf = await csrfOf(world, karim);
      used = await world.service('live-used');
      waiting = await world.service('live-waiting');
    });
    after(() => world.close());

    for (const { title, sql, back } of LAYERS)
      test(`${title}: token, userinfo, introspection and report refuse, though the session's row lives (${kind.kind})`, {
        database: kind.kind,
      }, async () => {
        const mandate = await agreed(world, 'colette');
        const fields = confirmation(mandate, 'logement', csrf);
        const codeOf = async (service: TestService) => {
          const begun = await begin(karim, service);
          const code = await resume(karim, await confirm(world, karim, begun, fields), service);
          assert.ok(code, 'a code was given');
          return { request: begun.request, code };
        };
        const acting = await codeOf(used);
        const token = (await redeemAt(world, used, acting.request, acting.code)).body.access_token ?? '';
        const live = await introspectAt(world, used, token);
        assert.equal(live.active, true);
        assert.equal(await userinfoAt(world, token), 200);
        const late = await codeOf(waiting);

        await world.sql(sql, [mandate.id]);
        const [row] = await world.sql('select count(*)::int n from delegated_session where mandate_id = $1 and ended_at is null', [mandate.id]);
        assert.equal(row?.['n'], 2, 'both sessions still stand');
        assert.deepEqual(await introspectAt(world, used, token), { active: false });
        assert.equal(await userinfoAt(world, token), 401);
        assert.equal((await reportAt(world, token, eventOf(used, live.session ?? '', `late-${mandate.id}`))).status, 401);
        const refused = await redeemAt(world, waiting, late.request, late.code);
        assert.deepEqual([refused.status, refused.body.error], [400, 'invalid_grant']);
        assert.deepEqual(await world.sql('select 1 from action where session_id = $1', [live.session]), []);
        if (back) await world.sql(back, [mandate.id]);
      });
  });
}
